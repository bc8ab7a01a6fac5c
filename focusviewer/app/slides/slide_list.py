"""The left dock: open slides and recent ones."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPoint, QSize, Qt, Signal, Slot
from PySide6.QtGui import QIcon, QImage, QPixmap
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QMenu, QVBoxLayout, QWidget

from focusviewer.app.services.binding import signals_blocked
from focusviewer.app.services.plain import PlainLabel, tooltip
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.common import hint

THUMB = QSize(72, 54)
ROLE = Qt.ItemDataRole.UserRole


class SlideList(QWidget):
    """Two lists; a click chooses."""

    document_chosen = Signal(object)
    document_closed = Signal(object)
    path_chosen = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.open_slides = QListWidget()
        self.open_slides.setIconSize(THUMB)
        self.open_slides.setSpacing(1)
        self.open_slides.setAccessibleName("Open slides")
        self.open_slides.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.recent = QListWidget()
        self.recent.setAccessibleName("Recent slides")
        self.empty = hint("No slide is open.")
        for box in (self.open_slides, self.recent):
            box.setTextElideMode(Qt.TextElideMode.ElideMiddle)
            box.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
            box.setWordWrap(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 4, 8)
        title = PlainLabel("Recent").make_bold()
        layout.addWidget(self.empty)
        layout.addWidget(self.open_slides, 3)
        layout.addWidget(title)
        layout.addWidget(self.recent, 2)
        self.open_slides.currentItemChanged.connect(self._choose)
        self.open_slides.customContextMenuRequested.connect(self._menu)
        self.recent.itemClicked.connect(self._choose_recent)
        self.recent.itemActivated.connect(self._choose_recent)

    def show_documents(self, documents: list[Document], current: Document | None) -> None:
        """List the open slides."""
        with signals_blocked(self.open_slides):
            if not documents or [item.data(ROLE) for item in self._items()] != documents:
                self._fill(documents)
            # else only the current one has changed, perhaps by a click in this list: its items must stay
            self.open_slides.setCurrentRow(documents.index(current) if current in documents else -1)
        self.open_slides.setVisible(bool(documents))
        self.empty.setVisible(not documents)

    def _fill(self, documents: list[Document]) -> None:
        icons = {item.data(ROLE): item.icon() for item in self._items()}
        self.open_slides.clear()
        for document in documents:
            item = QListWidgetItem(document.name)
            item.setData(ROLE, document)
            item.setToolTip(tooltip(str(document.path)))
            item.setIcon(icons.get(document, QIcon()))
            item.setSizeHint(QSize(10, THUMB.height() + 8))
            self.open_slides.addItem(item)

    def show_recent(self, paths: list[str]) -> None:
        """List the recent files."""
        self.recent.clear()
        for text in paths:
            item = QListWidgetItem(Path(text).name)
            item.setToolTip(tooltip(text))
            item.setData(ROLE, text)
            self.recent.addItem(item)

    def set_thumb(self, document: Document, image: QImage) -> None:
        """Give an open slide its thumbnail."""
        for item in self._items():
            if item.data(ROLE) is document:
                smooth = Qt.TransformationMode.SmoothTransformation
                ratio = self.devicePixelRatioF()
                picture = QPixmap.fromImage(image.scaled(THUMB * ratio, Qt.AspectRatioMode.KeepAspectRatio, smooth))
                picture.setDevicePixelRatio(ratio)
                icon = QIcon(picture)
                icon.addPixmap(picture, QIcon.Mode.Selected)  # tissue is not to be tinted
                item.setIcon(icon)

    def _items(self) -> list[QListWidgetItem]:
        return [self.open_slides.item(i) for i in range(self.open_slides.count())]

    @Slot(QListWidgetItem)
    def _choose(self, item: QListWidgetItem | None) -> None:
        if item is not None:
            self.document_chosen.emit(item.data(ROLE))

    @Slot(QListWidgetItem)
    def _choose_recent(self, item: QListWidgetItem) -> None:
        self.path_chosen.emit(Path(item.data(ROLE)))

    @Slot(QPoint)
    def _menu(self, at: QPoint) -> None:
        item = self.open_slides.itemAt(at)
        if item is None:
            return
        document = item.data(ROLE)  # the list may be filled anew while the menu is open
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction("Close").triggered.connect(lambda: self.document_closed.emit(document))
        menu.popup(self.open_slides.mapToGlobal(at))
