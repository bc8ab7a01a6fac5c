"""What the viewport paints: each layer is a small class with one ``paint(painter, view)``.

Painters arrive scaled to screen (device) pixels, so layers never think about HiDPI.
"""
