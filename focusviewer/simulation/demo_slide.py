"""Simulated slides with known focus, and the demo slide made from one."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from focusviewer.core import files
from focusviewer.core.errors import UserError
from focusviewer.simulation.phantom.tissue import Bubble, TissuePhantom
from focusviewer.simulation.scanner import Scanner
from focusviewer.simulation.sections.artefacts import Artefacts, pattern_with_artefacts
from focusviewer.simulation.sections.blur_pattern import BLURS, BlurPattern, Strip, make_pattern
from focusviewer.simulation.slides import CAMERA, GLASS, SCANNER, TRUTH_STEP, SlideSimulator
from focusviewer.slides.writer import identity, truth_path, write_pyramid, write_stack

Progress = Callable[[float, str], None]

VERSION = 2
"""Of simulated slides: raise it when they come out differently, and those kept in the cache are made anew."""

THICKNESS_UM = 2.25
"""Optical thickness: 3.5 um of mounted tissue (n = 1.5) looks this thick to an objective that is moved in air."""

SLABS = 3


@dataclass(frozen=True)
class DemoSlide:
    """Files of the demo slide.

    Attributes
    ----------
    slide : Path
        Pyramidal OME-TIFF, partly out of focus.
    truth : Path
        ``.npz`` with ``z_um`` (|defocus|), ``x``, ``y`` and ``tissue``, see :func:`write_simulated_slide`.
    stack : Path
        OME-TIFF of a sharp region of the slide, 2048 x 2048 px, 5 planes 1 um apart; the middle one is in focus.
    """

    slide: Path
    truth: Path
    stack: Path


def write_simulated_slide(
    out: Path,
    *,
    seed: int,
    width: int,
    height: int,
    blur: str = "mixed",
    mpp: float = 0.25,
    stain: str = "he",
    on_progress: Progress | None = None,
    artefacts: Artefacts | None = None,
    scanner: Scanner | None = None,
) -> Path:
    """Write a simulated slide and its truth; equal arguments give equal bytes.

    Parameters
    ----------
    out : Path
        Pyramidal OME-TIFF to write.
    seed : int
        Tissue and focus errors follow from it.
    width, height : int
        Size of level 0, px.
    blur : "none", "whole", "strip", "bubble" or "mixed"
        Where the slide is out of focus.
    mpp : float
        Pixel size, um.
    stain : "he" or "ihc"
        Palette.
    on_progress : callable (fraction, text), optional
        Called from this thread; may raise to stop.
    artefacts : Artefacts, optional
        What is wrong with the section.
    scanner : Scanner, optional
        Optics, camera and fields of view; by default a good scanner without seams.

    Returns
    -------
    Path
        The truth, ``<stem>.truth.npz``: ``z_um`` float32 (rows, cols), distance of the focal plane from the middle
        of the section, um; ``x`` (cols,) and ``y`` (rows,), level-0 px of the grid's points; ``tissue`` bool.

    Raises
    ------
    UserError
        For an impossible size or an unknown pattern, and when the files cannot be written.
    """
    if width < 64 or height < 64:
        raise UserError(f"Cannot simulate a slide of {width} x {height} px", "it is too small", "Use 64 px or more.")
    if blur not in BLURS:
        raise UserError(f"Unknown blur {blur!r}", "", f"Use one of {', '.join(BLURS)}.")
    pattern = make_pattern(blur, np.random.default_rng((seed, 8)), width, height)
    pattern = pattern_with_artefacts(artefacts or Artefacts(), pattern, seed, width, height, mpp)
    phantom = _phantom(seed, width, height, mpp, stain, pattern, artefacts)
    scanner = scanner or Scanner(SCANNER, CAMERA)
    simulator = SlideSimulator(
        phantom, pattern, scanner.scan, scanner.optics, scanner.camera, GLASS, domain=scanner.domain
    )
    return _write(Path(out), simulator, on_progress)


def _phantom(
    seed: int,
    width: int,
    height: int,
    mpp: float,
    stain: str,
    pattern: BlurPattern,
    artefacts: Artefacts | None = None,
) -> TissuePhantom:
    artefacts = artefacts or Artefacts()
    return TissuePhantom(
        seed,
        width,
        height,
        mpp=mpp,
        stain=stain,
        thickness_um=THICKNESS_UM,
        slabs=SLABS,
        kind="slide",
        bubbles=pattern.bubbles,
        dust=artefacts.particles(seed, width, height),
        folds=artefacts.folds,
    )


def _write(out: Path, simulator: SlideSimulator, on_progress: Progress | None) -> Path:
    """Write slide and truth; either both appear, complete, or neither."""
    phantom = simulator.phantom

    def report(done: int, total: int) -> None:
        if on_progress:
            on_progress(done / total, f"Drawing the slide, block {done} of {total}")

    truth = truth_path(out)
    with files.atomic_write(truth) as half_truth, files.atomic_write(out) as half_slide:
        np.savez_compressed(half_truth, **simulator.truth())  # type: ignore[arg-type]
        write_pyramid(
            half_slide,
            phantom.width,
            phantom.height,
            phantom.mpp,
            simulator.draw,
            on_block=report,
            identity=identity(simulator.recipe),
        )
    return truth


DEMO_SIZE = (12288, 10240)
DEMO_SEED = 21
DEMO_STACK_UM = (-2.0, -1.0, 0.0, 1.0, 2.0)


def demo_simulator(width: int = DEMO_SIZE[0], height: int = DEMO_SIZE[1]) -> SlideSimulator:
    """The demo slide's section and focus errors: a stripe, a bubble and a tilted corner, sharp elsewhere."""
    pattern = BlurPattern(
        strips=(Strip(0.44 * width, 0.57 * width, 2.0),),
        bubbles=(Bubble(0.25 * width, 0.70 * height, 0.10 * height),),
        bubble_um=3.2,
        tilt_um=4.5,
        tilt_corner=(float(width), float(height)),
        tilt_reach_px=0.66 * float(np.hypot(width, height)),
    )
    return SlideSimulator(_phantom(DEMO_SEED, width, height, 0.25, "he", pattern), pattern)


def sharp_square(simulator: SlideSimulator, size: int) -> tuple[int, int]:
    """Upper left corner (x, y) of a square in focus that holds as much tissue as any."""
    from scipy.ndimage import uniform_filter

    step = TRUTH_STEP
    truth = simulator.truth()
    good = (truth["tissue"] & (truth["z_um"] < 0.3)).astype(np.float32)  # type: ignore[operator]
    cells = max(size // step, 1)
    share = uniform_filter(good, cells, mode="constant")
    row, column = np.unravel_index(int(np.argmax(share)), share.shape)
    x = int(np.clip(column * step - size // 2, 0, simulator.phantom.width - size))
    y = int(np.clip(row * step - size // 2, 0, simulator.phantom.height - size))
    return x // 8 * 8, y // 8 * 8


def ensure_demo_slide(folder: Path | None = None, on_progress: Progress | None = None) -> DemoSlide:
    """The demo slide, made on first use and kept.

    Safe when several programs make it at once, or when one is interrupted: everything is written to a folder of its
    own, which gets its final name when it is complete.

    Parameters
    ----------
    folder : Path, optional
        Where to keep it; the user's cache by default.
    on_progress : callable (fraction, text), optional
        Called from this thread while the slide is made; may raise to stop.

    Raises
    ------
    UserError
        If the folder cannot be written to.
    """
    return ensure_slide(folder or files.cache_dir() / "demo", demo_simulator, on_progress)


def ensure_slide(
    folder: Path,
    make: Callable[[], SlideSimulator],
    on_progress: Progress | None = None,
    stack_px: int = 2048,
) -> DemoSlide:
    """:func:`ensure_demo_slide` for any slide."""
    final = folder / f"demo-v{VERSION}"
    demo = _files_in(final)
    if all(path.exists() for path in (demo.slide, demo.truth, demo.stack)):
        return demo
    files.output_folder(folder)
    _sweep(folder)
    report = on_progress or (lambda fraction, text: None)
    building = Path(tempfile.mkdtemp(prefix="building-", dir=folder))
    try:
        report(0.0, "Planning the tissue")
        simulator = make()
        half = _files_in(building)
        _write(half.slide, simulator, lambda fraction, text: report(0.02 + 0.9 * fraction, text))
        report(0.93, "Drawing the focal stack")
        x, y = sharp_square(simulator, stack_px)
        write_stack(half.stack, simulator.stack(x, y, stack_px, DEMO_STACK_UM), simulator.phantom.mpp, 1.0)
        try:
            building.rename(final)
        except OSError:
            # Somebody else finished first (or an incomplete folder is in the way).
            if not demo.slide.exists() or not demo.stack.exists():
                shutil.rmtree(final, ignore_errors=True)
                building.rename(final)
        report(1.0, "Done")
    except OSError as error:
        raise UserError(f"Cannot make the demo slide in {folder}", error.strerror or str(error), "") from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return demo


def _files_in(folder: Path) -> DemoSlide:
    return DemoSlide(folder / "demo.ome.tif", folder / "demo.truth.npz", folder / "demo-stack.ome.tif")


def _sweep(folder: Path) -> None:
    """Remove what programs that were killed have left, once it is too old for any running program."""
    for path in folder.glob("building-*"):
        try:
            if time.time() - path.stat().st_mtime > 6 * 3600:
                shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue
