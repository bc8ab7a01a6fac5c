from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.errors import UserError
from focusviewer.training.datasets import DatasetError, focal_stacks, focus_images, open_dataset, open_stack
from tests.training.datasets.miniatures import blurred, texture, tissue

Z = (-1.0, -0.5, 0.0, 0.5, 1.0, 1.5)


def planes() -> np.ndarray:
    sharp = texture(64, 3)
    return np.stack([tissue(blurred(sharp, 2 * z)) for z in Z])


def write_folder(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True)
    for name, plane in zip(names, planes(), strict=True):
        Image.fromarray(plane).save(folder / name)
    return folder


def write_ome(path: Path, positions: tuple[float, ...] | None = Z) -> Path:
    facts: dict[str, object] = {"axes": "ZYXS", "PhysicalSizeZ": 0.5, "PhysicalSizeZUnit": "µm"}
    if positions is not None:
        facts["Plane"] = {"PositionZ": list(positions), "PositionZUnit": ["µm"] * len(positions)}
    tifffile.imwrite(path, planes(), ome=True, photometric="rgb", metadata=facts)
    return path


def test_a_folder_of_numbered_planes_takes_its_sharpest_by_measure(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "stack", [f"plane_z{i:02d}.png" for i in range(6)])
    stack = open_stack(folder)
    assert stack.reference == 2 and not stack.z_known and len(stack) == 6
    assert np.array_equal(stack.planes, planes())
    with pytest.raises(DatasetError, match="no known z step"):
        _ = stack.levels
    assert open_stack(folder, z_step_um=0.5).levels == (4, 2, 0, 2, 4, 6)


@pytest.mark.parametrize("name", ["z{:+.1f}.png", "field1_z{:.2f}um.png"])
def test_names_that_state_z_in_um_give_positions_and_the_reference(tmp_path: Path, name: str) -> None:
    stack = open_stack(write_folder(tmp_path / "stack", [name.format(z) for z in Z]), "metadata")
    assert stack.z_um == Z and stack.z_known and stack.reference == 2
    assert np.array_equal(stack.planes, planes())


def test_the_reference_can_be_given_stated_or_measured(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "stack", [f"z{i}.png" for i in range(6)])
    assert open_stack(folder, 4).reference == 4
    assert open_stack(folder, "brenner").reference == 2
    with pytest.raises(DatasetError, match="no plane 6"):
        open_stack(folder, 6)
    with pytest.raises(DatasetError, match="states no reference plane"):
        open_stack(folder, "metadata")
    with pytest.raises(UserError, match="no focus model 'nonsense'"):
        open_stack(folder, "nonsense")


def test_an_ome_tiff_gives_positions_and_the_plane_it_calls_zero(tmp_path: Path) -> None:
    stack = open_stack(write_ome(tmp_path / "a.ome.tif"), "metadata")
    assert stack.z_um == Z and stack.z_known and stack.reference == 2
    assert np.array_equal(stack.planes, planes())


def test_an_ome_tiff_with_a_step_only_states_no_reference(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "a.ome.tif", None)
    assert open_stack(path).z_um == Z
    with pytest.raises(DatasetError, match="states no reference plane"):
        open_stack(path, "metadata")


def test_a_multi_page_tiff_is_a_stack(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane in planes():
            writer.write(plane, photometric="rgb", metadata=None)
    stack = open_stack(path, z_step_um=0.5)
    assert stack.reference == 2 and np.array_equal(stack.planes, planes()) and stack.levels[5] == 6


def test_planes_of_16_bits_share_one_range(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    sharp = texture(64, 3)
    for index, z in enumerate(Z):
        gray = (500 + 3000 * blurred(sharp, 2 * z)).astype(np.uint16)
        tifffile.imwrite(tmp_path / "stack" / f"z{index}.tif", gray)
    stack = open_stack(tmp_path / "stack", 2)
    assert stack.planes.std(axis=(1, 2, 3)).argmax() == 2
    assert stack.planes[5].std() < 0.5 * stack.planes[2].std()


def test_pages_of_unequal_size_are_named(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        writer.write(planes()[0], photometric="rgb", metadata=None)
        writer.write(planes()[1][:40], photometric="rgb", metadata=None)
    with pytest.raises(DatasetError, match=r"a.tif is no focal stack: page 1 is 64 x 40 pixels, page 0 is 64 x 64"):
        open_stack(path)


def test_one_odd_page_among_equal_ones_is_not_dropped_in_silence(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as writer:
        for plane in (*planes()[:3], planes()[3][:40], planes()[4]):
            writer.write(plane, photometric="rgb", metadata=None)
    with pytest.raises(DatasetError, match=r"page 3 is 64 x 40 pixels"):
        open_stack(path)


def test_planes_of_unequal_size_are_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "stack", [f"z{i}.png" for i in range(6)])
    Image.new("RGB", (30, 64)).save(folder / "z3.png")
    with pytest.raises(DatasetError, match=r"z3.png does not fit its stack: it is 30 x 64"):
        open_stack(folder)


def test_a_gap_in_the_numbers_is_a_missing_plane(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "stack", [f"z{i:02d}.png" for i in range(6)])
    (folder / "z03.png").unlink()
    with pytest.raises(DatasetError, match="number 3 is missing"):
        open_stack(folder)
    assert any("number 3 is missing" in finding.text for finding in open_dataset(tmp_path, strict=False).errors)


def test_even_steps_other_than_one_are_no_gap(tmp_path: Path) -> None:
    assert len(open_stack(write_folder(tmp_path / "stack", [f"z{50 * i:04d}.png" for i in range(6)]), 2)) == 6


def test_a_plane_that_an_ome_tiff_announces_in_vain_is_named(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "a.ome.tif", None)
    data = path.read_bytes()
    assert data.count(b'SizeZ="6"') == 1
    path.write_bytes(data.replace(b'SizeZ="6"', b'SizeZ="8"'))
    with pytest.raises(UserError, match=r"a\.ome\.tif"):
        open_stack(path)


def test_a_folder_of_stacks_is_a_data_set(tmp_path: Path) -> None:
    write_folder(tmp_path / "case1", [f"z{z:+.1f}.png" for z in Z])
    write_folder(tmp_path / "case2", [f"z{z:+.1f}.png" for z in Z])
    write_ome(tmp_path / "case3.ome.tif")
    (tmp_path / "case1" / "notes.txt").write_text("hello")
    dataset = open_dataset(tmp_path)
    assert dataset.name == "stacks" and set(dataset.stacks) == {"case1", "case2", "case3.ome.tif"}
    assert [finding.path.name for finding in dataset.findings] == ["notes.txt"]
    assert all(stack.z_um == Z for stack in focal_stacks(dataset))
    images = list(focus_images(dataset))
    assert len(images) == 18 and [image.truth for image in images[:6]] == [4, 2, 0, 2, 4, 6]
    assert {image.slide for image in images} == {"case1", "case2", "case3"}
    assert len(list(focal_stacks(dataset, "train"))) == 1


def test_a_simulated_data_set_keeps_its_split_and_its_best_planes(tmp_path: Path) -> None:
    for best, side in enumerate(("train", "train", "validation", "test")):
        (tmp_path / side).mkdir(exist_ok=True)
        write_ome(tmp_path / side / f"stack-{best}.ome.tif", None)
        np.savez(tmp_path / side / f"stack-{best}.truth.npz", best_plane=best)
    dataset = open_dataset(tmp_path)
    assert dataset.findings == ()
    assert dataset.counts()["folders"] == {"train": 12, "validation": 6, "test": 6}
    assert [stack.name for stack in focal_stacks(dataset, "test")] == ["test/stack-3.ome.tif"]
    assert [stack.reference for stack in focal_stacks(dataset)] == [3, 0, 1, 2]  # by path
    (tmp_path / "test" / "stack-3.truth.npz").write_bytes(b"PK no archive")
    with pytest.raises(DatasetError, match=r"stack-3\.truth\.npz"):
        list(focal_stacks(dataset, "test"))


def test_stacks_of_the_same_name_in_two_folders_stay_apart(tmp_path: Path) -> None:
    for patient in ("patient1", "patient2"):
        write_folder(tmp_path / patient / "stack", [f"z{z:+.1f}.png" for z in Z])
    stacks = list(focal_stacks(open_dataset(tmp_path)))
    assert [stack.name for stack in stacks] == ["patient1/stack", "patient2/stack"]
    assert all(len(stack) == 6 for stack in stacks) and stacks[0].slide != stacks[1].slide


def test_real_stacks_open_with_the_best_plane_that_is_known_of_them(data_dir: Path) -> None:
    stack = open_stack(data_dir / "stacks" / "test" / "wbc-0054")
    assert len(stack) == 10 and stack.reference is not None and abs(stack.reference - 5) <= 1
