"""Which files of folders are slides: several files that are one, odd names, linked folders."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.qc.batch.discover import find_slides
from focusviewer.qc.batch.watcher import Watcher
from focusviewer.slides.files.suffixes import SLIDE_SUFFIXES
from tests.slides.dicom_files import write_report, write_slide
from tests.slides.readers.test_ome import write_set


def picture() -> np.ndarray:
    return np.arange(128 * 192 * 3).reshape(128, 192, 3).astype(np.uint8)


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize("files", [("l0.dcm", "l1.dcm", "label.dcm"), ("A.DCM", "B.DCM", "C.DCM"), ("1", "2", "3")])
def test_the_files_of_a_dicom_slide_are_one_slide(tmp_path: Path, files: tuple[str, ...]) -> None:
    paths = write_slide(tmp_path / "in", picture(), *files)
    report = write_report(tmp_path / "in" / "0report.dcm")
    found = find_slides([tmp_path / "in"])
    assert found.slides == paths[:1] and set(found.parts[paths[0]]) == set(paths) and found.left_out == [report]
    assert find_slides(paths).slides == paths[:1]


def test_two_dicom_slides_of_a_folder_are_two(tmp_path: Path) -> None:
    write_slide(tmp_path, picture(), "a0", "a1", "a2", series=1)
    write_slide(tmp_path, picture(), "b0", "b1", "b2", series=2)
    assert names(find_slides([tmp_path]).slides) == ["a0", "b0"]


@pytest.mark.parametrize("companion", [False, True])
def test_the_files_of_an_ome_stack_are_one_slide(tmp_path: Path, companion: bool) -> None:
    planes = np.stack([np.full((48, 64, 3), 40 * z, np.uint8) for z in range(4)])
    paths = write_set(tmp_path / "in", planes, companion=companion)
    found = find_slides([tmp_path / "in"])
    assert found.slides == paths[:1] and found.left_out == []
    assert find_slides(paths).slides == paths[:1]


@pytest.mark.parametrize("suffix", sorted(SLIDE_SUFFIXES))
def test_names_of_slides_in_any_case(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix.upper()}").touch()
    (tmp_path / f"b{suffix}").touch()
    assert len(find_slides([tmp_path]).slides) == 2


def test_linked_folders_are_followed_and_each_is_looked_into_once(tmp_path: Path) -> None:
    (tmp_path / "in" / "b").mkdir(parents=True)
    (tmp_path / "other" / "deep").mkdir(parents=True)
    (tmp_path / "in" / "b" / "x.svs").touch()
    (tmp_path / "other" / "deep" / "y.svs").touch()
    (tmp_path / "in" / "a-link").symlink_to(tmp_path / "in" / "b", target_is_directory=True)
    (tmp_path / "in" / "c-link").symlink_to(tmp_path / "other", target_is_directory=True)
    (tmp_path / "other" / "back").symlink_to(tmp_path / "in", target_is_directory=True)
    found = find_slides([tmp_path / "in", tmp_path / "in" / "c-link"])
    assert [path.relative_to(tmp_path / "in").as_posix() for path in found.slides] == ["b/x.svs", "c-link/deep/y.svs"]
    assert not found.failures


def test_a_link_to_nowhere_is_told(tmp_path: Path) -> None:
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere", target_is_directory=True)
    (tmp_path / "gone.svs").symlink_to(tmp_path / "nowhere.svs")
    found = find_slides([tmp_path])
    assert names(found.slides) == ["gone.svs"] and names(found.left_out) == ["gone"]


def test_a_dicom_slide_is_complete_when_none_of_its_files_changes_any_more(tmp_path: Path) -> None:
    paths = write_slide(tmp_path / "in", picture())
    watcher = Watcher([tmp_path / "in"], [], 10.0)
    assert watcher.complete(0.0) == []
    label = paths[2].read_bytes()
    paths[2].write_bytes(label + b"\0\0")
    assert watcher.complete(9.0) == [] and watcher.complete(15.0) == []
    assert watcher.complete(19.5) == paths[:1]
