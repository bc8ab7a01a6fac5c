"""``evaluate qc``: verdicts against the truth of simulated slides."""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.commands.heatmap import cancel_on_interrupt
from focusviewer.cli.output import Progress, print_json, table

if TYPE_CHECKING:
    from focusviewer.evaluation.qc_trial.trial import Setting, TrialFigures
    from focusviewer.qc.worklist.summary import BatchProgress

FIGURES_SEED, TUNING_SEED = 101, 202
SETTING = ("blurred_um", "rescan_blurred_fraction", "rescan_worst_decile_um", "recall", "precision", "margin")


def register(commands: typer.Typer) -> None:
    """Add the command."""
    commands.command(name="qc")(evaluate_qc)


def evaluate_qc(
    slides: Annotated[int, typer.Option("--slides", min=10, help="Files to simulate, some of them broken.")] = 300,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help=f"{FIGURES_SEED}; with --tune {TUNING_SEED}.")
    ] = None,
    tune: Annotated[
        bool, typer.Option("--tune", help="Also try thresholds; on slides of another seed than those of the figures.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Keep slides and results; goes on with what is there.")
    ] = None,
    rules: Annotated[Path | None, typer.Option("--rules", metavar="FILE", help="Rules of the verdicts.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="Focus model.")] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, max=256, help="Slides at work at the same time.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Verdicts of ``qc`` against the truth: slides blurred by stripe, bubble or as a whole, empty and broken ones.

    With --out, DIR/slides holds the slides with truth.json, DIR/qc what ``qc`` writes; report.html has the ROC.
    """
    from focusviewer import qc
    from focusviewer.core.files import output_folder
    from focusviewer.evaluation.qc_trial.slides import make_trial_slides
    from focusviewer.evaluation.qc_trial.trial import run_trial
    from focusviewer.focus import get_model
    from focusviewer.qc.api import QC_MODEL
    from focusviewer.qc.verdicts.rules import load_rules
    from focusviewer.qc.worklist.summary import QcSummary

    chosen = load_rules(rules)
    get_model(model or QC_MODEL)  # before hundreds of slides are made for it
    number = seed if seed is not None else TUNING_SEED if tune else FIGURES_SEED
    keep = nullcontext(str(output_folder(out))) if out is not None else tempfile.TemporaryDirectory()
    with keep as place, Progress("evaluate qc", quiet=as_json) as line, cancel_on_interrupt() as cancel:
        folder = Path(place).absolute() / "slides"
        trials = make_trial_slides(folder, slides=slides, seed=number, on_progress=line)

        def progress(state: BatchProgress) -> None:
            line(state.fraction, str(state))

        def run_batch() -> QcSummary:
            return qc.run(
                [folder / trial.name for trial in trials],
                folder.parent / "qc",
                workers=workers,
                resume=True,
                rules=chosen,
                model=model,
                on_progress=progress,
                cancel=cancel,
            )

        found, settings = run_trial(folder, trials, run_batch, chosen, tuning=tune)
    if as_json:
        print_json({"seed": number, **found.to_json(), "settings": [vars(setting) for setting in settings[:20]]})
        return
    typer.echo("\n".join(_lines(found, settings)))


def _lines(found: TrialFigures, settings: list[Setting]) -> list[str]:
    verdicts = ["PASS", "REVIEW", "RESCAN", "failed"]
    rows = [[kind, *(became.get(verdict, 0) for verdict in verdicts)] for kind, became in found.kinds.items()]
    pace = f"{found.slides_per_hour:.0f} slides per hour" if found.slides_per_hour else "all judged before"
    lines = [
        table(["kind", *verdicts], rows),
        "",
        f"RESCAN at rules {found.rules}: recall {found.recall:.3f}, precision {found.precision:.3f}; "
        f"AUC of the score {found.auc:.4f}",
        f"{found.files} files: {found.judged} judged, {found.failed} failed with a reason, "
        f"{found.unaccounted} unaccounted for; {pace}",
    ]
    if found.wrong:
        lines.append(f"called wrongly: {', '.join(found.wrong[:20])}")
    if settings:
        head = list(SETTING)
        lines += ["", table(head, [[vars(setting)[name] for name in head] for setting in settings[:12]])]
    return lines
