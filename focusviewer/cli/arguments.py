"""Arguments that several commands share: what they mean, and how their text is read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focusviewer.cli.output import note
from focusviewer.core.errors import UserError
from focusviewer.core.geometry import Box

if TYPE_CHECKING:
    from focusviewer.slides import Slide

SlidePath = Annotated[
    Path, typer.Argument(metavar="PATH", help="A slide, a focal stack, an image or a folder of planes.")
]
Mpp = Annotated[
    float | None,
    typer.Option("--mpp", metavar="UM", help="Pixel size in um, when the file does not state a usable one."),
]
Magnification = Annotated[
    float | None, typer.Option("--magnification", metavar="X", help="Objective power (40 = 0.25 um), instead of --mpp.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
RegionText = Annotated[
    str | None, typer.Option("--region", metavar="X,Y,W,H", help="Only this part: corner and size in level-0 pixels.")
]


@contextmanager
def opened(
    path: Path, mpp: float | None = None, magnification: float | None = None, *, tell: bool = True
) -> Iterator[Slide]:
    """Open a slide with the scale options of the command line, and close it in the end.

    What its file lacks or leaves open is told on the terminal unless ``tell`` is False.

    Raises
    ------
    UserError
        If the file cannot be opened, or the scale given is impossible.
    """
    from focusviewer.slides import open_slide

    check_scale(mpp, magnification)
    slide = open_slide(path, mpp=mpp, magnification=magnification)
    for remark in slide.info.remarks if tell else ():
        note(f"{slide.name}: {remark}")
    try:
        yield slide
    finally:
        slide.close()


def check_scale(mpp: float | None, magnification: float | None) -> None:
    """Refuse a scale that contradicts itself or that no microscope has.

    Raises
    ------
    UserError
    """
    from focusviewer.slides.base import PLAUSIBLE_MPP, mpp_from_power, usable_mpp

    if mpp is not None and magnification is not None:
        raise UserError("--mpp and --magnification were both given", "", "Give one of them.")
    if mpp is not None and usable_mpp(mpp) is None:
        low, high = PLAUSIBLE_MPP
        raise UserError(f"--mpp {mpp:g} is not a usable pixel size", f"it lies outside {low:g} to {high:g} um")
    if magnification is not None and usable_mpp(mpp_from_power(magnification)) is None:
        raise UserError(f"--magnification {magnification:g} is not a usable objective power", "", "Give e.g. 20 or 40.")


def parse_ints(text: str, option: str, example: str, count: int | None = None) -> list[int]:
    """Whole numbers separated by commas.

    Raises
    ------
    UserError
        If the text is something else, or has another number of values than ``count``.
    """
    try:
        values = [int(part) for part in text.replace(" ", "").split(",")]
    except ValueError:
        values = []
    if not values or (count is not None and len(values) != count):
        raise UserError(f"{option} {text!r} cannot be read", "", f"Give it like {option} {example}.")
    return values


def parse_region(text: str | None, slide: Slide) -> Box | None:
    """``X,Y,W,H`` as a box inside the slide, in level-0 pixels; None when not given.

    Raises
    ------
    UserError
        If the text is no region, or the region does not lie inside the slide.
    """
    if text is None:
        return None
    x, y, width, height = parse_ints(text, "--region", "0,0,1024,768", 4)
    slide_width, slide_height = slide.dimensions
    if width < 1 or height < 1:
        raise UserError(f"--region {text} is empty", "", "Width and height must be at least 1.")
    if x < 0 or y < 0 or x + width > slide_width or y + height > slide_height:
        raise UserError(
            f"--region {text} does not lie inside {slide.name}", f"it is {slide_width} x {slide_height} pixels"
        )
    return x, y, width, height


def parse_size(text: str, option: str = "--size") -> tuple[int, int]:
    """``WxH`` in pixels.

    Raises
    ------
    UserError
        If the text is no size.
    """
    width, height = parse_ints(text.lower().replace("×", "x").replace("x", ","), option, "2048x1536", 2)
    if width < 1 or height < 1:
        raise UserError(f"{option} {text} is empty", "", "Width and height must be at least 1.")
    return width, height


def parse_planes(text: str | None, slide: Slide) -> list[int] | None:
    """``I,J,...`` as plane indices of the slide, in order and once each; None when not given.

    Raises
    ------
    UserError
        If the text is no list, or names a plane that the slide does not have.
    """
    if text is None:
        return None
    planes = sorted(set(parse_ints(text, "--planes", "0,2,4")))
    check_planes(planes, slide, "--planes")
    return planes


def check_planes(planes: Sequence[int], slide: Slide, option: str = "--plane") -> None:
    """Refuse plane indices that the slide does not have.

    Raises
    ------
    UserError
    """
    count = len(slide.planes_um)
    wrong = [plane for plane in planes if not 0 <= plane < count]
    if wrong:
        has = "has one plane, 0" if count == 1 else f"has planes 0 to {count - 1}"
        raise UserError(f"{option} {wrong[0]} is not there", f"{slide.name} {has}")


def check_output_file(path: Path, suffixes: Sequence[str], inputs: Sequence[Path] = ()) -> Path:
    """Refuse an output file that could not be written or would replace an input, before any work is done.

    Its folder is not made here but where it is written: an input that is wrong must leave nothing behind.

    Raises
    ------
    UserError
    """
    from focusviewer.core.files import check_output_folder

    if suffixes and path.suffix.lower() not in suffixes:
        raise UserError(
            f"Cannot write {path}", f"unknown file type {path.suffix or '(none)'}", f"Use {' or '.join(suffixes)}."
        )
    if path.is_dir():
        raise UserError(f"Cannot write {path}", "it is a folder", "Name a file.")
    for source in inputs:
        inside = source.is_dir() and path.exists() and path.resolve().parent == source.resolve()
        if inside or (path.exists() and source.exists() and path.samefile(source)):
            raise UserError(f"Cannot write {path}", "that is an input of this command", "Choose another output file.")
    check_output_folder(path.parent)
    return path
