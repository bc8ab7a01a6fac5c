"""OME-TIFF: which image a series belongs to, planes in several files, planes that were never written."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import tifffile

from focusviewer.cli.program import run
from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, Slide, open_slide, stepped_planes, with_step
from focusviewer.slides.files.limits import MAX_DESCRIPTION_BYTES, MAX_PLANES
from focusviewer.slides.readers.tiff.ome import read_document

Maker = Callable[..., np.ndarray]
HEIGHT, WIDTH = 48, 64


@pytest.fixture
def planes(make_texture: Maker) -> np.ndarray:
    """Five different planes, uint8 (5, 48, 64, 3)."""
    return np.stack([make_texture(HEIGHT, WIDTH, seed) for seed in range(5)])


def image(
    blocks: str, *, index: int = 0, name: str = "s", size: Sequence[int] = (WIDTH, HEIGHT, 3, 5, 1), mpp: float = 0.25,
    step: float | None = 0.5, samples: int = 3, order: str = "XYCZT",
) -> str:  # fmt: skip
    """An Image element; ``size`` is X, Y, C, Z, T."""
    sizes = " ".join(f'Size{axis}="{value}"' for axis, value in zip("XYCZT", size, strict=True))
    z = "" if step is None else f'PhysicalSizeZ="{step}"'
    channels = "".join(
        f'<Channel ID="Channel:{index}:{c}" SamplesPerPixel="{samples}"/>' for c in range(size[2] // samples)
    )
    return (
        f'<Image ID="Image:{index}" Name="{name}"><Pixels ID="Pixels:{index}" DimensionOrder="{order}" Type="uint8" '
        f'{sizes} PhysicalSizeX="{mpp}" PhysicalSizeY="{mpp}" {z}>{channels}{blocks}</Pixels></Image>'
    )


def ome(*images: str, uuid: str | None = None, prolog: str = "") -> str:
    own = f'UUID="urn:uuid:{uuid}" ' if uuid else ""
    space = 'xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'
    return f'<?xml version="1.0" encoding="UTF-8"?>{prolog}<OME {own}{space}>{"".join(images)}</OME>'


def in_file(z: int, file_name: str, uuid: str, ifd: int = 0, more: str = "") -> str:
    where = f'<UUID FileName="{file_name}">urn:uuid:{uuid}</UUID>'
    return f'<TiffData IFD="{ifd}" FirstZ="{z}" PlaneCount="1" {more}>{where}</TiffData>'


def write(path: Path, pages: Sequence[np.ndarray], xml: str, **options: object) -> Path:
    with tifffile.TiffWriter(path) as out:
        for number, page in enumerate(pages):
            photometric = "rgb" if page.ndim == 3 else "minisblack"
            out.write(
                page, photometric=photometric, description=xml if number == 0 else None, metadata=None,
                contiguous=False, **options,
            )  # fmt: skip
    return path


def pixels(slide: Slide, plane: int = 0, level: int = 0) -> np.ndarray:
    size = slide.levels[level]
    return slide.read_region(Region(level, 0, 0, size.width, size.height, plane))


def assert_planes(slide: Slide, expected: Sequence[np.ndarray]) -> None:
    assert len(slide.planes_um) == len(expected)
    for index, plane in enumerate(expected):
        assert np.array_equal(pixels(slide, index), plane), f"plane {index}"


# Which image


def test_an_image_announced_without_pixels_is_not_taken_for_the_one_that_has_them(
    tmp_path: Path, planes: np.ndarray
) -> None:
    first = image("", name="macro", size=(32, 24, 3, 1, 1), mpp=4.0)
    second = image('<TiffData IFD="0" PlaneCount="5"/>', index=1, name="slide")
    with open_slide(write(tmp_path / "a.ome.tif", planes, ome(first, second))) as slide:
        assert slide.mpp == 0.25 and slide.planes_um == (0.0, 0.5, 1.0, 1.5, 2.0)
        assert_planes(slide, planes)


def test_images_in_another_order_than_their_pages_keep_their_own_scale(tmp_path: Path, planes: np.ndarray) -> None:
    small = planes[0][::2, ::2]
    first = image('<TiffData IFD="1" PlaneCount="5"/>', name="slide")
    second = image('<TiffData IFD="0" PlaneCount="1"/>', index=1, name="label", size=(32, 24, 3, 1, 1), mpp=4.0)
    with open_slide(write(tmp_path / "a.ome.tif", [small, *planes], ome(first, second))) as slide:
        assert slide.mpp == 0.25
        assert_planes(slide, planes)
        assert slide.info.associated == ("label",)
        assert np.array_equal(slide.read_associated("label"), small)


def test_an_image_whose_pages_are_of_another_size_is_not_the_one_described(tmp_path: Path, planes: np.ndarray) -> None:
    first = image("<TiffData/>", name="overview 2", size=(512, 384, 3, 5, 1), mpp=4.0)
    second = image("<TiffData/>", index=1, name="slide")
    with open_slide(write(tmp_path / "a.ome.tif", planes, ome(first, second))) as slide:
        assert slide.mpp == 0.25
        assert_planes(slide, planes)


def test_images_that_are_not_shown_are_named(tmp_path: Path, planes: np.ndarray) -> None:
    one = image('<TiffData IFD="0" PlaneCount="2"/>', name="left", size=(WIDTH, HEIGHT, 3, 2, 1))
    other = image('<TiffData IFD="2" PlaneCount="3"/>', index=1, name="right", size=(WIDTH, HEIGHT, 3, 3, 1))
    with open_slide(write(tmp_path / "a.ome.tif", planes, ome(one, other))) as slide:
        assert_planes(slide, planes[:2])
        assert any("left" in note and "right" in note for note in slide.info.remarks)


@pytest.mark.parametrize("order", ["XYCZT", "XYZCT", "XYTZC"])
def test_channels_and_times_that_are_not_shown_are_said_and_planes_are_the_right_ones(
    tmp_path: Path, order: str
) -> None:
    size = {"C": 2, "Z": 3, "T": 2}
    places = sorted(
        ((t, c, z) for t in range(2) for c in range(2) for z in range(3)),
        key=lambda place: [dict(zip("TCZ", place, strict=True))[axis] for axis in reversed(order[2:])],
    )
    pages = [np.full((HEIGHT, WIDTH), 40 * z + 10 * c + t, np.uint8) for t, c, z in places]
    xml = ome(image("<TiffData/>", size=(WIDTH, HEIGHT, size["C"], size["Z"], size["T"]), samples=1, order=order))
    with open_slide(write(tmp_path / "a.ome.tif", pages, xml)) as slide:
        assert [int(pixels(slide, z)[0, 0, 0]) for z in range(3)] == [0, 40, 80]
        assert any("first of 2 channels" in note for note in slide.info.remarks)
        assert any("first of 2 times" in note for note in slide.info.remarks)


# Planes that were never written


def stopped(folder: Path, planes: np.ndarray, written: int = 3, **options: object) -> Path:
    return write(folder / "stopped.ome.tif", planes[:written], ome(image("<TiffData/>")), **options)


def test_planes_that_were_never_written_are_no_planes_and_are_named(
    tmp_path: Path, planes: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stopped(tmp_path, planes)
    with open_slide(path) as slide:
        assert_planes(slide, planes[:3])
        assert slide.planes_um == (0.0, 0.5, 1.0)
        assert slide.info.missing_planes == 2 and slide.info.missing_um == (1.5, 2.0)
        assert any("2 of 5 planes are missing" in note for note in slide.info.remarks)
    assert run(["info", str(path)]) == 0
    assert "2 missing: z = 1.5, 2 um" in capsys.readouterr().out
    assert run(["info", str(path), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["missing_planes"] == 2 and document["missing_um"] == [1.5, 2.0] and document["remarks"]


def test_a_gap_in_the_middle_leaves_the_other_planes_where_they_were(tmp_path: Path, planes: np.ndarray) -> None:
    blocks = "".join(f'<TiffData IFD="{ifd}" FirstZ="{z}"/>' for ifd, z in enumerate((0, 1, 4)))
    with open_slide(write(tmp_path / "a.ome.tif", planes[[0, 1, 4]], ome(image(blocks)))) as slide:
        assert slide.planes_um == (0.0, 0.5, 2.0) and slide.info.missing_um == (1.0, 1.5)
        assert_planes(slide, planes[[0, 1, 4]])


def test_a_step_given_by_the_user_counts_the_missing_planes(tmp_path: Path, planes: np.ndarray) -> None:
    blocks = "".join(f'<TiffData IFD="{ifd}" FirstZ="{z}"/>' for ifd, z in enumerate((0, 1, 4)))
    with open_slide(write(tmp_path / "a.ome.tif", planes[[0, 1, 4]], ome(image(blocks, step=None)))) as slide:
        assert slide.planes_um == (0.0, 1.0, 4.0) and not slide.info.z_step_known
        assert stepped_planes(slide.info, 2.0) == (0.0, 2.0, 8.0)
        placed = with_step(slide.info, 2.0)
        assert placed.planes_um == (-2.0, 0.0, 6.0) and placed.missing_um == (2.0, 4.0)


def test_positions_of_the_planes_that_were_written_are_enough(tmp_path: Path, planes: np.ndarray) -> None:
    stated = "".join(
        f'<Plane TheZ="{z}" TheC="0" TheT="0" PositionZ="{7 - 2 * z}" PositionZUnit="µm"/>' for z in (0, 1, 2)
    )
    xml = ome(image("<TiffData/>" + stated, step=None)).replace("µ", "&#181;")
    with open_slide(write(tmp_path / "a.ome.tif", planes[:3], xml)) as slide:
        assert slide.planes_um == (0.0, 2.0, 4.0) and slide.info.missing_um == (-4.0, -2.0)
        assert_planes(slide, planes[[2, 1, 0]])


def test_a_page_without_any_data_is_a_plane_that_was_never_written(tmp_path: Path, planes: np.ndarray) -> None:
    path = write(tmp_path / "a.ome.tif", planes, ome(image("<TiffData/>")), tile=(16, 16), compression="zlib")
    with tifffile.TiffFile(path, mode="r+") as tif:
        for tag in ("TileByteCounts", "TileOffsets"):
            tif.pages[4].aspage().tags[tag].overwrite([0] * 12)
    with open_slide(path) as slide:
        assert_planes(slide, planes[:4])
        assert slide.info.missing_um == (2.0,)


def test_a_label_behind_a_stopped_stack_is_no_plane_of_it(tmp_path: Path, planes: np.ndarray) -> None:
    pages = [*planes[:3], planes[0][::2, ::2]]
    with open_slide(write(tmp_path / "a.ome.tif", pages, ome(image("<TiffData/>")))) as slide:
        assert_planes(slide, planes[:3])
        assert slide.info.missing_planes == 2


def test_the_only_plane_that_was_written_is_a_slide_of_one_plane(tmp_path: Path, planes: np.ndarray) -> None:
    with open_slide(stopped(tmp_path, planes, 1)) as slide:
        assert slide.planes_um == (0.0,) and slide.info.missing_planes == 4
        assert_planes(slide, planes[:1])


# Several files


def write_set(folder: Path, planes: np.ndarray, *, named: bool = True, companion: bool = False) -> list[Path]:
    """A stack with a plane in each file; ``companion``: the files only say where the document is."""
    folder.mkdir(exist_ok=True)
    names = [f"part-Z{z + 1}.ome.tif" for z in range(len(planes))]
    blocks = "".join(in_file(z, name if named else f"old{z}.tif", f"0-{z}") for z, name in enumerate(names))
    paths = []
    for z, name in enumerate(names):
        xml = ome(image(blocks), uuid=f"0-{z}")
        if companion:
            xml = ome('<BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:c"/>', uuid=f"0-{z}")
        paths.append(write(folder / name, planes[z : z + 1], xml))
    if companion:
        (folder / "set.companion.ome").write_text(ome(image(blocks), uuid="c"), encoding="utf-8")
    return paths


def assert_whole(path: Path, planes: np.ndarray) -> str:
    with open_slide(path) as slide:
        assert slide.mpp == 0.25 and slide.planes_um == (0.0, 0.5, 1.0, 1.5, 2.0) and slide.info.missing_planes == 0
        assert_planes(slide, planes)
        return slide.fingerprint


def test_each_file_and_the_folder_open_the_whole_stack(tmp_path: Path, planes: np.ndarray) -> None:
    paths = write_set(tmp_path / "set", planes)
    assert len({assert_whole(path, planes) for path in [*paths, tmp_path / "set"]}) == 1


def test_a_folder_that_is_named_by_a_detour_opens_the_whole_stack(tmp_path: Path, planes: np.ndarray) -> None:
    write_set(tmp_path / "set", planes)
    (tmp_path / "aside").mkdir()
    with open_slide(tmp_path / "aside" / ".." / "set") as slide:
        assert len(slide.planes_um) == len(planes)


def test_a_companion_its_files_and_their_folder_open_the_whole_stack(tmp_path: Path, planes: np.ndarray) -> None:
    paths = write_set(tmp_path / "set", planes, companion=True)
    found = [assert_whole(path, planes) for path in [tmp_path / "set" / "set.companion.ome", *paths, tmp_path / "set"]]
    assert len(set(found)) == 1


def test_renamed_files_are_found_by_their_uuid(tmp_path: Path, planes: np.ndarray) -> None:
    assert_whole(write_set(tmp_path / "set", planes, named=False)[2], planes)


def test_a_file_of_that_name_which_belongs_to_another_stack_is_not_used(tmp_path: Path, planes: np.ndarray) -> None:
    paths = write_set(tmp_path / "set", planes)
    write(paths[3], planes[:1], ome(image("<TiffData/>", size=(WIDTH, HEIGHT, 3, 1, 1)), uuid="9-9"))
    with open_slide(paths[0]) as slide:
        assert_planes(slide, planes[[0, 1, 2, 4]])


def test_files_that_are_not_there_are_named(tmp_path: Path, planes: np.ndarray) -> None:
    paths = write_set(tmp_path / "set", planes)
    paths[1].unlink()
    with open_slide(paths[0]) as slide:
        assert_planes(slide, planes[[0, 2, 3, 4]])
        assert slide.planes_um == (0.0, 1.0, 1.5, 2.0) and slide.info.missing_um == (0.5,)
        assert any("part-Z2.ome.tif" in note for note in slide.info.remarks)


def test_a_file_without_its_companion_names_it(tmp_path: Path, planes: np.ndarray) -> None:
    paths = write_set(tmp_path / "set", planes, companion=True)
    (tmp_path / "set" / "set.companion.ome").unlink()
    with pytest.raises(SlideError, match=r"set\.companion\.ome"):
        open_slide(paths[0])


def test_a_companion_without_its_files_names_one(tmp_path: Path, planes: np.ndarray) -> None:
    for path in write_set(tmp_path / "set", planes, companion=True):
        path.unlink()
    with pytest.raises(SlideError, match=r"part-Z1\.ome\.tif"):
        open_slide(tmp_path / "set" / "set.companion.ome")


def test_planes_and_channels_may_lie_in_a_file_each(tmp_path: Path) -> None:
    names = {(z, c): f"z{z}c{c}.ome.tif" for z in range(2) for c in range(3)}
    blocks = "".join(in_file(z, name, f"{z}-{c}", more=f'FirstC="{c}"') for (z, c), name in names.items())
    for (z, c), name in names.items():
        page = np.full((HEIGHT, WIDTH), 100 * z + 10 * c + 5, np.uint8)
        xml = ome(image(blocks, size=(WIDTH, HEIGHT, 3, 2, 1), samples=1), uuid=f"{z}-{c}")
        write(tmp_path / name, [page], xml)
    with open_slide(tmp_path / names[1, 2]) as slide:
        assert pixels(slide, 0)[0, 0].tolist() == [5, 15, 25] and pixels(slide, 1)[0, 0].tolist() == [105, 115, 125]


def test_names_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path, planes: np.ndarray) -> None:
    write(
        tmp_path / "secret.ome.tif", planes[1:2], ome(image("<TiffData/>", size=(WIDTH, HEIGHT, 3, 1, 1)), uuid="0-1")
    )
    (tmp_path / "set").mkdir()
    blocks = in_file(0, "a.ome.tif", "0-0") + in_file(1, "../secret.ome.tif", "0-1")
    xml = ome(image(blocks, size=(WIDTH, HEIGHT, 3, 2, 1)), uuid="0-0")
    with open_slide(write(tmp_path / "set" / "a.ome.tif", planes[:1], xml)) as slide:
        assert len(slide.planes_um) == 1 and slide.info.missing_planes == 1


def test_each_position_of_a_set_opens_by_its_own_file(tmp_path: Path, planes: np.ndarray) -> None:
    size = (WIDTH, HEIGHT, 3, 1, 1)
    images = [image(in_file(0, f"p{i}.ome.tif", f"0-{i}"), index=i, name=f"p{i}", size=size) for i in range(3)]
    for i in range(3):
        write(tmp_path / f"p{i}.ome.tif", planes[i : i + 1], ome(*images, uuid=f"0-{i}"))
    for i in range(3):
        with open_slide(tmp_path / f"p{i}.ome.tif") as slide:
            assert_planes(slide, planes[i : i + 1])


def test_more_files_than_a_program_may_open_are_one_stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from focusviewer.slides.readers import filepool

    monkeypatch.setattr(filepool, "_MOST_OPEN", 2)
    monkeypatch.setattr(filepool.FilePool.__init__, "__defaults__", (2,))
    levels = np.stack([np.full((HEIGHT, WIDTH, 3), 20 * z, np.uint8) for z in range(9)])
    folder = tmp_path / "set"
    folder.mkdir()
    blocks = "".join(in_file(z, f"z{z}.ome.tif", f"0-{z}") for z in range(9))
    for z in range(9):
        write(
            folder / f"z{z}.ome.tif",
            levels[z : z + 1],
            ome(image(blocks, size=(WIDTH, HEIGHT, 3, 9, 1)), uuid=f"0-{z}"),
        )
    with open_slide(folder) as slide:
        for _ in range(2):
            assert [int(pixels(slide, z)[0, 0, 0]) for z in range(9)] == [20 * z for z in range(9)]
    with pytest.raises(SlideError, match="closed"):
        pixels(slide)


# Hostile documents


@pytest.mark.parametrize("axis", ["Z", "T"])
def test_absurd_counts_are_refused_at_once(tmp_path: Path, planes: np.ndarray, axis: str) -> None:
    size = (WIDTH, HEIGHT, 3, 100_000_000, 1) if axis == "Z" else (WIDTH, HEIGHT, 3, 1, 100_000_000)
    path = write(tmp_path / "a.ome.tif", planes[:1], ome(image("<TiffData/>", size=size)))
    started = time.perf_counter()
    with pytest.raises(SlideError, match=rf"100,000,000 planes, and the limit is {MAX_PLANES:,}"):
        open_slide(path)
    assert time.perf_counter() - started < 5


def test_counts_of_what_is_not_shown_cost_nothing(tmp_path: Path, planes: np.ndarray) -> None:
    blocks = '<TiffData IFD="0" PlaneCount="999999999999"/>'
    path = write(tmp_path / "a.ome.tif", planes, ome(image(blocks, size=(WIDTH, HEIGHT, 3, 5, 10**9))))
    with open_slide(path) as slide:
        assert_planes(slide, planes)


def test_entities_are_refused(tmp_path: Path, planes: np.ndarray) -> None:
    prolog = '<!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    path = write(tmp_path / "a.ome.tif", planes, ome(image("<TiffData/>"), prolog=prolog))
    with pytest.raises(SlideError, match="entities"):
        open_slide(path)


def test_a_document_without_bound_is_refused() -> None:
    with pytest.raises(SlideError, match="OME-XML"):
        read_document(" " * (MAX_DESCRIPTION_BYTES + 1), "a.ome.tif")


@pytest.mark.parametrize("damage", ['SizeZ="5"', 'DimensionOrder="XYCZT"', "</Pixels>"])
def test_a_document_that_cannot_be_read_is_said_and_the_pages_are_shown(
    tmp_path: Path, planes: np.ndarray, damage: str
) -> None:
    xml = ome(image("<TiffData/>")).replace(damage, 'SizeZ="many"' if "SizeZ" in damage else "")
    with open_slide(write(tmp_path / "a.ome.tif", planes, xml)) as slide:
        assert len(slide.planes_um) == 5
        assert damage.startswith("Dim") or any("OME-XML" in note for note in slide.info.remarks)
