"""``bench``: the benchmark table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.output import Progress, note, print_json, table

MONKEY, KILL = "monkey", "kill"
ALONE = (
    [MONKEY, "random actions in the window; only by its name"],
    [KILL, "qc, verdicts and export killed at random moments; only by its name"],
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(bench)


def bench(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[NAME]...", help="Benchmarks or groups of them; all when missing.")
    ] = None,
    slide: Annotated[
        Path | None, typer.Option("--slide", metavar="FILE", help="A slide of yours instead of the generated one.")
    ] = None,
    actions: Annotated[int, typer.Option("--actions", min=1, help="With monkey: how many.")] = 18_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="With monkey or kill: the same seed does the same.")] = 1,
    times: Annotated[int, typer.Option("--times", min=1, help="With kill: how often each program is killed.")] = 50,
    list_names: Annotated[bool, typer.Option("--list", help="Print the names and what they measure.")] = False,
    json: AsJson = False,
) -> None:
    """Measure this machine: value, reference (another library or the budget) and value / reference.

    "bench monkey" does random things in an off-screen window instead, "bench kill" kills programs at random moments;
    both tell what went wrong (exit code 1).
    """
    from focusviewer.bench import BENCHMARKS, run_benchmarks

    if names == [MONKEY]:
        return _monkey(slide, actions, seed, json)
    if names == [KILL]:
        return _kill(times, seed, json)
    if list_names:
        listed = [[b.name, b.summary] for b in BENCHMARKS]
        typer.echo(table(["name", "measures"], [*listed, *ALONE]))
        return
    with Progress("bench", quiet=json) as progress:
        results, failures = run_benchmarks(names or [], slide, progress)
    if json:
        print_json([result.to_json() for result in results])
    else:
        rows = [[r.name, r.value, r.unit, r.reference, r.ratio, r.against] for r in results]
        typer.echo(table(["name", "value", "unit", "reference", "ratio", "reference is"], rows))
    for name, reason in failures:
        note(f"{name} could not be measured: {reason}", quiet=json)


def _monkey(slide: Path | None, actions: int, seed: int, json: bool) -> None:
    from focusviewer.bench.monkey import let_monkey_loose

    with Progress(MONKEY, quiet=json) as progress:
        report = let_monkey_loose(slide, actions, seed, progress)
    problems = report.problems()
    facts = {
        "actions": report.actions,
        "seed": seed,
        "seconds": report.seconds,
        "longest_standstill_ms": report.blocked_ms,
        "longest_standstill_after": report.blocked_by,
        "memory_growth": report.growth,
        "memory_mb": report.memory_mb[-1] if report.memory_mb else None,
        "problems": problems,
    }
    _tell(facts, problems, json)


def _kill(times: int, seed: int, json: bool) -> None:
    from focusviewer.bench.kills import kill_programs

    with Progress(KILL, quiet=json) as progress:
        report = kill_programs(times, seed, progress)
    _tell({**report.kills, "problems": report.problems}, report.problems, json)


def _tell(facts: dict[str, Any], problems: list[str], json: bool) -> None:
    if json:
        print_json(facts)
    else:
        typer.echo("\n".join(f"{name}: {value}" for name, value in facts.items() if name != "problems"))
        typer.echo("\n".join(problems) or "no problems")
    if problems:
        raise typer.Exit(1)
