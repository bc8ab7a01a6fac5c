"""Reports on paper: a printed report laid out in pages and written as PDF, without a window or a display."""

from __future__ import annotations

import os
from pathlib import Path

from PySide6.QtCore import QMarginsF, QRectF, QSizeF, Qt, QUrl
from PySide6.QtGui import (
    QAbstractTextDocumentLayout,
    QGuiApplication,
    QImage,
    QPageLayout,
    QPageSize,
    QPainter,
    QPalette,
    QPdfWriter,
    QTextDocument,
    QTextFormat,
)
from PySide6.QtWidgets import QApplication

from focusviewer import __version__
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write
from focusviewer.qc.reports.printed import PrintedReport

DPI = 144
MARGIN_MM = 14.0
FOOT_MM = 8.0


def write_pdf(report: PrintedReport, path: Path) -> int:
    """Write a report as PDF on A4; returns the number of pages. Call it from the main thread.

    Raises
    ------
    UserError
        If the file cannot be written.
    """
    _application()
    with atomic_write(path) as temporary:
        writer = QPdfWriter(str(temporary))
        writer.setTitle(report.title)
        writer.setCreator(f"FocusViewer {__version__}")
        writer.setResolution(DPI)
        margins = QMarginsF(MARGIN_MM, MARGIN_MM, MARGIN_MM, MARGIN_MM)
        page = QPageLayout(QPageSize(QPageSize.PageSizeId.A4), QPageLayout.Orientation.Portrait, margins)
        writer.setPageLayout(page)
        pages = _paint(report, writer)
        del writer  # ends the file
        if not pages:
            raise UserError(f"Cannot write {path}", "the file could not be opened", "Choose another output file.")
    return pages


def make_document(report: PrintedReport, device: QPdfWriter | QImage, size: QSizeF) -> QTextDocument:
    """The report laid out in pages of ``size`` for a device."""
    document = QTextDocument()
    document.setDocumentMargin(0)
    document.setDefaultStyleSheet(report.style)
    for name, jpeg in report.images.items():
        document.addResource(QTextDocument.ResourceType.ImageResource, QUrl(name), QImage.fromData(jpeg))
    layout = document.documentLayout()
    layout.setPaintDevice(device)
    document.setHtml(report.html)
    document.setPageSize(size)
    _keep_together(document)
    return document


def _keep_together(document: QTextDocument) -> None:
    """Begin a new page before a table that would be cut, if a page can hold it; Qt has no such rule of its own."""
    layout, height = document.documentLayout(), document.pageSize().height()
    for frame in document.rootFrame().childFrames():
        box = layout.frameBoundingRect(frame)
        cut = int(box.top() // height) != int((box.bottom() - 1) // height)
        if cut and box.height() < height:
            style = frame.frameFormat()
            style.setPageBreakPolicy(QTextFormat.PageBreakFlag.PageBreak_AlwaysBefore)
            frame.setFrameFormat(style)


def paint_page(document: QTextDocument, painter: QPainter, number: int) -> None:
    """Paint one page, counted from 0, at the painter's origin: black on white whatever the desktop's colours."""
    size = document.pageSize()
    context = QAbstractTextDocumentLayout.PaintContext()
    context.palette.setColor(QPalette.ColorRole.Text, Qt.GlobalColor.black)
    clip = QRectF(0, number * size.height(), size.width(), size.height())
    context.clip = clip
    painter.save()
    painter.translate(0, -clip.top())
    painter.setClipRect(clip)
    document.documentLayout().draw(painter, context)
    painter.restore()


def _paint(report: PrintedReport, writer: QPdfWriter) -> int:
    whole = writer.pageLayout().paintRectPixels(DPI)
    foot = FOOT_MM / 25.4 * DPI
    painter = QPainter()
    if not painter.begin(writer):
        return 0
    try:
        document = make_document(report, writer, QSizeF(whole.width(), whole.height() - foot))
        count = document.pageCount()
        for number in range(count):
            if number:
                writer.newPage()
            paint_page(document, painter, number)
            painter.setFont(document.defaultFont())
            line = QRectF(0, whole.height() - foot, whole.width(), foot)
            painter.drawText(line, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom, report.footer)
            page = f"{number + 1} / {count}"
            painter.drawText(line, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, page)
    finally:
        painter.end()
    return count


def _application() -> QGuiApplication:
    """What fonts need: the running application, or one without a screen."""
    app = QGuiApplication.instance()
    if isinstance(app, QGuiApplication):
        return app
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    return QApplication(["focusviewer"])  # a window may still be opened later in this process
