"""Colours, icons and small style of the window, light and dark."""

from __future__ import annotations

import weakref
from functools import cache

import shiboken6
from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QAction, QColor, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication

from focusviewer.core.files import resource_path

Role = QPalette.ColorRole

LIGHT = {
    Role.Window: "#f3f4f6",
    Role.WindowText: "#1c2128",
    Role.Base: "#ffffff",
    Role.AlternateBase: "#f3f5f8",
    Role.Text: "#1c2128",
    Role.Button: "#fafbfc",
    Role.ButtonText: "#1c2128",
    Role.ToolTipBase: "#1c2128",
    Role.ToolTipText: "#f5f6f8",
    Role.Highlight: "#1f6feb",
    Role.HighlightedText: "#ffffff",
    Role.Link: "#1f6feb",
    Role.PlaceholderText: "#69717d",
    Role.Mid: "#c9ced6",
    Role.Midlight: "#e3e6eb",
    Role.Dark: "#9aa2ae",
    Role.BrightText: "#ffffff",
    Role.Accent: "#1f6feb",
}
DARK = {
    Role.Window: "#2a2d33",
    Role.WindowText: "#e4e7eb",
    Role.Base: "#17191c",
    Role.AlternateBase: "#1e2125",
    Role.Text: "#e4e7eb",
    Role.Button: "#3a3f47",
    Role.ButtonText: "#e4e7eb",
    Role.ToolTipBase: "#e4e7eb",
    Role.ToolTipText: "#17191c",
    Role.Highlight: "#3b82f6",
    Role.HighlightedText: "#ffffff",
    Role.Link: "#6ea8fe",
    Role.PlaceholderText: "#939ba7",
    Role.Mid: "#4a5059",
    Role.Midlight: "#3a3e45",
    Role.Dark: "#5b616b",
    Role.BrightText: "#ffffff",
    Role.Accent: "#3b82f6",
}

STYLE_SHEET = """
QToolTip { border: 0; padding: 4px 6px; }
QStatusBar::item { border: 0; }
QDockWidget::title { padding: 6px 8px; }
QToolBar { border: 0; padding: 3px 6px; spacing: 2px; }
QMainWindow::separator { width: 5px; height: 5px; background: palette(window); }
QToolButton#sectionHeader { border: 0; padding: 7px 6px; font-weight: 600; text-align: left; }
QToolButton#sectionHeader:hover { background: palette(midlight); }
QLabel#hint, QLabel#stat { color: palette(placeholder-text); }
QLabel#badge { background: #ffb020; color: #1e1600; border-radius: 4px; padding: 2px 7px; font-weight: 600; }
QFrame#line { background: palette(mid); max-height: 1px; border: 0; }
QScrollArea { border: 0; }
QScrollBar:vertical { width: 11px; background: transparent; margin: 0; }
QScrollBar:horizontal { height: 11px; background: transparent; margin: 0; }
QScrollBar::handle { background: palette(mid); border-radius: 4px; margin: 2px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: palette(dark); }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QListWidget, QTreeWidget, QTextBrowser { border: 1px solid palette(mid); border-radius: 4px; }
QListWidget::item { padding: 2px 4px; }
QListWidget::indicator { width: 11px; height: 11px; border: 1px solid palette(dark); border-radius: 3px; }
QListWidget::indicator:checked { background: palette(highlight); border-color: palette(highlight); }
"""


def is_dark(theme: str = "system") -> bool:
    """Whether the window is dark, by setting or as the system says."""
    if theme != "system":
        return theme == "dark"
    return QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark


def make_palette(dark: bool) -> QPalette:
    """The palette of the light or the dark window."""
    palette = QPalette()
    for role, colour in (DARK if dark else LIGHT).items():
        palette.setColor(role, QColor(colour))
    faint = QColor("#6b727d" if dark else "#9aa2ae")
    for role in (Role.WindowText, Role.Text, Role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, faint)
    palette.setColor(QPalette.ColorGroup.Disabled, Role.Highlight, faint)
    return palette


def apply_theme(app: QApplication, theme: str) -> None:
    """Give the application its colours and refresh every icon."""
    if app.style().objectName().lower() != "fusion":
        app.setStyle("Fusion")
    app.setPalette(make_palette(is_dark(theme)))
    app.setStyleSheet(STYLE_SHEET)
    refresh_icons()


_bound: weakref.WeakKeyDictionary[QAction | QAbstractButton, str] = weakref.WeakKeyDictionary()


def bind_icon(target: QAction | QAbstractButton, name: str) -> None:
    """Give an action or button an icon that follows the theme."""
    _bound[target] = name
    target.setIcon(make_icon(name))


def refresh_icons() -> None:
    """Draw all icons again in the palette's colours."""
    for target, name in list(_bound.items()):
        if not shiboken6.isValid(target):  # Qt has deleted it, Python has not noticed yet
            _bound.pop(target, None)
            continue
        target.setIcon(make_icon(name))


@cache
def _svg(name: str) -> str:
    return resource_path("icons", f"{name}.svg").read_text(encoding="utf-8")


def draw_svg(name: str, colour: QColor, size: int, ratio: float = 1.0) -> QPixmap:
    """One icon in one colour; ``size`` in logical pixels."""
    pixels = round(size * ratio)
    pixmap = QPixmap(pixels, pixels)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    svg = _svg(name).replace("currentColor", colour.name())
    QSvgRenderer(QByteArray(svg.encode())).render(painter, QRectF(0, 0, pixels, pixels))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def make_icon(name: str) -> QIcon:
    """An icon in the palette's text colour, fainter when disabled."""
    palette = QGuiApplication.palette()
    icon = QIcon()
    for mode, group in (
        (QIcon.Mode.Normal, QPalette.ColorGroup.Active),
        (QIcon.Mode.Disabled, QPalette.ColorGroup.Disabled),
    ):
        for ratio in (1.0, 2.0):
            icon.addPixmap(draw_svg(name, palette.color(group, Role.ButtonText), 20, ratio), mode)
    return icon
