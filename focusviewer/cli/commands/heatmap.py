"""``heatmap``: the focus map of a whole slide, as numbers, picture and regions."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.arguments import (
    AsJson,
    Magnification,
    Mpp,
    RegionText,
    SlidePath,
    check_planes,
    opened,
    parse_region,
)
from focusviewer.cli.output import Progress, print_json
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.focus.base import FocusMap


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(heatmap)


def heatmap(
    path: SlidePath,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Focus model or measure.")] = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder for the map's files.")] = None,
    region: RegionText = None,
    plane: Annotated[int, typer.Option("--plane", help="Plane of a focal stack, from 0.")] = 0,
    threshold: Annotated[
        float | None, typer.Option("--threshold", help="Windows at or above this score count as blurred.")
    ] = None,
    threads: Annotated[int, typer.Option("--threads", min=1, max=64, help="Worker threads.")] = 2,
    raw: Annotated[bool, typer.Option("--raw", help="The model's own scores, whatever calibration there is.")] = False,
    mpp: Mpp = None,
    magnification: Magnification = None,
    json: AsJson = False,
) -> None:
    """Whole-slide focus map: DIR/map.npz, map.png, map.geojson and summary.json.

    The threshold is in the unit of the map: levels of 0.25 um for trained models and wherever a calibration holds (3
    when missing). Other scores have none, so they call nothing blurred unless it is given.
    """
    from focusviewer.core.files import check_output_folder
    from focusviewer.focus import DEFAULT_MODEL, get_model, map_document, map_focus, write_map
    from focusviewer.focus.mapping.service import check_scale

    focus_model = get_model(model or DEFAULT_MODEL)
    if threshold is not None and not math.isfinite(threshold):
        raise UserError(f"--threshold {threshold} is no score", "", "Give a number, like --threshold 3.")
    with opened(path, mpp, magnification) as slide:
        check_planes([plane], slide)
        box = parse_region(region, slide)
        check_scale(slide, focus_model)
        if out is not None:
            check_output_folder(out)
        with Progress(f"{slide.name}: {focus_model.name}", quiet=json) as progress, cancel_on_interrupt() as cancel:
            focus_map = map_focus(
                slide,
                focus_model,
                region=box,
                plane=plane,
                calibrations=() if raw else None,
                threads=threads,
                on_progress=progress,
                cancel=cancel,
            )
        document = map_document(focus_map, slide, threshold, path)
    if out is not None:
        write_map(out, focus_map, document)
    if json:
        print_json(document)
    else:
        typer.echo(describe(document, focus_map, out))


@contextmanager
def cancel_on_interrupt() -> Iterator[threading.Event]:
    """A cancel token that Ctrl+C sets, so that worker threads end soon instead of finishing their work first."""
    token = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield token  # only the main thread may say what a signal does
        return
    before = signal.signal(signal.SIGINT, lambda *_: token.set())
    try:
        yield token
    finally:
        signal.signal(signal.SIGINT, before)


def describe(document: dict[str, Any], focus_map: FocusMap, out: Path | None) -> str:
    """The map's figures for people."""
    unit = " levels of 0.25 um" if focus_map.absolute else " (relative measure)"
    if not document["tissue_windows"]:
        lines = ["no tissue found"]
    else:
        lines = [
            f"median blur:  {document['median']:.3g}{unit}, 95 % of windows below {document['p95']:.3g}",
        ]
        if document["blurred_fraction"] is not None:
            share = f"{document['blurred_fraction']:.1%} of tissue windows"
            lines.append(f"blurred:      {share} at or above {document['threshold']:g}")
    if document["fluorescence"]:
        lines.append(
            "note:         it looks like fluorescence: scores rank its windows, they are no distances from focus"
        )
    if document["calibration"]:
        lines.append(f"calibration:  {document['calibration']}")
    lines += [
        f"windows:      {document['tissue_windows']} with tissue of {document['windows']}",
        f"time:         {document['seconds']:.1f} s, of which decoding {document['decode_seconds']:.1f} s",
    ]
    if document["cannot_tell_windows"]:
        count = document["cannot_tell_windows"]
        lines.append(f"cannot tell:  {count} windows: pen, dust, a rim, a fold, or next to no stain")
    if document["unreadable_windows"]:
        lines.append(f"unreadable:   {document['unreadable_windows']} windows with tissue could not be decoded")
    if out is not None:
        lines.append(f"written to:   {out}")
    return "\n".join([f"model:        {document['model']}", *lines])
