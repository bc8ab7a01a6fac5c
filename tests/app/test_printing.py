from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QSizeF
from PySide6.QtGui import QImage, QPainter

from focusviewer.app.pixels import from_qimage
from focusviewer.app.printing import make_document, paint_page, write_pdf
from focusviewer.app.program import look_at
from focusviewer.core.errors import UserError
from focusviewer.qc.reports.printed import PrintedReport


def report(slides: int) -> PrintedReport:
    """A report whose slides have a red picture each."""
    stream = io.BytesIO()
    Image.new("RGB", (40, 30), (220, 0, 0)).save(stream, "JPEG")
    cells = "<td><img src='p' width='100' height='75'></td><td>" + "<p>words</p>" * 4 + "</td>"
    html = "<h1>Title</h1>" + f"<table width='100%'><tr>{cells}</tr></table>" * slides
    return PrintedReport("Title", html, "body { font-size: 9pt; }", "foot", {"p": stream.getvalue()})


def test_pages_hold_whole_slides_with_their_pictures(qapp) -> None:
    screen = QImage(10, 10, QImage.Format.Format_RGB32)
    document = make_document(report(12), screen, QSizeF(500, 400))
    assert document.pageCount() > 2
    layout, red = document.documentLayout(), 0
    for frame in document.rootFrame().childFrames():
        box = layout.frameBoundingRect(frame)
        assert int(box.top() // 400) == int((box.bottom() - 1) // 400)
    for number in range(document.pageCount()):
        image = QImage(500, 400, QImage.Format.Format_RGB32)
        image.fill(0xFFFFFFFF)
        painter = QPainter(image)
        paint_page(document, painter, number)
        painter.end()
        pixels = from_qimage(image).astype(int)
        red += int(((pixels[..., 0] > 180) & (pixels[..., 1] < 60)).sum())
        assert (np.abs(pixels - 255).sum(axis=2) > 0).any(), f"page {number} is empty"
    assert red == pytest.approx(12 * 100 * 75, rel=0.05)


def test_pdf_files_appear_whole(qapp, tmp_path: Path) -> None:
    pages = write_pdf(report(30), tmp_path / "a.pdf")
    data = (tmp_path / "a.pdf").read_bytes()
    assert pages > 1 and data.count(b"/Type /Page\n") == pages
    assert data.startswith(b"%PDF-") and data.rstrip().endswith(b"%%EOF")
    assert [path.name for path in tmp_path.iterdir()] == ["a.pdf"]


def test_a_pdf_that_cannot_be_written_is_told(qapp, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"Cannot write .*a\.pdf"):
        write_pdf(report(1), tmp_path / "missing" / "a.pdf")


def test_a_place_that_was_asked_for_is_shown_at_full_resolution(window, open_in) -> None:
    look_at(window, (300.0, 200.0))
    open_in(window, "fake.svs", "other.svs")
    first, second = (document.view for document in window.slides.documents)
    assert (first.cx, first.cy, first.scale) == (300.0, 200.0, 1.0)
    assert second.scale == pytest.approx(second.fit_scale)
