"""Files changed at random, opened in a process of their own: nothing a file holds may bring the program down.

``python -m tests.fuzz --mutants 10000`` prints what became of them.
"""
