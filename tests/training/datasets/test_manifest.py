from __future__ import annotations

import json
from pathlib import Path

import pytest

from focusviewer.training.datasets import DatasetError, read_manifest, verify_manifest, write_manifest
from tests.training.datasets.miniatures import make_focuspath


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_focuspath(tmp_path / "FocusPath", slides=1, strips=1)


def test_what_was_not_touched_agrees_with_its_manifest(root: Path) -> None:
    assert write_manifest(root, root / "manifest.json") == 17
    assert verify_manifest(root, root / "manifest.json") == []
    size, digest = read_manifest(root / "manifest.json")["FocusPath_full_split1.txt"]
    assert size == (root / "FocusPath_full_split1.txt").stat().st_size and len(digest) == 64


def test_changed_cut_missing_and_added_files_are_all_named(root: Path, tmp_path: Path) -> None:
    write_manifest(root, tmp_path / "sums.json")
    files = sorted((root / "FocusPath_full").iterdir())
    content = bytearray(files[0].read_bytes())
    content[50] ^= 1
    files[0].write_bytes(content)
    files[1].write_bytes(files[1].read_bytes()[:-1])
    files[2].unlink()
    (root / "new.txt").write_text("x")
    findings = verify_manifest(root, tmp_path / "sums.json")
    assert [(f.severity, f.path.name) for f in findings] == [
        ("error", files[0].name),
        ("error", files[1].name),
        ("error", files[2].name),
        ("warning", "new.txt"),
    ]
    assert "SHA-256" in findings[0].text and "bytes" in findings[1].text and "missing" in findings[2].text


@pytest.mark.parametrize("content", ["", "[]", "{}", json.dumps({"version": 9, "files": {}})])
def test_what_is_no_manifest_is_refused(root: Path, tmp_path: Path, content: str) -> None:
    (tmp_path / "sums.json").write_text(content)
    with pytest.raises(DatasetError, match=r"sums.json"):
        verify_manifest(root, tmp_path / "sums.json")
