"""What arrives for slides after they were opened: thumbnails, labels, records, and messages about them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QObject, Slot
from PySide6.QtGui import QImage

from focusviewer.app.services.tiles import TileSource
from focusviewer.app.slides.controller import MAX_FROM_FOLDER, SlideController
from focusviewer.app.slides.slide_list import SlideList
from focusviewer.app.slides.slide_panel import SlidePanel
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.slides import TileKey, computed_pixels


class SlideUpdates(QObject):
    """Shows in the list, the panel and the messages what arrives for the open slides."""

    def __init__(
        self,
        slides: SlideController,
        tiles: TileSource,
        slide_list: SlideList,
        panel: SlidePanel,
        messages: MessageBar,
        open_paths: Callable[[Sequence[Path]], None],
    ) -> None:
        super().__init__()
        self._slides, self._tiles, self._list, self._panel = slides, tiles, slide_list, panel
        self._messages, self._open_paths = messages, open_paths
        self._tiles.failed.connect(self._tile_failed)
        self._tiles.arrived.connect(self._tile_arrived)
        self._slides.documents_changed.connect(self._documents_changed)
        self._slides.pictures_ready.connect(self._pictures_ready)
        self._slides.records_ready.connect(self._records_ready)
        self._slides.folder_found.connect(self._folder_found)
        self._slides.already_open.connect(self._already_open)
        self._slides.current_changed.connect(self._current_changed)
        self._slides.opened.connect(self._opened)
        self._computed = ""  # the message on the current slide, if its pixels were computed

    @Slot()
    def _documents_changed(self) -> None:
        self._list.show_documents(self._slides.documents, self._slides.current)

    @Slot(object)
    def _current_changed(self, document: Document | None) -> None:
        """Say, for as long as it is shown, that a file of ours holds computed pixels."""
        if self._computed:
            self._messages.dismiss(self._computed)
        computed = None if document is None else computed_pixels(document.slide.info)
        self._computed = "" if document is None or computed is None else f"{document.name}: {computed}."
        if self._computed:
            self._messages.show_message(self._computed, "warning")

    @Slot(object)
    def _opened(self, document: Document) -> None:
        """Say once what a file lacks or leaves open."""
        for remark in document.slide.info.remarks:
            self._messages.show_message(f"{document.name}: {remark}.", "warning")

    @Slot(object, object)
    def _pictures_ready(self, document: Document, pictures: dict[str, QImage]) -> None:
        if document is self._slides.current:
            self._panel.show_pictures(pictures)

    @Slot(object, object)
    def _records_ready(self, document: Document, records: list[tuple[str, str]]) -> None:
        if document is self._slides.current:
            self._panel.show_records(records)

    @Slot(object)
    def _folder_found(self, paths: list[Path]) -> None:
        self._open_paths(paths[:MAX_FROM_FOLDER])
        if len(paths) > MAX_FROM_FOLDER:
            text = f"{paths[0].parent.name} holds {len(paths)} slides; the first {MAX_FROM_FOLDER} are opened."
            self._messages.show_message(text, "warning")

    @Slot(object, object)
    def _already_open(self, path: Path, document: Document) -> None:
        text = f"{path.name} has the same content as {document.name}, which is open already."
        self._messages.show_message(text, "info")

    @Slot(object)
    def _tile_arrived(self, key: object) -> None:
        for document in self._slides.documents:
            if key == self._tiles.coarsest_key(document.pyramid, document.view.plane):
                image = self._tiles.get(key)
                if image is not None:
                    self._list.set_thumb(document, image)

    @Slot(object, str)
    def _tile_failed(self, key: TileKey, reason: str) -> None:
        for document in self._slides.documents:
            if document.pyramid.fingerprint == key.slide:
                document.bad_tiles += 1
                if document.bad_tiles == 1:
                    text = f"A part of {document.name} cannot be read and is shown coarser or empty. {reason}"
                    self._messages.show_message(text, "error")
