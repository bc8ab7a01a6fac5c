"""Asking how large a pixel is, of the slide that lacks it, for as long as it does."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot
from PySide6.QtWidgets import QWidget

from focusviewer.app.slides.controller import SlideController
from focusviewer.app.slides.scale_dialog import ScaleDialog
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.bars import MessageBar
from focusviewer.app.widgets.choosers import open_dialog


class ScaleController(QObject):
    """Opens the scale dialog, and keeps the messages that offer it true."""

    def __init__(self, window: QWidget, messages: MessageBar, slides: SlideController) -> None:
        super().__init__()
        self._window, self._messages, self._slides = window, messages, slides
        self._asked: set[str] = set()
        self._told: dict[str, Document] = {}
        slides.scale_changed.connect(self._settle)
        slides.documents_changed.connect(self._settle)
        slides.current_changed.connect(self._settle)

    def ask_once(self, document: Document | None) -> None:
        """Offer the dialog when a slide without a scale is first shown."""
        if document is None or document.mpp is not None or document.slide.fingerprint in self._asked:
            return
        self._asked.add(document.slide.fingerprint)
        stated = document.slide.info.stated_mpp
        why = "" if stated is None else f" (its file says {stated:.4g} µm, which cannot be)"
        self.tell(f"The pixel size of {document.name} is not known{why}. Lengths and refocusing need it.", document)

    def tell(self, text: str, document: Document, kind: str = "warning") -> None:
        """Show a message that offers the dialog; it goes when the slide gets a scale, is left or is closed."""
        self._told[text] = document
        self._messages.show_message(text, kind, ("Set scale…", lambda: self.ask(document)))

    def ask(self, document: Document | None) -> None:
        """Open the dialog."""
        if document is None:
            return
        dialog = ScaleDialog(document, self._window)
        dialog.accepted.connect(lambda: self._slides.set_scale(document, dialog.answer()))
        open_dialog(dialog)

    @Slot()
    def _settle(self) -> None:
        for text, document in list(self._told.items()):
            if document.mpp is None and document is self._slides.current:
                continue
            del self._told[text]
            if self._messages.dismiss(text):
                self._asked.discard(document.slide.fingerprint)  # it is offered again when one comes back
