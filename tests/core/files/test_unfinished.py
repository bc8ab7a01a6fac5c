"""What killed programs leave half written, and whose it is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from focusviewer.cli.program import run
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, building_folder, cache_dir, clean_up
from focusviewer.core.files.unfinished import remove_leftovers_in, temporary_name

WRITE = """
import sys, time
from pathlib import Path
from focusviewer.core.files import atomic_write, building_folder
with building_folder(Path(sys.argv[1])) as making, atomic_write(Path(sys.argv[1]) / "export.ome.tif") as temporary:
    (making / "part").write_text("half")
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path: Path) -> subprocess.Popen[str]:
    """A program in the midst of writing two things."""
    process = subprocess.Popen([sys.executable, "-c", WRITE, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    yield process
    process.kill()
    process.wait()


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait()


def test_the_next_start_removes_what_a_killed_program_left(
    tmp_path: Path, writer: subprocess.Popen[str], capsys: pytest.CaptureFixture[str]
) -> None:
    kill(writer)
    assert len(list(tmp_path.iterdir())) == 2
    assert run(["models"]) == 0
    assert list(tmp_path.iterdir()) == []
    assert list((cache_dir() / "unfinished").glob("*.txt")) == []


def test_the_next_write_into_a_folder_removes_it_as_well(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    kill(writer)
    for note in (cache_dir() / "unfinished").iterdir():
        note.unlink()  # another user's notes are not seen
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_what_a_running_program_writes_stays(tmp_path: Path, writer: subprocess.Popen[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    clean_up()
    with atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("whole")
    assert sorted(tmp_path.rglob("*")) == sorted([*before, tmp_path / "a.txt"])


def test_files_of_others_stay(tmp_path: Path) -> None:
    ours = temporary_name(tmp_path / "x.tif").name
    machine, process, start = ours.split(".fv-")[1].split("-")[:3]
    names = [
        ours,
        ours.replace(f"fv-{machine}", f"fv-{int(machine, 16) ^ 1:08x}").replace(f"-{process}-", "-999999999-"),
        ".x.1234abcd.tmp.tif",
        ".x.tmp",
        "x.tif.tmp",
    ]
    for name in names:
        (tmp_path / name).touch()
    remove_leftovers_in(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    reused = ours.replace(f"-{start}-", f"-{int(start, 16) - 5000:x}-")  # an earlier process of the same number
    (tmp_path / reused).touch()
    remove_leftovers_in(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_a_folder_that_cannot_be_written_to_is_named_and_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, *args: str, **options: bool) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "unlink", denied)
    monkeypatch.setattr(Path, "write_text", denied)
    with (
        pytest.raises(UserError, match=r"Cannot write .*a.txt: Permission denied"),
        atomic_write(tmp_path / "a.txt") as temporary,
    ):
        temporary.write_text("x")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="the system lets this user write anywhere")
def test_a_read_only_folder_is_a_message(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    with pytest.raises(UserError, match="Permission denied"), atomic_write(tmp_path / "a.txt") as temporary:
        temporary.write_text("x")


def test_a_settings_folder_that_cannot_be_made_stops_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from focusviewer.app.services.settings import Settings, load_settings, save_settings

    (tmp_path / "file").touch()
    monkeypatch.setenv("FOCUSVIEWER_CONFIG", str(tmp_path / "file" / "config"))
    monkeypatch.setenv("FOCUSVIEWER_CACHE", str(tmp_path / "file" / "cache"))
    settings, _ = load_settings()
    assert settings == Settings()
    with pytest.raises(UserError, match="Cannot write"):
        save_settings(settings)


def test_a_folder_that_is_built_is_gone_when_building_fails(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="broken"), building_folder(tmp_path) as folder:
        (folder / "part").touch()
        raise ValueError("broken")
    assert list(tmp_path.iterdir()) == []


def test_a_name_as_long_as_the_system_allows_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 240 + ".txt")
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
    assert path.read_text() == "whole"
