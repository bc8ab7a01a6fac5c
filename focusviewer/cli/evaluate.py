"""``evaluate``: models judged on what they never saw, simulated and real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.output import print_json, table
from focusviewer.files import cache_dir

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder; FOCUSVIEWER_DATA or ../shared/data when missing."),
]

commands = typer.Typer(
    help="Judge models on what they never saw.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.add_typer(commands, name="evaluate")


@commands.command()
def focus(
    model: Annotated[list[str] | None, typer.Option("--model", help="Model to judge; may be given again.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Blur scores against the truth of simulated slides, and over the planes of real focal stacks."""
    from focusviewer.focus import DEFAULT_MODEL, get_model
    from focusviewer.training.common import data_folder
    from focusviewer.training.evaluation import evaluate_focus, evaluate_focus_simulated, real_stacks

    models = [get_model(name) for name in model or [DEFAULT_MODEL]]
    stacks = real_stacks(data_folder(data))
    simulated = [row for item in models for row in evaluate_focus_simulated(item, cache_dir())]
    real = [row for item in models for row in evaluate_focus(item, stacks)]
    if as_json:
        print_json({"simulated": simulated, "real": real})
        return
    typer.echo("Simulated slides (tissue phantoms): Spearman correlation with the true defocus\n")
    _print_rows(simulated, ["model", "slide", "tissue_windows", "srcc"])
    typer.echo("\nReal focal stacks, judged as 0.25 um pixels: plane with the lowest score\n")
    _print_rows(real, ["model", "stack", "lowest", "reference", "planes_off"])


@commands.command()
def refocus(
    engine: Annotated[str | None, typer.Option("--engine", metavar="NAME", help="Engine to judge.")] = None,
    data: Data = None,
    as_json: AsJson = False,
) -> None:
    """Refocusing single planes blind: simulated defocus of held-out images, and planes of real focal stacks."""
    from focusviewer.refocus import DEFAULT_ENGINE, get_engine
    from focusviewer.training.common import data_folder
    from focusviewer.training.evaluation import evaluate_refocus_real, real_stacks, refocus_simulated_table

    judged = get_engine(engine or DEFAULT_ENGINE)
    folder = data_folder(data)
    stacks = real_stacks(folder)
    simulated = refocus_simulated_table(judged, folder)
    real = evaluate_refocus_real(judged, stacks)
    if as_json:
        print_json({"simulated": simulated, "real": real})
        return
    typer.echo("Held-out images, simulated defocus, refocused blind (dB, mean over fields)\n")
    head = ["z_um", "noise", "fields", "psnr_before", "psnr_auto", "psnr_knob", "worst_gain_auto", "ssim_before"]
    _print_rows(simulated, [*head, "ssim_auto"])
    typer.echo("\nReal focal stacks, judged as 0.25 um pixels: each plane against the best one\n")
    _print_rows(real, ["stack", "plane", "psnr_before", "psnr_after", "gain_db", "ssim_before", "ssim_after"])


def _print_rows(rows: list[dict[str, Any]], columns: list[str]) -> None:
    typer.echo(table(columns, [[_text(row[column]) for column in columns] for row in rows]))


def _text(value: Any) -> Any:
    return "-".join(str(item) for item in value) if isinstance(value, list) else value
