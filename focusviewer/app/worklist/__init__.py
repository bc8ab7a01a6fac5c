"""The worklist in the window: what a batch has judged, read through slide by slide."""
