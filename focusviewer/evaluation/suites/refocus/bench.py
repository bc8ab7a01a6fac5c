"""The tests of refocusing engines and their data, made when first asked for, once for all engines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.evaluation.study import Part
from focusviewer.evaluation.suites.refocus.competitors import Competitors, competitors_key
from focusviewer.evaluation.suites.refocus.faithfulness import (
    FaithfulnessImages,
    evaluate_faithfulness,
    real_glass,
    simulated_glass,
    wide_scan,
)
from focusviewer.evaluation.suites.refocus.inputs import evaluate_refocus_gaps, evaluate_refocus_inputs
from focusviewer.evaluation.suites.refocus.planes import Planes, evaluate_refocus_planes, field_planes
from focusviewer.evaluation.suites.refocus.real_planes import evaluate_real_planes, summary
from focusviewer.evaluation.suites.refocus.real_tissue import TextbookFilters, evaluate_real_tissue, tissue_summary
from focusviewer.evaluation.suites.refocus.simulated import (
    CROP_PX,
    evaluate_refocus_real,
    held_out_crops,
    refocus_simulated_table,
)
from focusviewer.evaluation.suites.refocus.traverse import NEIGHBOURS, ONE, STEP, SWEEPS, evaluate_traverse
from focusviewer.evaluation.suites.refocus.uneven import Uneven, evaluate_uneven, uneven_sections
from focusviewer.evaluation.tables.table import Row
from focusviewer.evaluation.test_sets.fields import FieldsConfig, FieldSet, sharp_fields
from focusviewer.evaluation.test_sets.ground_truth_stacks import (
    GroundTruthConfig,
    GroundTruthStack,
    ground_truth_stacks,
)
from focusviewer.evaluation.test_sets.real_stacks import RealStack
from focusviewer.evaluation.test_sets.real_tissue import SIDE_PX, RealPair, real_pairs

VERSION = "2"
UNEVEN_PX = (240, 496)
PICTURES = 24
"""Crops that one of each picture is taken from."""


@dataclass(frozen=True)
class Extent:
    """How much is evaluated.

    Attributes
    ----------
    fields, stacks, targets, sections, checked : int
        Held-out crops, simulated stacks, targets of each, uneven pictures, and pictures for the checks.
    real_px, steps_px, tissue_px : int
        Side of the real planes that is evaluated, alone, in steps, and beside the textbook filters.
    detail : bool
        The figures that take longer.
    """

    fields: int = 20
    stacks: int = 14
    targets: int = 2
    sections: int = 4
    checked: int = 8
    real_px: int = 512
    steps_px: int = 256
    tissue_px: int = SIDE_PX
    detail: bool = True
    traverse: GroundTruthConfig = field(default_factory=GroundTruthConfig)


FULL = Extent()
QUICK = Extent(6, 5, 1, 1, 2, 320, 128, 160, False, GroundTruthConfig(real=0, phantoms=1, side_px=160))


class RefocusBench:
    """Test sets of refocusing.

    Parameters
    ----------
    fields : FieldSet
        Simulated test stacks.
    stacks : sequence of RealStack
    data : Path or None
        Data folder with held-out real pictures; None leaves those out.
    quick : bool
        Less of everything.
    """

    def __init__(
        self,
        fields: FieldSet,
        stacks: Sequence[RealStack],
        data: Path | None,
        quick: bool,
        competitors: Competitors | None = None,
    ) -> None:
        self.fields, self.stacks, self.data, self.quick = fields, stacks, data, quick
        self.extent = QUICK if quick else FULL
        self.competitors = competitors or Competitors()
        self._textbook = TextbookFilters()

    @cached_property
    def planes(self) -> list[Planes]:
        """Simulated test stacks, their middles."""
        return field_planes(self.fields.some(self.extent.stacks))

    @cached_property
    def pictures(self) -> list[tuple[str, RGB]]:
        """One held-out sharp crop of each picture; none without a data folder."""
        found: dict[str, RGB] = {}
        if self.data is not None:
            try:
                crops, groups = held_out_crops(self.data, PICTURES)
            except UserError:  # this data folder has no pictures: phantoms alone
                return []
            for name, crop in zip(groups, crops, strict=True):
                found.setdefault(name, crop)
        return list(found.items())

    @cached_property
    def ground_truth_stacks(self) -> list[GroundTruthStack]:
        """Sections with a truth at every twentieth of a micron."""
        config, side = self.extent.traverse, self.extent.traverse.side_px
        usable = [(name, crop) for name, crop in self.pictures if min(crop.shape[:2]) >= side]
        return ground_truth_stacks(_spread(usable, config.real), config)

    @cached_property
    def sections(self) -> list[Uneven]:
        """Uneven sections of held-out pictures, and of phantoms where there are not enough."""
        height, width = UNEVEN_PX
        try:
            sharp = sharp_fields(self.data, FieldsConfig())
        except UserError:  # this data folder has no pictures: phantoms alone
            sharp = []
        found = [(name, np.ascontiguousarray(picture[:height, :width])) for name, picture in sharp]
        chosen = _spread(found, self.extent.sections)
        for number in range(self.extent.sections - len(chosen)):
            chosen.append((f"phantom-{number}", _phantom_picture(number)))
        return uneven_sections(chosen)

    @cached_property
    def pairs(self) -> list[RealPair]:
        """Real tissue out of focus, each field beside its sharp plane; none without a data folder."""
        found = [] if self.data is None else real_pairs(self.data, self.extent.tissue_px)
        return list({pair.tissue: pair for pair in found}.values()) if self.quick else found

    @cached_property
    def specimens(self) -> FaithfulnessImages:
        """The images of the checks of faithfulness."""
        sharp = [crop for _, crop in _spread(self.pictures, self.extent.checked)]
        sharp = sharp or [_phantom_picture(0)[:CROP_PX, :CROP_PX]]
        glass = [*simulated_glass(), *(real_glass(self.data) if self.data is not None else [])]
        return FaithfulnessImages(sharp, glass, wide_scan())

    def parts(self) -> list[Part]:
        """Everything, in the order of the tables."""
        extent, key = self.extent, f"{VERSION}-{'quick' if self.quick else 'full'}"
        real = "-".join(stack.name for stack in self.stacks)
        made: list[tuple[str, str, Callable[[Any], list[dict[str, Any]]]]] = []
        if self.pairs:
            made.append(("refocus-tissue", f"{key}-{'-'.join(pair.case for pair in self.pairs)}", self._tissue))
        if self.data is not None:
            made.append(("refocus-simulated", key, self._simulated))
        of_fields = f"{key}-{self.fields.key}-{extent.stacks}"
        made += [
            ("refocus-planes", of_fields, lambda engine: evaluate_refocus_planes(engine, self.planes)),
            ("refocus-inputs", of_fields, self._inputs),
            (
                "refocus-gaps",
                f"{of_fields}-{competitors_key()}",
                lambda engine: evaluate_refocus_gaps(engine, self.planes, self.competitors),
            ),
            ("refocus-traverse", key, self._traverse),
            ("refocus-uneven", key, lambda engine: evaluate_uneven(engine, self.sections)),
        ]
        if self.stacks:
            made += [
                ("refocus-real", f"{key}-{real}", self._real),
                ("refocus-real-planes", f"{key}-{real}", self._real_planes),
            ]
        made.append(("refocus-honesty", key, lambda engine: evaluate_faithfulness(engine, self.specimens)))
        return [Part(*item) for item in made]

    def _simulated(self, engine: Any) -> list[dict[str, Any]]:
        assert self.data is not None
        return refocus_simulated_table(engine, self.data, self.extent.fields, self.extent.detail, self.competitors)

    def _inputs(self, engine: Any) -> list[dict[str, Any]]:
        return evaluate_refocus_inputs(engine, self.planes, targets=self.extent.targets)

    def _traverse(self, engine: Any) -> list[dict[str, Any]]:
        return evaluate_traverse(engine, self.ground_truth_stacks, STEP, (NEIGHBOURS, ONE) if self.quick else SWEEPS)

    def _tissue(self, engine: Any) -> list[dict[str, Any]]:
        return evaluate_real_tissue(engine, self.pairs, self._textbook)

    def _real(self, engine: Any) -> list[dict[str, Any]]:
        return evaluate_refocus_real(engine, self.stacks, self.extent.real_px, self.extent.detail, self.competitors)

    def _real_planes(self, engine: Any) -> list[dict[str, Any]]:
        return evaluate_real_planes(engine, self.stacks, self.competitors, self.extent.steps_px)


def _spread(items: Sequence[tuple[str, RGB]], count: int) -> list[tuple[str, RGB]]:
    """Some of the items, spread evenly."""
    if not items or not count:
        return []
    pick = np.unique(np.linspace(0, len(items) - 1, min(count, len(items))).astype(int))
    return [items[index] for index in pick]


def _phantom_picture(number: int) -> RGB:
    """A thin phantom section in focus."""
    from focusviewer.simulation.stacks import StackRecipe, simulate_stack

    height, width = UNEVEN_PX
    recipe = StackRecipe(2500 + number, width, height, planes=1, step_um=1.0, thickness_um=1.0)
    return np.asarray(simulate_stack(recipe).pictures[0])


def derived_rows(rows: dict[str, tuple[Row, ...]]) -> dict[str, tuple[Row, ...]]:
    """Tables that follow from others: the gains on real tissue and stacks, and the traverse level by level.

    Parameters
    ----------
    rows : dict
        Rows by name of table; those of the traverse keep the sweeps, and lose the levels to a table of their own.
    """
    result = dict(rows)
    if "refocus-traverse" in rows:
        levels = tuple(row for row in rows["refocus-traverse"] if "level" in row)
        result["refocus-traverse"] = tuple(row for row in rows["refocus-traverse"] if "level" not in row)
        if levels:
            result["refocus-levels"] = levels
    if "refocus-tissue" in rows:
        result["refocus-tissue-summary"] = tuple(tissue_summary(rows["refocus-tissue"]))
    real = [{**row, "task": "to best focus"} for row in rows.get("refocus-real", ())]
    steps = [dict(row) for row in rows.get("refocus-real-planes", ()) if "task" in row]
    if real or steps:
        result["refocus-real-summary"] = tuple(summary([*real, *steps]))
    return result
