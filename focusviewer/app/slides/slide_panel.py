"""The Slide panel: what the file says about itself, its label and macro pictures."""

from __future__ import annotations

from itertools import pairwise

from PySide6.QtCore import QSize, Qt, Signal, Slot
from PySide6.QtGui import QImage, QPixmap
from PySide6.QtWidgets import (
    QFormLayout,
    QHeaderView,
    QLabel,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QWidget,
)

from focusviewer.app.services.plain import PlainLabel, tooltip
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.common import button, panel_layout, row
from focusviewer.slides import SlideInfo, computed_pixels

PICTURE_WIDTH = 250


class SlidePanel(QWidget):
    """Metadata of the open slide."""

    scale_requested = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._facts = QFormLayout()
        self._known = 0  # rows of the file's own facts; records follow
        self._facts.setSpacing(5)
        self._facts.setHorizontalSpacing(12)
        self.set_scale = button("Set scale…", "ruler", "Tell the pixel size or the magnification")
        self._pictures = QWidget()
        self._picture_column = panel_layout(self._pictures)
        self._picture_labels: list[QLabel] = []  # kept here, not read from the layout: see MessageBar
        self._picture_column.setContentsMargins(0, 0, 0, 0)
        self.filter = QLineEdit()
        self.filter.setPlaceholderText("Filter properties")
        self.filter.setClearButtonEnabled(True)
        self.properties = QTreeWidget()
        self.properties.setColumnCount(2)
        self.properties.setHeaderLabels(["Property", "Value"])
        self.properties.setRootIsDecorated(False)
        self.properties.setAlternatingRowColors(True)
        self.properties.setUniformRowHeights(True)
        self.properties.setFixedHeight(180)
        self.properties.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Interactive)
        self.properties.setColumnWidth(0, 130)
        layout = panel_layout(self)
        layout.addLayout(self._facts)
        layout.addLayout(row(self.set_scale, 1))
        layout.addWidget(self._pictures)
        layout.addWidget(self.filter)
        layout.addWidget(self.properties)
        self.set_scale.clicked.connect(self.scale_requested)
        self.filter.textChanged.connect(self._filter)
        self.show_document(None)

    def show_document(self, document: Document | None) -> None:
        """Show another slide's facts; its pictures come later."""
        while self._facts.rowCount():
            self._facts.removeRow(0)
        self.show_pictures({})
        self.properties.clear()
        for widget in (self.set_scale, self.filter, self.properties):
            widget.setVisible(document is not None)
        if document is None:
            self._facts.addRow(PlainLabel("No slide is open."))
            return
        for name, value in facts_of(document):
            self._add_fact(name, value)
        self._known = self._facts.rowCount()
        items = [QTreeWidgetItem([key, value]) for key, value in sorted(document.slide.info.properties.items())]
        for item in items:
            item.setToolTip(1, tooltip(item.text(1)))
        self.properties.addTopLevelItems(items)
        for widget in (self.filter, self.properties):
            widget.setVisible(bool(items))
        self._filter(self.filter.text())

    def show_records(self, records: list[tuple[str, str]]) -> None:
        """Show what the scanner wrote about its focus, below the facts."""
        while self._facts.rowCount() > self._known:
            self._facts.removeRow(self._known)
        for name, value in records:
            self._add_fact(name.capitalize(), value)

    def _add_fact(self, name: str, value: str) -> None:
        label = PlainLabel(value)
        label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        label.setWordWrap(True)
        self._facts.addRow(name, label)

    def show_pictures(self, pictures: dict[str, QImage]) -> None:
        """Show label, macro and other pictures of the file."""
        for label in self._picture_labels:
            self._picture_column.removeWidget(label)
            label.deleteLater()
        self._picture_labels = []
        for name, image in pictures.items():
            caption = PlainLabel(name.capitalize())
            caption.setObjectName("hint")
            picture = PlainLabel()
            bound = QSize(PICTURE_WIDTH, 160)
            smooth = Qt.TransformationMode.SmoothTransformation
            picture.setPixmap(QPixmap.fromImage(image.scaled(bound, Qt.AspectRatioMode.KeepAspectRatio, smooth)))
            picture.setAccessibleName(f"{name} picture")
            for label in (caption, picture):
                self._picture_column.addWidget(label)
                self._picture_labels.append(label)
        self._pictures.setVisible(bool(pictures))

    @Slot(str)
    def _filter(self, text: str) -> None:
        wanted = text.casefold()
        for index in range(self.properties.topLevelItemCount()):
            item = self.properties.topLevelItem(index)
            if item is not None:
                item.setHidden(wanted not in f"{item.text(0)} {item.text(1)}".casefold())


def facts_of(document: Document) -> list[tuple[str, str]]:
    """Name and value of what a person wants to know first."""
    info = document.slide.info
    width, height = document.slide.dimensions
    facts = [
        ("File", document.name),
        ("Format", info.format + (f" ({info.vendor})" if info.vendor and info.vendor != info.format else "")),
        ("Size", f"{width:,} × {height:,} px"),
    ]
    computed = computed_pixels(info)
    if computed is not None:
        facts.insert(1, ("Pixels", computed))
    facts += _scale_facts(info, width, height)
    if info.objective_power:
        facts.append(("Objective", f"{info.objective_power:g}×"))
    facts.append(("Levels", ", ".join(f"{level.downsample:.4g}" for level in info.levels)))
    if len(info.planes_um) > 1:
        steps = [b - a for a, b in pairwise(info.planes_um)]
        apart = f"{min(steps):.3g}" + (f" to {max(steps):.3g}" if max(steps) > 1.01 * min(steps) else "")
        facts.append(("Planes", f"{len(info.planes_um)}" + (f", {apart} µm apart" if info.z_step_known else "")))
    if info.missing_planes:
        where = ", ".join(f"{z:g}" for z in info.missing_um) if info.z_step_known else ""
        facts.append(("Missing", f"{info.missing_planes} planes" + (f": z = {where} µm" if where else "")))
    facts += [("Note", f"{remark[:1].upper()}{remark[1:]}.") for remark in info.remarks]
    return facts


def _scale_facts(info: SlideInfo, width: int, height: int) -> list[tuple[str, str]]:
    """Pixel size and field of view, each side with its own measure."""
    sides = info.stated_mpp_xy
    both = f"{sides[0]:.4g} × {sides[1]:.4g} µm" if sides is not None else ""
    if info.mpp_x is None or info.mpp_y is None:
        stated = both or (f"{info.stated_mpp:.4g} µm" if info.stated_mpp is not None else "")
        return [("Pixel", f"unknown (the file says {stated}, which cannot be)" if stated else "unknown")]
    field = ("Field", f"{width * info.mpp_x / 1000:.2f} × {height * info.mpp_y / 1000:.2f} mm")
    if info.mpp is None:
        return [("Pixel", f"{both}, not square"), field]
    differ = sides is not None and f"{sides[0]:.4g}" != f"{sides[1]:.4g}"
    return [("Pixel", f"{info.mpp:.4g} µm" + (f" (the file says {both})" if differ else "")), field]
