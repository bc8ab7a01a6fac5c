"""Dialogs: the shortcut sheet, help, and about this program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QIcon, QKeySequence
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from focusviewer import __version__
from focusviewer.app.services.actions import ActionRegistry
from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.services.text import tr
from focusviewer.app.widgets.theme import draw_svg
from focusviewer.core.files import resource_path

RESEARCH_USE = (
    "For research use only. FocusViewer is not a medical device and must not be used for diagnosis. "
    "Refocused pictures are computed: they can show structure that is not in the specimen."
)


def button_row(which: QDialogButtonBox.StandardButton) -> QDialogButtonBox:
    """Dialog buttons without the desktop's icons, which do not follow the theme."""
    box = QDialogButtonBox(which)
    for made in box.buttons():
        made.setIcon(QIcon())
    return box


class TextDialog(QDialog):
    """A window of formatted text."""

    def __init__(self, title: str, parent: QWidget | None = None, size: tuple[int, int] = (560, 640)) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.resize(*size)
        self.text = QTextBrowser()
        self.text.setOpenExternalLinks(True)
        buttons = button_row(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addWidget(buttons)


def native_keys(shortcuts: tuple[str, ...]) -> list[str]:
    """Shortcuts as this system writes them."""
    return [QKeySequence(key).toString(QKeySequence.SequenceFormat.NativeText) for key in shortcuts]


HELD = (("Space, held", "The scan instead of the refocused picture"),)
MOUSE = (
    ("Wheel", "Zoom at the cursor"),
    ("Ctrl + wheel", "Focal plane above or below"),
    ("Drag", "Move the picture"),
    ("Double click", "Zoom in (with Shift: out)"),
    ("Click on the minimap", "Go there"),
    ("Drag while painting a focus map", "Paint; the middle button moves the picture"),
)


def shortcut_sheet(
    actions: ActionRegistry, groups: Mapping[str, Sequence[str]], parent: QWidget | None = None
) -> TextDialog:
    """All keys, by groups of commands: their names with the keys of their records."""
    rows = []
    for group, keys_of_group in groups.items():
        keyed = [record for record in actions.listed(keys_of_group) if record.shortcuts]
        if keyed:
            rows.append(f"<tr><td colspan=2><br><b>{escape(tr(group))}</b></td></tr>")
        for record in keyed:
            keys = "  or  ".join(f"<b>{escape(key)}</b>" for key in native_keys(record.shortcuts))
            name = escape(tr(record.text).replace("&", "").rstrip("…"))
            rows.append(f"<tr><td width=190>{keys}</td><td>{name}</td></tr>")
    for title, lines in (("Held", HELD), ("Mouse", MOUSE)):
        rows.append(f"<tr><td colspan=2><br><b>{title}</b></td></tr>")
        rows += [f"<tr><td width=190><b>{escape(keys)}</b></td><td>{escape(what)}</td></tr>" for keys, what in lines]
    dialog = TextDialog("Keyboard and mouse", parent)
    dialog.text.setHtml(f"<table cellspacing=0 cellpadding=3>{''.join(rows)}</table>")
    return dialog


def help_dialog(parent: QWidget | None = None) -> TextDialog:
    """The in-app help."""
    dialog = TextDialog("FocusViewer help", parent, (640, 680))
    dialog.text.setMarkdown(resource_path("help", "help.md").read_text(encoding="utf-8"))
    return dialog


class AboutDialog(QDialog):
    """Name, version, licence, and what the program is not for."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("About FocusViewer")
        logo = PlainLabel()
        logo.setPixmap(draw_svg("focusviewer", QColor("#1f6feb"), 64, self.devicePixelRatioF()))
        text = QLabel(
            f"<h2>FocusViewer {__version__}</h2>"
            "<p>Whole-slide viewer with focus tools: blur heatmaps, virtual refocusing, focal stacks.</p>"
            f"<p><b>{RESEARCH_USE}</b></p>"
            "<p>BSD 3-clause licence. Built on Qt (LGPL), OpenSlide (LGPL), PyTorch, NumPy, SciPy, "
            "scikit-image, tifffile and imagecodecs.</p>"
        )
        text.setTextFormat(Qt.TextFormat.RichText)
        text.setWordWrap(True)
        text.setMinimumWidth(420)
        buttons = button_row(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 14)
        layout.addWidget(logo, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(text)
        layout.addWidget(buttons)
