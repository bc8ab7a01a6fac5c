"""A data set that has been read: its records, its splits, its stacks, and what is wrong with it on disk."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from focusviewer.core.arrays import RGB
from focusviewer.training.datasets.decode import Limits, facts, read_rgb, shared_limits
from focusviewer.training.datasets.records import DatasetError, Finding, FocusStack, ImageRecord
from focusviewer.training.datasets.reference import Reference, reference_plane
from focusviewer.training.datasets.splits import SEED, SIDES, split_groups

Scheme = Callable[[ImageRecord, Mapping[str, str]], str | None]
"""(record, side of every group) -> side of the record, or None when this split leaves it out."""

EVERYTHING = "all"
_LIMITS_KEPT = 4096


def by_group(record: ImageRecord, sides: Mapping[str, str]) -> str | None:
    """The scheme that keeps a case or slide together."""
    return sides[record.group]


def as_published(record: ImageRecord, sides: Mapping[str, str]) -> str | None:
    """The scheme the data set itself is published with."""
    return record.published


@dataclass(frozen=True)
class About:
    """What is known of a published data set.

    Attributes
    ----------
    truth : str
        ``level`` (um from focus), ``label`` (sharp or blurred), ``mask`` (blurred areas) or ``none``.
    images : int or None
        Number of images it is published with.
    bits : int
        Bits per sample it is published with.
    step_um : float or None
        Distance between neighbouring planes.
    planes : tuple of int
        Planes that every stack must have, as the data set counts them; empty when that is not fixed.
    """

    name: str
    title: str
    url: str
    content: str
    truth: Literal["level", "label", "mask", "none"]
    images: int | None = None
    size_px: tuple[int, int] | None = None
    bits: int = 8
    step_um: float | None = None
    planes: tuple[int, ...] = ()
    note: str = ""


class Dataset:
    """A data set on disk; pixels are decoded only when asked for.

    Parameters
    ----------
    about : About
    root : Path
        Folder (or file) it lies in.
    records : sequence of ImageRecord
    findings : sequence of Finding
        What the scan of the folder found wrong; never silently dropped.
    schemes : mapping
        Named splits, the default first.
    """

    def __init__(
        self,
        about: About,
        root: Path,
        records: Sequence[ImageRecord],
        findings: Sequence[Finding] = (),
        schemes: Mapping[str, Scheme] | None = None,
    ) -> None:
        self.about, self.root = about, root
        self.records = tuple(records)
        self.findings = tuple(findings)
        self.schemes: dict[str, Scheme] = dict(schemes or {"slides": by_group})
        self._limits = lru_cache(_LIMITS_KEPT)(self._judge_limits)
        self._stacks: dict[str, list[ImageRecord]] = defaultdict(list)
        for record in self.records:
            if record.stack is not None:
                self._stacks[record.stack].append(record)
        for planes in self._stacks.values():
            planes.sort(key=_plane_order)

    @property
    def name(self) -> str:
        """Short name, e.g. ``focuspath``."""
        return self.about.name

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that make the data unusable as they are."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def stacks(self) -> tuple[str, ...]:
        """Names of the focal stacks."""
        return tuple(self._stacks)

    def select(self, split: str = EVERYTHING, seed: int = SEED) -> tuple[ImageRecord, ...]:
        """Records of one side of a split.

        Parameters
        ----------
        split : str
            ``all``; ``train``, ``validation`` or ``test`` of the default split; or ``scheme/side``.
        seed : int
            Of splits that are drawn by chance.

        Raises
        ------
        DatasetError
            If there is no such split.
        """
        if split == EVERYTHING:
            return self.records
        scheme, _, side = split.rpartition("/")
        rule = self.schemes.get(scheme or next(iter(self.schemes)))
        if rule is None or side not in SIDES:
            raise DatasetError(
                f"{self.about.title} has no split {split!r}",
                "",
                f"Choose all, {', '.join(SIDES)}, or one of {', '.join(self.schemes)} with /train, /validation, /test.",
            )
        sides = split_groups((record.group for record in self.records), seed)
        return tuple(record for record in self.records if rule(record, sides) == side)

    def counts(self, seed: int = SEED) -> dict[str, dict[str, int]]:
        """Images on every side of every split."""
        sides = split_groups((record.group for record in self.records), seed)
        table = {}
        for name, rule in self.schemes.items():
            found = Counter(rule(record, sides) for record in self.records)
            table[name] = {side: found.get(side, 0) for side in SIDES}
        return table

    def read(self, record: ImageRecord) -> RGB:
        """Pixels of a record, uint8 (H, W, 3).

        Gray planes with more than 8 bits are shown with one range for their whole stack.

        Raises
        ------
        DatasetError
            If the file is missing or damaged.
        """
        return read_rgb(record.path, self._limits(record.stack))

    def stack_records(self, name: str) -> list[ImageRecord]:
        """Planes of one stack in order of z."""
        return list(self._stacks[name])

    def stack(self, name: str, reference: Reference = "auto") -> FocusStack:
        """One focal stack.

        Raises
        ------
        DatasetError
            If a plane is missing, the planes differ in size or bit depth, or no reference plane is stated although
            ``reference`` asks for it.
        """
        planes = self._stacks.get(name)
        if not planes:
            raise DatasetError(f"{self.about.title} has no stack {name!r}", "", "")
        for finding in missing_planes(self.about, name, planes):
            raise DatasetError(f"{self.about.title}: stack {name} is incomplete", finding.text, "Download it again.")
        self.check_alike(planes)
        return self._built(name, planes, reference)

    def check_alike(self, planes: Sequence[ImageRecord]) -> None:
        """Compare the headers of the planes of a stack.

        Raises
        ------
        DatasetError
            If they differ in size or bit depth; names the file.
        """
        headers = [facts(record.path) for record in planes]
        usual = Counter(headers).most_common(1)[0][0]
        for record, header in zip(planes, headers, strict=True):
            if (header.width, header.height) != (usual.width, usual.height):
                raise DatasetError(
                    f"{record.path} does not fit its stack",
                    f"it is {header.width} x {header.height} pixels, the others {usual.width} x {usual.height}",
                    "Download it again.",
                )
            if header.bits != usual.bits:
                raise DatasetError(
                    f"{record.path} does not fit its stack",
                    f"it has {header.bits} bits per sample, the others {usual.bits}",
                    "Download it again.",
                )

    def _built(self, name: str, planes: Sequence[ImageRecord], reference: Reference) -> FocusStack:
        def read(index: int) -> RGB:
            return self.read(planes[index])

        known = [record.z_um for record in planes if record.z_um is not None]
        stated = known.index(0.0) if len(known) == len(planes) and 0.0 in known else None
        best = reference_plane(reference, stated, len(planes), read, name)
        step = self.about.step_um
        if len(known) == len(planes):
            z = [value - known[best] for value in known]
        else:
            numbers = [float(record.plane or 0) for record in planes]
            z = [(number - numbers[best]) * (step or 1.0) for number in numbers]
        return FocusStack(
            name, planes[0].slide, tuple(z), read, best, len(known) == len(planes) or step is not None, planes[0].mpp
        )

    def _judge_limits(self, stack: str | None) -> Limits:
        if stack is None or self.about.bits == 8:
            return None
        return shared_limits([record.path for record in self._stacks[stack]])

    def summary(self, seed: int = SEED) -> dict[str, Any]:
        """Facts about the data set for a listing; plain values."""
        return {
            "name": self.name,
            "title": self.about.title,
            "path": str(self.root),
            "truth": self.about.truth,
            "images": len(self.records),
            "images_published": self.about.images,
            "stacks": len(self._stacks),
            "slides": len({record.slide for record in self.records}),
            "groups": len({record.group for record in self.records}),
            "splits": self.counts(seed),
            "note": self.about.note,
        }


def missing_planes(about: About, name: str, planes: Iterable[ImageRecord]) -> list[Finding]:
    """A finding for a stack that lacks planes it is published with."""
    planes = list(planes)
    lacking = sorted(set(about.planes) - {record.plane for record in planes if record.plane is not None})
    if not lacking:
        return []
    numbers = ", ".join(str(number) for number in lacking)
    text = f"stack {name} lacks plane{'s' if len(lacking) > 1 else ''} {numbers} of {len(about.planes)}"
    return [Finding("error", planes[0].path.parent, text)]


def _plane_order(record: ImageRecord) -> tuple[float, str]:
    return (float(record.plane) if record.plane is not None else record.z_um or 0.0, record.path.name)
