from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from focusviewer.core.errors import UserError
from focusviewer.training.datasets import (
    Dataset,
    DatasetError,
    dense_windows,
    find_datasets,
    focal_stacks,
    focus_images,
    open_dataset,
    recognise,
    refocus_pairs,
    split_groups,
)
from tests.training.datasets.miniatures import (
    make_bbbc006,
    make_deepfocus,
    make_deepfocus_folders,
    make_focuspath,
    make_kimia,
    make_tcga_focus,
    make_wss,
)


def groups(dataset: Dataset, split: str) -> set[str]:
    return {record.group for record in dataset.select(split)}


def test_focuspath_gives_levels_and_scores_of_its_index(tmp_path: Path) -> None:
    dataset = open_dataset(make_focuspath(tmp_path / "FocusPath"))
    assert (dataset.name, len(dataset.records), len(dataset.stacks)) == ("focuspath", 3 * 2 * 16, 6)
    record = next(r for r in dataset.records if r.path.name == "Slide01_Strip00_Slice01_Position01.png")
    assert (record.slide, record.strip, record.plane, record.position) == ("Slide01", 0, 1, 1)
    assert record.z_um == -7 * 0.25 and record.level == 7 and record.score == pytest.approx(20 + 9.5 * 7)
    assert not dataset.findings


def test_focuspath_stack_is_in_order_of_z_around_its_sharpest_slice(tmp_path: Path) -> None:
    dataset = open_dataset(make_focuspath(tmp_path / "FocusPath", slides=1, strips=1))
    (stack,) = focal_stacks(dataset)
    assert stack.reference == 7 and stack.z_um[0] == -1.75 and stack.z_um[-1] == 2.0
    assert stack.planes.shape == (16, 32, 32, 3)
    assert stack.levels[7] == 0 and max(stack.levels) == 8


def test_one_index_line_tells_the_levels_of_its_whole_stack(tmp_path: Path) -> None:
    root = make_focuspath(tmp_path / "FocusPath", slides=1, strips=1)
    index = root / "FocusPath_full_split1.txt"
    index.write_text(index.read_text().splitlines()[2] + "\n")
    assert [record.level for record in open_dataset(root).stack_records("Slide01_Strip00_Position01")] == [
        abs(number - 8) for number in range(1, 17)
    ]


def test_focuspath_without_an_index_takes_the_sharpest_plane_by_a_measure(tmp_path: Path) -> None:
    dataset = open_dataset(make_focuspath(tmp_path / "FocusPath", slides=1, strips=1, size_px=64, index=False))
    assert [image.truth for image in focus_images(dataset)] == [abs(number - 8) for number in range(1, 17)]
    with pytest.raises(DatasetError, match="states no reference plane"):
        list(focal_stacks(dataset, reference="metadata"))


def test_focuspath_strips_are_a_split_of_their_own(tmp_path: Path) -> None:
    dataset = open_dataset(make_focuspath(tmp_path / "FocusPath", slides=5))
    assert {record.strip for record in dataset.select("strips/train")} == {0}
    assert {record.strip for record in dataset.select("strips/test")} == {1}
    assert len(dataset.select("strips/train")) == len(dataset.select("strips/test")) == 5 * 16
    assert not dataset.select("strips/validation")


def test_tcga_focus_has_labels_cases_and_organs(tmp_path: Path) -> None:
    dataset = open_dataset(make_tcga_focus(tmp_path / "TCGA@Focus"))
    assert dataset.name == "tcga-focus" and not dataset.findings
    record = dataset.records[0]
    assert (record.case, record.kind, record.blurred, record.marker) == ("TCGA-OR-A5J0", "Adrenal Gland", False, False)
    assert len(dataset.select("published/test")) == len(dataset.records) == 16
    assert sorted({image.truth for image in focus_images(dataset)}) == [0.0, 1.0]


@pytest.mark.parametrize("folder", ["Out of Focus", "Out of Focus (Marker)"])
def test_tcga_focus_is_read_with_the_folder_names_of_its_index(tmp_path: Path, folder: str) -> None:
    dataset = open_dataset(make_tcga_focus(tmp_path / "data", out=folder))
    out = [record for record in dataset.records if record.blurred]
    assert len(out) == 8 and all(record.marker == ("Marker" in folder) for record in out)


def test_tcga_labels_mean_the_same_when_the_index_calls_sharp_one(tmp_path: Path) -> None:
    root = make_tcga_focus(tmp_path / "TCGA@Focus")
    index = root / "TCGA@Focus.txt"
    turned = [line[:-1] + str(1 - int(line[-1])) for line in index.read_text().splitlines()]
    index.write_text("\n".join(turned))
    dataset = open_dataset(root)
    assert [record.blurred for record in dataset.records] == ["Out" in str(record.path) for record in dataset.records]


@pytest.mark.parametrize("scale", [1.0, 255.0])
def test_deepfocus_classes_are_offsets_and_samples_become_8_bit(tmp_path: Path, scale: float) -> None:
    pytest.importorskip("h5py")
    dataset = open_dataset(make_deepfocus(tmp_path / "DeepFocus", scale=scale))
    assert [record.z_um for record in dataset.records[:7]] == [0, -2.5, -2.0, -1.5, -1.0, -0.5, 0.5]
    images = list(focus_images(dataset))
    assert images[1].truth == 10 and images[1].pixels.shape == (64, 64, 3)
    assert images[0].pixels.dtype == np.uint8 and 100 < images[0].pixels.mean() < 220
    assert not groups(dataset, "train") & groups(dataset, "test")


def test_deepfocus_folders_are_stacks_of_eleven_offsets(tmp_path: Path) -> None:
    dataset = open_dataset(make_deepfocus_folders(tmp_path / "patches"))
    assert dataset.name == "deepfocus"
    stacks = list(focal_stacks(dataset))
    assert len(stacks) == 2 and all(stack.reference == 5 for stack in stacks)
    assert stacks[0].z_um == tuple(np.arange(-2.5, 2.6, 0.5)) and stacks[0].slide == "slide0"


def test_bbbc006_planes_are_matched_whatever_their_uuid(tmp_path: Path) -> None:
    dataset = open_dataset(make_bbbc006(tmp_path / "BBBC006"))
    assert len(dataset.stacks) == 3 * 2 and "a01_s1_w1" in dataset.stacks
    stack = dataset.stack("a01_s1_w1")
    assert stack.z_um == (-30, -22, -12, 0, 32) and stack.reference == 3
    assert dataset.findings[0].severity == "warning" and "z = 2, 3, 4" in dataset.findings[0].text


def test_bbbc006_planes_share_one_grey_range(tmp_path: Path) -> None:
    dataset = open_dataset(make_bbbc006(tmp_path / "BBBC006"))
    planes = dataset.stack("a01_s1_w1").planes
    spread = planes.std(axis=(1, 2, 3))
    assert planes.dtype == np.uint8 and (planes[..., 0] == planes[..., 2]).all()
    assert spread.argmax() == 3 and spread[3] > 2 * spread[0], "blur must lower the contrast"
    record = dataset.stack_records("a01_s1_w1")[0]
    assert np.array_equal(dataset.read(record), planes[0])


def test_bbbc006_refocus_split_trains_above_focus_and_tests_below_in_other_wells(tmp_path: Path) -> None:
    dataset = open_dataset(make_bbbc006(tmp_path / "BBBC006", wells=("a01", "a02", "b01", "b02", "c01")))
    assert {record.plane for record in dataset.select("refocus/train")} == {1, 5, 10}
    assert {record.plane for record in dataset.select("refocus/validation")} == {1, 5, 10}
    assert {record.plane for record in dataset.select("refocus/test")} == {32}
    assert not groups(dataset, "refocus/train") & groups(dataset, "refocus/test")
    pairs = list(refocus_pairs(dataset, "refocus/test"))
    assert len(pairs) == 2 and all(target.std() > given.std() for given, target, _ in pairs)


def test_wss_masks_become_labelled_windows(tmp_path: Path) -> None:
    dataset = open_dataset(make_wss(tmp_path / "WSS2"))
    assert dataset.name == "path-dt-msu" and all(record.mask for record in dataset.records)
    images = list(focus_images(dataset, "published/train"))
    assert [image.truth for image in images] == [1, 0, 1, 0] * 2
    assert images[0].pixels.std() < images[1].pixels.std()


def test_wss_annotations_of_tissue_are_no_focus_truth(tmp_path: Path) -> None:
    root = tmp_path / "WSS1" / "train"
    root.mkdir(parents=True)
    Image.new("RGB", (64, 64)).save(root / "train_01.png")
    (root / "train_01_v2.5.json").write_text("[]")
    dataset = open_dataset(root.parent)
    assert dataset.records[0].mask == root / "train_01_v2.5.json"
    with pytest.raises(DatasetError, match="does not say what is blurred"):
        list(focus_images(dataset))


def test_kimia_classes_are_scans_and_hold_no_focus_truth(tmp_path: Path) -> None:
    dataset = open_dataset(make_kimia(tmp_path / "KimiaPath24"))
    assert {record.kind for record in dataset.records} == {"s0", "s1", "s2"}
    assert dataset.counts()["published"] == {"train": 6, "validation": 0, "test": 3}
    assert not groups(dataset, "train") & groups(dataset, "test")
    with pytest.raises(DatasetError, match="no focus truth"):
        next(focus_images(dataset))


MAKERS = {
    "focuspath": make_focuspath,
    "tcga-focus": make_tcga_focus,
    "bbbc006": make_bbbc006,
    "path-dt-msu": make_wss,
    "kimia-path24": make_kimia,
    "deepfocus": make_deepfocus_folders,
}


@pytest.mark.parametrize("name", MAKERS)
def test_every_layout_is_recognised_under_any_folder_name(tmp_path: Path, name: str) -> None:
    root = MAKERS[name](tmp_path / "some folder" / "x")
    entry = recognise(root)
    assert entry is not None and entry.about.name == name
    assert find_datasets(root) == [(root, entry)]
    make_kimia(root.parent / "Kimia Path24")
    found = {path.name: found.about.name for path, found in find_datasets(root.parent) if found}
    assert found == {"x": name, "Kimia Path24": "kimia-path24"}


@pytest.mark.parametrize("name", MAKERS)
def test_no_group_is_on_two_sides_of_the_default_split(tmp_path: Path, name: str) -> None:
    dataset = open_dataset(MAKERS[name](tmp_path / "x"))
    scheme = next(scheme for scheme in dataset.schemes if scheme != "published")
    sides = [groups(dataset, f"{scheme}/{side}") for side in ("train", "validation", "test")]
    assert sides[0] and sides[2] and not sides[0] & sides[1] and not sides[0] & sides[2] and not sides[1] & sides[2]
    assert sum(len(dataset.select(f"{scheme}/{side}")) for side in ("train", "validation", "test")) == len(
        dataset.records
    )


def test_splits_depend_on_the_seed_and_on_nothing_else() -> None:
    names = [f"case{number}" for number in range(50)]
    assert split_groups(names, 1) == split_groups(reversed(names), 1)
    assert split_groups(names, 1) != split_groups(names, 2)
    sides = list(split_groups(names).values())
    assert (sides.count("train"), sides.count("validation"), sides.count("test")) == (30, 10, 10)


@pytest.mark.parametrize(
    ("count", "expected"), [(1, {"train"}), (2, {"train", "test"}), (3, {"train", "validation", "test"})]
)
def test_few_groups_still_leave_something_to_train_on(count: int, expected: set[str]) -> None:
    assert set(split_groups(map(str, range(count))).values()) == expected


def test_an_unknown_split_says_which_there_are(tmp_path: Path) -> None:
    dataset = open_dataset(make_focuspath(tmp_path / "FocusPath", slides=1))
    with pytest.raises(UserError, match="strips"):
        dataset.select("organs/train")


def test_dense_windows_are_those_of_the_protocol() -> None:
    image = np.arange(1024 * 1024 * 3, dtype=np.uint32).reshape(1024, 1024, 3).astype(np.uint8)
    windows = dense_windows(image)
    assert windows.shape == (49, 235, 235, 3)
    assert np.array_equal(windows[8], image[128 : 128 + 235, 128 : 128 + 235])
    with pytest.raises(ValueError, match="holds no window"):
        dense_windows(image[:200])
