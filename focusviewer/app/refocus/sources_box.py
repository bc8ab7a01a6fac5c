"""The part of the Refocus panel that says which acquired planes a picture is made from."""

from __future__ import annotations

from PySide6.QtCore import Qt, Slot
from PySide6.QtWidgets import QComboBox, QListWidget, QListWidgetItem, QSizePolicy, QVBoxLayout, QWidget

from focusviewer.app.refocus.state import RefocusState
from focusviewer.app.services.binding import bind_choice, follow, signals_blocked
from focusviewer.app.widgets.common import hint
from focusviewer.refocus.base import MAX_PLANES
from focusviewer.refocus.provenance import z_text

LIST_ROWS = 5


class SourcesBox(QWidget):
    """Which acquired planes a picture is made from: the nearest to the focus, or those that are checked."""

    def __init__(self, state: RefocusState) -> None:
        super().__init__()
        self._state = state
        self.selection = QComboBox()
        self.selection.addItem("Nearest to the focus", False)
        self.selection.addItem("Chosen by hand", True)
        self.selection.setAccessibleName("Source planes")
        self.selection.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.planes = QListWidget()
        self.planes.setAccessibleName("Acquired planes")
        self.planes.setToolTip("Check the planes to work from. Acquired planes are always shown as they are.")
        self.warning = hint("Check at least one plane.")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        for widget in (self.selection, self.planes, self.warning):
            layout.addWidget(widget)
        bind_choice(state, "manual_sources", self.selection)
        follow(state, "planes_um", self._list_planes)
        state.events.checked.connect(self._show_checked)
        state.events.manual_sources.connect(self._show)
        self.planes.itemChanged.connect(self._item_changed)

    def _list_planes(self, planes_um: tuple[float, ...]) -> None:
        with signals_blocked(self.planes):
            self.planes.clear()
            for index, z_um in enumerate(planes_um):
                item = QListWidgetItem(f"Plane {index + 1}   {z_text(z_um)}")
                item.setFlags(
                    Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsUserCheckable | Qt.ItemFlag.ItemIsSelectable
                )
                self.planes.addItem(item)
        height = self.planes.sizeHintForRow(0) if planes_um else 20
        self.planes.setFixedHeight(min(len(planes_um), LIST_ROWS) * height + 6)
        self._show_checked()

    def _show_checked(self) -> None:
        checked = set(self._state.checked)
        with signals_blocked(self.planes):
            for index in range(self.planes.count()):
                on = Qt.CheckState.Checked if index in checked else Qt.CheckState.Unchecked
                self.planes.item(index).setCheckState(on)
        self._show()

    def _show(self) -> None:
        manual, count = self._state.manual_sources, len(self._state.checked)
        self.planes.setVisible(manual)
        too_many = f"{count} are checked; engines take {MAX_PLANES}, so the first {MAX_PLANES} are used."
        self.warning.setText(
            too_many if count > MAX_PLANES else "Check at least one plane: until then the nearest work."
        )
        self.warning.setVisible(manual and not 0 < count <= MAX_PLANES)

    @Slot(QListWidgetItem)
    def _item_changed(self, item: QListWidgetItem) -> None:
        self._state.check(self.planes.row(item), item.checkState() == Qt.CheckState.Checked)
