"""``score``: one blur score per image and model."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.arguments import AsJson, Magnification, Mpp, check_planes, opened
from focusviewer.cli.output import note, print_json, table
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.focus.base import FocusModel
    from focusviewer.slides import Slide

MAX_PIXELS = 64_000_000
"""Larger images are slides: their blur differs from place to place, and one number says little."""

ModelNames = Annotated[
    list[str] | None,
    typer.Option("--model", metavar="NAME", help="Focus model or measure; may be given several times."),
]


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(score)


def score(
    images: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Images, small slides or focal stacks.")],
    model: ModelNames = None,
    plane: Annotated[int | None, typer.Option("--plane", help="Only this plane of a stack; all when missing.")] = None,
    mpp: Mpp = None,
    magnification: Magnification = None,
    json: AsJson = False,
) -> None:
    """One blur score per image and model; larger is blurrier.

    The planes of a focal stack are images of their own. An image that does not state its pixel size is taken to be
    at the finest scale the model is made for, and the output says so; --mpp or --magnification states it.
    """
    from focusviewer.focus import DEFAULT_MODEL, get_model

    models = [get_model(name) for name in model or [DEFAULT_MODEL]]
    results: list[dict[str, Any]] = []
    for path in images:
        with opened(path, mpp, magnification) as slide:
            results += score_slide(slide, path, models, plane)
    if json:
        print_json(results)
        return
    several = any(result["planes"] > 1 for result in results)
    head = ["score", "unit", "model", *(["plane"] if several else []), "path"]
    rows = [[r["score"], r["unit"], r["model"], *([str(r["plane"])] if several else []), r["path"]] for r in results]
    typer.echo(table(head, rows))
    assumed = sorted({(result["path"], result["mpp"]) for result in results if result["mpp_assumed"]})
    for name in sorted({result["path"] for result in results if result["fluorescence"]}):
        note(f"{name} looks like fluorescence; trained models know stained tissue in transmitted light only")
    for name, used in assumed:
        note(f"{name} does not state its pixel size; scored as {used:g} um (state it with --mpp UM)")


def score_slide(slide: Slide, path: Path, models: list[FocusModel], plane: int | None) -> list[dict[str, Any]]:
    """Scores of every plane (or one) of a small slide by every model, as entries of ``score --json``.

    Raises
    ------
    UserError
        If the image is so large that it wants a map, or has no such plane.
    """
    width, height = slide.dimensions
    if width * height > MAX_PIXELS:
        raise UserError(
            f"{slide.name} is too large for one score",
            f"it is {width} x {height} pixels",
            f"Map it: focusviewer heatmap {shlex.quote(str(path))}",
        )
    if plane is not None:
        check_planes([plane], slide)
    planes = range(len(slide.planes_um)) if plane is None else [plane]
    return [_score_plane(slide, path, model, index) for index in planes for model in models]


def _score_plane(slide: Slide, path: Path, model: FocusModel, plane: int) -> dict[str, Any]:
    from focusviewer.focus.calibration.store import find_calibration
    from focusviewer.focus.resample import read_scaled
    from focusviewer.focus.tissue.fluorescence import looks_fluorescent

    if model.mpps and slide.info.not_square is not None:
        raise slide.scale_error()
    assumed = bool(model.mpps) and slide.mpp is None
    slide_mpp = model.mpps[0] if assumed else slide.mpp
    scale = model.scale_for(slide_mpp)
    width, height = slide.dimensions
    pixels = read_scaled(slide, plane, scale, (0, 0, max(1, round(width / scale)), max(1, round(height / scale))))
    working_mpp = None if slide_mpp is None else slide_mpp * scale
    score = model.score(pixels, working_mpp)
    fluorescence = looks_fluorescent(pixels)
    known = None if assumed or fluorescence else find_calibration(model, slide, slide_mpp)
    return {
        "path": str(path),
        "model": model.name,
        "score": score,
        "um": float(known.curve.read(score)) if known is not None else None,
        "calibration": known.source if known is not None else None,
        "unit": "levels of 0.25 um" if model.absolute else "relative",
        "plane": plane,
        "planes": len(slide.planes_um),
        "z_um": slide.planes_um[plane] if slide.info.z_step_known else None,
        "mpp": slide_mpp,
        "mpp_assumed": assumed,
        "fluorescence": fluorescence,
    }
