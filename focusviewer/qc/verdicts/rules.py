"""The rules that turn a slide's features into a verdict, read from one TOML file."""

from __future__ import annotations

import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, cached_property
from pathlib import Path
from types import GenericAlias
from typing import Any

from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path
from focusviewer.core.json_text import json_digest
from focusviewer.core.validation import MisfitError, bounded, convert, strict_struct, suggestion
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
        Part of the tissue that cannot be scored from which to act, 0..1.
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
    """What is read from file names where the files do not state it."""

    @property
    def label(self) -> str:
        """How verdicts name these rules, e.g. ``default 1 (3f9a0c)``: rules that differ never share it."""
        return f"{self.name} {self.version} ({self.digest})"

    @cached_property
    def digest(self) -> str:
        """Six hexadecimal digits of what the rules say: it changes when they are edited, whatever their version."""
        overrides = [(item.scanner, item.stain, sorted(item.changes.items())) for item in self.overrides]
        pattern = None if self.file_name is None else self.file_name.text
        return json_digest([asdict(self.thresholds), overrides, pattern], 6)

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
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
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
    try:
        found = convert(document, _layout())
    except MisfitError as misfit:
        raise _refusal(misfit, source) from misfit
    thresholds = Thresholds(**_named(found.defaults))
    overrides = tuple(_override(entry, source) for entry in found.override or [])
    for values in [{}, *(override.changes for override in overrides)]:
        _check_order(replace(thresholds, **values), source)
    text = found.identity.file_name if found.identity is not None else None
    pattern = None if text is None else NamePattern.parse(text, f"{source}: file_name")
    name, version = str(document.get("name", "unnamed")), str(document.get("version", "0"))
    return Rules(name, version, thresholds, overrides, pattern)


@cache
def _layout() -> Any:
    """What a file of rules may hold."""
    limits = {item.name: bounded(0, 1) if _is_fraction(item.name) else bounded(0) for item in fields(Thresholds)}
    word = str | int | float  # a scanner's name may be a number
    override = strict_struct("Override", {"scanner": word, "stain": word, **limits})
    return strict_struct(
        "Rules",
        {
            "name": word,
            "version": Any,  # a number or a date is one as well
            "defaults": strict_struct("Defaults", limits),
            "override": GenericAlias(list, override),
            "identity": strict_struct("Identity", {"file_name": str | None}),
        },
    )


def _is_fraction(name: str) -> bool:
    return name.endswith("_fraction")


def _named(values: Any) -> dict[str, float]:
    """The thresholds that a table of the file names."""
    found = {item.name: getattr(values, item.name, None) for item in fields(Thresholds)}
    return {name: value for name, value in found.items() if value is not None}


def _override(entry: Any, source: str) -> Override:
    scanner, stain = ("" if word is None else str(word) for word in (entry.scanner, entry.stain))
    if not (scanner or stain):
        raise UserError(f"{source} has an override for every slide", "it names no scanner and no stain")
    return Override(scanner, stain, _named(entry))


def _refusal(misfit: MisfitError, source: str) -> UserError:
    """What is wrong with a file of rules, for people."""
    path, value = misfit.path, misfit.value
    name = str(path[-1]) if path else ""
    known = [item.name for item in fields(Thresholds)]
    if misfit.unknown and len(path) == 1:
        return UserError(f"{source} has an unknown entry {name!r}", advice="Use name, version, [defaults].")
    if path == ("identity", "file_name"):
        return UserError(f"{source}: file_name = {value!r} is not usable", "it must be a regular expression in quotes")
    if path[:1] == ("identity",):
        held = f"it holds {name}, and" if misfit.unknown else "it"
        return UserError(f"{source}: [identity] is not usable", f"{held} may hold file_name and nothing else")
    if misfit.unknown:
        return UserError(f"{source} has an unknown threshold {name!r}", advice=suggestion(name, known))
    if name in known:
        wanted = "from 0 to 1" if _is_fraction(name) else "0 or more"
        return UserError(f"{source}: {name} = {value!r} is not usable", f"it must be a number, {wanted}")
    if name in ("name", "scanner", "stain"):
        return UserError(f"{source}: {name} = {value!r} is not usable", "it must be a text in quotes")
    return UserError(f"{source} is not laid out as rules", "it needs [defaults] and [[override]] tables")


def _check_order(thresholds: Thresholds, source: str) -> None:
    for what in ("blurred_fraction", "region_mm2", "worst_decile_um", "cannot_tell_fraction"):
        review, rescan = getattr(thresholds, f"review_{what}"), getattr(thresholds, f"rescan_{what}")
        if review > rescan:
            raise UserError(
                f"{source}: review_{what} = {review:g} is above rescan_{what} = {rescan:g}",
                "a slide would be sent back before it is looked at",
                "Make the review threshold the smaller one.",
            )
