"""The rescan list: which slides go back to the scanner, and where its focus points should lie this time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from focusviewer import __version__
from focusviewer.core.errors import UserError
from focusviewer.core.json_text import write_json
from focusviewer.qc.reports.csvtext import write_table
from focusviewer.qc.reports.pictures import slide_size
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.worklist.records import RegionRow, SlideRow
from focusviewer.qc.worklist.store import Worklist, now

FORMAT = "focusviewer rescan 1"

ORIGIN = "top left corner of the scanned area (level 0 of the file); x to the right, y down"

COLUMNS = (
    "path", "slide_id", "scanner", "stain", "verdict", "given_by", "region", "x_mm", "y_mm", "width_mm", "height_mm",
    "centre_x_mm", "centre_y_mm", "defocus_um", "area_mm2", "cause", "x_px", "y_px", "width_px", "height_px",
    "reasons", "note", "fingerprint",
)  # fmt: skip


@dataclass(frozen=True)
class PlannedRegion:
    """A rectangle to focus on, clipped to the slide; mm are None for a slide without a pixel size.

    ``defocus_um`` is the estimated distance from focus. Its sign cannot be told from one plane.
    """

    number: int
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    x_mm: float | None
    y_mm: float | None
    width_mm: float | None
    height_mm: float | None
    centre_x_mm: float | None
    centre_y_mm: float | None
    defocus_um: float
    area_mm2: float | None
    cause: str


@dataclass(frozen=True)
class PlannedSlide:
    """A slide of the rescan list; without regions it is to be scanned as a whole."""

    row: SlideRow
    size_px: tuple[float, float] | None
    regions: tuple[PlannedRegion, ...]

    @property
    def given_by(self) -> str:
        """Who sends it back: the person, or the rules."""
        if self.row.person is not None:
            return self.row.person.who or "a person"
        return self.row.result.judgement.rules if self.row.result is not None else ""


def rescan_list(worklist: Worklist, verdicts: Iterable[Verdict] = (Verdict.RESCAN,)) -> list[PlannedSlide]:
    """Slides whose verdict that counts is one of ``verdicts``, the worst first, with their blurred regions."""
    wanted = set(verdicts)
    return [_planned(worklist, row) for row in worklist.slides() if row.verdict in wanted]


def _planned(worklist: Worklist, row: SlideRow) -> PlannedSlide:
    if row.result is None:
        return PlannedSlide(row, None, ())
    size = slide_size(worklist.folder / row.result.folder)
    mpp = row.result.features.mpp
    regions = (plan_region(number, region, size, mpp) for number, region in enumerate(row.result.regions, 1))
    return PlannedSlide(row, size, tuple(regions))


def plan_region(number: int, region: RegionRow, size: tuple[float, float] | None, mpp: float | None) -> PlannedRegion:
    """A region of the worklist in millimetres.

    Parameters
    ----------
    size : (width, height) or None
        Of the slide in level-0 pixels: windows overhang its edges, the plan does not.
    mpp : float or None
        Pixel size of level 0, um.
    """
    x0, y0 = max(region.x, 0.0), max(region.y, 0.0)
    x1, y1 = region.x + region.width, region.y + region.height
    if size is not None:
        x1, y1 = min(x1, size[0]), min(y1, size[1])
    width, height = max(x1 - x0, 0.0), max(y1 - y0, 0.0)
    return PlannedRegion(
        number=number,
        x_px=round(x0, 1),
        y_px=round(y0, 1),
        width_px=round(width, 1),
        height_px=round(height, 1),
        x_mm=_mm(x0, mpp),
        y_mm=_mm(y0, mpp),
        width_mm=_mm(width, mpp),
        height_mm=_mm(height, mpp),
        centre_x_mm=_mm(x0 + width / 2, mpp),
        centre_y_mm=_mm(y0 + height / 2, mpp),
        defocus_um=round(region.mean_um, 3),
        area_mm2=None if region.area_mm2 is None else round(region.area_mm2, 5),
        cause=region.cause,
    )


def _mm(pixels: float, mpp: float | None) -> float | None:
    return None if mpp is None else round(pixels * mpp / 1000, 4)


def write_rescan_csv(worklist: Worklist, path: Path) -> None:
    """Write the rescan list as CSV: a line for each region; one without a rectangle for a slide without any.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    lines: list[dict[str, Any]] = []
    for planned in rescan_list(worklist):
        slide = {**_facts(planned), "reasons": "; ".join(_reasons(planned.row))}
        lines += [{**slide, "region": region.number, **asdict(region)} for region in planned.regions] or [slide]
    write_table(path, COLUMNS, lines)


def write_rescan_json(worklist: Worklist, path: Path) -> None:
    """Write the rescan list as JSON.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    slides = [
        {
            **_facts(planned),
            "reasons": list(_reasons(planned.row)),
            "mpp": planned.row.result.features.mpp if planned.row.result is not None else None,
            "size_px": planned.size_px,
            "regions": [asdict(region) for region in planned.regions],
        }
        for planned in rescan_list(worklist)
    ]
    document = {
        "format": FORMAT,
        "program": f"FocusViewer {__version__}",
        "written_at": now(),
        "origin": ORIGIN,
        "slides": slides,
    }
    write_json(path, document, indent=1)


def write_rescan(worklist: Worklist, path: Path) -> None:
    """Write the rescan list in the form that the file's name asks for.

    Raises
    ------
    UserError
        If that is neither .csv nor .json, or the file cannot be written.
    """
    writers = {".csv": write_rescan_csv, ".json": write_rescan_json}
    if path.suffix.lower() not in writers:
        raise UserError(f"Cannot write {path}", f"unknown file type {path.suffix or '(none)'}", "Use .csv or .json.")
    writers[path.suffix.lower()](worklist, path)


def _facts(planned: PlannedSlide) -> dict[str, Any]:
    facts, verdict, person = planned.row.facts, planned.row.verdict, planned.row.person
    return {
        "path": str(facts.path),
        "slide_id": facts.slide_id,
        "scanner": facts.scanner,
        "stain": facts.stain,
        "verdict": verdict.value if verdict is not None else "",
        "given_by": planned.given_by,
        "note": person.note if person is not None else "",
        "fingerprint": facts.fingerprint,
    }


def _reasons(row: SlideRow) -> tuple[str, ...]:
    return row.result.judgement.reasons if row.result is not None else ()
