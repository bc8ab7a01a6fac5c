"""``refocus``: the pixels of a region as the microscope would show them at another focus."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.arguments import (
    AsJson,
    Magnification,
    Mpp,
    RegionText,
    SlidePath,
    check_output_file,
    opened,
    parse_planes,
    parse_region,
)
from focusviewer.cli.output import Progress, print_json
from focusviewer.errors import ScaleUnknownError, UserError

if TYPE_CHECKING:
    from focusviewer.refocus.base import Refocuser
    from focusviewer.refocus.tiling import FloatMap, Target, View
    from focusviewer.slides import Slide

MAX_PIXELS = 64_000_000
MAX_PLANES = 16
SYNTHESISED = "synthesised by FocusViewer"


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(refocus)


def refocus(
    path: SlidePath,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Picture to write: .png or .tif.")],
    z: Annotated[
        str | None, typer.Option("--z", metavar="UM|auto", help="Focus position in um, or auto: the best one.")
    ] = None,
    all_in_focus: Annotated[bool, typer.Option("--all-in-focus", help="Every pixel at its own best focus.")] = False,
    target_map: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="Focus position of each pixel in um (.npz, .npy or .tif)."),
    ] = None,
    region: RegionText = None,
    planes: Annotated[
        str | None, typer.Option("--planes", metavar="I,J,...", help="Planes of a stack to start from (all).")
    ] = None,
    z_step: Annotated[
        float | None, typer.Option("--z-step", metavar="UM", help="Distance of the planes, when the file has none.")
    ] = None,
    engine: Annotated[str | None, typer.Option("--engine", metavar="NAME", help="Refocusing engine.")] = None,
    mpp: Mpp = None,
    magnification: Magnification = None,
    json: AsJson = False,
) -> None:
    """Refocused pixels of a region, marked in the file as synthesised (or as an acquired plane, where they are one).

    Focus positions are on the axis of the slide's planes. A slide of one plane lies at 0: 0 gives the scan as it
    is, and positive values refocus towards sharper tissue. The map may have any size; it is stretched over the
    region. Not for diagnosis: synthesised pixels are an estimate.
    """
    from focusviewer.refocus import DEFAULT_ENGINE, get_engine
    from focusviewer.refocus.tiling import refocus_view

    started = time.perf_counter()
    inputs = [path] if target_map is None else [path, target_map]
    _exactly_one({"--z": z, "--all-in-focus": all_in_focus or None, "--map": target_map})
    z_um = _parse_z(z)
    check_output_file(out, (".png", ".tif", ".tiff"), inputs)
    refocuser = get_engine(engine or DEFAULT_ENGINE)
    with opened(path, mpp, magnification) as slide:
        view = _view(slide, region, planes, z_step, z_um)
        target = _target(z, z_um, target_map, view)
        check_reach(target, view, refocuser)
        with Progress(f"{slide.name}: {refocuser.name}", quiet=json) as progress:
            result = refocus_view(view, refocuser, target, progress)
        facts = {**_facts(view, refocuser, target), "z_um": result.z_um, "synthesised": result.plane is None}
    made = SYNTHESISED if result.plane is None else f"plane {result.plane} as acquired"
    _write(out, result.pixels, made, facts, view.mpp)
    facts |= {"path": str(path), "out": str(out), "seconds": time.perf_counter() - started}
    if json:
        print_json(facts)
        return
    where = f"z = {result.z_um:.2f} um" if result.z_um is not None else facts["target"]
    typer.echo(f"{out}: {view.box[2]} x {view.box[3]} pixels, {where}, {refocuser.name}, {made}")


def check_reach(target: Target, view: View, engine: Refocuser) -> None:
    """Refuse a target farther from the planes than the engine is made for.

    Raises
    ------
    UserError
    """
    import numpy as np

    wanted = [target.z_um] if target.kind == "z" else [] if target.map_um is None else _extremes(target.map_um)
    for z_um in wanted:
        distance = float(np.min(np.abs(np.asarray(view.planes_um) - z_um)))
        if distance > engine.max_z_um + 1e-6:
            raise UserError(
                f"Cannot refocus to {z_um:g} um",
                f"{engine.name} reaches {engine.max_z_um:g} um from an acquired plane, this is {distance:g} um away",
                "Ask for a nearer focus.",
            )


def read_target_map(path: Path, width: int, height: int) -> FloatMap:
    """A target map from a file, stretched over a region: float32 (height, width), um.

    ``.npz`` with ``target_um`` (or ``z_um``, or one array of any name), ``.npy`` or a TIFF of one channel.

    Raises
    ------
    UserError
        If there is no such map, or it holds anything but finite numbers.
    """
    import numpy as np
    from PIL import Image

    advice = "Give an .npz with target_um, an .npy or a one-channel .tif of microns."
    try:
        values = np.asarray(_load_array(path), np.float32)
    except FileNotFoundError as error:
        raise UserError(f"Cannot read the map {path}", "there is no such file", advice) from error
    except Exception as error:
        raise UserError(f"Cannot read the map {path}", str(error), advice) from error
    if values.ndim > 2:
        values = values.reshape([side for side in values.shape if side != 1])
    if values.ndim != 2 or not values.size:
        raise UserError(f"Cannot use the map {path}", f"its shape is {values.shape}, not rows and columns", advice)
    if not np.isfinite(values).all():
        raise UserError(f"Cannot use the map {path}", "it holds values that are not numbers", "Fill the gaps first.")
    if values.shape == (height, width):
        return values
    stretched = Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(stretched, np.float32)


def _load_array(path: Path) -> Any:
    import numpy as np

    suffix = path.suffix.lower()
    if suffix in {".tif", ".tiff"}:
        import tifffile

        return tifffile.imread(path)
    if suffix not in {".npz", ".npy"}:
        raise ValueError(f"unknown file type {suffix or '(none)'}")
    content = np.load(path, allow_pickle=False)
    if suffix == ".npy":
        return content
    with content:
        names = [name for name in ("target_um", "z_um") if name in content.files] or content.files
        if names[0] not in ("target_um", "z_um") and len(names) > 1:
            raise ValueError(f"it holds {', '.join(content.files)}, but no target_um")
        return content[names[0]]


def _exactly_one(given: dict[str, Any]) -> None:
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        what = f"{' and '.join(named)} were given together" if named else "No focus was given"
        raise UserError(what, "", "Give one of --z UM, --z auto, --all-in-focus or --map FILE.")


def _parse_z(text: str | None) -> float | None:
    import math

    if text is None or text.lower() == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"--z {text!r} cannot be read", "", "Give microns, like --z 1.5, or --z auto.")
    return value


def _view(slide: Slide, region: str | None, planes: str | None, z_step: float | None, z_um: float | None) -> View:
    """What the options say is to be refocused, checked before any pixel is read."""
    from focusviewer.refocus.tiling import View

    if slide.mpp is None:
        raise ScaleUnknownError(slide.name)
    box = parse_region(region, slide) or (0, 0, *slide.dimensions)
    if box[2] * box[3] > MAX_PIXELS:
        raise UserError(
            f"{box[2]} x {box[3]} pixels are too many for one picture", "", "Choose a part with --region X,Y,W,H."
        )
    positions = _positions_um(slide, z_step)
    chosen = parse_planes(planes, slide)
    if chosen is None:
        chosen = _nearest_planes(positions, z_um)
    if len(chosen) > MAX_PLANES:
        raise UserError(
            f"{len(chosen)} planes are too many", f"engines take up to {MAX_PLANES}", "Name fewer in --planes."
        )
    if len(chosen) > 1 and z_step is None and not slide.info.z_step_known:
        raise UserError(f"The z step of {slide.name} is not known", "the file does not state it", "Give --z-step UM.")
    return View(slide, box, tuple(chosen), tuple(positions[plane] for plane in chosen), slide.mpp)


def _positions_um(slide: Slide, z_step: float | None) -> tuple[float, ...]:
    if z_step is None:
        return slide.planes_um
    if not 0.01 <= z_step <= 100:
        raise UserError(f"--z-step {z_step:g} is not a usable distance", "", "Give microns, like --z-step 0.5.")
    return tuple(index * z_step for index in range(len(slide.planes_um)))


def _nearest_planes(positions: tuple[float, ...], z_um: float | None) -> list[int]:
    """All planes, or those nearest the target when there are more than an engine takes."""
    order = list(range(len(positions)))
    if len(order) <= MAX_PLANES:
        return order
    if z_um is None:
        step = (len(order) - 1) / (MAX_PLANES - 1)
        return sorted({round(i * step) for i in range(MAX_PLANES)})
    return sorted(sorted(order, key=lambda index: abs(positions[index] - z_um))[:MAX_PLANES])


def _target(z: str | None, z_um: float | None, target_map: Path | None, view: View) -> Target:
    from focusviewer.refocus.tiling import Target

    if target_map is not None:
        return Target("map", map_um=read_target_map(target_map, view.box[2], view.box[3]))
    if z is None:
        return Target("all")
    return Target("auto") if z_um is None else Target("z", z_um)


def _extremes(values: FloatMap) -> list[float]:
    return [float(values.min()), float(values.max())]


def _facts(view: View, engine: Refocuser, target: Target) -> dict[str, Any]:
    names = {"z": "one focus", "auto": "best focus", "all": "all in focus", "map": "focus map"}
    return {
        "source": view.slide.name,
        "fingerprint": view.slide.fingerprint,
        "engine": engine.name,
        "engine_version": engine.version,
        "weights_sha256": _weights_hash(engine.name),
        "target": names[target.kind],
        "region": list(view.box),
        "planes": list(view.planes),
        "planes_um": list(view.planes_um),
        "mpp": view.mpp,
    }


def _weights_hash(name: str) -> str | None:
    from focusviewer.refocus import engines

    for entry in engines():
        if entry.name == name and entry.weights is not None and entry.weights.exists():
            return hashlib.sha256(entry.weights.read_bytes()).hexdigest()
    return None


def _write(out: Path, pixels: Any, made: str, facts: dict[str, Any], mpp: float) -> None:
    from focusviewer.cli.pictures import write_picture

    write_picture(out, pixels, f"{made}; not for diagnosis", facts, mpp)
