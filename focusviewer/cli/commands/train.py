"""``train``: any task of the laboratory; the model card written beside the weights records the command.

Exit codes as everywhere: 0 trained, 2 bad settings or a loss that is not finite, 130 stopped by Ctrl+C after a
checkpoint was written (``--resume`` goes on from there).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.core.errors import UserError
from focusviewer.core.files import check_output_folder

if TYPE_CHECKING:
    from focusviewer.training.lab import LabConfig
    from focusviewer.training.lab.entry import TaskEntry

TaskName = Annotated[
    str | None, typer.Argument(metavar="TASK", help="What to train, e.g. focus or refocus; without it: a list.")
]
Out = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder for weights, model cards, checkpoint, log and curve."),
]
ModelName = Annotated[str | None, typer.Option("--model", metavar="NAME", help="Which model of the task.")]
Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Training data; FOCUSVIEWER_DATA or ../shared/data when missing."),
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings in TOML; the other options override it.")
]
RecipeNames = Annotated[
    list[str] | None,
    typer.Option(
        "--recipe",
        metavar="NAME",
        help="Settings that are shipped: thesis and gpu for radiance. May be repeated, later ones override; --config "
        "and the other options override them all.",
    ),
]
Steps = Annotated[int | None, typer.Option("--steps", min=1, help="Length of the run in steps.")]
Minutes = Annotated[
    float | None,
    typer.Option("--minutes", min=0.001, help="Length by the clock, data not counted; instead of --steps."),
]
Seed = Annotated[int | None, typer.Option("--seed", min=0, help="Seed of everything random.")]
Device = Annotated[str | None, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N.")]
Precision = Annotated[str | None, typer.Option("--precision", metavar="NAME", help="float32 or bf16.")]
Loss = Annotated[
    str | None,
    typer.Option("--loss", metavar="NAME", help="For focus networks that give levels: huber, mse, mae, plcc or ccc."),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on from the checkpoint in --out, as if never stopped.")]


DETECTOR = "detector"
"""The task that is fitted, not trained."""


def register(app: typer.Typer) -> None:
    """Add the command of this module to the program."""
    app.command("train")(train)


def train(
    task: TaskName = None,
    out: Out = None,
    model: ModelName = None,
    data: Data = None,
    config: ConfigFile = None,
    recipe: RecipeNames = None,
    steps: Steps = None,
    minutes: Minutes = None,
    seed: Seed = None,
    device: Device = None,
    precision: Precision = None,
    loss: Loss = None,
    resume: Resume = False,
) -> None:
    """Train a model. Without TASK: what can be trained.

    A run that was killed or stopped goes on with the same command and --resume, and ends with the same weights.
    """
    if task is None:
        return _list_tasks()
    if out is None:
        raise UserError("No folder for the weights", "", "Give one with --out DIR.")
    if steps is not None and minutes is not None:
        raise UserError("--steps and --minutes were both given", "", "Give one of them.")
    check_output_folder(out)  # before torch is loaded
    if task == DETECTOR:
        unused: dict[str, object] = {
            "--model": model,
            "--config": config,
            "--steps": steps,
            "--minutes": minutes,
            "--loss": loss,
        }
        unused["--recipe"] = ", ".join(recipe) if recipe else None
        unused |= {"--device": device, "--precision": precision, "--resume": resume or None}
        return _fit_detector(out, data, seed, [name for name, value in unused.items() if value is not None])
    from focusviewer.evaluation.cards import CardEvaluator
    from focusviewer.training.catalogue import build, find_entry
    from focusviewer.training.lab import train as run
    from focusviewer.training.recipes import recipe_path

    entry = find_entry(task, model)
    files = [recipe_path(task, name) for name in recipe or []] + ([config] if config else [])
    base, own = _settings(entry, files, out, resume)
    if loss is not None:
        own = _with_loss(entry, own, loss)
    given = {"steps": steps, "minutes": minutes, "seed": seed, "device": device, "precision": precision}
    made = build(entry, data, own, CardEvaluator())
    for path in run(made, base.overridden(**given), out, resume=resume):
        typer.echo(path)


def _fit_detector(out: Path, data: Path | None, seed: int | None, unused: list[str]) -> None:
    """The classical detector has no steps: its curve is found by counting."""
    if unused:
        raise UserError(f"{' and '.join(unused)} cannot be used here", "the detector is fitted in one go", "")
    from focusviewer.training.tasks.focus.detector import train_detector

    for path in train_detector(data, out) if seed is None else train_detector(data, out, seed=seed):
        typer.echo(path)


def _with_loss(entry: TaskEntry, own: Any, loss: str) -> Any:
    if not hasattr(own, "loss"):
        raise UserError(f"{entry.model} takes no other loss", "it has one of its own", "Leave --loss out.")
    return replace(own, loss=loss)


def _settings(entry: TaskEntry, files: list[Path], out: Path, resume: bool) -> tuple[LabConfig, Any]:
    """Settings before the command line: of the files, later ones first, of the run to resume, or of the task."""
    from focusviewer.training.lab import read_config
    from focusviewer.training.lab.trainer import resumed_settings

    if resume:
        defaults, own = resumed_settings(entry.build(None, entry.settings).name, out, entry.settings)
    else:
        defaults, own = entry.defaults, entry.settings
    for file in files:
        defaults, own = read_config(file, defaults, own)
    return defaults, own


def _list_tasks() -> None:
    from focusviewer.cli.output import table
    from focusviewer.training.catalogue import entries

    rows = [[entry.task, entry.model, entry.summary] for entry in entries()]
    rows.append([DETECTOR, "hifst", "curve of the classical detector of blurred windows"])
    typer.echo(table(["task", "model", "what"], rows))
