"""Focus maps of whole slides: made, calibrated, summarised, coloured, kept and written."""
