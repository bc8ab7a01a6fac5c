"""The worklist in the window: the slides that a batch has judged, reviewed one by one."""
