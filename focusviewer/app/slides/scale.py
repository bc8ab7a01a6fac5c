"""Asking for the pixel size of slides whose file does not state it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from focusviewer.app.slides.controller import SlideController
from focusviewer.app.slides.optics import OpticsController
from focusviewer.app.slides.scale_dialog import ScaleDialog
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.widgets.choosers import open_dialog


class ScaleController(QObject):
    """Opens the scale dialog, and offers it in messages for as long as the slide has no scale."""

    def __init__(
        self, window: QWidget, messages: MessageBar, slides: SlideController, optics: OpticsController
    ) -> None:
        super().__init__()
        self._window, self._messages, self._slides, self._optics = window, messages, slides, optics
        self._asked: set[str] = set()
        self._offers: dict[str, Document] = {}
        slides.scale_changed.connect(self._withdraw)
        slides.documents_changed.connect(self._withdraw)
        slides.current_changed.connect(self._withdraw)

    def ask_once(self, document: Document | None) -> None:
        """Offer the dialog when a slide without a scale is first shown."""
        if document is None or document.mpp is not None or document.slide.fingerprint in self._asked:
            return
        self._asked.add(document.slide.fingerprint)
        if document.slide.info.not_square is not None:
            across, down = document.slide.info.not_square
            self._messages.show_message(
                f"The pixels of {document.name} are not square ({across:.4g} × {down:.4g} µm). Lengths and areas are "
                "right; refocusing and focus in µm need square pixels.",
                "warning",
            )
            return
        stated = document.slide.info.stated_mpp
        why = "" if stated is None else f" (its file says {stated:.4g} µm, which cannot be)"
        self.offer(f"The pixel size of {document.name} is not known{why}. Lengths and refocusing need it.", document)

    def offer(self, text: str, document: Document, kind: str = "warning") -> None:
        """Show a message that offers the dialog; it goes when the slide gets a scale or is not shown any more."""
        self._offers[text] = document
        self._messages.show_message(text, kind, ("Set scale…", lambda: self.ask(document)))

    def ask(self, document: Document | None) -> None:
        """Open the dialog."""
        if document is None:
            return
        dialog = ScaleDialog(document, self._window)
        dialog.accepted.connect(lambda: self._slides.set_scale(document, dialog.answer()))
        dialog.optics_requested.connect(dialog.reject)
        dialog.optics_requested.connect(lambda: self._optics.ask(document))
        open_dialog(dialog)

    @Slot()
    def _withdraw(self) -> None:
        """Dismiss the messages of slides that have a scale by now or are not shown any more."""
        for text, document in list(self._offers.items()):
            if document.mpp is None and document is self._slides.current:
                continue
            del self._offers[text]
            if self._messages.dismiss(text):
                self._asked.discard(document.slide.fingerprint)  # offered again when the slide is shown again
