"""The rules that turn a slide's features into a verdict, read from one TOML file."""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path
from focusviewer.slides.identity import NamePattern


@dataclass(frozen=True)
class Thresholds:
    """When a slide passes, needs a look, or goes back to the scanner; reasons stand in ``resources/qc-rules.toml``.

    Attributes
    ----------
    blurred_um : float
        A window of tissue at least this far from focus is blurred, um.
    rescan_blurred_fraction, review_blurred_fraction : float
        Blurred part of the tissue from which to act, 0..1.
    rescan_region_mm2, review_region_mm2 : float
        Size of the largest connected blurred region from which to act, mm2.
    rescan_region_fraction : float
        A region sends a slide back only if it is at least this part of the tissue, 0..1.
    rescan_worst_decile_um, review_worst_decile_um : float
        Mean distance from focus of the worst tenth of the tissue from which to act, um.
    rescan_cannot_tell_fraction, review_cannot_tell_fraction : float
        Part of the tissue that cannot be judged from which to act, 0..1.
    review_unreadable_fraction : float
        Part of the tissue that could not be read from which to look, 0..1.
    review_least_tissue_mm2 : float
        Less tissue than this is worth a look, mm2.
    """

    blurred_um: float = 1.6
    rescan_blurred_fraction: float = 0.06
    rescan_region_mm2: float = 0.8
    rescan_region_fraction: float = 0.02
    rescan_worst_decile_um: float = 1.8
    review_blurred_fraction: float = 0.045
    review_region_mm2: float = 0.25
    review_worst_decile_um: float = 1.65
    rescan_cannot_tell_fraction: float = 0.5
    review_cannot_tell_fraction: float = 0.25
    review_unreadable_fraction: float = 0.01
    review_least_tissue_mm2: float = 0.05


@dataclass(frozen=True)
class Override:
    """Thresholds that differ for slides of a scanner or a stain."""

    scanner: str = ""
    stain: str = ""
    changes: dict[str, float] = field(default_factory=dict)

    def fits(self, scanner: str, stain: str) -> bool:
        """Whether a slide is meant: what is named here is part of its own, whatever the case."""
        return self.scanner.lower() in scanner.lower() and self.stain.lower() in stain.lower()


@dataclass(frozen=True)
class Rules:
    """A named, versioned set of thresholds with its overrides."""

    name: str = "default"
    version: str = "1"
    thresholds: Thresholds = Thresholds()
    overrides: tuple[Override, ...] = ()
    file_name: NamePattern | None = None
    """What file names tell of slides whose files do not say it."""

    @property
    def label(self) -> str:
        """How verdicts name these rules, e.g. ``default 1 (3f9a0c)``: rules that differ never share it."""
        return f"{self.name} {self.version} ({self.digest})"

    @cached_property
    def digest(self) -> str:
        """Six hexadecimal digits of what the rules say: it changes when they are edited, whatever their version."""
        overrides = [(item.scanner, item.stain, sorted(item.changes.items())) for item in self.overrides]
        pattern = None if self.file_name is None else self.file_name.text
        content = json.dumps([asdict(self.thresholds), overrides, pattern], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:6]

    def for_slide(self, scanner: str = "", stain: str = "") -> Thresholds:
        """Thresholds for a slide: those of the first override that fits, else the defaults."""
        for override in self.overrides:
            if override.fits(scanner, stain):
                return replace(self.thresholds, **override.changes)
        return self.thresholds


def load_rules(path: Path | None = None) -> Rules:
    """Read rules from a TOML file, or the shipped ones.

    Raises
    ------
    UserError
        If the file cannot be read, is not TOML, or holds an unknown name or an impossible value.
    """
    source = path or resource_path("qc-rules.toml")
    try:
        document = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        reason = error.strerror or str(error) if isinstance(error, OSError) else str(error)
        raise UserError(f"Cannot read the rules {source}", reason, "Start from a copy of the shipped rules.") from error
    return rules_from(document, str(source))


def rules_from(document: dict[str, Any], source: str = "the rules") -> Rules:
    """Rules from a parsed TOML document; ``source`` names it in messages.

    Raises
    ------
    UserError
        If it holds an unknown name or an impossible value.
    """
    unknown = sorted(set(document) - {"name", "version", "defaults", "override", "identity"})
    if unknown:
        raise UserError(f"{source} has an unknown entry {unknown[0]!r}", advice="Use name, version, [defaults].")
    defaults, entries = document.get("defaults", {}), document.get("override", [])
    if not isinstance(defaults, dict) or not isinstance(entries, list):
        raise UserError(f"{source} is not laid out as rules", "it needs [defaults] and [[override]] tables")
    overrides = []
    for entry in entries:
        values = dict(entry)
        scanner, stain = str(values.pop("scanner", "")), str(values.pop("stain", ""))
        if not (scanner or stain):
            raise UserError(f"{source} has an override for every slide", "it names no scanner and no stain")
        overrides.append(Override(scanner, stain, _checked(values, source)))
    thresholds = Thresholds(**_checked(defaults, source))
    for values in [{}, *(override.changes for override in overrides)]:
        _check_order(replace(thresholds, **values), source)
    name, version = str(document.get("name", "unnamed")), str(document.get("version", "0"))
    return Rules(name, version, thresholds, tuple(overrides), _file_name(document.get("identity", {}), source))


def _file_name(identity: object, source: str) -> NamePattern | None:
    """The pattern of ``[identity] file_name``."""
    if not isinstance(identity, dict) or set(identity) - {"file_name"}:
        raise UserError(f"{source}: [identity] is not usable", "it may hold file_name and nothing else")
    text = identity.get("file_name")
    if text is None:
        return None
    if not isinstance(text, str):
        raise UserError(f"{source}: file_name = {text!r} is not usable", "it must be a regular expression in quotes")
    return NamePattern.parse(text, f"{source}: file_name")


def _checked(values: dict[str, Any], source: str) -> dict[str, float]:
    known = [item.name for item in fields(Thresholds)]
    for name, value in values.items():
        if name not in known:
            close = get_close_matches(name, known, 1)
            advice = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."
            raise UserError(f"{source} has an unknown threshold {name!r}", advice=advice)
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value < 0 or (name.endswith("_fraction") and value > 1):
            wanted = "from 0 to 1" if name.endswith("_fraction") else "0 or more"
            raise UserError(f"{source}: {name} = {value!r} is not usable", f"it must be a number, {wanted}")
    return {name: float(value) for name, value in values.items()}


def _check_order(thresholds: Thresholds, source: str) -> None:
    for what in ("blurred_fraction", "region_mm2", "worst_decile_um", "cannot_tell_fraction"):
        review, rescan = getattr(thresholds, f"review_{what}"), getattr(thresholds, f"rescan_{what}")
        if review > rescan:
            raise UserError(
                f"{source}: review_{what} = {review:g} is above rescan_{what} = {rescan:g}",
                "a slide would be sent back before it is looked at",
                "Make the review threshold the smaller one.",
            )
