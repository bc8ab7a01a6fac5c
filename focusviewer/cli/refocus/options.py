"""What the options of ``refocus`` mean: the view, the request, and what is refused before any work is done."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from focusviewer.cli.arguments import parse_planes, parse_region
from focusviewer.core.errors import UserError
from focusviewer.core.geometry import Box

if TYPE_CHECKING:
    from focusviewer.core.arrays import FloatMap
    from focusviewer.refocus.base import Refocuser
    from focusviewer.refocus.modes import RefocusRequest
    from focusviewer.refocus.regions.layout import View
    from focusviewer.slides import Slide

MAX_PIXELS = 64_000_000
"""Largest picture that is made in memory; larger ones are written as they are made."""

Focus = tuple[float, float] | Literal["best", "everywhere"]
"""What is asked for before the view is known: targets from one to another in um, the best one of the view, or one for
each place."""

_LOOK_PX = 512


def exactly_one(given: dict[str, Any]) -> None:
    """Refuse anything but one of some options.

    Raises
    ------
    UserError
    """
    named = [name for name, value in given.items() if value is not None]
    if len(named) != 1:
        what = f"{' and '.join(named)} were given together" if named else "No focus was given"
        raise UserError(what, "", "Give one of --z UM, --z auto, --all-in-focus, --map FILE or --sweep FROM:TO:STEP.")


def mode_of(mode: str | None, z: str | None, all_in_focus: bool, target_map: Path | None, depth: Path | None) -> str:
    """The mode that the options ask for, by its name or by what they are.

    Raises
    ------
    UserError
        If they contradict each other, or one that the mode needs is missing.
    """
    from focusviewer.refocus.modes import MODES, NEEDS_Z

    auto = z is not None and z.lower() == "auto"
    named = mode
    if mode is None:
        exactly_one({"--z": z, "--all-in-focus": all_in_focus or None, "--map": target_map})
        mode = "all-in-focus" if all_in_focus else "map" if target_map else "deblur" if auto else "refocus"
    if mode not in MODES:
        raise UserError(f"No mode is called {mode!r}", "", f"Choose one of: {', '.join(MODES)}.")
    fits = {"--z": mode in NEEDS_Z or (auto and mode == "deblur"), "--all-in-focus": mode == "all-in-focus"}
    fits |= {"--map": mode == "map", "--depth": mode == "all-in-focus"}
    for option, value in {"--z": z, "--all-in-focus": all_in_focus, "--map": target_map, "--depth": depth}.items():
        if value and not fits[option]:
            shown = f"{option} {value}" if option == "--z" else option
            raise UserError(f"{shown} does not go with the mode {mode}", "", "Leave one of them out.")
    if mode in NEEDS_Z and (z is None or auto):
        if auto and mode == "refocus":
            return "deblur"
        raise UserError(f"--mode {named} needs a focus position", "", "Give it in microns, like --z 1.5.")
    if mode == "map" and target_map is None:
        raise UserError("--mode map needs a target map", "", "Give it with --map FILE.")
    return mode


def parse_z(text: str | None) -> float | None:
    """Microns; None for nothing and for ``auto``.

    Raises
    ------
    UserError
    """
    if text is None or text.lower() == "auto":
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise UserError(f"--z {text!r} cannot be read", "", "Give microns, like --z 1.5, or --z auto.")
    return value


def parse_sweep(text: str) -> list[float]:
    """``FROM:TO:STEP`` in um as the positions of a sweep there and back.

    Raises
    ------
    UserError
    """
    from focusviewer.refocus.regions.sweep import sweep_targets

    try:
        low, high, step = (float(part) for part in text.split(":"))
    except ValueError:
        raise UserError(f"--sweep {text!r} cannot be read", "", "Give it like --sweep -2:2:0.25.") from None
    return sweep_targets(low, high, step)


def view_of(
    slide: Slide, region: str | None, planes: str | None, z_step: float | None, focus: Focus, *, large: bool
) -> View:
    """What the options say is to be refocused, checked before it is read.

    Parameters
    ----------
    focus : (lowest, highest), ``best`` or ``everywhere``
        The targets in um, on which the most informative planes depend: one for the view that is not known yet, or one
        for each place.
    large : bool
        Whether the result is written as it is made, so that any size will do.

    Raises
    ------
    UserError
        Also for slides that the engines are not made for, see :mod:`focusviewer.refocus.support`.
    """
    from focusviewer.focus.calibration.profiles import find_profile
    from focusviewer.refocus.base import MAX_PLANES
    from focusviewer.refocus.regions.layout import View

    if slide.mpp is None:
        raise slide.scale_error()
    box = parse_region(region, slide) or (0, 0, *slide.dimensions)
    if box[2] * box[3] > MAX_PIXELS and not large:
        raise UserError(
            f"{box[2]} x {box[3]} pixels are too many for one picture",
            "",
            "Choose a part with --region X,Y,W,H, or write an .ome.tif.",
        )
    _check_support(slide)
    _check_step(slide, planes, z_step)
    positions = _positions_um(slide, z_step)
    chosen = _chosen_planes(planes, slide, box, positions, focus)
    if len(chosen) > MAX_PLANES:
        raise UserError(
            f"{len(chosen)} planes are too many", f"engines take up to {MAX_PLANES}", "Name fewer in --planes."
        )
    planes_um = tuple(positions[plane] for plane in chosen)
    if z_step is None and not slide.info.z_step_known:
        planes_um = (0.0,)  # the numbers of the planes are no microns: one plane is the zero of its own axis
    return View(slide, box, tuple(chosen), planes_um, slide.mpp, find_profile(slide))


def _check_support(slide: Slide) -> None:
    """Refuse slides that the engines are not made for."""
    from focusviewer.refocus.support import is_fluorescence, unsupported

    why = unsupported(slide.mpp, slide.planes_um) or unsupported(
        slide.mpp, slide.planes_um, fluorescence=is_fluorescence(slide)
    )
    if why:
        raise UserError(f"Cannot refocus {slide.name}", why, "Use a bright-field scan of 20x or more.")


def _check_step(slide: Slide, planes: str | None, z_step: float | None) -> None:
    """Refuse several planes at unknown distances, before all of them are read to choose some."""
    if z_step is not None or slide.info.z_step_known:
        return
    named = None if _is_auto(planes) else parse_planes(planes, slide)
    if named is None or len(named) > 1:
        raise UserError(f"The z step of {slide.name} is not known", "the file does not state it", "Give --z-step UM.")


def _is_auto(planes: str | None) -> bool:
    return planes is not None and planes.strip().lower() == "auto"


def _positions_um(slide: Slide, z_step: float | None) -> tuple[float, ...]:
    if z_step is None:
        return slide.planes_um
    if not 0.01 <= z_step <= 100:
        raise UserError(f"--z-step {z_step:g} is not a usable distance", "", "Give microns, like --z-step 0.5.")
    from focusviewer.slides import stepped_planes

    return stepped_planes(slide.info, z_step)


def _chosen_planes(
    text: str | None, slide: Slide, box: Box, positions: tuple[float, ...], focus: Focus
) -> tuple[int, ...]:
    """The planes named, the most informative ones (``auto``), or all that an engine takes."""
    from focusviewer.refocus.base import MAX_PLANES
    from focusviewer.refocus.sources import AUTO_PLANES, planes_between, source_planes

    auto = _is_auto(text)
    named = None if auto else parse_planes(text, slide)
    if named is not None:
        return tuple(named)
    if not auto and len(positions) <= MAX_PLANES:
        return source_planes(positions, None)
    limit = AUTO_PLANES if auto else MAX_PLANES
    if isinstance(focus, tuple):
        return planes_between(positions, *focus, limit, _sharpness(slide, box) if auto else None)
    sharpness = _sharpness(slide, box)
    if auto and focus == "best":
        wanted = positions[max(range(len(positions)), key=sharpness.__getitem__)]
        return source_planes(positions, wanted, limit, sharpness)
    # Too many for an engine, or every place has a focus of its own: the sharpest of each part of the stack.
    return source_planes(positions, None, limit, sharpness)


def _sharpness(slide: Slide, box: Box) -> list[float]:
    """How sharp the middle of a region is on each plane."""
    from focusviewer.refocus.auto import blur_score
    from focusviewer.slides import Region

    if len(slide.planes_um) == 1:
        return [0.0]
    width, height = min(_LOOK_PX, box[2]), min(_LOOK_PX, box[3])
    x, y = box[0] + (box[2] - width) // 2, box[1] + (box[3] - height) // 2
    mpp = slide.mpp or 0.25
    return [
        -blur_score(slide.read_region(Region(0, x, y, width, height, plane)), mpp)
        for plane in range(len(slide.planes_um))
    ]


def focus_of(mode: str, z_um: float | None, map_um: FloatMap | None, sweep: list[float]) -> Focus:
    """What of the focus axis the options ask for, as far as it is known before the slide is."""
    if sweep:
        return min(sweep), max(sweep)
    if map_um is not None:
        return float(map_um.min()), float(map_um.max())
    if z_um is not None:
        return z_um, z_um
    return "everywhere" if mode == "all-in-focus" else "best"


def request_of(mode: str, z_um: float | None, map_um: FloatMap | None, view: View, engine: Refocuser) -> RefocusRequest:
    """The request of the options, checked against the planes.

    In the mode ``assume`` ``z_um`` is the distance of the tissue from the one plane.

    Raises
    ------
    UserError
    """
    from focusviewer.refocus.modes import RefocusRequest, check_request

    _, _, width, height = view.box
    if map_um is not None and width * height <= MAX_PIXELS:
        map_um = stretched(map_um, width, height)
    if mode == "assume" and z_um is not None:  # a distance from the one plane
        z_um += view.planes_um[0]
    request = RefocusRequest(mode, z_um, map_um)
    check_request(request, view.planes_um, engine.max_z_um)
    return request


def read_map(path: Path) -> FloatMap:
    """A map of microns from a file: float32 (rows, columns).

    ``.npz`` with ``target_um`` (or ``z_um``, ``depth_um``, or a single array), ``.npy`` or a TIFF of one channel.

    Raises
    ------
    UserError
        If there is no such map, or it holds anything but finite numbers.
    """
    import numpy as np

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
    return values


def stretched(values: FloatMap, width: int, height: int) -> FloatMap:
    """A map at another size: float32 (height, width)."""
    import numpy as np
    from PIL import Image

    if values.shape == (height, width):
        return values
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BILINEAR), np.float32)


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
        usual = ("target_um", "z_um", "depth_um")
        names = [name for name in usual if name in content.files] or content.files
        if not names:
            raise ValueError("it holds no map")
        if names[0] not in usual and len(names) > 1:
            raise ValueError(f"it holds {', '.join(content.files)}, but no target_um")
        return content[names[0]]
