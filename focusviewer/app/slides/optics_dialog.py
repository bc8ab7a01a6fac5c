"""The dialog of a scanner's optics: what was measured, and how to measure them."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QDialogButtonBox, QHBoxLayout, QVBoxLayout, QWidget

from focusviewer.app.services.plain import PlainLabel
from focusviewer.app.viewer.document import Document
from focusviewer.app.widgets.common import button, hint
from focusviewer.app.widgets.dialogs import button_row
from focusviewer.optics.profile import OpticsProfile


class OpticsDialog(QDialog):
    """Shows the profile of a slide's scanner, and asks for another one.

    Signals
    -------
    stack_requested, pair_requested, forget_requested : a button was pressed
    """

    stack_requested = Signal()
    pair_requested = Signal()
    forget_requested = Signal()

    def __init__(self, document: Document, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Optics of the scanner")
        self.resize(480, 0)
        self._is_stack = len(document.planes_um) > 1
        self.scanner = PlainLabel()
        self.profile = PlainLabel("…")
        for label in (self.scanner, self.profile):
            label.setWordWrap(True)
        self.from_stack = button("Measure on this stack", tip="The sharpest plane against the others")
        self.from_pair = button("Measure on two files…", tip="A field in focus, and the same field out of focus")
        self.forget = button("Forget", tip="Back to the standard lens")
        for made, signal in (
            (self.from_stack, self.stack_requested),
            (self.from_pair, self.pair_requested),
            (self.forget, self.forget_requested),
        ):
            made.setAutoDefault(False)
            made.setEnabled(False)
            made.clicked.connect(signal)
        row = QHBoxLayout()
        for made in (self.from_stack, self.from_pair, self.forget):
            row.addWidget(made)
        buttons = button_row(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        layout = self._layout = QVBoxLayout(self)
        layout.setContentsMargins(18, 16, 18, 14)
        layout.setSpacing(14)
        layout.addWidget(self.scanner)
        layout.addWidget(self.profile)
        layout.addLayout(row)
        layout.addWidget(
            hint(
                "The engines fast and wiener work with these optics on every slide of this scanner and scale. "
                "Measured on one half of a field, they are judged on the other."
            )
        )
        layout.addWidget(buttons)
        self._has_scale = document.mpp is not None
        self._fit_text()

    def _fit_text(self) -> None:
        """Grow to the height of the wrapped texts, which a window by itself does not ask for."""
        self.setMinimumHeight(self._layout.totalHeightForWidth(self.width()))

    def show_profile(self, scanner: str, profile: OpticsProfile | None) -> None:
        """Say what is known."""
        self.scanner.setText(f"Scanner: {scanner}")
        self.profile.setText(profile_text(profile))
        self.from_stack.setEnabled(self._has_scale and self._is_stack)
        self.from_pair.setEnabled(self._has_scale)
        self.forget.setEnabled(profile is not None)
        if not self._has_scale:
            self.profile.setText("Set the scale first: optics are measured in microns.")
        self._fit_text()

    def show_work(self, share: float) -> None:
        """Say how far a measurement is."""
        self.profile.setText(f"Measuring… {max(share, 0.0):.0%}")
        for made in (self.from_stack, self.from_pair, self.forget):
            made.setEnabled(False)


def profile_text(profile: OpticsProfile | None) -> str:
    """A profile in words."""
    if profile is None:
        return "Not measured: the standard lens stands in (NA 0.70)."
    lines = [profile.story().replace(" um", " µm"), f"From {profile.source}, {profile.date}."]
    if profile.gain_db is not None and profile.standard_gain_db is not None:
        lines.append(
            f"Where it was not fitted to, a Wiener filter gains {profile.gain_db:+.2f} dB with it, and "
            f"{profile.standard_gain_db:+.2f} dB with the standard lens."
        )
    return "\n".join(lines)
