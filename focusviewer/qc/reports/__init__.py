"""Reports of a worklist: HTML, paper, CSV, JSON, and the list of slides to scan again."""
