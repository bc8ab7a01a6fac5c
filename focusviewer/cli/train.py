"""``train``: thin wrappers of the trainers; the model card written beside the weights records the command."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from focusviewer.files import output_folder

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Training data; FOCUSVIEWER_DATA or ../shared/data when missing."),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder for weights, model cards and the log.")]
Minutes = Annotated[
    float | None, typer.Option("--minutes", min=0.01, help="Time budget; the trainer's own when missing.")
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random.")]

commands = typer.Typer(
    help="Train the shipped models.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.add_typer(commands, name="train")


@commands.command()
def focus(out: Out, data: Data = None, minutes: Minutes = None, seed: Seed = None) -> None:
    """FocusLiteNN with 1, 2 and 10 kernels, on simulated focal stacks of real sharp patches."""
    output_folder(out)  # before torch is loaded
    from focusviewer.training.focus import FocusConfig, train_focus

    for name, path in train_focus(data, out, FocusConfig(**_given(minutes=minutes, seed=seed))).items():
        typer.echo(f"{name}: {path}")


@commands.command()
def refocus(out: Out, data: Data = None, minutes: Minutes = None, seed: Seed = None) -> None:
    """The fast refocusing engine, on simulated focal stacks of real sharp patches."""
    output_folder(out)  # before torch is loaded
    from focusviewer.training.refocus import RefocusConfig, train_refocus

    typer.echo(f"fast: {train_refocus(data, out, RefocusConfig(**_given(minutes=minutes, seed=seed)))}")


def _given(**options: float | int | None) -> dict[str, Any]:
    """The options that were given; the rest keep the trainer's defaults."""
    return {name: value for name, value in options.items() if value is not None}
