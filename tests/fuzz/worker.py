"""The process that opens mutants: one name a line in, one line of JSON out; its death is an answer too."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
import traceback
from pathlib import Path

MEMORY_BYTES = 2 << 30


def main() -> None:
    """Open every file that stdin names."""
    from focusviewer.core.errors import UserError
    from focusviewer.slides import open_slide
    from focusviewer.slides.describe import to_json

    _load_codecs()
    _limit_memory()
    answers = os.fdopen(os.dup(1), "w")
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)  # codecs write to both
    for line in sys.stdin:
        started = time.perf_counter()
        outcome, text = "refused", ""
        try:
            with open_slide(Path(line.strip())) as slide:
                json.dumps(to_json(slide.info))
                outcome, text = _read(slide)
        except UserError as error:
            text = str(error)
        except MemoryError:
            outcome, text = "memory", traceback.format_exc()
        except Exception:
            outcome, text = "traceback", traceback.format_exc()
        peak = _peak_bytes()
        seconds = time.perf_counter() - started
        answers.write(json.dumps({"outcome": outcome, "text": text, "peak": peak, "seconds": seconds}) + "\n")
        answers.flush()


def _read(slide: object) -> tuple[str, str]:
    """Read what the window and the focus map would: parts of every level and plane, the overview, side images."""
    from focusviewer.core.errors import SlideError
    from focusviewer.slides import DisplayPyramid, Region, Slide, TileKey

    assert isinstance(slide, Slide)
    outcome, text = "opened", ""
    pyramid = DisplayPyramid(slide)
    reads = [
        lambda index=index, plane=plane, x=x: slide.read_region(Region(index, x, x, 300, 300, plane))
        for index in range(min(len(slide.levels), 6))
        for plane in sorted({0, len(slide.planes_um) // 2, len(slide.planes_um) - 1})
        for x in (0, min(slide.dimensions) // 2)
    ]
    reads.append(lambda: pyramid.read_tile(TileKey(slide.fingerprint, pyramid.n_zooms - 1, 0, 0, 0)))
    reads += [lambda name=name: slide.read_associated(name) for name in slide.info.associated]
    for read in reads:
        try:
            read()
        except SlideError as error:
            outcome, text = "partly", str(error)
    return outcome, text


def _load_codecs() -> None:
    """Import what readers import later, so that limits count what files take."""
    import imagecodecs
    import openslide  # noqa: F401
    import tifffile  # noqa: F401
    from PIL import Image, ImageCms  # noqa: F401

    Image.init()
    for name in ("jpeg8", "jpeg2k", "deflate", "zlib", "lzw", "zstd", "packints", "floatpred", "delta", "webp", "png"):
        getattr(imagecodecs, f"{name}_decode")


def _peak_bytes() -> int:
    """Most memory this program has had; what ``getrusage`` says begins with that of the program that started it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:", 1)[1].split()[0]) * 1024


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
