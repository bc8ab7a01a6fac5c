"""Run the command line with ``python -m focusviewer``."""

from focusviewer.cli import main

if __name__ == "__main__":
    main()
