from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile

from focusviewer.core.errors import SlideError
from focusviewer.slides import open_slide
from focusviewer.slides.files import limits


def chained(path: Path, pages: int, back_to: int | None = None, *, big: bool = False) -> Path:
    """Pages of one tag each, without pixels; the last one points back to page ``back_to``, or nowhere."""
    head, count, tag, word = ("<2sHHHQ", "<Q", "<HHQQ", "<Q") if big else ("<2sHI", "<H", "<HHII", "<I")
    start = struct.calcsize(head)
    size = struct.calcsize(count) + struct.calcsize(tag) + struct.calcsize(word)
    data = bytearray(struct.pack(head, b"II", 43, 8, 0, start) if big else struct.pack(head, b"II", 42, start))
    for page in range(pages):
        last = 0 if back_to is None else start + size * back_to
        following = start + size * (page + 1) if page < pages - 1 else last
        data += struct.pack(count, 1) + struct.pack(tag, 256, 4, 1, 8) + struct.pack(word, following)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize(("pages", "back_to"), [(1, 0), (2, 1), (7, 3), (300, 0)])
@pytest.mark.timeout(20)
def test_pages_in_a_circle_are_told_at_once(tmp_path: Path, pages: int, back_to: int, big: bool) -> None:
    path = chained(tmp_path / "circle.tif", pages, back_to, big=big)
    with pytest.raises(SlideError, match=rf"circle: after page {pages} comes page {back_to + 1} again"):
        open_slide(path)


@pytest.mark.timeout(20)
def test_a_sound_page_before_a_circle_does_not_open_it(tmp_path: Path) -> None:
    path = tmp_path / "self.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.uint8))
    data = bytearray(path.read_bytes())
    (offset,) = struct.unpack_from("<I", data, 4)
    (tags,) = struct.unpack_from("<H", data, offset)
    struct.pack_into("<I", data, offset + 2 + 12 * tags, offset)
    path.write_bytes(data)
    with pytest.raises(SlideError, match="circle"):
        open_slide(path)


@pytest.mark.timeout(20)
def test_too_many_pages_are_refused_with_the_limit(tmp_path: Path) -> None:
    path = chained(tmp_path / "many.tif", 25_000)
    with pytest.raises(SlideError, match="the limit is 20,000"):
        open_slide(path)


def test_too_many_pages_below_a_page_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "below.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.uint8), extratags=[(65000, "I", 30_000, list(range(30_000)), True)])
    path.write_bytes(
        path.read_bytes().replace(struct.pack("<HHI", 65000, 4, 30_000), struct.pack("<HHI", 330, 4, 30_000))
    )
    with pytest.raises(SlideError, match=r"30,000 pages below it, and the limit is 20,000"):
        open_slide(path)


def test_a_description_beyond_the_limit_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "long.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.uint8), description="x" * 5000, metadata=None)
    with open_slide(path):
        pass
    monkeypatch.setattr("focusviewer.slides.readers.tiff.chain.MAX_DESCRIPTION_BYTES", 4999)
    with pytest.raises(SlideError, match="description has 5,001 bytes, and the limit is 4,999"):
        open_slide(path)


def test_entities_in_xml_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "laughs.ome.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.uint8), metadata={"axes": "YX"})
    xml = tifffile.tiffcomment(path)
    grown = xml.replace("<OME", '<!DOCTYPE x [<!ENTITY a "b"><!ENTITY c "&a;&a;">]><OME', 1)
    tifffile.tiffcomment(path, grown.encode())
    with pytest.raises(limits.LimitError, match="XML entities"):
        open_slide(path)


@pytest.mark.parametrize("tiled", [False, True])
def test_a_tile_or_strip_that_claims_gigabytes_is_refused(tmp_path: Path, tiled: bool) -> None:
    path = tmp_path / "claims.tif"
    tifffile.imwrite(path, np.zeros((512, 512), np.uint8), tile=(256, 256) if tiled else None, rowsperstrip=256)
    with tifffile.TiffFile(path) as tif:
        tag = tif.pages[0].tags["TileByteCounts" if tiled else "StripByteCounts"]
        assert (tag.dtype, tag.count) == (4, 4 if tiled else 2)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, tag.valueoffset, 0xF0000000)
    path.write_bytes(data)
    with pytest.raises(SlideError, match=r"a tile or strip has 4,026,531,840 bytes"):
        open_slide(path)
