"""``python -m tests.fuzz``: open mutants of slides, stacks and pictures, and print what became of them."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.fuzz.corpus import write_corpus
from tests.fuzz.run import BAD, GOOD, Figures, fuzz


def main() -> int:
    """Run the command; 1 when a mutant brought the program down."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--mutants", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant, to go on where a run ended")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("FOCUSVIEWER_DATA", "../shared/data")))
    parser.add_argument("--keep", type=Path, help="folder that keeps the mutants that went wrong")
    options = parser.parse_args()
    keep = options.keep or Path(tempfile.mkdtemp(prefix="fuzz-"))
    keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        corpus = write_corpus(Path(folder), options.data if options.data.is_dir() else None)
        started = time.monotonic()

        def report(number: int, figures: Figures) -> None:
            if (number + 1) % 500 == 0:
                counts = ", ".join(f"{key} {value}" for key, value in figures.counts.items())
                print(f"{number + 1 - options.first} of {options.mutants}: {counts}", flush=True)

        figures = fuzz(corpus, options.mutants, options.seed, keep, first=options.first, on_mutant=report)
    print(
        f"\n{options.mutants} mutants of {len(corpus)} files, seed {options.seed}, {time.monotonic() - started:.0f} s"
    )
    for outcome in (*GOOD, *BAD):
        print(f"  {outcome:10} {figures.counts[outcome]:6}")
    print(f"  slowest {figures.slowest:.1f} s, most memory {figures.largest / 1e9:.2f} GB")
    for path, outcome, text in figures.found:
        print(f"{outcome}: {path}\n    {text.strip().splitlines()[-1] if text.strip() else ''}")
    return 0 if figures.clean else 1


if __name__ == "__main__":
    sys.exit(main())
