"""Where there is tissue on a slide, and what no focus model can score."""
