"""Readers: each opens one family of files as a :class:`focusviewer.slides.base.Slide`."""
