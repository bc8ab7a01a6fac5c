"""The program: all commands together, and the handling of errors.

Exit codes: 0 done, 2 bad usage or unreadable input (one line: what, why, what to do), 1 an error of ours,
130 interrupted by Ctrl+C.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import traceback
from collections.abc import Sequence

import typer

from focusviewer import __version__
from focusviewer.cli.commands import bench as benchmarks
from focusviewer.cli.commands import calibrate, datasets, heatmap, info, qc, report, score, train
from focusviewer.cli.commands import models as registry
from focusviewer.cli.commands import view as windows
from focusviewer.cli.evaluate import group as evaluate
from focusviewer.cli.refocus import command as refocus
from focusviewer.cli.simulate import commands as simulate
from focusviewer.core.errors import CancelledError, UserError
from focusviewer.core.files import clean_up

REPORT_HINT = (
    "This is an error of FocusViewer. Please report it with the command you ran and the output of it "
    "with FOCUSVIEWER_DEBUG=1 set, which shows where it happened."
)

CLEANING_S = 1.0
"""How long a command waits until what killed programs left is removed; the rest is removed while it works."""

app = typer.Typer(
    name="focusviewer",
    help="A whole-slide viewer with focus tools: blur heatmaps, virtual refocusing, focal stacks. Research use only.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"focusviewer {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Print the version."),
) -> None:
    # In a thread, for folders on a network that does not answer.
    cleaning = threading.Thread(target=clean_up, name="focusviewer-cleaning", daemon=True)
    cleaning.start()
    cleaning.join(CLEANING_S)


for _group in (
    windows,
    info,
    score,
    heatmap,
    calibrate,
    qc,
    report,
    refocus,
    registry,
    simulate,
    train,
    datasets,
    evaluate,
    benchmarks,
):
    _group.register(app)


def run(args: Sequence[str]) -> int:
    """Run one command line and return its exit code; messages for people go to stderr.

    Parameters
    ----------
    args : sequence of str
        The arguments after the program's name.
    """
    debug = bool(os.environ.get("FOCUSVIEWER_DEBUG"))
    try:
        code = app(args=list(args), prog_name="focusviewer", standalone_mode=False)
    except UserError as error:
        if debug:
            traceback.print_exc()
        return _complain(str(error), 2)
    except (KeyboardInterrupt, CancelledError, typer.Abort):
        return _complain("Interrupted.", 130)
    except (BrokenPipeError, SystemExit) as error:
        # `focusviewer models | head` closes our stdout early, which typer makes an exit with 1.
        if not isinstance(error if isinstance(error, OSError) else error.__context__, BrokenPipeError):
            raise
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123 - silences the flush at exit too
        return 0
    except Exception as error:
        if _is_usage_error(error):
            return _complain_about_usage(error)
        if debug:
            traceback.print_exc()
        text = " ".join(str(error).split())
        return _complain(f"{type(error).__name__}: {text}. {REPORT_HINT}" if text else REPORT_HINT, 1)
    return code if isinstance(code, int) else 0


def main() -> None:
    """Entry point of the ``focusviewer`` program."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name that the terminal's encoding cannot show is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def _complain(text: str, code: int) -> int:
    print(f"focusviewer: {text}", file=sys.stderr)
    return code


def _is_usage_error(error: Exception) -> bool:
    # By its look, not its class: typer has moved click from a dependency into itself.
    return hasattr(error, "format_message") and hasattr(error, "exit_code")


def _complain_about_usage(error: Exception) -> int:
    message = str(getattr(error, "format_message")())  # noqa: B009
    context = getattr(error, "ctx", None)
    command = str(getattr(context, "command_path", "focusviewer"))
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message)
        return 0 if command == "focusviewer" else 2
    message = " ".join(message.split()).rstrip(".")
    return _complain(f"{message}. See: {command} --help", 2)
