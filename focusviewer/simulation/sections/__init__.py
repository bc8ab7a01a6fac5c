"""Sections on a slide: lifted from real pictures, out of focus in places, with artefacts, and imaged."""
