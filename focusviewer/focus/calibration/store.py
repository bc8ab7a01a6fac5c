"""Calibrations on disk: the user's own in the settings folder, those shipped with the program; and which one holds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path
from typing import Any

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, config_dir, resource_path
from focusviewer.core.json_text import from_json_text, json_digest
from focusviewer.focus.base import FocusMap, FocusModel
from focusviewer.focus.calibration.curve import Calibration, Curve, apply_calibration, working_mpp
from focusviewer.slides import Slide

SHIPPED = ("calibrations", "focus.json")
"""Resource with the calibrations of the program, its card beside it."""

_FORMAT = 1
_SCANNER_IDS = (
    "aperio.ScanScope ID",
    "hamamatsu.NDP.S/N",
    "hamamatsu.SerialNumber",
    "leica.device-model",
    "philips.DICOM_DEVICE_SERIAL_NUMBER",
    "ventana.UnitNumber",
    "mirax.GENERAL.SLIDE_UTC_CREATIONDATETIME_SCANNER",
    "dicom.DeviceSerialNumber",
    "tiff.Model",
)


def scanner_key(slide: Slide, mpp: float | None = None) -> str:
    """What is known of the scanner and its scale: vendor or format, identity, pixel size and objective.

    Slides of one key are read with the same calibration.
    """
    info = slide.info
    scanner = next((info.properties[name] for name in _SCANNER_IDS if info.properties.get(name)), "")
    scale = mpp if mpp is not None else slide.mpp
    parts = [
        info.vendor or info.format,
        scanner,
        f"{scale:.2f} um" if scale is not None else "",
        f"{info.objective_power:g}x" if info.objective_power else "",
    ]
    return ", ".join(part for part in parts if part)


def known_calibrations(models: Iterable[str] | None = None) -> tuple[Calibration, ...]:
    """Every calibration that may be used, those that come first first: the user's own, then the shipped ones.

    Parameters
    ----------
    models : iterable of str, optional
        Only those of these models.

    Raises
    ------
    UserError
        If the user's cannot be read.
    """
    wanted = None if models is None else set(models)
    known = (*read_calibrations(), *shipped_calibrations())
    return tuple(calibration for calibration in known if wanted is None or calibration.model in wanted)


def calibrations_digest(calibrations: Sequence[Calibration]) -> str:
    """Six hexadecimal digits that differ where calibrations do; empty without any."""
    if not calibrations:
        return ""
    return json_digest([asdict(calibration) for calibration in calibrations], 6)


def find_calibration(
    model: FocusModel, slide: Slide, mpp: float | None = None, known: Sequence[Calibration] | None = None
) -> Calibration | None:
    """The calibration for a model's scores on a slide: the user's own for its scanner, else a shipped one, else None.

    Parameters
    ----------
    mpp : float, optional
        Pixel size of level 0, where the file does not say it.
    known : sequence of Calibration, optional
        To choose from; :func:`known_calibrations` when missing.
    """
    key = scanner_key(slide, mpp)
    working = working_mpp(model, mpp if mpp is not None else slide.mpp)
    for calibration in known_calibrations() if known is None else known:
        if calibration.holds_for(model.name, model.version, key, working):
            return calibration
    return None


def calibrated(
    focus_map: FocusMap, slide: Slide, model: FocusModel, known: Sequence[Calibration] | None = None
) -> FocusMap:
    """The map in levels of 0.25 um, where a calibration holds for it; its ``calibration`` says which."""
    return apply_calibration(focus_map, find_calibration(model, slide, focus_map.mpp, known))


def calibrations_path() -> Path:
    """File of the user's calibrations."""
    return config_dir() / "calibrations.json"


def read_calibrations() -> list[Calibration]:
    """The user's calibrations, newest first; none where the file is missing.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    path = calibrations_path()
    return _read(path) if path.exists() else []


def keep_calibration(calibration: Calibration) -> None:
    """Store a calibration; it replaces the one for the same model, scanner and scale.

    Raises
    ------
    UserError
        If the file cannot be read or written.
    """
    kept = [known for known in read_calibrations() if not _same(known, calibration)]
    write_calibrations(calibrations_path(), [calibration, *kept])


def forget_calibrations(model: str, scanner: str) -> int:
    """Remove the user's calibrations of a model for a scanner.

    Returns
    -------
    How many there were.
    """
    known = read_calibrations()
    kept = [entry for entry in known if (entry.model, entry.scanner) != (model, scanner)]
    if len(kept) < len(known):
        write_calibrations(calibrations_path(), kept)
    return len(known) - len(kept)


def write_calibrations(path: Path, calibrations: Sequence[Calibration]) -> None:
    """Write a file of calibrations: small JSON, knots rounded to what they can be known to.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    entries = []
    for calibration in calibrations:
        entry = asdict(calibration)
        entry |= {axis: [float(f"{value:.6g}") for value in entry["curve"][axis]] for axis in ("scores", "um")}
        entry["in_focus"] = entry["curve"]["in_focus"]
        del entry["curve"]
        entries.append(entry)
    lines = ",\n".join("  " + json.dumps(entry, ensure_ascii=False) for entry in entries)
    with atomic_write(path) as temporary:
        text = f'{{"format": {_FORMAT}, "calibrations": [\n{lines}\n]}}\n'
        temporary.write_text(text, encoding="utf-8")


@lru_cache(maxsize=1)
def shipped_calibrations() -> tuple[Calibration, ...]:
    """Calibrations that come with the program, fitted to simulated tissue; none where the resource is missing."""
    try:
        return tuple(_read(resource_path(*SHIPPED)))
    except FileNotFoundError:
        return ()


def _same(a: Calibration, b: Calibration) -> bool:
    return (a.model, a.scanner, a.mpp) == (b.model, b.scanner, b.mpp)


def _read(path: Path) -> list[Calibration]:
    try:
        document = from_json_text(path.read_text(encoding="utf-8"))
        return [_entry(entry) for entry in document["calibrations"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"Cannot read the calibrations in {path}", str(error), "Remove the file, and calibrate again."
        ) from error


def _entry(entry: dict[str, Any]) -> Calibration:
    in_focus = entry.get("in_focus")
    curve = Curve(
        tuple(map(float, entry["scores"])),
        tuple(map(float, entry["um"])),
        None if in_focus is None else float(in_focus),
    )
    mpp = entry["mpp"]
    return Calibration(
        str(entry["model"]),
        str(entry["version"]),
        str(entry["scanner"]),
        None if mpp is None else float(mpp),
        curve,
        str(entry["source"]),
    )
