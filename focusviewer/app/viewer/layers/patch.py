"""The synthesised picture on the slide: how much of it is shown, where it is doubtful, and its badges."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPen

from focusviewer.app.viewer.layers.hud import ACCENT, HUD_BACK, HUD_TEXT, hud_box, hud_font
from focusviewer.app.viewer.layers.tiles import span
from focusviewer.app.viewer.view import View

SYNTHESISED_TEXT = QColor(30, 22, 0)
SEPARATOR = "  ·  "
FRAME = 44.0
"""Width of a badge without its text: paddings and margins."""


class PatchLayer:
    """A synthesised picture lying on the slide where its pixels came from.

    Attributes
    ----------
    badge, detail : str
        What the picture is, and what it was made from and by.
    hidden : bool
        The scan is shown instead, for comparison.
    wipe : float, optional
        Only what lies right of this part of the viewport's width is shown.
    tint : QImage, optional
        Colours the places where the picture, blurred back, does not give the scan; stretched to the picture's size.
    """

    def __init__(self) -> None:
        self.image: QImage | None = None
        self.zoom = 0
        self.x = self.y = 0  # upper left corner, pixels of the zoom
        self.badge = self.detail = ""
        self.hidden = False
        self.wipe: float | None = None
        self.tint: QImage | None = None
        self.tint_visible = False

    def clear(self) -> None:
        """Show the scan again."""
        self.image = self.tint = None

    def copy_from(self, other: PatchLayer) -> None:
        """Show the same picture as another layer (not the same part of it)."""
        self.image, self.zoom, self.x, self.y = other.image, other.zoom, other.x, other.y
        self.badge, self.detail = other.badge, other.detail
        self.tint, self.tint_visible = other.tint, other.tint_visible

    @property
    def is_shown(self) -> bool:
        """Whether any of the picture is on screen."""
        return self.image is not None and not self.hidden

    def left(self, view: View) -> int:
        """Screen column from which the picture is shown."""
        return 0 if self.wipe is None else round(self.wipe * view.width)

    def target(self, view: View) -> QRect:
        """Screen rectangle of the patch, on the same pixel grid as the tiles."""
        assert self.image is not None
        factor = view.scale * 2.0**self.zoom
        ox, oy = view.origin
        x, w = span(ox, self.x, self.image.width(), factor)
        y, h = span(oy, self.y, self.image.height(), factor)
        return QRect(x, y, w, h)

    def paint(self, painter: QPainter, view: View) -> None:
        """Paint the patch over the tiles."""
        if self.image is None or self.hidden:
            return
        target = self.target(view)
        painter.save()
        self._clip(painter, view)
        if target.size() == self.image.size():
            painter.drawImage(target.topLeft(), self.image)
        else:
            painter.drawImage(target, self.image)
        if self.tint is not None and self.tint_visible:
            painter.drawImage(target, self.tint)
        painter.restore()

    def paint_frame(self, painter: QPainter, view: View) -> None:
        """A thin line around the patch where its border lies inside the viewport."""
        if not self.is_shown:
            return
        painter.save()
        self._clip(painter, view)
        painter.setPen(QPen(ACCENT, 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(self.target(view).adjusted(0, 0, -1, -1))
        painter.restore()

    def _clip(self, painter: QPainter, view: View) -> None:
        if self.wipe is not None:
            left = self.left(view)
            painter.setClipRect(QRect(left, 0, max(view.width - left, 0), view.height))


class Badge:
    """Some lines of text in a box: which picture this is."""

    def min_width(self, text: str, font: QFont, ratio: float) -> float:
        """Screen columns that a badge needs to show its text, in as many lines as that takes."""
        metrics = QFontMetricsF(hud_font(font, ratio, bold=True))
        return max(metrics.horizontalAdvance(part) for part in text.split(SEPARATOR)) + FRAME * ratio

    def paint(
        self,
        painter: QPainter,
        text: str,
        font: QFont,
        ratio: float,
        *,
        synthesised: bool,
        detail: str = "",
        span: tuple[float, float] = (0.0, float("inf")),
        top: float = 0.0,
    ) -> None:
        """Paint the badge; synthesised pixels get the warning colour.

        Parameters
        ----------
        detail : str
            Written below in plain type.
        span : (left, right)
            Screen columns to stay between; what does not fit goes into more lines, or is shortened.
        top : float
            Screen row to stay below.
        """
        available = span[1] - span[0] - FRAME * ratio
        if available < 24 * ratio:
            return
        bold, plain = hud_font(font, ratio, bold=True), hud_font(font, ratio)
        lines = [(line, bold) for line in wrapped(text, bold, available)]
        lines += [(line, plain) for line in wrapped(detail, plain, available) if detail]
        width = max(QFontMetricsF(line_font).horizontalAdvance(line) for line, line_font in lines)
        height = QFontMetricsF(bold).height()
        box = QRectF(span[0] + 12 * ratio, top + 12 * ratio, width + 20 * ratio, len(lines) * height + 9 * ratio)
        hud_box(painter, box, ratio, ACCENT if synthesised else HUD_BACK)
        painter.setPen(SYNTHESISED_TEXT if synthesised else HUD_TEXT)
        for index, (line, line_font) in enumerate(lines):
            painter.setFont(line_font)
            row = QRectF(box.x() + 10 * ratio, box.y() + 4.5 * ratio + index * height, width + ratio, height)
            painter.drawText(row, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, line)


def wrapped(text: str, font: QFont, available: float) -> list[str]:
    """Lines of a text that fit into a width: broken where its parts are separated, else shortened."""
    metrics = QFontMetricsF(font)
    lines: list[str] = []
    for part in text.split(SEPARATOR):
        longer = SEPARATOR.join([*lines[-1:], part])
        if lines and metrics.horizontalAdvance(longer) <= available:
            lines[-1] = longer
        else:
            lines.append(part)
    return [metrics.elidedText(line, Qt.TextElideMode.ElideRight, available) for line in lines]


def paint_badges(
    painter: QPainter, badge: Badge, patch: PatchLayer, view: View, scan: str, corner: QRect, font: QFont, ratio: float
) -> None:
    """Paint the badges of the scan (``scan``, may be empty), of the synthesised picture, or of both.

    Parameters
    ----------
    corner : QRect
        What the upper right corner is taken by; the badges stay left of it, or below where they do not fit.
    """
    line = float(patch.left(view))
    synthesised = patch.is_shown and line < view.width
    compared = patch.image is not None and (patch.hidden or patch.wipe is not None)
    if compared or (patch.image is None and scan):
        right = min(line, corner.x()) if synthesised else corner.x()
        badge.paint(painter, scan or "Scan", font, ratio, synthesised=False, span=(0.0, right))
    if synthesised:
        needed = badge.min_width(patch.badge, font, ratio)
        left, right, top = line, float(corner.x()), 0.0
        if (
            right - left < needed
        ):  # below the corner, and if need be across the line: synthesised pixels always carry their badge
            left, right, top = min(line, view.width - needed), view.width, float(corner.y() + corner.height())
        span = (left, right)
        badge.paint(painter, patch.badge, font, ratio, synthesised=True, detail=patch.detail, span=span, top=top)
