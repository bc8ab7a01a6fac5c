"""The laboratory: sharp sources, random defocus, trainers. Never imported by the window."""
