"""Dialogs: the scale of a slide, the shortcut sheet, help, and what this program is."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from PySide6.QtCore import Qt, Slot
from PySide6.QtGui import QColor, QIcon, QKeySequence
from PySide6.QtWidgets import (
    QButtonGroup,
    QDialog,
    QDialogButtonBox,
    QDoubleSpinBox,
    QFormLayout,
    QLabel,
    QRadioButton,
    QTextBrowser,
    QVBoxLayout,
    QWidget,
)

from focusviewer import __version__
from focusviewer.app.actions import ActionRegistry
from focusviewer.app.models.document import Document
from focusviewer.app.views.theme import draw_svg
from focusviewer.app.views.widgets import hint
from focusviewer.core.files import resource_path
from focusviewer.slides import PLAUSIBLE_MPP, mpp_from_power

RESEARCH_USE = (
    "For research use only. FocusViewer is not a medical device and must not be used for diagnosis. "
    "Refocused pictures are computed: they can show structure that is not in the specimen."
)


def button_row(which: QDialogButtonBox.StandardButton) -> QDialogButtonBox:
    """Dialog buttons without the desktop's pictures, which do not follow the colours."""
    box = QDialogButtonBox(which)
    for made in box.buttons():
        made.setIcon(QIcon())
    return box


@dataclass(frozen=True)
class ScaleAnswer:
    """What the user said: um per pixel, and um between planes (None to leave them as they are)."""

    mpp: float
    z_step_um: float | None = None


class ScaleDialog(QDialog):
    """Asks the pixel size or the magnification, and the z step of a stack."""

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Set scale")
        info = document.slide.info
        self.by_power = QRadioButton("Objective magnification")
        self.by_mpp = QRadioButton("Pixel size")
        group = QButtonGroup(self)
        group.addButton(self.by_power)
        group.addButton(self.by_mpp)
        self.power = QDoubleSpinBox()
        self.power.setRange(10 / PLAUSIBLE_MPP[1], 10 / PLAUSIBLE_MPP[0])
        self.power.setDecimals(1)
        self.power.setSuffix("×")
        self.power.setValue(info.objective_power or (10 / info.mpp if info.mpp else 40.0))
        self.mpp = QDoubleSpinBox()
        self.mpp.setDecimals(4)
        self.mpp.setSingleStep(0.01)
        self.mpp.setRange(*PLAUSIBLE_MPP)
        self.mpp.setSuffix(" µm per pixel")
        self.mpp.setValue(info.mpp or 0.25)
        self.z_step = QDoubleSpinBox()
        self.z_step.setDecimals(3)
        self.z_step.setRange(0.01, 50.0)
        self.z_step.setSingleStep(0.1)
        self.z_step.setSuffix(" µm between planes")
        planes = info.planes_um
        self._stack = len(planes) > 1
        self.z_step.setValue((planes[-1] - planes[0]) / (len(planes) - 1) if self._stack else 1.0)
        self._known_step = self.z_step.value() if info.z_step_known else None
        form = QFormLayout()
        form.setSpacing(10)
        form.addRow(self.by_power, self.power)
        form.addRow(self.by_mpp, self.mpp)
        if self._stack:
            form.addRow("Stack", self.z_step)
        buttons = button_row(QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel)
        buttons.accepted.connect(self.accept)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(14)
        layout.addWidget(QLabel(f"How large is a pixel of <b>{escape(document.name)}</b>?"))
        layout.addLayout(form)
        layout.addWidget(hint("It is remembered for this slide. A wrong scale gives wrong lengths and wrong focus."))
        layout.addWidget(buttons)
        self.by_mpp.toggled.connect(self._choose)
        (self.by_mpp if info.mpp else self.by_power).setChecked(True)
        self._choose()

    @Slot()
    def _choose(self) -> None:
        self.power.setEnabled(self.by_power.isChecked())
        self.mpp.setEnabled(self.by_mpp.isChecked())

    def answer(self) -> ScaleAnswer:
        """What was said."""
        mpp = self.mpp.value() if self.by_mpp.isChecked() else mpp_from_power(self.power.value())
        assert mpp is not None
        step = self.z_step.value()
        # Positions that the file states may be uneven or around a zero of their own: they stay unless changed.
        return ScaleAnswer(mpp, step if self._stack and step != self._known_step else None)


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


def shortcut_sheet(actions: ActionRegistry, parent: QWidget | None = None) -> TextDialog:
    """All keys, by menu."""
    rows = []
    for group, records in actions.groups().items():
        keyed = [record for record in records if record.shortcuts]
        if keyed:
            rows.append(f"<tr><td colspan=2><br><b>{escape(group.capitalize())}</b></td></tr>")
        for record in keyed:
            keys = "  or  ".join(f"<b>{escape(key)}</b>" for key in native_keys(record.shortcuts))
            name = escape(record.text.replace("&", "").rstrip("…"))
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
        logo = QLabel()
        logo.setPixmap(draw_svg("focusviewer", QColor("#1f6feb"), 64, self.devicePixelRatioF()))
        text = QLabel(
            f"<h2>FocusViewer {__version__}</h2>"
            "<p>Whole-slide viewer with focus tools: blur heatmaps, virtual refocusing, focal stacks.</p>"
            f"<p><b>{RESEARCH_USE}</b></p>"
            "<p>BSD 3-clause licence. Built on Qt (LGPL), OpenSlide (LGPL), PyTorch, NumPy, SciPy, "
            "scikit-image, tifffile and imagecodecs.</p>"
        )
        text.setWordWrap(True)
        text.setMinimumWidth(420)
        buttons = button_row(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(22, 18, 22, 14)
        layout.addWidget(logo, alignment=Qt.AlignmentFlag.AlignLeft)
        layout.addWidget(text)
        layout.addWidget(buttons)
