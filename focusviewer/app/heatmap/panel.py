"""The Heatmap panel: where is the slide out of focus."""

from __future__ import annotations

import math

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QSizePolicy,
    QSlider,
    QWidget,
)

from focusviewer.app.heatmap.curve import CurveView
from focusviewer.app.heatmap.histogram import HistogramView
from focusviewer.app.heatmap.presentation import MapFigures, blur_text, region_text
from focusviewer.app.heatmap.state import HeatmapState
from focusviewer.app.services.binding import bind_check, bind_choice, bind_value, follow, show_choice, signals_blocked
from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.widgets.common import button, disable_choice, fill_choices, hint, panel_layout, row
from focusviewer.app.widgets.theme import bind_icon
from focusviewer.core.registry import AnyEntry
from focusviewer.focus.base import LEVEL_UM
from focusviewer.focus.mapping.regions import BlurRegion

_CANNOT_TELL = "Pen, dust, the rim of a bubble or the coverslip, a fold, or next to no stain. They count as neither."
_UNCALIBRATED = "The model's own scale: not calibrated for this scanner."


class HeatmapPanel(QWidget):
    """Controls and figures of the focus map; knows nothing of slides.

    Signals
    -------
    run_requested, stop_requested : a map is to be made, or to be stopped
    region_chosen : the user wants to see a region (x, y, width, height in level-0 pixels)
    """

    run_requested = Signal()
    stop_requested = Signal()
    region_chosen = Signal(object)

    def __init__(self, state: HeatmapState) -> None:
        super().__init__()
        self._state = state
        self._build()
        self._bind_choices()
        self._bind_results()

    def _build(self) -> None:
        self.model = QComboBox()
        self.model.setToolTip("What judges the focus of every window")
        self.run = button("Run", "play", "Map the focus of the whole slide (H)")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.progress.setRange(0, 1000)
        self.progress.hide()
        self.visible_box = QCheckBox("Show on the slide")
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(5, 100)
        self.lut = QComboBox()
        self.mode = QComboBox()
        self.mode.addItem("Absolute (same on every slide)", "absolute")
        self.mode.addItem("Normalised (this slide's range)", "normalised")
        self.threshold = QDoubleSpinBox()
        self.threshold.setRange(-1e6, 1e6)
        self.threshold.setSingleStep(0.1)
        self.threshold.setDecimals(2)
        self.threshold.setKeyboardTracking(False)
        self.threshold.setMaximumWidth(88)
        self.threshold_um = hint()
        self.threshold_um.setWordWrap(False)
        self.emphasise = QCheckBox("Bring out windows above it")
        self.certainty = QCheckBox("Fade where it is unsure")
        self.certainty.setToolTip("Windows fade with the uncertainty of the model")
        self.histogram = HistogramView()
        self.curve = CurveView()
        self.figures = PlainLabel()
        self.figures.setWordWrap(True)
        self.calibration = hint()
        self.calibration.setWordWrap(True)
        self.worst_title = hint("Worst regions")
        self.worst = QListWidget()
        self.worst.setFixedHeight(96)
        self.worst.setToolTip("Click to go there")
        layout = panel_layout(self)
        layout.addLayout(row(self.model, self.run))
        for box in (self.model, self.lut, self.mode):
            box.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(8)
        layout.addWidget(self.progress)
        form = QFormLayout()
        form.setSpacing(7)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.ExpandingFieldsGrow)
        form.addRow("", self.visible_box)
        form.addRow("Opacity", self.opacity)
        form.addRow("Colours", self.lut)
        form.addRow("Scale", self.mode)
        form.addRow("Blurred from", row(self.threshold, self.threshold_um))
        form.addRow("", self.emphasise)
        form.addRow("", self.certainty)
        layout.addLayout(form)
        for widget in (self.histogram, self.figures, self.calibration, self.curve, self.worst_title, self.worst):
            layout.addWidget(widget)

    def _bind_choices(self) -> None:
        state = self._state
        follow(state, "models", self._show_models)
        follow(state, "luts", self._show_luts)
        state.events.model.connect(self._show_model)
        follow(state, "threshold_of", self._show_unit)
        bind_choice(state, "model", self.model)
        bind_choice(state, "lut", self.lut)
        bind_choice(state, "mode", self.mode)
        bind_check(state, "visible", self.visible_box)
        bind_value(state, "opacity", self.opacity, per_unit=100)
        bind_value(state, "threshold", self.threshold)
        bind_check(state, "emphasise", self.emphasise)
        bind_check(state, "certainty", self.certainty)
        follow(state, "threshold", self._show_threshold)
        self.histogram.threshold_moved.connect(state.set_threshold)

    def _bind_results(self) -> None:
        state = self._state
        follow(state, "can_plot", self.histogram.allow_plots)
        follow(state, "can_plot", self.curve.allow_plots)
        follow(state, "running", self._show_running)
        follow(state, "progress", self._show_progress)
        follow(state, "figures", self._show_figures)
        follow(state, "curve", self.curve.show_curve)
        follow(state, "worst", self._show_worst)
        state.events.selected.connect(self._show_selected)
        self.run.clicked.connect(self._run_clicked)
        self.worst.currentRowChanged.connect(self._row_changed)
        self.worst.itemClicked.connect(self._region_clicked)
        self.worst.itemActivated.connect(self._region_clicked)

    # --- choices -------------------------------------------------------------------------------------------

    def _show_models(self, entries: tuple[AnyEntry, ...]) -> None:
        """Fill the list; models whose weights are missing cannot be chosen."""
        with signals_blocked(self.model):
            fill_choices(self.model, entries, self._state.model)

    def _show_model(self, name: str) -> None:
        """Select a model; one that is not listed (yet) is named, but cannot be chosen by the user."""
        if name and self.model.findData(name) < 0:
            with signals_blocked(self.model):
                self.model.addItem(name, name)
                disable_choice(self.model, self.model.count() - 1)
        show_choice(self.model, name)

    def _show_luts(self, names: tuple[str, ...]) -> None:
        with signals_blocked(self.lut):
            self.lut.clear()
            for name in names:
                self.lut.addItem(name, name)
        show_choice(self.lut, self._state.lut)

    def _show_unit(self, threshold_of: str) -> None:
        """Give the threshold as many decimals as its unit needs."""
        decimals = self._state.decimals
        with signals_blocked(self.threshold):
            self.threshold.setDecimals(decimals)
            self.threshold.setSingleStep(10.0 ** (1 - decimals))

    def _show_threshold(self, value: float) -> None:
        self.histogram.set_threshold(value)
        self.threshold_um.setText(f"levels, {value * LEVEL_UM:.2f} µm" if math.isfinite(value) else "")

    # --- results -------------------------------------------------------------------------------------------

    def _show_running(self, running: bool) -> None:
        """Switch between Run and Stop."""
        self.run.setText("Stop" if running else "Run")
        bind_icon(self.run, "stop" if running else "play")
        self.progress.setVisible(running)

    def _show_progress(self, fraction: float) -> None:
        self.progress.setValue(round(1000 * fraction))

    def _show_figures(self, figures: MapFigures | None) -> None:
        """Show the figures of a map, or of the part of it that was done, or that there is none."""
        statistics = None if figures is None else figures.statistics
        absolute = figures is None or figures.absolute
        self.histogram.show_data(None if figures is None else figures.histogram)
        self.figures.setText(_figures_text(figures))
        self.figures.setToolTip(_CANNOT_TELL if statistics is not None and statistics.cannot_tell else "")
        calibration = statistics.calibration if statistics is not None else ""
        self.calibration.setText(f"Calibrated: {calibration}" if calibration else _UNCALIBRATED)
        self.calibration.setVisible(statistics is not None and bool(statistics.windows))
        self.certainty.setVisible(statistics is not None and statistics.has_uncertainty)
        self.threshold_um.setVisible(absolute)
        self.mode.setEnabled(absolute)
        self.mode.setToolTip("" if absolute else "This model only ranks the windows of one slide.")

    def _show_worst(self, regions: tuple[BlurRegion, ...]) -> None:
        """List the worst regions."""
        shown, mpp = self._state.shown, self._state.mpp
        absolute = shown is None or shown.absolute
        with signals_blocked(self.worst):
            self.worst.clear()
            self.worst.addItems([region_text(region, absolute, mpp) for region in regions])
        self.worst.setVisible(bool(regions))
        self.worst_title.setVisible(bool(regions))

    def _show_selected(self, index: int) -> None:
        with signals_blocked(self.worst):
            self.worst.setCurrentRow(index)

    # --- what the user does --------------------------------------------------------------------------------

    @Slot()
    def _run_clicked(self) -> None:
        (self.stop_requested if self._state.running else self.run_requested).emit()

    @Slot(int)
    def _row_changed(self, index: int) -> None:
        self._state.selected = index

    @Slot(QListWidgetItem)
    def _region_clicked(self, item: QListWidgetItem) -> None:
        self.region_chosen.emit(self._state.worst[self.worst.row(item)].box)


def _figures_text(figures: MapFigures | None) -> str:
    """The figures of a map for people, in lines."""
    if figures is None:
        return "Run a model to see where the slide is blurred."
    statistics, absolute = figures.statistics, figures.absolute
    if not statistics.windows:
        return "No tissue was found."
    text = (
        f"{100 * statistics.blurred_fraction:.1f} % blurred of {statistics.windows:,} windows\n"
        f"median {blur_text(statistics.median, absolute)}\n95 % below {blur_text(statistics.p95, absolute)}"
    )
    if figures.seconds:
        text += f"\nmade in {figures.seconds:.1f} s"
    if statistics.cannot_tell:
        text += f"\n▨ {statistics.cannot_tell:,} windows cannot be judged"
    if statistics.fluorescence:
        text += "\nIt looks like fluorescence: scores rank its windows, and are no distances."
    return f"Stopped: only a part of the slide.\n{text}" if figures.stopped else text
