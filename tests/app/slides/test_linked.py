"""Links may name any path: the user is asked before one is opened where nothing was opened before."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtWidgets import QMessageBox

from focusviewer.app.slides.files import lies_in


def questions(window) -> list[QMessageBox]:
    return [box for box in window.findChildren(QMessageBox) if box.isVisible()]


def test_a_link_to_an_unknown_folder_opens_only_when_the_user_agrees(window, slides, qtbot) -> None:
    asked: list[str] = []
    window.opening.open_linked([Path("/slides/fake.svs")], lambda: asked.append("before"))
    (box,) = questions(window)
    assert "/slides/fake.svs" in box.text()
    assert box.defaultButton().text() == "Do not open"
    box.defaultButton().click()
    qtbot.wait(100)
    assert (window.document, asked) == (None, [])
    window.opening.open_linked([Path("/slides/fake.svs")], lambda: asked.append("before"))
    (box,) = questions(window)
    next(button for button in box.buttons() if button.text() == "Open").click()
    qtbot.waitUntil(lambda: window.document is not None, timeout=5000)
    assert asked == ["before"]
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=5000)


def test_a_link_to_a_folder_from_which_something_was_opened_opens_at_once(window, open_in, qtbot) -> None:
    open_in(window, "other.svs")
    window.opening.open_linked([Path("/slides/fake.svs")], lambda: None)
    assert questions(window) == []
    qtbot.waitUntil(lambda: window.document.name == "fake.svs", timeout=5000)
    qtbot.waitUntil(lambda: not window.jobs.running(), timeout=5000)


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/scans/a.svs", True),
        ("/scans/new/a.svs", True),
        ("/scans/../etc/passwd", False),
        ("/scans2/a.svs", False),
        ("/other/a.svs", False),
        ("//server/share/a.svs", False),
        (str(Path.home() / "x.svs"), True),
        (str(Path.home() / ".ssh" / "id"), False),
        ("/a.svs", True),
    ],
)
def test_known_is_what_lies_below_a_folder_by_its_name(path: str, inside: bool) -> None:
    assert lies_in(Path(path), [Path("/scans"), Path.home(), Path("/")]) is inside
