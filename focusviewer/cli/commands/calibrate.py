"""``calibrate``: fit what a model's scores mean on one scanner, in microns from focus; measure its optics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.arguments import AsJson, Magnification, Mpp, check_planes, opened, parse_ints
from focusviewer.cli.commands.heatmap import cancel_on_interrupt
from focusviewer.cli.output import Progress, print_json, table
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.focus.calibrating import Mark
    from focusviewer.focus.calibration.curve import Calibration
    from focusviewer.slides import Slide

StackPaths = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="[STACK | SHARP BLURRED]",
        help="A focal stack; with --mark any slide of the scanner; with --optics also two files, a field in focus and "
        "the same field out of focus.",
    ),
]
Optics = Annotated[
    bool,
    typer.Option("--optics", help="Measure the optics of the scanner, for the refocusing engines; no focus model."),
]
List = Annotated[bool, typer.Option("--list", help="List calibrations and optics profiles (also without any STACK).")]
ModelName = Annotated[list[str] | None, typer.Option("--model", metavar="NAME", help="Focus model or measure.")]
Reference = Annotated[
    int | None, typer.Option("--reference", metavar="N", help="Plane in focus, from 0; the sharpest when missing.")
]
Step = Annotated[
    float | None, typer.Option("--step", metavar="UM", help="Distance of the planes, where the file does not state it.")
]
Marks = Annotated[
    list[str] | None,
    typer.Option("--mark", metavar="X,Y,W,H=UM", help="A region and its distance from focus; may be given often."),
]
ScannerKey = Annotated[
    str | None,
    typer.Option("--scanner", metavar="KEY", help="The scanner it holds for; the file's own when missing."),
]
Forget = Annotated[
    bool,
    typer.Option("--forget", help="Remove the calibration of a model, or with --optics the profile, for this scanner."),
]
Simulated = Annotated[
    bool, typer.Option("--simulated", help="Fit the calibrations that are shipped, to simulated tissue.")
]
Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="With --simulated: FOCUSVIEWER_DATA when missing.")
]
Out = Annotated[Path | None, typer.Option("--out", metavar="FILE", help="With --simulated: .json file to write.")]


def register(app: typer.Typer) -> None:
    """Add the command of this module to the program."""
    app.command("calibrate")(calibrate)


def calibrate(
    paths: StackPaths = None,
    optics: Optics = False,
    model: ModelName = None,
    reference: Reference = None,
    step: Step = None,
    mark: Marks = None,
    scanner: ScannerKey = None,
    forget: Forget = False,
    listed: List = False,
    simulated: Simulated = False,
    data: Data = None,
    out: Out = None,
    mpp: Mpp = None,
    magnification: Magnification = None,
    json: AsJson = False,
) -> None:
    """Read a model's scores in microns on one scanner: from a focal stack of it, or from regions of known focus.

    The calibration is kept, and used for every slide of that scanner and scale. Without STACK: lists what there is.
    With --optics the lens itself is measured, and what it leaves unexplained: refocusing works with it on every slide
    of that scanner and scale.
    """
    from focusviewer.focus import DEFAULT_MODEL

    if simulated:
        _fit_shipped(model, data, out, json)
        return
    if listed or (not paths and not (optics and forget and scanner is not None)):
        if optics and not listed:
            raise UserError(
                "--optics needs planes", "", "Give a focal stack, or two files: in focus, and out of focus."
            )
        _list(json)
        return
    if optics and (model or mark):
        raise UserError("--optics does not go with --model and --mark", "it measures the lens, not a focus model", "")
    if step is not None and not 0.01 <= step <= 100:
        raise UserError(f"--step {step:g} is not a usable distance", "", "Give microns, like --step 0.5.")
    if optics:
        from focusviewer.cli.commands import optics as profiles

        if forget:
            profiles.forget(paths or [], scanner, mpp, magnification, json)
        else:
            profiles.measure(paths or [], reference, step, scanner, mpp, magnification, json)
        return
    assert paths
    if len(paths) > 1:
        raise UserError(f"{len(paths)} files are too many", "one stack is calibrated with at a time", "")
    name = _one(model or [DEFAULT_MODEL])
    with opened(paths[0], mpp, magnification) as slide:
        if forget:
            _forget(name, slide, scanner, json)
            return
        marks = [_parse_mark(text, slide) for text in mark or []]
        if reference is not None:
            check_planes([reference], slide, "--reference")
        fitted, best = _fit(slide, name, marks, reference, step, scanner, json)
    _tell(fitted, best, json)


def _one(names: Sequence[str]) -> str:
    if len(names) != 1:
        raise UserError("--model was given several times", "one model is calibrated at a time")
    return names[0]


def _fit(
    slide: Slide, name: str, marks: list[Mark], reference: int | None, step: float | None, scanner: str | None,
    quiet: bool,
) -> tuple[Calibration, int | None]:  # fmt: skip
    from focusviewer.focus import get_model
    from focusviewer.focus.calibrating import calibrate_marks, calibrate_stack
    from focusviewer.focus.calibration.store import keep_calibration

    focus_model = get_model(name)
    if slide.mpp is None:
        raise slide.scale_error()
    with Progress(f"{slide.name}: {name}", quiet=quiet) as progress, cancel_on_interrupt() as cancel:
        best: int | None
        if marks:
            fitted, best = calibrate_marks(slide, focus_model, marks, scanner=scanner, cancel=cancel), None
        else:
            fitted, best = calibrate_stack(
                slide,
                focus_model,
                reference=reference,
                step_um=step,
                scanner=scanner,
                on_progress=progress,
                cancel=cancel,
            )
    keep_calibration(fitted)
    return fitted, best


def _parse_mark(text: str, slide: Slide) -> Mark:
    from focusviewer.cli.arguments import parse_region
    from focusviewer.focus.calibrating import Mark

    box, _, distance = text.partition("=")
    try:
        um = float(distance) if distance else 0.0
    except ValueError:
        um = math.nan
    if not 0 <= um <= 100:
        raise UserError(f"--mark {text!r} cannot be read", "", "Give it like --mark 0,0,1024,768=1.5 (um from focus).")
    parse_ints(box, "--mark", "0,0,1024,768=1.5", 4)
    inside = parse_region(box, slide)
    assert inside is not None
    return Mark(*inside, um)


def _tell(fitted: Calibration, best: int | None, json: bool) -> None:
    document = {**_document(fitted), "reference": best}
    if json:
        print_json(document)
        return
    knots = zip(fitted.curve.scores, fitted.curve.um, strict=True)
    lines = [f"calibrated:   {fitted.model} for {fitted.scanner}", f"from:         {fitted.source}"]
    if best is not None:
        lines.append(f"in focus:     plane {best}")
    lines.append("score, um:    " + "; ".join(f"{score:.3g}, {um:.2g}" for score, um in knots))
    typer.echo("\n".join(lines))


def _document(calibration: Calibration) -> dict[str, Any]:
    return {
        "kind": "focus",
        "model": calibration.model,
        "version": calibration.version,
        "scanner": calibration.scanner,
        "mpp": calibration.mpp,
        "source": calibration.source,
        "scores": list(calibration.curve.scores),
        "um": list(calibration.curve.um),
    }


def _list(json: bool) -> None:
    from focusviewer.cli.commands import optics
    from focusviewer.focus.calibration.profiles import known_profiles
    from focusviewer.focus.calibration.store import read_calibrations, shipped_calibrations

    known, profiles = [*read_calibrations(), *shipped_calibrations()], known_profiles()
    if json:
        print_json([*map(_document, known), *map(optics.document, profiles)])
        return
    rows = [
        [entry.model, entry.scanner or "any", "any" if entry.mpp is None else f"{entry.mpp:.3g}", entry.source]
        for entry in known
    ]
    typer.echo(table(["model", "scanner", "um/px", "from"], rows) if rows else "no calibrations")
    if profiles:
        heads = ["optics of", "um/px", "lens", "gain (standard lens)", "from", "made"]
        typer.echo("\n" + table(heads, optics.rows(profiles)))
    else:
        typer.echo("\nno optics profiles")


def _forget(name: str, slide: Slide, scanner: str | None, json: bool) -> None:
    from focusviewer.focus.calibration.store import forget_calibrations, scanner_key

    key = scanner if scanner is not None else scanner_key(slide)
    count = forget_calibrations(name, key)
    if not count:
        raise UserError(f"There is no calibration of {name} for {key}", "", "List them with: focusviewer calibrate")
    if json:
        print_json({"forgotten": count, "model": name, "scanner": key})
    else:
        typer.echo(f"forgotten:    {name} for {key}")


def _fit_shipped(names: list[str] | None, data: Path | None, out: Path | None, json: bool) -> None:
    from focusviewer.core.files import resource_path
    from focusviewer.focus import get_model, models
    from focusviewer.focus.calibration.store import SHIPPED, shipped_calibrations
    from focusviewer.training.calibration import fit_shipped
    from focusviewer.training.common import data_folder

    target = out or resource_path("weights").parent.joinpath(*SHIPPED)
    chosen = names or [entry.name for entry in models() if entry.available]
    focus_models = [get_model(name) for name in chosen]
    known = [] if names is None else shipped_calibrations()
    with Progress("calibrating", quiet=json) as progress:
        fitted = fit_shipped(
            focus_models, data_folder(data), target, known, on_progress=lambda share, _: progress(share)
        )
    if json:
        print_json({"out": str(target), "calibrations": [_document(calibration) for calibration in fitted]})
    else:
        typer.echo(f"{target}: {len(fitted)} calibrations of {len({entry.model for entry in fitted})} models")
