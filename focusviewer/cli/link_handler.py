"""Making this system open ``focusviewer://`` links with FocusViewer, for the present user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write
from focusviewer.qc.reports.links import SCHEME

DESKTOP_NAME = "focusviewer.desktop"
_MIME = f"x-scheme-handler/{SCHEME}"
_SPECIAL = set(" \t\n\"'\\><~|&;$*?#()`")


def register_links() -> list[str]:
    """Register the scheme; returns lines that say what was done.

    Raises
    ------
    UserError
        If it cannot be done, or this system does it in another way.
    """
    if sys.platform == "win32":
        return _register_windows()
    if sys.platform == "darwin":
        raise UserError(
            "Links cannot be registered by this command on macOS",
            "they belong to app bundles there",
            'Open a slide at a place with "focusviewer view FILE --at X,Y", which the report names beside every link.',
        )
    return _register_desktop()


def program_command() -> list[str]:
    """How this installation is started: its own script where there is one, else Python with the module."""
    if getattr(sys, "frozen", False):
        return [sys.executable]
    script = Path(sys.executable).with_name("focusviewer.exe" if os.name == "nt" else "focusviewer")
    return [str(script)] if script.is_file() else [sys.executable, "-m", "focusviewer"]


def desktop_entry(command: list[str]) -> str:
    """The text of a .desktop file (freedesktop.org) that opens the window, by itself or with a link."""
    words = " ".join(_quoted(word) for word in command)
    return (
        "[Desktop Entry]\n"
        "Type=Application\n"
        "Name=FocusViewer\n"
        "Comment=Focus quality of digital slides\n"
        f"Exec={words} view %u\n"
        "Icon=focusviewer\n"
        "Terminal=false\n"
        "Categories=Science;MedicalSoftware;Graphics;Viewer;\n"
        f"MimeType={_MIME};\n"
    )


def _quoted(word: str) -> str:
    """A word of an Exec line: quoted where it must be, and percent signs doubled."""
    if _SPECIAL & set(word):
        escaped = "".join("\\" + char if char in '"`$\\' else char for char in word)
        word = '"' + escaped.replace("\\", "\\\\") + '"'  # the file's own escapes come on top
    return word.replace("%", "%%")


def _register_desktop() -> list[str]:
    folder = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "applications"
    path = folder / DESKTOP_NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot write {path}", error.strerror or str(error)) from error
    with atomic_write(path) as temporary:
        temporary.write_text(desktop_entry(program_command()), encoding="utf-8")
    done = [f"wrote {path}"]
    steps = (["xdg-mime", "default", DESKTOP_NAME, _MIME], ["update-desktop-database", str(folder)])
    for step in steps:
        if shutil.which(step[0]) is None:
            done.append(f"{step[0]} is not installed; afterwards run: {' '.join(step)}")
        elif subprocess.run(step, check=False, capture_output=True).returncode:
            done.append(f"{step[0]} failed; try it yourself: {' '.join(step)}")
    return done


def _register_windows() -> list[str]:
    import winreg

    registry: Any = winreg  # its names exist on Windows only
    command = subprocess.list2cmdline([*program_command(), "view"]) + ' "%1"'
    root = rf"Software\Classes\{SCHEME}"
    values = (
        (root, "", "URL:FocusViewer link"),
        (root, "URL Protocol", ""),
        (rf"{root}\shell\open\command", "", command),
    )
    for key, name, value in values:
        with registry.CreateKey(registry.HKEY_CURRENT_USER, key) as handle:
            registry.SetValueEx(handle, name, 0, registry.REG_SZ, value)
    return [rf"set HKEY_CURRENT_USER\{root}"]
