"""DICOM whole-slide images: which files are one slide, and slides with several focal planes."""
