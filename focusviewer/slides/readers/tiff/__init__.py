"""TIFF slides and stacks: the file's structure, what its dialects state, its pages, its pixels."""
