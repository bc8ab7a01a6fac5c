"""``view`` and ``demo``: the commands that open a window."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from focusviewer.cli.arguments import parse_ints
from focusviewer.cli.output import note, print_json
from focusviewer.core.display import SNAPSHOT_FOLDER, has_display
from focusviewer.core.errors import UserError


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(view)
    app.command()(demo)


def view(
    paths: Annotated[
        list[str] | None, typer.Argument(metavar="[PATH]...", help="Slides to open, or a focusviewer:// link.")
    ] = None,
    at: Annotated[
        str | None, typer.Option("--at", metavar="X,Y", help="Show this level-0 pixel at full resolution.")
    ] = None,
    register: Annotated[
        bool, typer.Option("--register-links", help="Make this system open focusviewer:// links here; open nothing.")
    ] = False,
) -> int:
    """Open the window."""
    if register:
        from focusviewer.cli.link_handler import register_links

        typer.echo("\n".join(register_links()))
        return 0
    wanted, linked, place = _linked(paths or [])
    if at is not None:
        x, y = parse_ints(at, "--at", "20000,14000", 2)
        place = float(x), float(y)
    missing = [path for path in wanted if not path.exists()]
    if missing:
        raise UserError(f"Cannot open {missing[0]}", "there is no such file or folder", "Check the path.")
    code: int = _app().run_view(wanted, place, linked)
    return code


def _linked(texts: list[str]) -> tuple[list[Path], list[Path], tuple[float, float] | None]:
    """Paths, those that links name, and the place that a link among them names."""
    from focusviewer.qc.reports.links import parse_link

    paths: list[Path] = []
    linked: list[Path] = []
    place = None
    for text in texts:
        link = parse_link(text)
        if link is None:
            paths.append(Path(text))
        else:  # not looked at here: the window asks first
            linked.append(link[0])
            place = link[1] or place
    return paths, linked, place


def demo(
    snapshot: Annotated[
        Path | None,
        typer.Option("--snapshot", metavar="DIR", help="Run off-screen; save window pictures and demo.json there."),
    ] = None,
) -> None:
    """Make (once) and open the demo slide, with a heatmap and a refocus.

    Without a display it runs off-screen and saves pictures to demo-out/.
    """
    from focusviewer.core.files import output_folder

    if snapshot is None and not has_display():
        snapshot = SNAPSHOT_FOLDER
        note(f"No display: running off-screen, pictures go to {snapshot}{os.sep}")
    if snapshot is not None:
        output_folder(snapshot)
    figures = _app().run_demo(snapshot)
    if snapshot is not None:
        print_json(figures)


def _app() -> ModuleType:
    """The window's package; Qt is loaded only here."""
    try:
        from focusviewer import app
    except ImportError as error:
        raise UserError(
            "The window cannot start",
            str(error),
            "On Debian or Ubuntu packaging/system-libs installs the libraries that Qt needs.",
        ) from error
    return app
