"""Files that the fast readers do not decode: read by Pillow with all their planes, or named for what they are."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, Slide, open_slide
from tests.slides import tiffs
from tests.slides.tiffs import write_tiff

Maker = Callable[..., np.ndarray]
_INTERCHANGE, _INTERCHANGE_LENGTH, _PROCESS = 513, 514, 512


def whole(slide: Slide, plane: int = 0) -> np.ndarray:
    return slide.read_region(Region(0, 0, 0, *slide.dimensions, plane)).astype(int)


def refusal(path: Path) -> str:
    with pytest.raises(SlideError) as caught:
        open_slide(path)
    text = str(caught.value)
    assert path.name in text
    assert "\n" not in text
    return text


def old_jpeg_page(image: np.ndarray, at: int) -> tuple[Mapping[int, Any], list[bytes], np.ndarray]:
    """A page of compression 6: the strip is a JPEG stream's scan, tags name its headers (TIFF 6.0, 22)."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, "JPEG", quality=92, subsampling=0)
    stream = buffer.getvalue()
    scan = stream.index(b"\xff\xda")
    scan += 2 + int.from_bytes(stream[scan + 2 : scan + 4], "big")
    height, width = image.shape[:2]
    tags = {
        tiffs.WIDTH: width, tiffs.HEIGHT: height, tiffs.BITS: [8, 8, 8], tiffs.COMPRESSION: 6, tiffs.PHOTOMETRIC: 6,
        tiffs.SAMPLES: 3, tiffs.ROWS: height, _PROCESS: 1, _INTERCHANGE: at, _INTERCHANGE_LENGTH: len(stream),
        tiffs.OFFSETS: [at + scan], tiffs.COUNTS: [len(stream) - scan], 530: [1, 1],
    }  # fmt: skip
    return tags, [stream], np.asarray(Image.open(buffer)).astype(int)


def test_old_style_jpeg_is_read(tmp_path: Path, make_texture: Maker) -> None:
    tags, segments, want = old_jpeg_page(make_texture(64, 96), 8)
    with open_slide(write_tiff(tmp_path / "old.tif", [(tags, segments)])) as slide:
        assert slide.dimensions == (96, 64)
        assert np.abs(whole(slide) - want).mean() < 2


@pytest.mark.parametrize("name", ["old.tif", "old.svs"])
def test_no_plane_of_an_old_style_stack_is_lost(tmp_path: Path, make_texture: Maker, name: str) -> None:
    pages, wanted, at = [], [], 8
    for seed in range(3):
        tags, segments, want = old_jpeg_page(make_texture(64, 96, seed), at)
        pages.append((tags, segments))
        wanted.append(want)
        tags_only = write_tiff(tmp_path / "length", pages).stat().st_size
        at = _end_of_last(tmp_path / "length", tags_only)
    with open_slide(write_tiff(tmp_path / name, pages)) as slide:
        assert len(slide.planes_um) == 3
        assert not slide.info.z_step_known
        for plane in range(3):
            assert np.abs(whole(slide, plane) - wanted[plane]).mean() < 2


def _end_of_last(path: Path, size: int) -> int:
    """Where the data of a further page would begin."""
    return size + size % 2


@pytest.mark.parametrize(
    ("mode", "compression"), [("LAB", None), ("LAB", "tiff_lzw"), ("YCbCr", None), ("CMYK", "tiff_adobe_deflate")]
)
def test_colour_models_that_pillow_knows_are_read(
    tmp_path: Path, make_texture: Maker, mode: str, compression: str | None
) -> None:
    image = make_texture(48, 64)
    picture = Image.fromarray(image)
    if mode == "LAB":
        from PIL import ImageCms

        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        picture = ImageCms.applyTransform(picture, to_lab)
    else:
        picture = picture.convert(mode)
    picture.save(tmp_path / "c.tif", compression=compression)
    with open_slide(tmp_path / "c.tif") as slide:
        assert np.abs(whole(slide) - image).mean() < 6


def test_frames_of_a_film_are_planes(tmp_path: Path) -> None:
    frames = [Image.new("L", (40, 30), shade) for shade in (0, 100, 200)]
    frames[0].save(tmp_path / "f.gif", save_all=True, append_images=frames[1:])
    with open_slide(tmp_path / "f.gif") as slide:
        assert [whole(slide, plane)[0, 0, 0] for plane in range(len(slide.planes_um))] == [0, 100, 200]
        with pytest.raises(IndexError):
            whole(slide, 3)


def test_a_picture_is_known_by_its_content_when_its_name_says_nothing(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(30, 40)
    Image.fromarray(image).save(tmp_path / "picture.dat", format="PNG")
    with open_slide(tmp_path / "picture.dat") as slide:
        assert np.array_equal(whole(slide), image)


def test_a_kind_that_nobody_reads_is_named_and_not_called_damaged(tmp_path: Path) -> None:
    tags = {**tiffs.gray(64, 48, 16, COMPRESSION=34676, PHOTOMETRIC=32844), tiffs.SAMPLE_FORMAT: 2}
    text = refusal(write_tiff(tmp_path / "l.tif", [(tags, [b"\x01" * 4000])]))
    assert "34676" in text or "SGILOG" in text
    assert "16" in text
    assert "does not read" in text
    assert "Save it anew" in text
    assert "damaged" not in text


def test_complex_samples_are_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "c.tif", np.ones((32, 32), np.complex64), photometric="minisblack", metadata=None)
    text = refusal(tmp_path / "c.tif")
    assert "complex" in text
    assert "damaged" not in text


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"%PDF-1.7 ...", "PDF"),
        (b"PK\x03\x04zip", "ZIP"),
        (b"\x89HDF\r\n\x1a\n", "HDF5"),
        (b"\xda\xce\xbe\x0a\0\0\0\0", "ND2"),
        (b"\0" * 128 + b"DICM" + b"\0" * 40, "DICOM"),
        (b"\xfe\xdc\xba\x98" * 40, "not of a kind"),
        (b"some words\n", "plain text"),
    ],
)
@pytest.mark.parametrize("suffix", [".svs", ".png", ".nd2"])
def test_files_of_other_programs_are_named(tmp_path: Path, content: bytes, word: str, suffix: str) -> None:
    (tmp_path / f"f{suffix}").write_bytes(content)
    text = refusal(tmp_path / f"f{suffix}")
    assert word in text
    assert "damaged" not in text
