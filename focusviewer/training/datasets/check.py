"""The thorough check of a data set: every image is decoded, every stack compared with itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from focusviewer.core.errors import UserError
from focusviewer.training.datasets.base import Dataset
from focusviewer.training.datasets.decode import facts
from focusviewer.training.datasets.readers.path_dt_msu import SLIDES
from focusviewer.training.datasets.records import DatasetError, Finding, ImageRecord


def check(dataset: Dataset, on_progress: Callable[[float], None] | None = None) -> list[Finding]:
    """Decode everything and collect what is wrong; nothing is skipped in silence.

    Parameters
    ----------
    dataset : Dataset
    on_progress : callable, optional
        Takes the fraction done.

    Returns
    -------
    list of Finding
        The findings of the scan, then errors for images that cannot be decoded, planes that differ in size or bit
        depth and images with another bit depth than published; a warning when the size is not the published one.
    """
    findings = list(dataset.findings)
    sizes: Counter[tuple[int, int]] = Counter()
    for number, record in enumerate(dataset.records, start=1):
        findings += _check_image(dataset, record, sizes)
        if on_progress is not None:
            on_progress(number / len(dataset.records))
    for name in dataset.stacks:
        planes = dataset.stack_records(name)
        if planes[0].index is None:
            try:
                dataset.check_alike(planes)
            except DatasetError as error:
                findings.append(Finding("error", planes[0].path.parent, str(error)))
    published = dataset.about.size_px
    other = sum(count for size, count in sizes.items() if size != published)
    if published is not None and other:
        usual = sizes.most_common(1)[0][0]
        text = f"{other} images are not {published[0]} x {published[1]} pixels (most are {usual[0]} x {usual[1]})"
        findings.append(Finding("warning", dataset.root, text))
    return findings


def _check_image(dataset: Dataset, record: ImageRecord, sizes: Counter[tuple[int, int]]) -> list[Finding]:
    where = record.path if record.index is None else record.path.with_name(f"{record.path.name}[{record.index}]")
    try:
        pixels = dataset.read(record)
        sizes[(pixels.shape[1], pixels.shape[0])] += 1
        if record.index is None and record.path.suffix.lower() not in SLIDES and dataset.name != "stacks":
            bits, wanted = facts(record.path).bits, dataset.about.bits
            if bits != wanted:
                return [Finding("error", where, f"has {bits} bits per sample, the data set is published with {wanted}")]
        if record.mask is not None and not record.mask.is_file():
            return [Finding("error", record.mask, "is missing")]
    except UserError as error:
        return [Finding("error", where, error.why or error.what)]
    return []
