"""Links that open a slide at a place: registered, and understood."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from focusviewer.cli import link_handler
from focusviewer.cli.commands import view as windows
from focusviewer.cli.link_handler import desktop_entry
from focusviewer.core.errors import UserError
from focusviewer.qc.reports.links import open_link
from tests.cli.tools import Outcome

Command = Callable[..., Outcome]
PACKAGING = Path(__file__).parents[2] / "packaging"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Path], tuple[float, float] | None, list[Path]]]:
    """What ``view`` would open; no window is made."""
    calls: list[tuple[list[Path], tuple[float, float] | None, list[Path]]] = []

    class Window:
        @staticmethod
        def run_view(paths: list[Path], at: tuple[float, float] | None, linked: list[Path]) -> int:
            calls.append((paths, at, linked))
            return 0

    monkeypatch.setattr(windows, "_app", lambda: Window)
    return calls


def test_view_opens_the_slide_and_place_of_a_link(command: Command, opened, tmp_path: Path) -> None:
    path = tmp_path / "a & b Ä?#%.svs"
    path.touch()
    assert command("view", open_link(path, (120.0, 34.0))).code == 0
    assert command("view", open_link(path).replace("//", "/", 1)).code == 0  # as some shells hand it on
    assert opened == [([], (120.0, 34.0), [path]), ([], None, [path])]
    outcome = command("view", "focusviewer://open?file=x")
    assert outcome.code == 2 and "names no slide" in outcome.err


def test_registering_writes_a_desktop_file_that_takes_links(
    command: Command, opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(link_handler.sys, "platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    monkeypatch.setattr(link_handler.shutil, "which", lambda name: name if name == "xdg-mime" else None)
    monkeypatch.setattr(link_handler.subprocess, "run", lambda step, **options: ran.append(step) or _Done())
    outcome = command("view", "--register-links")
    assert outcome.code == 0 and opened == []
    entry = (tmp_path / "share" / "applications" / "focusviewer.desktop").read_text(encoding="utf-8")
    assert "MimeType=x-scheme-handler/focusviewer;" in entry and " view %u\n" in entry
    assert ran == [["xdg-mime", "default", "focusviewer.desktop", "x-scheme-handler/focusviewer"]]
    assert "update-desktop-database is not installed" in outcome.out


def test_a_path_that_a_link_names_is_not_looked_at_before_the_user_agrees(
    command: Command, opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def looked(path: Path, **options: bool) -> object:
        assert "server" not in str(path)
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", looked)
    assert command("view", "focusviewer://open?path=%5C%5Cserver%5Cshare%5Ca.svs").code == 0
    assert opened == [([], None, [Path("\\\\server\\share\\a.svs")])]


class _Done:
    returncode = 0


def test_commands_with_odd_characters_are_quoted_for_desktop_files() -> None:
    line = re.search(r"^Exec=(.*) view %u$", desktop_entry(["/opt/my tools/100% $x/python", "-m", "y"]), re.M)
    assert line is not None
    unescaped = line[1].replace("\\\\", "\\").replace("%%", "%").replace("\\$", "$")
    assert shlex.split(unescaped) == ["/opt/my tools/100% $x/python", "-m", "y"]


def test_the_packaged_files_say_what_the_command_does() -> None:
    assert (PACKAGING / "focusviewer.desktop").read_text(encoding="utf-8") == desktop_entry(["focusviewer"])
    registry = (PACKAGING / "focusviewer-links.reg").read_text(encoding="utf-8")
    assert '"URL Protocol"=""' in registry and r"\Software\Classes\focusviewer\shell\open\command" in registry


def test_where_links_cannot_be_registered_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link_handler.sys, "platform", "darwin")
    with pytest.raises(UserError, match="macOS"):
        link_handler.register_links()
