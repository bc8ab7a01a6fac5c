"""The command line: one module per group of commands, one program, the exit codes of the contract.

Importing this package is cheap: neither Qt nor torch nor the readers are loaded before a command needs them.
"""

from __future__ import annotations

from focusviewer.cli.program import main

__all__ = ["main"]
