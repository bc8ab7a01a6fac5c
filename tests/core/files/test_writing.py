from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save

from focusviewer.core.errors import UserError
from focusviewer.core.files import check_output_folder, write_safetensors


def test_equal_weights_give_equal_files(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    tensors = {"b": np.arange(5, dtype=np.float32), "a": np.ones((2, 3), np.float16)}
    facts = {f"key{i}": f'"ä" {i}' for i in range(12)}
    written = set()
    for _ in range(5):
        write_safetensors(path, save(tensors, facts))  # the library shuffles the metadata each time
        written.add(path.read_bytes())
    assert len(written) == 1
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0
    read = load_file(path)
    assert set(read) == {"a", "b"} and all(np.array_equal(read[name], tensors[name]) for name in read)
    with safe_open(path, "np") as file:
        assert file.metadata() == facts


def test_weights_without_metadata_are_written_as_the_library_does(tmp_path: Path) -> None:
    data = save({"a": np.ones(3, np.float32)})
    write_safetensors(tmp_path / "a.safetensors", data)
    assert (tmp_path / "a.safetensors").read_bytes() == data


def test_a_folder_that_can_be_made_is_checked_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "results"
    assert check_output_folder(path) == path
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_made_are_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file, not a folder"):
        check_output_folder(tmp_path / "file" / "results")


def test_a_folder_that_may_not_be_looked_into_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path, **options: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", denied)
    with pytest.raises(UserError, match="Permission denied"):
        check_output_folder(tmp_path / "hidden" / "results")
