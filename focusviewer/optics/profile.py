"""The optics of one scanner as they were measured on its own planes, and what they leave unexplained."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import FloatArray
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write
from focusviewer.core.json_text import from_json_text, json_digest
from focusviewer.core.validation import MisfitError, bounded, convert, strict_struct
from focusviewer.optics.psf import Optics

FORMAT = 1
SAME_MPP = 1.1
"""Pixel sizes that differ by no more than this factor are one scale."""

Method = Literal["stack", "pair"]

_FIELDS = (
    "na",
    "refractive_index",
    "wavelengths_um",
    "chromatic_shift_um",
    "spherical_waves",
    "condenser",
    "refraction",
)


@dataclass(frozen=True)
class ModelError:
    """What the optics leave unexplained of a plane out of focus, in bands of frequency.

    Attributes
    ----------
    z_um : float
        How far the plane lies from focus.
    unexplained : tuple of tuples (C, B)
        Power that does not follow from the plane in focus, as a share of the blurred plane's power.
    noise_to_signal : tuple of tuples (C, B)
        The same power over that of the plane in focus: what a Wiener filter takes for noise.
    """

    z_um: float
    unexplained: tuple[tuple[float, ...], ...]
    noise_to_signal: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class OpticsProfile:
    """The optics of a scanner, measured.

    Attributes
    ----------
    scanner : str
        Key of the scanner that it holds for.
    mpp : float
        Pixel size of the scans that it holds for, um.
    optics : Optics
        Effective: the thickness of the section it was measured on is in the aperture.
    frequency : tuple of float (B,)
        Middles of the bands, rising, cycles per um.
    errors : tuple of ModelError
        By distance from focus; C = 1 where the planes were gray.
    gain_db, standard_gain_db : float or None
        What a Wiener filter gains on a part of the planes that the profile was not fitted to, with the profile and with
        the standard lens; None where that was not measured.
    method : "stack" or "pair"
    source : str
        What it was fitted to, for people.
    date : str
        Day it was made, ISO 8601.
    """

    scanner: str
    mpp: float
    optics: Optics
    frequency: tuple[float, ...]
    errors: tuple[ModelError, ...]
    gain_db: float | None
    standard_gain_db: float | None
    method: Method
    source: str
    date: str

    def __post_init__(self) -> None:
        """Refuse bands and errors that do not fit together."""
        rows = [row for error in self.errors for row in (*error.unexplained, *error.noise_to_signal)]
        sizes = {len(error.unexplained) for error in self.errors} | {len(e.noise_to_signal) for e in self.errors}
        rising = bool(np.all(np.diff(self.frequency) > 0)) and len(self.frequency) > 1
        further = bool(np.all(np.diff([error.z_um for error in self.errors]) > 0))
        if not rows or sizes not in ({1}, {3}) or any(len(row) != len(self.frequency) for row in rows):
            raise ValueError("the bands of its model error do not fit together")
        if not rising or not further:
            raise ValueError("its frequencies and distances must rise")

    @property
    def digest(self) -> str:
        """Twelve hexadecimal digits that differ where profiles do."""
        return json_digest(to_document(self))

    def holds_for(self, scanner: str, mpp: float | None) -> bool:
        """Whether it holds for a scanner's slides of a pixel size."""
        return self.scanner == scanner and mpp is not None and 1 / SAME_MPP <= mpp / self.mpp <= SAME_MPP

    def noise_to_signal(self, frequency: npt.NDArray[np.floating], z_um: float) -> FloatArray:
        """Unexplained power over that of the plane in focus, ``z_um`` out of focus: float32 (3, F).

        Linear in its logarithm between bands and between measured distances; beyond them it stays as it is at the last.

        Parameters
        ----------
        frequency : float (F,)
            Cycles per um.
        """
        tables = np.log(np.array([error.noise_to_signal for error in self.errors]) + 1e-9)
        distances = [error.z_um for error in self.errors]
        place = float(np.interp(z_um, distances, np.arange(len(distances))))
        below = min(int(place), len(tables) - 1)
        above = min(below + 1, len(tables) - 1)
        rows = tables[below] + (tables[above] - tables[below]) * (place - below)
        found = np.exp(np.stack([np.interp(frequency, self.frequency, row) for row in rows]))
        return np.asarray(np.broadcast_to(found, (3, found.shape[1])), dtype=np.float32)

    def story(self) -> str:
        """The optics in one line, for people."""
        o = self.optics
        red, _, blue = o.chromatic_shift_um
        parts = [f"NA {o.na:.2f}"]
        if o.condenser < 1:
            parts.append(f"condenser {o.condenser:.2f}")
        if o.refraction:
            parts.append(f"refraction {o.refraction:+.2f}")
        if o.spherical_waves:
            parts.append(f"spherical {o.spherical_waves:+.2f} waves")
        if red or blue:
            parts.append(f"red {red:+.2f} um, blue {blue:+.2f} um from green")
        return ", ".join(parts)


def to_document(profile: OpticsProfile) -> dict[str, Any]:
    """A profile in terms of JSON; figures with the digits that can be known."""
    document = asdict(profile)
    document["optics"] = {name: document["optics"][name] for name in _FIELDS}
    found: dict[str, Any] = _rounded(document)
    return found


def write_profiles(path: Path, profiles: Sequence[OpticsProfile]) -> None:
    """Write a file of profiles.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    entries = ",\n".join(
        "  " + json.dumps(to_document(profile), ensure_ascii=False, allow_nan=False) for profile in profiles
    )
    with atomic_write(path) as temporary:
        temporary.write_text(f'{{"format": {FORMAT}, "profiles": [\n{entries}\n]}}\n', encoding="utf-8")


def read_profiles(path: Path) -> list[OpticsProfile]:
    """The profiles of a file, checked against their schema.

    Raises
    ------
    UserError
        If the file is damaged, of a newer program, or holds a value that cannot be.
    """
    try:
        document = from_json_text(path.read_text(encoding="utf-8"))
        if not isinstance(document, dict) or not isinstance(document.get("profiles"), list):
            raise ValueError("it is no file of optics profiles")
        if document.get("format") != FORMAT:
            raise ValueError(f"its format is {document.get('format')!r}, this program reads {FORMAT}")
        return [_from_table(entry) for entry in document["profiles"]]
    except MisfitError as error:
        place = ".".join(map(str, error.path))
        what = f"{place} is not known" if error.unknown else f"{place} cannot be {error.value!r}"
        raise _unreadable(path, what) from error
    except (OSError, ValueError, TypeError) as error:
        raise _unreadable(path, str(error)) from error


def _unreadable(path: Path, why: str) -> UserError:
    return UserError(f"Cannot read the optics profiles in {path}", why, "Remove the file, and measure again.")


@lru_cache(maxsize=1)
def _schema() -> Any:
    """What the entries of a file hold."""
    positive, share = bounded(1e-6, 1e6), bounded(0.0, 1e9)
    um = bounded(-50.0, 50.0)
    rows = list[list[share]]  # type: ignore[valid-type]
    optics = strict_struct(
        "optics",
        {
            "na": bounded(0.02, 1.5),
            "refractive_index": bounded(1.0, 2.0),
            "wavelengths_um": tuple[(bounded(0.2, 2.0),) * 3],  # type: ignore[misc]
            "chromatic_shift_um": tuple[(um,) * 3],  # type: ignore[misc]
            "spherical_waves": bounded(-5.0, 5.0),
            "condenser": bounded(0.05, 1.0),
            "refraction": bounded(-5.0, 5.0),
        },
    )
    error = strict_struct("error", {"z_um": positive, "unexplained": rows, "noise_to_signal": rows})
    return strict_struct(
        "profile",
        {
            "scanner": str,
            "mpp": bounded(0.01, 100.0),
            "optics": optics,
            "frequency": list[share],  # type: ignore[valid-type]
            "errors": list[error],  # type: ignore[valid-type]
            "gain_db": float | None,
            "standard_gain_db": float | None,
            "method": Literal["stack", "pair"],
            "source": str,
            "date": str,
        },
    )


_MAY_BE_NONE = ("gain_db", "standard_gain_db")


def _from_table(entry: dict[str, Any]) -> OpticsProfile:
    table = convert(entry, _schema())
    for struct in (table, table.optics, *(table.errors or ())):
        for name in () if struct is None else struct.__struct_fields__:
            if getattr(struct, name) is None and name not in _MAY_BE_NONE:
                raise ValueError(f"{name} is missing")
    optics = Optics(**{name: getattr(table.optics, name) for name in _FIELDS})
    errors = [
        ModelError(error.z_um, _tuples(error.unexplained), _tuples(error.noise_to_signal)) for error in table.errors
    ]
    values = {name: getattr(table, name) for name in table.__struct_fields__}
    return OpticsProfile(**values | {"optics": optics, "frequency": tuple(table.frequency), "errors": tuple(errors)})


def _tuples(rows: list[list[float]]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in rows)


def as_gray(optics: Optics) -> Optics:
    """Optics that treat all colours as the green one: of a camera that has none."""
    return replace(optics, wavelengths_um=(optics.wavelengths_um[1],) * 3, chromatic_shift_um=(0.0, 0.0, 0.0))


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value
