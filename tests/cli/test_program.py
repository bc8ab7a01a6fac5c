from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from focusviewer import __version__
from tests.cli.tools import Outcome

Command = Callable[..., Outcome]


def modules_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(' '.join(name.partition('.')[0] for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_command_line_loads_no_heavy_package() -> None:
    loaded = modules_after("import focusviewer.cli")
    assert not loaded & {"PySide6", "torch", "scipy", "skimage", "tifffile", "openslide", "pyqtgraph"}


def test_version_and_help_are_told(command: Command) -> None:
    assert command("--version").out.strip() == f"focusviewer {__version__}"
    usage = command()
    assert usage.code == 0
    for name in ["view", "demo", "info", "score", "heatmap", "refocus", "models", "simulate", "train", "bench"]:
        assert name in usage.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("info",),
        ("info", "--nonsense"),
        ("refocus", "x.png", "--z", "1"),
        ("heatmap", "x.png", "--plane", "one"),
        ("simulate", "defocus", "x.png"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(command: Command, arguments: tuple[str, ...]) -> None:
    outcome = command(*arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert len(outcome.err.strip().splitlines()) == 1
    assert "--help" in outcome.err


def test_an_error_of_ours_says_how_to_report_it(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("focusviewer.slides.open_slide", broken)
    outcome = command("info", "x.svs")
    assert outcome.code == 1
    assert "ZeroDivisionError" in outcome.err
    assert "FOCUSVIEWER_DEBUG=1" in outcome.err
    assert "Traceback" not in outcome.err
    monkeypatch.setenv("FOCUSVIEWER_DEBUG", "1")
    assert "Traceback" in command("info", "x.svs").err


def test_interruption_has_its_own_exit_code(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("focusviewer.slides.open_slide", interrupted)
    assert command("info", "x.svs").code == 130


def test_the_module_runs_as_a_program() -> None:
    arguments = [sys.executable, "-m", "focusviewer", "info", "no such file.svs"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no such file.svs" in done.stderr


def test_view_without_a_display_says_so(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform != "linux":  # the check is for Linux
        monkeypatch.setattr("sys.platform", "linux")
    outcome = command("view")
    assert outcome.code == 2
    assert "display" in outcome.err


def test_view_refuses_a_missing_path_before_opening_a_window(command: Command) -> None:
    assert os.environ["QT_QPA_PLATFORM"] == "offscreen"
    outcome = command("view", "nowhere.svs")
    assert outcome.code == 2
    assert "nowhere.svs" in outcome.err


@pytest.fixture
def demo_folders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Path | None]:
    """Folders that the window's demonstration was given; it is not run."""
    given: list[Path | None] = []

    def run_demo(snapshot: Path | None) -> dict[str, float]:
        given.append(snapshot)
        return {"window_ms": 1.5, "heatmap_srcc": float("nan")}

    monkeypatch.setattr("focusviewer.app.run_demo", run_demo)
    monkeypatch.chdir(tmp_path)
    return given


def test_demo_without_a_display_saves_pictures(command: Command, demo_folders: list[Path | None]) -> None:
    outcome = command("demo")
    assert outcome.code == 0
    assert demo_folders == [Path("demo-out")]
    assert "demo-out" in outcome.err
    assert outcome.document == {"window_ms": 1.5, "heatmap_srcc": None}


def test_demo_saves_pictures_where_it_is_told(
    command: Command, demo_folders: list[Path | None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QT_QPA_PLATFORM")
    monkeypatch.setenv("DISPLAY", ":99")
    assert command("demo", "--snapshot", tmp_path / "b ü" / "c").code == 0
    assert command("demo").code == 0
    assert demo_folders == [tmp_path / "b ü" / "c", None]


def test_demo_says_when_it_cannot_write(command: Command, demo_folders: list[Path | None], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert command("demo", "--snapshot", tmp_path / "file" / "pictures").code == 2
    assert demo_folders == []


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_names_outside_the_encoding_of_the_terminal_are_no_error(picture: Path, encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    arguments = [sys.executable, "-m", "focusviewer", "info", picture]
    for options in ([], ["--json"]):
        done = subprocess.run([*arguments, *options], env=environment, capture_output=True, check=False)
        assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout.decode(encoding))["path"] == str(picture)


def test_a_reader_that_has_seen_enough_is_no_error(picture: Path) -> None:
    arguments = [sys.executable, "-m", "focusviewer", "info", str(picture)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 0
