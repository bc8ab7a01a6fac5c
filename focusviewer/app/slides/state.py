"""Which slides are open; no Qt here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from psygnal import SignalGroupDescriptor

from focusviewer.app.viewer.document import Document


@dataclass
class SlidesState:
    """The open slides, in the order they were opened, and the one that is shown."""

    events: ClassVar[SignalGroupDescriptor] = SignalGroupDescriptor()

    documents: tuple[Document, ...] = ()
    current: Document | None = None

    def at(self, path: Path) -> Document | None:
        """The open slide of a path, which may be one of its several files."""
        return next((document for document in self.documents if path in (document.path, *document.parts)), None)

    def same_as(self, document: Document) -> Document | None:
        """The open slide that has the same content as another document."""
        fingerprint = document.pyramid.fingerprint
        return next((other for other in self.documents if other.pyramid.fingerprint == fingerprint), None)

    def neighbour(self, document: Document) -> Document | None:
        """The slide next to this one in the list, to show when it is closed; None for the only one."""
        index = self.documents.index(document)
        rest = self.documents[:index] + self.documents[index + 1 :]
        return rest[min(index, len(rest) - 1)] if rest else None

    def overwritten_by(self, path: Path) -> str:
        """Name of the open slide that saving to a path would overwrite; empty for none."""
        for document in self.documents:
            inside = document.path.is_dir() and path.exists() and path.resolve().parent == document.path.resolve()
            if inside or path.resolve() == document.path.resolve():
                return document.name
        return ""
