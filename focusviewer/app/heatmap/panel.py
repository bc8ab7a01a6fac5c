"""The Heatmap panel: where is the slide out of focus."""

from __future__ import annotations

import math
from dataclasses import replace

from PySide6.QtCore import Qt, Signal, Slot
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QSizePolicy,
    QSlider,
    QWidget,
)

from focusviewer.app.heatmap.histogram import HistogramView
from focusviewer.app.heatmap.reading import HeatmapStyle, Histogram, MapReading, blur_text, region_text
from focusviewer.app.widgets.common import button, disable_choice, fill_choices, hint, panel_layout, row
from focusviewer.app.widgets.theme import bind_icon
from focusviewer.core.registry import AnyEntry
from focusviewer.focus.base import LEVEL_UM
from focusviewer.focus.mapping.regions import BlurRegion

_SPOILT = "Pen, dust, the rim of a bubble or the coverslip, a fold, or next to no stain. They count as neither."
_UNCALIBRATED = "The model's own scale: not calibrated for this scanner."


class HeatmapPanel(QWidget):
    """Controls and figures of the focus map; knows nothing of slides."""

    run_requested = Signal()
    stop_requested = Signal()
    style_changed = Signal(object)
    region_chosen = Signal(object)

    def __init__(self, style: HeatmapStyle) -> None:
        super().__init__()
        self._style = style
        self._busy = False
        self._build()
        self._fill(style)
        self._connect()
        self.show_reading(None, True)

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
        self.figures = QLabel()
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
        for widget in (self.histogram, self.figures, self.calibration, self.worst_title, self.worst):
            layout.addWidget(widget)

    def _fill(self, style: HeatmapStyle) -> None:
        self.visible_box.setChecked(style.visible)
        self.opacity.setValue(round(100 * style.opacity))
        self.mode.setCurrentIndex(self.mode.findData(style.mode))
        self.threshold.setValue(style.threshold)
        self.emphasise.setChecked(style.emphasise)
        self.certainty.setChecked(style.certainty)
        self._say_threshold()

    def _connect(self) -> None:
        self.run.clicked.connect(self._run_clicked)
        self.visible_box.toggled.connect(self._style_touched)
        self.opacity.valueChanged.connect(self._style_touched)
        self.lut.currentTextChanged.connect(self._style_touched)
        self.mode.currentIndexChanged.connect(self._style_touched)
        self.model.currentIndexChanged.connect(self._style_touched)
        self.threshold.valueChanged.connect(self._style_touched)
        self.emphasise.toggled.connect(self._style_touched)
        self.certainty.toggled.connect(self._style_touched)
        self.histogram.threshold_moved.connect(self.threshold.setValue)
        self.worst.itemClicked.connect(self._region_clicked)
        self.worst.itemActivated.connect(self._region_clicked)

    # --- state ---------------------------------------------------------------------------------------------

    @property
    def style_now(self) -> HeatmapStyle:
        """The choices made in the panel."""
        return self._style

    def set_models(self, entries: list[AnyEntry], luts: tuple[str, ...], default: str) -> None:
        """Fill the lists; models whose weights are missing cannot be chosen."""
        for box in (self.model, self.lut):
            box.blockSignals(True)
        fill_choices(self.model, entries, self._style.model, default)
        self.lut.clear()
        self.lut.addItems(list(luts))
        self.lut.setCurrentIndex(max(0, self.lut.findText(self._style.lut)))
        for box in (self.model, self.lut):
            box.blockSignals(False)
        self._style = replace(self._style, model=self.model.currentData() or "", lut=self.lut.currentText())
        self.style_changed.emit(self._style)

    def choose_model(self, name: str) -> None:
        """Turn to a model; one that is not listed (yet) is named, but cannot be chosen by hand."""
        index = self.model.findData(name)
        if index < 0:
            self.model.blockSignals(True)
            self.model.addItem(name, name)
            self.model.blockSignals(False)
            index = self.model.count() - 1
            disable_choice(self.model, index)
        self.model.setCurrentIndex(index)

    def set_busy(self, busy: bool) -> None:
        """Switch between Run and Stop."""
        self._busy = busy
        self.run.setText("Stop" if busy else "Run")
        bind_icon(self.run, "stop" if busy else "play")
        self.progress.setVisible(busy)
        self.progress.setValue(0)

    def set_progress(self, fraction: float) -> None:
        """Move the progress line."""
        self.progress.setValue(round(1000 * fraction))

    def show_reading(
        self,
        reading: MapReading | None,
        absolute: bool,
        histogram: Histogram | None = None,
        seconds: float = 0.0,
        *,
        stopped: bool = False,
    ) -> None:
        """Show the figures of a map (``stopped``: of the part that was done), or that there is none."""
        self.histogram.show_data(histogram, self._style.threshold)
        if reading is None or not reading.windows:
            text = "Run a model to see where the slide is blurred." if reading is None else "No tissue was found."
        else:
            text = (
                f"<b>{100 * reading.blurred_fraction:.1f} %</b> blurred of {reading.windows:,} windows<br>"
                f"median {blur_text(reading.median, absolute)}<br>95 % below {blur_text(reading.p95, absolute)}"
            )
            if seconds:
                text += f"<br>made in {seconds:.1f} s"
            if reading.cannot_tell:
                text += f"<br><span>▨</span> {reading.cannot_tell:,} windows cannot be judged"
            if stopped:
                text = f"<b>Stopped: only a part of the slide.</b><br>{text}"
        self.figures.setText(text)
        self.figures.setToolTip(_SPOILT if reading is not None and reading.cannot_tell else "")
        calibration = reading.calibration if reading is not None else ""
        self.calibration.setText(f"Calibrated: {calibration}" if calibration else _UNCALIBRATED)
        self.calibration.setVisible(reading is not None and bool(reading.windows))
        self.certainty.setVisible(reading is not None and reading.knows_doubt)
        self.threshold_um.setVisible(absolute)
        self.mode.setEnabled(absolute)
        self.mode.setToolTip("" if absolute else "This model only ranks the windows of one slide.")

    def set_threshold(self, threshold: float, decimals: int) -> None:
        """Use another threshold, with as many decimals as its scale needs."""
        self.threshold.setDecimals(decimals)
        self.threshold.setSingleStep(10.0 ** (1 - decimals))
        self.threshold.setValue(threshold)

    def show_worst(self, regions: list[BlurRegion], absolute: bool, mpp: float | None) -> None:
        """List the worst regions."""
        self.worst.clear()
        for region in regions:
            item = QListWidgetItem(region_text(region, absolute, mpp))
            item.setData(Qt.ItemDataRole.UserRole, region.box)
            self.worst.addItem(item)
        self.worst.setVisible(bool(regions))
        self.worst_title.setVisible(bool(regions))

    # --- slots ---------------------------------------------------------------------------------------------

    @Slot()
    def _run_clicked(self) -> None:
        (self.stop_requested if self._busy else self.run_requested).emit()

    @Slot()
    def _style_touched(self) -> None:
        self._style = HeatmapStyle(
            model=self.model.currentData() or self._style.model,  # the lists may not be filled yet
            lut=self.lut.currentText() or self._style.lut,
            mode=self.mode.currentData(),
            opacity=self.opacity.value() / 100,
            threshold=self.threshold.value(),
            emphasise=self.emphasise.isChecked(),
            visible=self.visible_box.isChecked(),
            certainty=self.certainty.isChecked(),
        )
        self.histogram.set_threshold(self._style.threshold)
        self._say_threshold()
        self.style_changed.emit(self._style)

    def _say_threshold(self) -> None:
        value = self.threshold.value()
        self.threshold_um.setText(f"levels, {value * LEVEL_UM:.2f} µm" if math.isfinite(value) else "")

    @Slot(QListWidgetItem)
    def _region_clicked(self, item: QListWidgetItem) -> None:
        self.region_chosen.emit(item.data(Qt.ItemDataRole.UserRole))
