"""Programs that are killed at random moments: nothing may be lost, half written under a final name, or left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from focusviewer.core.errors import UserError
from focusviewer.core.files import clean_up

VERDICTS = """
import sys
from pathlib import Path
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import SlideFacts
from focusviewer.qc.worklist.store import Worklist
with Worklist(Path(sys.argv[1])) as worklist:
    worklist.add_slide(SlideFacts("f" * 32, Path("/slides/a.svs"), "a.svs"))
    number = len(worklist.history("f" * 32))
    while True:
        worklist.give_verdict("f" * 32, Verdict.PASS, "Ann", str(number))
        print(number, flush=True)
        number += 1
"""


@dataclass
class KillReport:
    """How many programs were killed, and what was wrong afterwards."""

    kills: dict[str, int] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def kill_programs(
    times: int,
    seed: int,
    on_progress: Callable[[float, str], None],
    kinds: Sequence[str] = ("qc", "verdicts", "export"),
) -> KillReport:
    """Kill programs of each kind ``times`` times, start them again, and look at what they left.

    Raises
    ------
    UserError
        On systems that cannot kill a program without a word to it.
    """
    if not hasattr(signal, "SIGKILL"):
        raise UserError("Programs cannot be killed like that on this system", "", "Use Linux or macOS.")
    report, rng = KillReport(), np.random.default_rng(seed)
    trials = {"qc": _kill_qc, "verdicts": _kill_verdicts, "export": _kill_export}
    for index, kind in enumerate(kinds):
        report.kills[kind] = 0
        with tempfile.TemporaryDirectory() as folder:

            def progress(done: int, kind: str = kind, index: int = index) -> None:
                report.kills[kind] = done
                on_progress((index + done / times) / len(kinds), f"{kind} {done}")

            report.problems += [f"{kind}: {text}" for text in trials[kind](Path(folder), times, rng, progress)]
    return report


def _kill_qc(folder: Path, times: int, rng: np.random.Generator, progress: Callable[[int], None]) -> list[str]:
    """A batch of small pictures, resumed after every kill."""
    from focusviewer.focus.mapping.store import load_map
    from focusviewer.qc.worklist.store import FILE_NAME, Worklist

    out, slides = folder / "out", _pictures(folder / "slides", 6, rng)
    command = [sys.executable, "-m", "focusviewer", "qc", *map(str, slides), "--out", str(out), "--workers", "1"]
    problems: list[str] = []
    whole = _time_of([*command[:-3], str(folder / "whole"), "--workers", "1"])
    for done in range(times):
        resume = ["--resume"] if (out / FILE_NAME).exists() else []
        _killed([*command, *resume], float(rng.uniform(0.05, 1.0)) * whole)
        progress(done + 1)
        if not (out / FILE_NAME).exists():
            continue
        with Worklist(out / FILE_NAME) as worklist:
            problems += [] if worklist.check() == "ok" else [f"the worklist is damaged after kill {done + 1}"]
            for row in worklist.slides():
                if row.result is not None:
                    load_map(out / row.result.folder / "map.npz")
    last = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
    problems += [f"the last run failed: {last.stderr.strip()[-300:]}"] if last.returncode else []
    with Worklist(out / FILE_NAME) as worklist:
        judged = sum(row.result is not None for row in worklist.slides())
    problems += [] if judged == len(slides) else [f"{judged} of {len(slides)} slides are judged"]
    return problems + _leftovers(out)


def _kill_verdicts(folder: Path, times: int, rng: np.random.Generator, progress: Callable[[int], None]) -> list[str]:
    """A person's verdicts, one after the other; what was said to be written must be there."""
    from focusviewer.qc.worklist.store import FILE_NAME, Worklist

    problems: list[str] = []
    path = folder / FILE_NAME
    for done in range(times):
        said = _killed([sys.executable, "-c", VERDICTS, str(path)], float(rng.uniform(0.0, 0.6)), first_word=True)
        progress(done + 1)
        if not path.exists():
            continue
        with Worklist(path) as worklist:
            notes = [int(row.note) for row in worklist.history("f" * 32)]
            problems += [] if worklist.check() == "ok" else [f"the worklist is damaged after kill {done + 1}"]
        last = max((int(line) for line in said.split("\n")[:-1]), default=-1)
        problems += [] if notes == list(range(len(notes))) and len(notes) > last else [f"lost after kill {done + 1}"]
    return problems + _leftovers(folder)


def _kill_export(folder: Path, times: int, rng: np.random.Generator, progress: Callable[[int], None]) -> list[str]:
    """A region refocused into a file that is there already: the old one, or the new one, and never a part."""
    import tifffile

    (picture,) = _pictures(folder / "slides", 1, rng)
    out = folder / "out" / "export.ome.tif"
    out.parent.mkdir()
    command = [sys.executable, "-m", "focusviewer", "refocus", str(picture), "--mpp", "0.25", "--z", "1"]
    command += ["--out", str(out), "--force"]
    whole, problems = _time_of(command), []
    for done in range(times):
        _killed(command, float(rng.uniform(0.3, 1.05)) * whole)
        progress(done + 1)
        try:
            tifffile.imread(out)
        except Exception as error:  # whatever the file holds
            problems.append(f"the file is no whole one after kill {done + 1}: {error!r}")
    _time_of(command)
    return problems + _leftovers(folder / "out")


def _pictures(folder: Path, count: int, rng: np.random.Generator) -> list[Path]:
    """Pictures of noise in two grain sizes, which counts as tissue."""
    from PIL import Image

    folder.mkdir()
    paths = [folder / f"{index}.png" for index in range(count)]
    for path in paths:
        coarse = rng.integers(90, 200, (90, 90, 3), np.uint8).repeat(8, 0).repeat(8, 1)
        Image.fromarray(coarse - rng.integers(0, 60, coarse.shape, np.uint8)).save(path)
    return paths


def _time_of(command: list[str]) -> float:
    """Seconds that a command takes when nobody kills it.

    Raises
    ------
    UserError
        If it fails by itself.
    """
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError("A program could not be tried", (done.stderr.strip().splitlines() or ["no word"])[-1])
    return time.monotonic() - began


def _killed(command: list[str], after_s: float, *, first_word: bool = False) -> str:
    """Start a command, kill it with all that it started; returns what it had printed.

    Parameters
    ----------
    after_s : float
        Seconds from its start, or from its first line.
    """
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline() if first_word else ""
        try:
            said, _ = process.communicate(timeout=after_s)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
    return first + said


def _leftovers(folder: Path) -> list[str]:
    """Temporary files that are still there after the next start."""
    clean_up()
    left = [str(path.relative_to(folder)) for path in folder.rglob("*") if ".tmp" in path.name or path.suffix == ".old"]
    return [f"left behind: {name}" for name in left]
