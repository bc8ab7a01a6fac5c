"""``refocus``: the pixels of a region as the microscope would show them at another focus."""

from __future__ import annotations

import time
from dataclasses import asdict
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
)
from focusviewer.cli.output import Progress, note, print_json
from focusviewer.cli.refocus.options import (
    MAX_PIXELS,
    exactly_one,
    focus_of,
    mode_of,
    parse_sweep,
    parse_z,
    read_map,
    request_of,
    view_of,
)
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.refocus.base import Refocuser
    from focusviewer.refocus.evidence.unevenness import LeftOut
    from focusviewer.refocus.modes import RefocusRequest
    from focusviewer.refocus.regions.layout import View

MAX_SWEEP_PIXELS = 2_000_000
MAX_SWEEP_VALUES = 200_000_000
"""Most pixels of all frames together: they are kept until the file is written."""

SYNTHESISED = "synthesised by FocusViewer"
PYRAMIDS = (".ome.tif", ".ome.tiff")


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(refocus)


def refocus(
    path: SlidePath,
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            metavar="FILE",
            help="Picture to write: .png, .jpg, .tif, a pyramid of any size as .ome.tif, or a sweep as .gif or .webp.",
        ),
    ],
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="NAME",
            help="refocus, assume, deblur, all-in-focus, interpolate, extrapolate, defocus or map; otherwise told by "
            "--z, --all-in-focus and --map.",
        ),
    ] = None,
    z: Annotated[
        str | None,
        typer.Option(
            "--z",
            metavar="UM|auto",
            help="Focus position in um, or auto: the best one. In the mode assume: how far the tissue is taken to lie "
            "from focus.",
        ),
    ] = None,
    all_in_focus: Annotated[bool, typer.Option("--all-in-focus", help="Every pixel at its own best focus.")] = False,
    depth: Annotated[
        Path | None,
        typer.Option(
            "--depth", metavar="FILE", help="Measured depth of the tissue in um (.npy or .tif) for all-in-focus."
        ),
    ] = None,
    target_map: Annotated[
        Path | None,
        typer.Option("--map", metavar="FILE", help="Focus position of each pixel in um (.npz, .npy or .tif)."),
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            "--sweep",
            metavar="FROM:TO:STEP",
            help="Focus sweep there and back, in um, to .gif/.webp; also in the mode assume.",
        ),
    ] = None,
    fps: Annotated[float, typer.Option("--fps", help="Frames a second of a sweep.")] = 8.0,
    region: RegionText = None,
    planes: Annotated[
        str | None,
        typer.Option(
            "--planes",
            metavar="auto|I,J,...",
            help="Planes of a stack to start from: the most informative ones, or these (all).",
        ),
    ] = None,
    z_step: Annotated[
        float | None, typer.Option("--z-step", metavar="UM", help="Distance of the planes, when the file has none.")
    ] = None,
    engine: Annotated[str | None, typer.Option("--engine", metavar="NAME", help="Refocusing engine.")] = None,
    confidence: Annotated[
        Path | None,
        typer.Option("--confidence", metavar="FILE", help="Write how well pixels agree with the scan (.png or .npy)."),
    ] = None,
    compression: Annotated[
        str, typer.Option("--compression", metavar="jpeg|deflate", help="Of a pyramid; deflate keeps every value.")
    ] = "jpeg",
    force: Annotated[bool, typer.Option("--force", help="Replace a pyramid, sweep or confidence map.")] = False,
    mpp: Mpp = None,
    magnification: Magnification = None,
    json: AsJson = False,
) -> None:
    """Refocused pixels of a region, marked in the file as synthesised (or as an acquired plane, where they are one).

    Focus positions are on the axis of the slide's planes. A slide of one plane lies at 0, and so does one plane of a
    stack of unknown step: 0 gives the scan as it is, and positive values refocus towards sharper tissue.
    Interpolation stays between acquired planes, extrapolation goes beyond them, defocus goes away from the tissue. The
    mode assume takes the tissue of one plane to lie --z um from focus, whatever the engine believes, and brings it to
    focus: turned up by eye it gets sharper, then overdone; below 0 it blurs on purpose. A map may have any size; it is
    stretched over the region. Not for diagnosis: synthesised pixels are an estimate.
    """
    from focusviewer.refocus import DEFAULT_ENGINE, get_engine
    from focusviewer.slides import computed_pixels

    started = time.perf_counter()
    if sweep is not None:
        other = None if mode == "assume" else mode
        exactly_one({"--sweep": sweep, "--mode": other, "--z": z, "--all-in-focus": all_in_focus or None,
                     "--map": target_map, "--depth": depth, "--confidence": confidence})  # fmt: skip
        targets, named, z_um = parse_sweep(sweep), mode or "refocus", None
    else:
        targets, named, z_um = [], mode_of(mode, z, all_in_focus, target_map, depth), parse_z(z)
    inputs = [file for file in (path, target_map, depth) if file is not None]
    _check_outputs(out, confidence, inputs, bool(targets), compression, force)
    map_file = target_map or depth
    map_um = None if map_file is None else read_map(map_file)
    refocuser = get_engine(engine or DEFAULT_ENGINE)
    with opened(path, mpp, magnification) as slide:
        focus = focus_of(named, z_um, map_um, targets)
        view = view_of(slide, region, planes, z_step, focus, large=_is_tiff(out) and confidence is None)
        with Progress(f"{slide.name}: {refocuser.name}", quiet=json) as progress:
            if targets:
                facts, said = _sweep(view, refocuser, named, targets, out, fps, progress)
            else:
                request = request_of(named, z_um, map_um, view, refocuser)
                if _is_pyramid(out) or view.box[2] * view.box[3] > MAX_PIXELS:
                    _keep_existing([out], force)
                    facts, said = _pyramid(view, refocuser, request, out, compression, progress)
                else:
                    facts, said = _picture(view, refocuser, request, out, confidence, progress)
    if (computed := computed_pixels(view.slide.info)) is not None:
        facts["notes"] = [*facts.get("notes", []), f"The pixels of {path.name} were {computed}."]
    facts = {**facts, "path": str(path), "out": str(out), "seconds": time.perf_counter() - started}
    if json:
        print_json(facts)
        return
    typer.echo(f"{out}: {view.box[2]} x {view.box[3]} pixels, {said}")
    for line in facts.get("notes", []):
        note(line)


def _check_outputs(
    out: Path, confidence: Path | None, inputs: list[Path], is_sweep: bool, compression: str, force: bool
) -> None:
    """Refuse outputs that cannot be written, or that would replace something, before any work is done."""
    from focusviewer.refocus.regions.sweep import SUFFIXES
    from focusviewer.slides.marks.picture_file import WRITTEN_SUFFIXES

    if out.suffix.lower() in SUFFIXES and not is_sweep:
        raise UserError(
            f"Cannot write {out}",
            "moving pictures are of sweeps",
            "Use .png, .jpg or .tif, or give --sweep FROM:TO:STEP.",
        )
    check_output_file(out, SUFFIXES if is_sweep else WRITTEN_SUFFIXES, inputs)
    kept = [out] if is_sweep or _is_pyramid(out) else []
    if confidence is not None:
        check_output_file(confidence, (".png", ".npy"), inputs)
        if confidence.resolve() == out.resolve():
            raise UserError("--confidence and --out name the same file", "", "Name two files.")
        if _is_pyramid(out):
            raise UserError("--confidence does not go with a pyramid", "", "Write the picture as .png or .tif.")
        kept.append(confidence)
    if compression not in ("jpeg", "deflate"):
        raise UserError(f"No compression is called {compression!r}", "", "Choose jpeg or deflate.")
    _keep_existing(kept, force)


def _keep_existing(files: list[Path], force: bool) -> None:
    for file in files:
        if file.exists() and not force:
            raise UserError(f"{file} exists", "it is not replaced", "Choose another file, or give --force.")


def _is_tiff(path: Path) -> bool:
    return path.suffix.lower() in (".tif", ".tiff")


def _is_pyramid(path: Path) -> bool:
    return path.name.lower().endswith(PYRAMIDS)


def _facts(view: View, engine: Refocuser, request: RefocusRequest, z_um: float | None) -> dict[str, Any]:
    from focusviewer.refocus.modes import TARGETS, assumption
    from focusviewer.refocus.provenance import provenance

    target: Any = z_um
    if z_um is None:
        target = request.map_um if request.map_um is not None else "all in focus"
    info = view.slide.info
    facts = provenance(engine, info, view.planes, view.planes_um, target, view.mpp, view.box, view.profile)
    facts |= assumption(request.mode, view.planes_um, z_um)
    return {**facts, "mode": request.mode, "target": TARGETS.get(request.mode, "one focus")}


def _picture(
    view: View, engine: Refocuser, request: RefocusRequest, out: Path, confidence: Path | None, progress: Progress
) -> tuple[dict[str, Any], str]:
    """Make a picture in memory and write it, and its confidence map where that is wanted."""
    from focusviewer.core.files import output_folder
    from focusviewer.refocus.assessment import Assessment, Notes
    from focusviewer.refocus.modes import focus_text
    from focusviewer.refocus.regions.tiling import refocus_view
    from focusviewer.slides.marks.picture_file import write_picture

    observer = Notes() if confidence is None else Assessment(view.box[2], view.box[3])
    result = refocus_view(view, engine, request, progress, observe=observer)
    facts = _facts(view, engine, request, result.z_um)
    made = SYNTHESISED if facts["synthesised"] else f"plane {result.plane} as acquired"
    trust = ""
    if isinstance(observer, Assessment) and confidence is not None:
        found = observer.result()
        facts["confidence"] = {
            "reblur_db": found.reblur_db,
            "residual_energy": found.residual_energy,
            "background_change": found.background_change,
            "mean": float(found.trust.mean()),
            "not_borne_out": found.not_borne_out,
            "beyond_scan": found.beyond,
            "file": str(confidence),
        }
        _write_confidence(confidence, found.trust, facts, view.mpp)
        trust = (
            f"\n{confidence}: re-blur consistency {found.reblur_db:.1f} dB, residual energy"
            f" {found.residual_energy:.3f}, background change {found.background_change:.0f}/255;"
            f" {found.not_borne_out:.1%} not borne out, {found.beyond:.1%} beyond the scan's lights and darks"
        )
    output_folder(out.parent)
    if result.left_out is not None:
        facts["left_out"] = asdict(result.left_out)
    write_picture(out, result.pixels, f"{made}; not for diagnosis", facts, view.mpp)
    facts["notes"] = [*observer.notes, *_offer(request, result.left_out)]
    z_um = result.z_um
    where = facts["target"] if z_um is None else focus_text(request.mode, z_um, view.planes_um, "um")
    return facts, f"{where}, {engine.name}, {made}; not for diagnosis{trust}"


def _offer(request: RefocusRequest, left: LeftOut | None) -> list[str]:
    """A note where the best focus of the view leaves much of it out of focus."""
    return [] if left is None or request.mode != "deblur" else [f"{left.text()} Try --all-in-focus."]


def _write_confidence(path: Path, values: Any, facts: dict[str, Any], mpp: float) -> None:
    """The map as it is (.npy), or as a picture: white where the picture explains the scan."""
    import numpy as np

    from focusviewer.core.files import atomic_write, output_folder
    from focusviewer.slides.marks.picture_file import write_picture

    output_folder(path.parent)
    if path.suffix.lower() == ".npy":
        with atomic_write(path) as temporary:
            np.save(temporary, values)
        return
    gray = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    write_picture(path, np.repeat(gray[..., None], 3, axis=2), "confidence of a refocused picture", facts, mpp)


def _pyramid(
    view: View, engine: Refocuser, request: RefocusRequest, out: Path, compression: str, progress: Progress
) -> tuple[dict[str, Any], str]:
    """Write a region of any size as a pyramid."""
    from focusviewer.refocus.assessment import Notes
    from focusviewer.refocus.evidence.unevenness import LeftOut
    from focusviewer.refocus.modes import focus_text
    from focusviewer.refocus.regions.export import export_region

    observer = Notes()
    found = export_region(view, engine, request, out, progress, None, compression=compression, observe=observer)
    left = found.get("left_out")
    found["notes"] = [*observer.notes, *_offer(request, None if left is None else LeftOut(**left))]
    z_um = found["z_um"]
    where = found["target"] if z_um is None else focus_text(request.mode, z_um, view.planes_um, "um")
    made = f"{SYNTHESISED}; not for diagnosis" if found["synthesised"] else "acquired plane"
    return found, f"pyramid, {where}, {engine.name}, {made}"


def _sweep(
    view: View, engine: Refocuser, mode: str, targets: list[float], out: Path, fps: float, progress: Progress
) -> tuple[dict[str, Any], str]:
    """Render every position once and write the sweep."""
    import numpy as np

    from focusviewer.core.files import output_folder
    from focusviewer.refocus.assessment import Notes
    from focusviewer.refocus.provenance import provenance, z_text
    from focusviewer.refocus.regions.sweep import write_sweep
    from focusviewer.refocus.regions.tiling import render_each

    _check_sweep(view, len(targets), out, fps)
    if mode == "assume":  # as distances from the one plane
        targets = [round(view.planes_um[0] + z_um, 6) for z_um in targets]
    observer = Notes()
    positions = sorted(set(targets))
    frames = render_each(view, engine, positions, progress, look=observer.look, mode=mode)
    pictures = dict(zip(positions, frames, strict=True))
    facts: dict[str, Any] = {
        **provenance(engine, view.slide.info, view.planes, view.planes_um, "sweep", view.mpp, view.box, view.profile),
        "mode": mode,
        "targets_um": targets,
        "frames": len(targets),
    }
    output_folder(out.parent)
    write_sweep(out, (np.ascontiguousarray(pictures[z_um]) for z_um in targets), fps, facts)
    facts["notes"] = observer.notes
    ends = f"{z_text(positions[0], 'um')} to {z_text(positions[-1], 'um')}"
    return facts, f"{len(targets)} frames, {ends}, {engine.name}, {SYNTHESISED}; not for diagnosis"


def _check_sweep(view: View, frames: int, out: Path, fps: float) -> None:
    """Refuse a sweep that would not fit into its file or into memory, before it is rendered."""
    from focusviewer.refocus.regions.sweep import check_sides

    if not 0.5 <= fps <= 50:
        raise UserError(f"--fps {fps:g} cannot be shown", "", "Give 0.5 to 50 frames a second.")
    _, _, width, height = view.box
    if width * height > MAX_SWEEP_PIXELS:
        raise UserError(
            f"{width} x {height} pixels are too many for a moving picture", "", "Choose a part with --region X,Y,W,H."
        )
    if frames * width * height > MAX_SWEEP_VALUES:
        raise UserError(
            f"{frames} frames of {width} x {height} pixels are too many for a moving picture",
            "",
            "Take longer steps, or a smaller part with --region X,Y,W,H.",
        )
    check_sides(out, width, height)
