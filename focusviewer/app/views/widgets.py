"""Small widgets the panels are made of."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QPointF, QRectF, Qt, Signal, Slot
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from PySide6.QtWidgets import (
    QComboBox,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QPushButton,
    QSizePolicy,
    QSlider,
    QStyle,
    QStyleOptionSlider,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from focusviewer.app.models.heatmap import Histogram
from focusviewer.app.views.theme import bind_icon
from focusviewer.core.registry import AnyEntry

_FLAGS_ROLE = Qt.ItemDataRole.UserRole - 1  # where QStandardItem keeps its flags


def row(*items: QWidget | int, spacing: int = 6) -> QHBoxLayout:
    """A row of widgets; a number is a stretch factor."""
    layout = QHBoxLayout()
    layout.setSpacing(spacing)
    layout.setContentsMargins(0, 0, 0, 0)
    for item in items:
        if isinstance(item, int):
            layout.addStretch(item)
        else:
            layout.addWidget(item)
    return layout


def button(text: str, icon: str = "", tip: str = "") -> QPushButton:
    """A push button with a themed icon."""
    made = QPushButton(text)
    if icon:
        bind_icon(made, icon)
    made.setToolTip(tip)
    return made


def hint(text: str = "") -> QLabel:
    """A line of faint, wrapped text."""
    label = QLabel(text)
    label.setObjectName("hint")
    label.setWordWrap(True)
    return label


class ElidedLabel(QLabel):
    """A line that takes the width it is given; what does not fit ends in dots."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint as much as fits."""
        room = self.contentsRect()
        text = self.fontMetrics().elidedText(self.text(), Qt.TextElideMode.ElideRight, room.width())
        painter = QPainter(self)
        painter.setPen(self.palette().color(self.foregroundRole()))
        painter.drawText(room, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text)


class Section(QWidget):
    """A panel part with a header that folds it."""

    def __init__(self, title: str, content: QWidget, *, open_: bool = True) -> None:
        super().__init__()
        self.header = QToolButton()
        self.header.setObjectName("sectionHeader")
        self.header.setText(title)
        self.header.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.header.setCheckable(True)
        self.header.setChecked(open_)
        self.header.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.header.toggled.connect(self._fold)
        self.content = content
        line = QFrame()
        line.setObjectName("line")
        line.setFixedHeight(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.header)
        layout.addWidget(content)
        layout.addWidget(line)
        self._fold(open_)

    @Slot(bool)
    def _fold(self, open_: bool) -> None:
        self.content.setVisible(open_)
        bind_icon(self.header, "chevron-down" if open_ else "chevron-right")

    def unfold(self) -> None:
        """Open the section."""
        self.header.setChecked(True)


def panel_layout(widget: QWidget) -> QVBoxLayout:
    """The column every panel uses."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(12, 2, 12, 12)
    layout.setSpacing(8)
    layout.setSizeConstraint(QLayout.SizeConstraint.SetMinimumSize)
    return layout


class FocusSlider(QSlider):
    """A slider in um with a mark at every acquired plane."""

    STEP_UM = 0.05
    moved_um = Signal(float)  # by the user

    def __init__(self) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._marks: tuple[float, ...] = (0.0,)
        self.set_range_um(-4.0, 4.0)
        self.setSingleStep(2)
        self.setPageStep(10)
        self.setMinimumHeight(34)
        self.valueChanged.connect(self._tell)

    def set_range_um(self, low: float, high: float) -> None:
        """Set the ends, in um."""
        self.setRange(round(low / self.STEP_UM), round(high / self.STEP_UM))

    def set_marks(self, planes_um: tuple[float, ...]) -> None:
        """Mark the acquired planes."""
        self._marks = planes_um
        self.update()

    def value_um(self) -> float:
        """Position in um, snapped to an acquired plane that is closer than half a step."""
        value = round(self.value() * self.STEP_UM, 6)  # 0.3, not 0.30000000000000004: files tell it
        near = min(self._marks, key=lambda mark: abs(mark - value))
        return near if abs(near - value) <= self.STEP_UM / 2 else value

    def set_value_um(self, value: float) -> None:
        """Move without telling."""
        self.blockSignals(True)
        self.setValue(round(value / self.STEP_UM))
        self.blockSignals(False)
        self.update()

    @Slot()
    def _tell(self) -> None:
        self.moved_um.emit(self.value_um())

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Jump to where the groove is clicked, then drag from there."""
        if event.button() == Qt.MouseButton.LeftButton:
            handle, left, width = self._handle()
            if not handle.contains(event.position()):
                part = (event.position().x() - left) / max(width, 1)
                self.setValue(round(self.minimum() + part * (self.maximum() - self.minimum())))
        super().mousePressEvent(event)

    def _handle(self) -> tuple[QRectF, float, float]:
        option = QStyleOptionSlider()
        self.initStyleOption(option)
        style = QStyle.ComplexControl.CC_Slider
        handle = self.style().subControlRect(style, option, QStyle.SubControl.SC_SliderHandle, self)
        groove = self.style().subControlRect(style, option, QStyle.SubControl.SC_SliderGroove, self)
        left = groove.left() + handle.width() / 2
        return QRectF(handle), left, groove.width() - handle.width()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the marks below the slider."""
        _, left, width = self._handle()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colour = self.palette().color(QPalette.ColorRole.Highlight if self.isEnabled() else QPalette.ColorRole.Mid)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        span = max(self.maximum() - self.minimum(), 1) * self.STEP_UM
        for mark in self._marks:
            x = left + (mark - self.minimum() * self.STEP_UM) / span * width
            bottom = float(self.height())
            painter.drawPolygon(
                QPolygonF([QPointF(x, bottom - 7), QPointF(x - 4, bottom - 1), QPointF(x + 4, bottom - 1)])
            )
        painter.end()
        super().paintEvent(event)


class HistogramView(QWidget):
    """Tissue windows by blur, in the colours of the map, with the threshold to drag."""

    threshold_moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self._data: Histogram | None = None
        self._threshold = 3.0
        self.setFixedHeight(92)
        self.setToolTip("Tissue windows by blur. Drag the line to set the threshold.")

    def show_data(self, data: Histogram | None, threshold: float) -> None:
        """Show other counts."""
        self._data, self._threshold = data, threshold
        self.update()

    def set_threshold(self, threshold: float) -> None:
        """Move the line."""
        self._threshold = threshold
        self.update()

    def _plot(self) -> QRectF:
        return QRectF(2, 4, self.width() - 4, self.height() - 22)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint bars, axis and threshold."""
        painter = QPainter(self)
        plot = self._plot()
        faint = self.palette().color(QPalette.ColorRole.PlaceholderText)
        painter.fillRect(plot, self.palette().color(QPalette.ColorRole.Base))
        data = self._data
        if data is None or not data.counts.sum():
            painter.setPen(faint)
            painter.drawText(plot, Qt.AlignmentFlag.AlignCenter, "no map yet")
            return
        # square root: a few blurred windows among thousands must still be seen
        heights = (data.counts / data.counts.max()) ** 0.5 * (plot.height() - 3)
        step = plot.width() / data.counts.size
        for index, height in enumerate(heights):
            if height > 0:
                red, green, blue, _ = (int(v) for v in data.colours[index])
                bar = QRectF(plot.x() + index * step, plot.bottom() - height, max(step - 0.6, 1), height)
                painter.fillRect(bar, QColor(red, green, blue))
        painter.setPen(faint)
        low, high = data.edges[0], data.edges[-1]
        axis = QRectF(plot.x(), plot.bottom() + 2, plot.width(), 16)
        painter.drawText(axis, Qt.AlignmentFlag.AlignLeft, f"{low:.3g}")
        painter.drawText(axis, Qt.AlignmentFlag.AlignHCenter, "blur")
        painter.drawText(axis, Qt.AlignmentFlag.AlignRight, f"{high:.3g}")
        x = plot.x() + (self._threshold - low) / (high - low) * plot.width()
        if plot.left() <= x <= plot.right():
            painter.setPen(QPen(self.palette().color(QPalette.ColorRole.Text), 1.5))
            painter.drawLine(QPointF(x, plot.top()), QPointF(x, plot.bottom()))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Set the threshold."""
        self.mouseMoveEvent(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the threshold."""
        if self._data is None:
            return
        plot = self._plot()
        part = min(max((event.position().x() - plot.x()) / plot.width(), 0.0), 1.0)
        low, high = float(self._data.edges[0]), float(self._data.edges[-1])
        self.threshold_moved.emit(low + part * (high - low))


def disable_choice(box: QComboBox, index: int) -> None:
    """Let a choice be seen but not taken.

    By its data, not by its item: Qt deletes the item with the list, and the wrapper that Python got would live on.
    """
    box.setItemData(index, 0, _FLAGS_ROLE)


def fill_choices(box: QComboBox, entries: Sequence[AnyEntry], wanted: str, default: str) -> None:
    """List models or engines; those whose weights are missing cannot be chosen, and ``wanted`` only if it can."""
    box.clear()
    for entry in entries:
        box.addItem(entry.name, entry.name)
        index = box.count() - 1
        box.setItemData(index, entry.summary, Qt.ItemDataRole.ToolTipRole)
        if not entry.available:
            box.setItemText(index, f"{entry.name} (no weights)")
            disable_choice(box, index)
    usable = {entry.name for entry in entries if entry.available}
    box.setCurrentIndex(max(0, box.findData(wanted if wanted in usable else default)))
