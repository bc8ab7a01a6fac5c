"""Open and close slides in a window, as a person does with a folder: ``python open_and_close.py FOLDER SEED SECONDS``.

A program of its own, because what it looks for kills the process.
"""

from __future__ import annotations

import faulthandler
import random
import sys
import time
from pathlib import Path

from PySide6.QtCore import QTimer

from focusviewer.app.program import make_application, make_window

STEP_MS = 30


def main(folder: Path, seed: int, seconds: float) -> None:
    """Open a random file of the folder, or close the slide that is shown, until the time is over."""
    faulthandler.enable()
    paths, choose = sorted(folder.iterdir()), random.Random(seed)
    app = make_application(offscreen=True)
    window = make_window(app, remember=False)
    window.show()
    end, steps = time.monotonic() + seconds, 0

    def step() -> None:
        nonlocal steps
        if time.monotonic() > end:
            timer.stop()
            window.close()
            app.quit()
            return
        steps += 1
        if choose.random() < 0.7:
            window.open_paths([choose.choice(paths)])
        else:
            window.close_current()

    timer = QTimer()
    timer.timeout.connect(step)
    timer.start(STEP_MS)
    app.exec()
    print(f"{steps} steps")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
