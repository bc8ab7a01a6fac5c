"""Texts that come from files, shown as they are.

Qt takes whatever looks like HTML for it, in labels, tool tips and message boxes, and loads the pictures it names. As
names, paths, properties and notes come from anywhere, every label of the window is a :class:`PlainLabel`, and every
tool tip that is not written in this program goes through :func:`tooltip`.
"""

from __future__ import annotations

from html import escape

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QLabel, QWidget

LONG = 70
"""Longer lines of a tool tip are wrapped, which Qt does only for its rich text."""

MOST = 2000


class PlainLabel(QLabel):
    """A label that shows its text as it is."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setText(text)

    def make_bold(self) -> PlainLabel:
        """The label itself, in bold letters."""
        font = self.font()
        font.setBold(True)
        self.setFont(font)
        return self


def tooltip(text: str) -> str:
    """A tool tip that shows a text as it is, whatever it looks like; long ones are wrapped, very long ones cut."""
    shown = text if len(text) <= MOST else f"{text[:MOST]}…"
    shown = "".join(sign if sign.isprintable() or sign == "\n" else " " for sign in shown)
    if "<" not in shown and "&" not in shown and max(map(len, shown.split("\n"))) <= LONG:
        return shown
    return f"<p>{escape(shown).replace(chr(10), '<br>')}</p>"
