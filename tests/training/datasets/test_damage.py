from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from scipy.ndimage import gaussian_filter

from focusviewer.core.errors import UserError
from focusviewer.training.datasets import DatasetError, check, focal_stacks, focus_images, open_dataset
from focusviewer.training.datasets.decode import read_rgb
from tests.training.datasets.miniatures import (
    make_bbbc006,
    make_deepfocus,
    make_focuspath,
    make_kimia,
    make_tcga_focus,
    make_wss,
    texture,
    tissue,
)

FIRST = "FocusPath_full/Slide01_Strip00_Slice05_Position01.png"


@pytest.fixture
def focuspath(tmp_path: Path) -> Path:
    return make_focuspath(tmp_path / "FocusPath", slides=1, strips=1)


def test_a_cut_off_image_is_named(focuspath: Path) -> None:
    path = focuspath / FIRST
    path.write_bytes(path.read_bytes()[:200])
    dataset = open_dataset(focuspath)
    with pytest.raises(DatasetError, match=path.name):
        list(focus_images(dataset))
    assert [(finding.severity, finding.path) for finding in check(dataset)][:1] == [("error", path)]


def test_an_empty_image_is_named(focuspath: Path) -> None:
    (focuspath / FIRST).write_bytes(b"")
    with pytest.raises(DatasetError, match=Path(FIRST).name):
        list(focal_stacks(open_dataset(focuspath)))


def test_a_missing_plane_is_named(focuspath: Path) -> None:
    (focuspath / FIRST).unlink()
    with pytest.raises(DatasetError, match=r"lacks plane 5|names Slide01_Strip00_Slice05"):
        open_dataset(focuspath)
    dataset = open_dataset(focuspath, strict=False)
    assert any("lacks plane 5 of 16" in finding.text for finding in dataset.errors)
    with pytest.raises(DatasetError, match="lacks plane 5"):
        list(focal_stacks(dataset))


def test_an_index_line_that_points_to_nothing_is_named(focuspath: Path) -> None:
    with (focuspath / "FocusPath_full_split1.txt").open("a") as file:
        file.write("Slide07_Strip00_Slice01_Position02.tif,7,0,1,2,87.9,-7\n")
    with pytest.raises(DatasetError, match=r"split1.txt: line 17 names Slide07_Strip00_Slice01_Position02"):
        open_dataset(focuspath)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("Slide01_Strip00_Slice01_Position01.tif,1,0,1,1,87.9", "6 fields"),
        ("Slide01_Strip00_Slice01_Position01.tif,1,0,2,1,87.9,-7", "contradict the name"),
        ("Slide01_Strip00_Slice01_Position01.tif,1,0,1,1,87.9,-5", "line 17 gives .* the level -5, line 1 -7"),
    ],
)
def test_a_wrong_index_line_is_told(focuspath: Path, line: str, text: str) -> None:
    with (focuspath / "FocusPath_full_split1.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(DatasetError, match=text):
        open_dataset(focuspath)


def test_levels_that_disagree_within_a_stack_are_told_and_kept_as_they_are(focuspath: Path) -> None:
    index = focuspath / "FocusPath_full_split1.txt"
    lines = index.read_text().splitlines()
    lines[0] = lines[0].removesuffix("-7") + "-6"
    index.write_text("\n".join(lines))
    dataset = open_dataset(focuspath)
    assert [record.level for record in dataset.records[:3]] == [6, 6, 5]
    assert "disagree" in dataset.findings[0].text and dataset.findings[0].severity == "warning"


def test_planes_of_unequal_size_are_named(focuspath: Path) -> None:
    Image.new("RGB", (40, 32)).save(focuspath / FIRST)
    dataset = open_dataset(focuspath)
    with pytest.raises(DatasetError, match=r"Slice05.*does not fit its stack: it is 40 x 32"):
        list(focal_stacks(dataset))
    assert any("40 x 32" in finding.text for finding in check(dataset))


def test_another_bit_depth_than_published_is_an_error_of_the_check(tmp_path: Path) -> None:
    root = make_bbbc006(tmp_path / "BBBC006", wells=("a01", "a02"), planes=(1, 16))
    path = sorted(root.rglob("*.tif"))[0]
    tifffile.imwrite(path, np.zeros((24, 24), np.uint8))
    dataset = open_dataset(root)
    assert any(f.path == path and "8 bits" in f.text and "16" in f.text for f in check(dataset))
    with pytest.raises(DatasetError, match="bits per sample"):
        dataset.stack("a01_s1_w1")


def test_a_field_that_one_plane_lacks_is_named(tmp_path: Path) -> None:
    root = make_bbbc006(tmp_path / "BBBC006")
    next((root / "BBBC006_v1_images_z_05").glob("*_a02_s1_w2*")).unlink()
    with pytest.raises(DatasetError, match="BBBC006_v1_images_z_05: stack a02_s1_w2 lacks plane 5"):
        open_dataset(root)


def test_bbbc006_without_its_plane_of_best_focus_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="z = 16"):
        open_dataset(make_bbbc006(tmp_path / "BBBC006", planes=(1, 5)))


def test_unknown_files_are_told_and_readmes_are_not(focuspath: Path) -> None:
    (focuspath / "README.txt").write_text("hello")
    (focuspath / "FocusPath_full" / "holiday.jpg").write_bytes(b"x")
    (finding,) = open_dataset(focuspath).findings
    assert finding.severity == "warning" and finding.path.name == "holiday.jpg" and "not used" in finding.text


def test_tcga_index_that_contradicts_a_folder_is_named(tmp_path: Path) -> None:
    root = make_tcga_focus(tmp_path / "TCGA@Focus")
    index = root / "TCGA@Focus.txt"
    lines = index.read_text().splitlines()
    lines[3] = lines[3][:-1] + ("1" if lines[3].endswith("0") else "0")
    index.write_text("\n".join(lines))
    with pytest.raises(DatasetError, match="line 4 contradicts the folder"):
        open_dataset(root)


def test_tcga_patch_that_the_index_names_in_vain_is_named(tmp_path: Path) -> None:
    root = make_tcga_focus(tmp_path / "TCGA@Focus")
    gone = sorted(root.rglob("patch_i_*.png"))[0]
    gone.unlink()
    with pytest.raises(DatasetError, match=rf"line 1 names .*{gone.name}, and there is no such image"):
        open_dataset(root)


def test_tcga_patch_in_no_index_line_is_told(tmp_path: Path) -> None:
    root = make_tcga_focus(tmp_path / "TCGA@Focus")
    index = root / "TCGA@Focus.txt"
    index.write_text("\n".join(index.read_text().splitlines()[1:]))
    dataset = open_dataset(root)
    assert len(dataset.records) == 16 and "in no index line" in dataset.findings[0].text


def _not_hdf5(path: Path) -> None:
    path.write_bytes(b"not HDF5 at all")


def _without_classes(path: Path) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        del file["Y"]


def _strange_class(path: Path) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        file["Y"][3] = 17


def _too_few_classes(path: Path) -> None:
    import h5py

    with h5py.File(path, "a") as file:
        classes = file["Y"][:-1]
        del file["Y"]
        file["Y"] = classes


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (_not_hdf5, "not HDF5"),
        (_without_classes, "not X and Y"),
        (_strange_class, "patch 3 has the class 17"),
        (_too_few_classes, "44 patches and 43 classes"),
    ],
)
def test_a_damaged_deepfocus_file_is_named(tmp_path: Path, damage: Callable[[Path], None], text: str) -> None:
    pytest.importorskip("h5py")
    root = make_deepfocus(tmp_path / "DeepFocus")
    damage(root / "outoffocus2017_patches5Classification.h5")
    with pytest.raises(DatasetError, match=f"outoffocus2017.*{text}"):
        open_dataset(root)


def test_a_mask_that_fits_no_image_and_one_of_another_size_are_named(tmp_path: Path) -> None:
    root = make_wss(tmp_path / "WSS1", side=False)
    Image.new("L", (64, 64)).save(root / "masks" / "wss_00.png")
    with pytest.raises(DatasetError, match=r"wss_00.png does not fit its image: it is 64 x 64"):
        list(focus_images(open_dataset(root)))
    Image.new("L", (64, 64)).save(root / "masks" / "stray.png")
    with pytest.raises(DatasetError, match=r"stray.png: belongs to no image"):
        open_dataset(root)


def test_a_mask_of_many_values_is_no_blur_mask(tmp_path: Path) -> None:
    root = make_wss(tmp_path / "WSS1", images=1, side=False)
    Image.fromarray(np.arange(128 * 128, dtype=np.uint8).reshape(128, 128)).save(root / "masks" / "wss_00.png")
    with pytest.raises(DatasetError, match="256 different values"):
        list(focus_images(open_dataset(root)))


def test_a_class_that_one_side_lacks_is_named(tmp_path: Path) -> None:
    root = make_kimia(tmp_path / "KimiaPath24")
    for path in (root / "Test-patches" / "s1").iterdir():
        path.unlink()
    with pytest.raises(DatasetError, match="class s1 is missing from the test patches"):
        open_dataset(root)


def test_a_folder_of_nothing_known_is_refused(tmp_path: Path) -> None:
    (tmp_path / "FocusPath").mkdir()
    with pytest.raises(UserError, match="holds nothing of"):
        open_dataset(tmp_path / "FocusPath")
    with pytest.raises(UserError, match="no such file or folder"):
        open_dataset(tmp_path / "nowhere")


def _palette(path: Path, pixels: np.ndarray) -> np.ndarray:
    picture = Image.fromarray(pixels).quantize(64)
    picture.save(path)
    return np.asarray(picture.convert("RGB"))


def _cmyk(path: Path, pixels: np.ndarray) -> np.ndarray:
    Image.fromarray(pixels).convert("CMYK").save(path)
    return pixels


def _deep_colour(path: Path, pixels: np.ndarray) -> np.ndarray:
    tifffile.imwrite(path, pixels.astype(np.uint16) * 257, photometric="rgb")
    return pixels


def _twelve_bit_colour(path: Path, pixels: np.ndarray) -> np.ndarray:
    tifffile.imwrite(path, (pixels.astype(np.float64) * 4095 / 255).astype(np.uint16), photometric="rgb")
    return pixels


def _alpha(path: Path, pixels: np.ndarray) -> np.ndarray:
    alpha = np.full((*pixels.shape[:2], 1), 255, np.uint8)
    Image.fromarray(np.concatenate([pixels, alpha], axis=2)).save(path)
    return pixels


@pytest.mark.parametrize(
    ("write", "name", "tolerance"),
    [
        (_palette, "a.png", 0),
        (_palette, "a.tif", 0),
        (_cmyk, "a.tif", 1),
        (_cmyk, "a.jpg", 30),
        (_deep_colour, "a.tif", 0),
        (_twelve_bit_colour, "a.tif", 1),
        (_alpha, "a.png", 0),
    ],
)
def test_colour_models_are_converted(
    tmp_path: Path, write: Callable[[Path, np.ndarray], np.ndarray], name: str, tolerance: int
) -> None:
    pixels = tissue(gaussian_filter(texture(48, 1), 2))
    pixels[:16, :16] = 255  # tells the full scale of deep samples
    expected = write(tmp_path / name, pixels)
    read = read_rgb(tmp_path / name)
    assert read.dtype == np.uint8 and read.shape == pixels.shape
    assert np.abs(read.astype(int) - expected).max() <= tolerance


def test_alpha_is_laid_over_white(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8, 4), np.uint8)
    pixels[:4, :, 3] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    read = read_rgb(tmp_path / "a.png")
    assert (read[:4] == 0).all() and (read[4:] == 255).all()


def test_gray_is_repeated_and_16_bit_gray_is_stretched(tmp_path: Path) -> None:
    ramp = np.tile(np.arange(64, dtype=np.uint16) * 50 + 200, (64, 1))
    tifffile.imwrite(tmp_path / "a.tif", ramp)
    read = read_rgb(tmp_path / "a.tif")
    assert read.shape == (64, 64, 3) and read.min() == 0 and read.max() == 255
    assert np.array_equal(read, read_rgb(tmp_path / "a.tif", (200.0, 3350.0)))
    Image.fromarray((ramp // 64).astype(np.uint8)).save(tmp_path / "b.png")
    assert (read_rgb(tmp_path / "b.png")[..., 1] == ramp // 64).all()


def test_a_cut_off_tiff_is_not_read_as_black(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.full((64, 64, 3), 200, np.uint8), photometric="rgb")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(DatasetError, match=r"a\.tif"):
        read_rgb(path)
