"""The truth about the focus map in the window: what is chosen, running, shown and found; no Qt here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from psygnal import SignalGroupDescriptor

from focusviewer.app.heatmap.presentation import FocusCurve, HeatmapStyle, MapFigures, focus_curve
from focusviewer.app.services.settings import HeatmapMode, Settings
from focusviewer.core.registry import AnyEntry
from focusviewer.focus.base import FocusMap
from focusviewer.focus.mapping.regions import BlurRegion


@dataclass
class HeatmapState:
    """What the Heatmap panel shows and its controller acts on.

    Attributes
    ----------
    model, lut, mode : str
        Chosen model, look-up table, and scale of the colours ("absolute" or "normalised").
    opacity : float
        Of the map over the slide, 0 to 1.
    threshold : float
        Score from which a window counts as blurred, in the unit that ``threshold_of`` says.
    emphasise, visible, certainty : bool
        Whether windows below the threshold are faded, whether the map is seen at all, and whether windows are faded
        by how unsure the model is of them.
    models, luts : tuple
        What is offered; empty until the registry was loaded.
    threshold_of : str
        Model in whose own scores the threshold is; empty when it is in focus levels.
    level_threshold : float
        Threshold of absolute models, in focus levels.
    relative_thresholds : dict of model name to float
        Thresholds of the others, in their own scores.
    running : bool
        Whether a map is being made.
    progress : float
        How far it is, 0 to 1.
    withheld_reason : str
        Why no map may be shown or made (a reader is blinded); empty when it may.
    shown : FocusMap or None
        The map on screen.
    figures : MapFigures or None
        Its figures; they follow a little later than the map.
    mpp : float or None
        Microns per level-0 pixel of the slide.
    worst : tuple of BlurRegion
        Worst regions of the map on screen, worst first.
    selected : int
        Index of the region that was chosen last, -1 before one was.
    curve : FocusCurve or None
        Blur against z, where several planes of the stack are mapped.
    can_plot : bool
        Whether the plotting library is loaded.
    """

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    model: str = ""
    lut: str = ""
    mode: HeatmapMode = "absolute"
    opacity: float = 0.45
    threshold: float = 3.0
    emphasise: bool = True
    visible: bool = True
    certainty: bool = False
    models: tuple[AnyEntry, ...] = ()
    luts: tuple[str, ...] = ()
    threshold_of: str = ""
    level_threshold: float = 3.0
    relative_thresholds: dict[str, float] = field(default_factory=dict)
    running: bool = False
    progress: float = 0.0
    withheld_reason: str = ""
    shown: FocusMap | None = None
    figures: MapFigures | None = None
    mpp: float | None = None
    worst: tuple[BlurRegion, ...] = ()
    selected: int = -1
    curve: FocusCurve | None = None
    can_plot: bool = False

    def __post_init__(self) -> None:
        self._medians: dict[tuple[str, int], tuple[FocusMap, float]] = {}
        self.events.threshold.connect(self._remember_threshold)

    @classmethod
    def of(cls, settings: Settings) -> HeatmapState:
        """What was chosen the last time."""
        return cls(
            model=settings.model,
            lut=settings.lut,
            mode=settings.heatmap_mode,
            opacity=settings.heatmap_opacity,
            threshold=settings.threshold,
            level_threshold=settings.threshold,
        )

    def keep(self, settings: Settings) -> None:
        """Remember what is chosen."""
        settings.model, settings.lut = self.model, self.lut
        settings.heatmap_mode, settings.heatmap_opacity = self.mode, self.opacity
        settings.threshold = self.level_threshold

    @property
    def style(self) -> HeatmapStyle:
        """The choices as they are now, for a worker."""
        return HeatmapStyle(
            self.model,
            self.lut,
            self.mode,
            self.opacity,
            self.threshold,
            self.emphasise,
            self.visible,
            self.certainty,
        )

    def offer(self, models: Sequence[AnyEntry], luts: Sequence[str], default: str) -> None:
        """Offer models and look-up tables; a choice that cannot be used gives way to the default."""
        self.models, self.luts = tuple(models), tuple(luts)
        if self.lut not in self.luts:
            self.lut = self.luts[0] if self.luts else ""
        if self.model not in {entry.name for entry in models if entry.available}:
            names = [entry.name for entry in models]
            self.model = default if default in names else next(iter(names), "")

    # --- threshold -----------------------------------------------------------------------------------------

    @property
    def decimals(self) -> int:
        """Decimals of the threshold that its unit needs."""
        return 4 if self.threshold_of else 2

    def set_threshold(self, value: float) -> None:
        """Use another threshold, in the unit of the present one."""
        self.threshold = round(value, self.decimals)

    def fit_threshold(self, focus_map: FocusMap) -> None:
        """Use the threshold in a map's own unit: levels, or a relative model's scores (at first their last decile)."""
        if focus_map.absolute:
            self.threshold_of = ""
            self.set_threshold(self.level_threshold)
            return
        values = focus_map.blur[focus_map.tissue]
        if focus_map.model not in self.relative_thresholds and values.size:
            self.relative_thresholds[focus_map.model] = float(np.percentile(values, 90))
        self.threshold_of = focus_map.model
        self.set_threshold(self.relative_thresholds.get(focus_map.model, 0.0))

    def _remember_threshold(self, value: float) -> None:
        if self.threshold_of:
            self.relative_thresholds[self.threshold_of] = value
        else:
            self.level_threshold = value

    # --- the map on screen ---------------------------------------------------------------------------------

    def clear(self) -> None:
        """Show no map."""
        self.shown = self.figures = None
        self.list_worst(())

    def list_worst(self, regions: Sequence[BlurRegion]) -> None:
        """List the worst regions; none of them is selected."""
        self.selected = -1
        self.worst = tuple(regions)

    def select_next(self) -> BlurRegion | None:
        """Select the next of the worst regions, after the last one the first; None when there are none."""
        if not self.worst:
            return None
        self.selected = (self.selected + 1) % len(self.worst)
        return self.worst[self.selected]

    def show_curve(
        self,
        maps: Mapping[tuple[str, int], FocusMap],
        planes_um: Sequence[float] = (),
        plane: int = 0,
        z_known: bool = True,
    ) -> None:
        """Compare the maps of several planes that the chosen model has made.

        Parameters
        ----------
        maps : mapping of (model, plane) to FocusMap
            All that are known of the slide.
        planes_um : sequence of float
            Z of the slide's planes.
        plane : int
            The one on screen.
        z_known : bool
            Whether ``planes_um`` are what the file states; otherwise planes are given by their number.
        """
        self._medians = {key: known for key, known in self._medians.items() if maps.get(key) is known[0]}
        for key, focus_map in maps.items():
            if key[0] == self.model and key not in self._medians:
                values = focus_map.blur[focus_map.tissue]
                self._medians[key] = focus_map, float(np.median(values)) if values.size else float("nan")
        own = {at: known for (model, at), known in self._medians.items() if model == self.model}
        self.curve = None if self.withheld_reason else focus_curve(own, planes_um, plane, z_known)
