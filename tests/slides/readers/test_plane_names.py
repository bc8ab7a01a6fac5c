"""Names of planes: signs, decimals, capitals, several numbers, and orders that nobody but the user can tell."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import Region, open_slide, stepped_planes
from focusviewer.slides.readers.plane_names import ORDER_FILE, OrderError, PlaneOrders, plane_series

SIZE = 16


def series(folder: Path, *names: str) -> list[str]:
    """The names in the order that is found for them."""
    folder.mkdir(parents=True, exist_ok=True)
    return [path.name for path in plane_series(folder, [folder / name for name in names]).files]


def write(folder: Path, *names: str) -> Path:
    """Planes whose gray tells their place in ``names``."""
    folder.mkdir(parents=True, exist_ok=True)
    for gray, name in enumerate(names):
        Image.new("RGB", (SIZE, SIZE), (gray, gray, gray)).save(folder / name, format="PNG")
    return folder


ORDERS = {
    "signs": ["z-2.png", "z-1.png", "z0.png", "z1.png", "z2.png"],
    "plus signs": ["z-10.png", "z-2.png", "z+0.png", "z+2.png", "z+10.png"],
    "a minus of typography": ["z−2.png", "z−1.png", "z0.png"],
    "words for signs": ["z_minus2.png", "z_minus1.png", "z_0.png", "z_plus1.png"],
    "decimals": ["z-1.5.png", "z-0.25.png", "z0.png", "z0.5.png", "z1.png"],
    "decimal commas": ["z0,5.png", "z1,0.png", "z1,25.png", "z10,5.png"],
    "all below": ["z-1.5um.png", "z-1.0um.png", "z-0.5um.png"],
    "hyphens that separate": ["img-1.png", "img-2.png", "img-10.png"],
    "hyphens within": ["2026-01-05-z-1.png", "2026-01-05-z-2.png", "2026-01-05-z-3.png"],
    "capitals": ["IMG_1.JPG", "IMG_2.jpg", "img_3.JPG", "IMG_10.jpg"],
    "capital Z": ["A_Z1.png", "a_z2.png", "A_z10.png"],
    "index and score": ["img_1_0.91.png", "img_2_0.5.png", "img_10_0.72.png"],
    "index and whole score": ["1_873.png", "2_91.png", "3_512.png", "4_1020.png"],
    "index with a gap and score": ["1_score873.png", "2_score91.png", "4_score512.png", "5_score1020.png"],
    "index and focus score": ["img_01_focus0.81.png", "img_02_focus0.93.png", "img_03_focus0.22.png"],
    "score before index": ["0.91_1.png", "0.5_2.png", "0.72_3.png"],
    "scores with exponents": ["3_1e-05.png", "4_0.5.png", "5_2.5e-04.png"],
    "z and field": ["Slide01_z1_Field5.png", "Slide01_z2_Field3.png", "Slide01_z3_Field4.png"],
    "z and index that disagree": ["003_z10.png", "001_z250.png", "002_z900.png"],
    "index and time that agree": ["img_1_120512.png", "img_2_120519.png", "img_3_120544.png"],
    "two numbers at a dot": ["img_1.8.png", "img_1.9.png", "img_1.10.png"],
    "one number only": ["0.125.png", "0.5.png", "10.25.png"],
    "no leading zeros": ["slice1.png", "slice9.png", "slice10.png", "slice100.png"],
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(ORDERS))
def test_names_tell_the_order(tmp_path: Path, kind: str) -> None:
    names = ORDERS[kind]
    assert series(tmp_path, *reversed(names)) == names
    assert series(tmp_path, *sorted(names)) == names


def test_positions_with_a_unit_are_positions(tmp_path: Path) -> None:
    with open_slide(write(tmp_path / "a", "z-500nm.png", "z250nm.png", "z0nm.png")) as slide:
        assert slide.info.z_step_known and slide.planes_um == (-0.5, 0.0, 0.25)


DOUBTFUL = {
    "both count": ["a1_b3.png", "a2_b2.png", "a3_b1.png"],
    "neither counts": ["7_81.png", "31_12.png", "99_55.png"],
}


@pytest.mark.parametrize("kind", sorted(DOUBTFUL))
def test_an_order_in_doubt_is_shown_and_asked_for(tmp_path: Path, kind: str) -> None:
    with pytest.raises(OrderError) as caught:
        series(tmp_path, *DOUBTFUL[kind])
    message = str(caught.value)
    assert "by the first number" in message and "by the second number" in message and ORDER_FILE in message
    first, second = ([path.name for path in caught.value.orders[place]] for place in (0, 1))
    assert first == DOUBTFUL[kind] and second != first and set(second) == set(first)


def test_a_list_beside_the_planes_settles_the_order(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "a1_b3.png", "a2_b2.png", "a3_b1.png", "preview.png")
    (folder / ORDER_FILE).write_text("# by b\na3_b1.png\n\na2_b2.png\na1_b3.png\n", encoding="utf-8")
    with open_slide(folder) as slide:
        grays = [int(slide.read_region(Region(0, 0, 0, 1, 1, plane))[0, 0, 0]) for plane in range(3)]
        assert grays == [2, 1, 0]
        assert any("preview.png" in note for note in slide.info.remarks)


@pytest.mark.parametrize(("text", "why"), [("", "empty"), ("z9.png", "z9.png"), ("z1.png\nz1.png", "twice")])
def test_a_wrong_list_is_refused(tmp_path: Path, text: str, why: str) -> None:
    folder = write(tmp_path / "a", "z1.png", "z2.png")
    (folder / ORDER_FILE).write_text(text)
    with pytest.raises(SlideError, match=why):
        open_slide(folder)


def test_an_order_once_chosen_is_remembered(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "a1_b3.png", "a2_b2.png", "a3_b1.png")
    with pytest.raises(OrderError) as caught:
        open_slide(folder)
    PlaneOrders().set(caught.value.orders[1], 1)
    with open_slide(folder) as slide:
        assert slide.info.properties["planes.files"] == "a3_b1.png, a2_b2.png, a1_b3.png"


def test_pictures_that_are_no_planes_are_named(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "z1.png", "z2.png", "z3.png", "z3 copy.png", "all-in-focus.png")
    with open_slide(folder) as slide:
        assert len(slide.planes_um) == 3
        (note,) = slide.info.remarks
        assert "z3 copy.png" in note and "all-in-focus.png" in note


def test_a_number_that_no_file_has_is_a_missing_plane(tmp_path: Path) -> None:
    folder = write(tmp_path / "a", "z0.png", "z50.png", "z150.png", "z200.png")
    with open_slide(folder) as slide:
        assert slide.planes_um == (0.0, 1.0, 3.0, 4.0) and not slide.info.z_step_known
        assert slide.info.missing_planes == 1 and slide.info.missing_um == (2.0,)
        assert stepped_planes(slide.info, 0.5) == (0.0, 0.5, 1.5, 2.0)
        assert any("1 of 5 planes is missing" in note for note in slide.info.remarks)


def test_files_that_are_stacks_themselves_are_no_planes(tmp_path: Path) -> None:
    import numpy as np
    import tifffile

    for name in ("f1.tif", "f2.tif"):
        with tifffile.TiffWriter(tmp_path / name) as out:
            for z in range(3):
                out.write(np.full((SIZE, SIZE, 3), z, np.uint8), photometric="rgb", metadata=None, contiguous=False)
    with pytest.raises(SlideError, match=r"f1\.tif holds 3 planes itself"):
        open_slide(tmp_path)
