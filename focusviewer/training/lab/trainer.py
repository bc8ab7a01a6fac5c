"""The trainer: runs any task, and goes on from where a killed run was as if nothing had happened.

A run is a pure function of its configuration: step n draws from generators that are seeded from (seed, n) and nothing
else, so there is no state of random numbers to lose. A checkpoint holds the rest: weights, optimiser states, the best
weights so far, how far the run is, how long it is planned to be, and the log. It is replaced as a whole, so that
whenever the process dies there is a good one, from which the steps that were lost are made again, bit for bit (on the
CPU, with the same number of threads).

Files in the output folder: NAME.toml (settings in effect), NAME.checkpoint, NAME.csv, NAME.png (curve, where matplotlib
is installed), and what the task exports (weights and model card).
"""

from __future__ import annotations

import dataclasses
import json
import math
import signal
import threading
import time
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from focusviewer.core.errors import UserError
from focusviewer.core.files import check_output_folder, output_folder
from focusviewer.training.lab import checkpoint
from focusviewer.training.lab.config import LabConfig, refuse_change, write_config
from focusviewer.training.lab.curve import draw_curve
from focusviewer.training.lab.log import row_text, write_csv
from focusviewer.training.lab.pace import Pace
from focusviewer.training.lab.plan import choose_device, planned_steps
from focusviewer.training.lab.plotting import no_curve_line
from focusviewer.training.lab.task import RunFacts, Task
from focusviewer.training.lab.typed_toml import checked
from focusviewer.training.lab.update import NotFiniteError, Updater, seed_layers, stream_seed
from focusviewer.training.waiting import waiting

RUN_SUFFIXES = (".checkpoint", ".csv", ".png", ".toml")
WEIGHT_SUFFIXES = (".safetensors", ".md")


def train(task: Task, config: LabConfig, out: Path, *, resume: bool = False) -> list[Path]:
    """Train a task into a folder.

    Parameters
    ----------
    out : Path
        Made when missing. Without ``resume`` it must not hold a run of this name.
    resume : bool
        Go on from the checkpoint in ``out``; the configuration must be the one that the run was started with.

    Returns
    -------
    The files that the task exported, then log and curve (none without matplotlib).

    Raises
    ------
    UserError
        If the folder holds another run, there is nothing to resume, data or device cannot be used, or a loss is not
        finite (the last good checkpoint stays).
    KeyboardInterrupt
        After Ctrl+C or a request to terminate; a checkpoint of the last whole step has been written.
    """
    path = out / f"{task.name}.checkpoint"
    before = checkpoint.read_progress(path) if resume else None
    if before:
        refuse_change(task.name, before.config, config)
        _refuse_other(task.name, "settings", before.settings, _plain(task.settings))
    else:
        _refuse_overwriting(task, out)
    check_output_folder(out)
    run = _Run(task, config, out, before)
    with _Interrupt() as interrupt:
        run.learn(interrupt)
    return run.export()


def resumed_settings(name: str, out: Path, own_defaults: Any) -> tuple[LabConfig, Any]:
    """Configuration and own settings of the run in a folder.

    Raises
    ------
    UserError
        If there is no checkpoint, or it cannot be used.
    """
    path = out / f"{name}.checkpoint"
    progress = checkpoint.read_progress(path)
    given = {key: value for key, value in progress.settings.items() if value is not None}
    return progress.config, checked(type(own_defaults), given, str(path))


def _refuse_overwriting(task: Task, out: Path) -> None:
    weights = task.outputs or (task.name,)
    names = [task.name + suffix for suffix in RUN_SUFFIXES]
    names += [stem + suffix for stem in weights for suffix in WEIGHT_SUFFIXES]
    there = [name for name in names if (out / name).exists()]
    if there:
        raise UserError(
            f"{out} already holds {there[0]}",
            "a new run would replace it",
            "Go on with it by --resume, or choose another folder.",
        )


def _refuse_other(name: str, what: str, before: dict[str, Any], now: dict[str, Any]) -> None:
    for key in sorted({*before, *now}):
        if before.get(key) != now.get(key):
            raise UserError(
                f"Cannot resume {name} with {what} of {key} = {now.get(key)}",
                f"the run was started with {before.get(key)}",
                "Start a new run in another folder.",
            )


def _plain(settings: Any) -> dict[str, Any]:
    """A dataclass in the terms of JSON, as it comes back from a checkpoint."""
    fields = dataclasses.asdict(settings) if settings is not None else {}
    plain: dict[str, Any] = json.loads(json.dumps(fields))
    return plain


class _Run:
    """One session of a run."""

    def __init__(self, task: Task, config: LabConfig, out: Path, before: checkpoint.Progress | None) -> None:
        self._task, self._config, self._out = task, config, out
        task.device = choose_device(config.device)
        torch.manual_seed(config.seed)
        with waiting(f"{task.name}: preparing the training data, which are kept for the next run"):
            task.prepare(config)
            identity: dict[str, Any] = json.loads(json.dumps(task.identity()))
        if before:
            _refuse_other(task.name, "data", before.identity, identity)
        output_folder(out)  # not before: data that are not there leave nothing behind
        torch.manual_seed(config.seed)
        self._modules = {name: module.to(task.device) for name, module in task.modules().items()}
        self._criteria = self._find_criteria()
        self._kept: dict[str, dict[str, Tensor]] = {}
        self._began = time.monotonic()
        self._no_curve = no_curve_line()
        self._train_mode()
        if before:
            self._progress = before
        else:
            with waiting(f"{task.name}: timing the first steps, to plan the run"):
                steps = self._reporting(lambda: planned_steps(task, self._modules, config, self._validation_figures))
            self._progress = checkpoint.Progress(config, _plain(task.settings), identity, steps)
        task.steps = self._progress.steps
        self._parts = task.optimisers(config)
        if before:
            self._restore()
        self._spent_before = self._progress.seconds
        self._updater = Updater(task, self._parts, config, self._progress.steps)
        if not before:
            self._began = time.monotonic()
            self._save()  # the first file of a run: whatever happens from here on can be resumed
        write_config(self._file(".toml"), config, task.settings)
        self._write_log()

    def learn(self, interrupt: _Interrupt) -> None:
        """Make the steps that are left."""
        progress, task = self._progress, self._task
        pace = Pace(task.name, progress.step, progress.steps)
        if progress.step < progress.steps:
            already = f", {progress.step} of them made already" if progress.step else ""
            pace.say(f"{task.name}: {progress.steps} steps{already}, on {task.device}, {self._config.precision}")
            if self._no_curve:
                pace.say(self._no_curve)
        validated = _validation_steps(progress.steps, self._config.validations)
        saved = time.monotonic()
        while progress.step < progress.steps:
            losses = self._reporting(lambda: self._updater.step(progress.step))
            progress.step += 1
            for name, value in losses.items():
                progress.sums[name] = progress.sums.get(name, 0.0) + value
                progress.counts[name] = progress.counts.get(name, 0) + 1
            pace.step(progress.step, next(iter(losses.values()), math.nan))
            if progress.step in validated:
                self._validate(pace)
            done = progress.step == progress.steps
            if done or interrupt.asked or time.monotonic() - saved >= self._config.checkpoint_s:
                self._reporting(self._save)
                saved = time.monotonic()
            if interrupt.asked and not done:
                pace.say(
                    f"Stopped after step {progress.step} of {progress.steps}; all of it is kept in "
                    f"{self._file('.checkpoint')}. The same command with --resume goes on."
                )
                raise KeyboardInterrupt
        pace.clear()

    def export(self) -> list[Path]:
        """Put the best weights into the networks and let the task write them."""
        for name, module in self._modules.items():
            if name in self._kept:
                module.load_state_dict(self._kept[name])
        figures = self._validation_figures()
        for module in self._modules.values():
            module.eval().requires_grad_(False)
        progress = self._progress
        facts = RunFacts(
            self._task.name,
            self._command(),
            self._config,
            progress.steps,
            progress.seconds,
            str(self._task.device),
            {name: step for name, (_, step) in progress.best.items()},
            figures,
            self._task.settings,
        )
        logs = [self._file(".csv")] if self._no_curve else [self._file(".csv"), self._file(".png")]
        return [*self._task.export(self._out, facts), *logs]

    def _command(self) -> str:
        """The command line that makes these weights again; with the file of settings where options cannot say it."""
        task, config = self._task, self._config
        words = [task.command or f"focusviewer train {task.name}"]
        usual, own = task.defaults or (LabConfig(), None)
        said = {"steps": self._progress.steps, "seed": config.seed, "precision": config.precision}
        plain = usual.overridden(**said, device=config.device)
        same = dataclasses.replace(plain, checkpoint_s=config.checkpoint_s) == config.overridden(**said)
        if task.defaults is None or not same or own != task.settings:
            words.append(f"--config {task.name}.toml")
        words += [f"--steps {self._progress.steps}", f"--seed {config.seed}"]
        if config.precision != usual.precision:
            words.append(f"--precision {config.precision}")
        return " ".join(words)

    def _file(self, suffix: str) -> Path:
        return self._out / f"{self._task.name}{suffix}"

    def _train_mode(self) -> None:
        for module in self._modules.values():
            module.train()

    def _find_criteria(self) -> dict[str, tuple[str, float]]:
        """Figure and sign (1: lower is better) for each module."""
        best = self._task.best
        texts = best if not isinstance(best, str) else dict.fromkeys(self._modules, best)
        return {name: (text.lstrip("+-"), -1.0 if text.startswith("+") else 1.0) for name, text in texts.items()}

    @torch.no_grad()
    def _validation_figures(self) -> dict[str, float]:
        for module in self._modules.values():
            module.eval()
        seed_layers(stream_seed(self._config.seed, 0, "validation"), self._task.device)
        figures = {name: float(value) for name, value in self._task.validate().items()}  # float32, as it will be used
        self._train_mode()
        return figures

    def _validate(self, pace: Pace) -> None:
        """Validate, log, and keep the weights of the modules that are better than ever."""
        progress, figures = self._progress, self._validation_figures()
        row = {"step": float(progress.step), "learning_rate": self._updater.rate}
        row |= {name: progress.sums[name] / progress.counts[name] for name in progress.sums}
        progress.rows.append(row | figures)
        progress.sums, progress.counts = {}, {}
        for name, (figure, sign) in self._criteria.items():
            value = figures[figure]
            held = progress.best.get(name)
            if held is None or sign * value < sign * held[0] or (math.isnan(held[0]) and not math.isnan(value)):
                progress.best[name] = (value, progress.step)
                state = self._modules[name].state_dict()
                self._kept[name] = {key: tensor.detach().cpu().clone() for key, tensor in state.items()}
        self._write_log()
        deciding = {figure for figure, _ in self._criteria.values()}
        pace.say(row_text({k: v for k, v in progress.rows[-1].items() if k in {"step", "loss", *deciding}}))

    def _write_log(self) -> None:
        write_csv(self._file(".csv"), self._progress.rows)
        if self._no_curve:
            return
        figures = list(dict.fromkeys(figure for figure, _ in self._criteria.values()))
        draw_curve(self._file(".png"), self._task.name, self._progress.rows, figures, self._progress.steps)

    def _save(self) -> None:
        """Write a checkpoint, unless weights are not finite: then the last one is better."""
        self._progress.seconds = self._spent_before_now()
        tensors: dict[str, Tensor] = {}
        for name, module in self._modules.items():
            tensors |= checkpoint.module_tensors(f"model/{name}/", module)
            tensors |= {f"best/{name}/{key}": value for key, value in self._kept.get(name, {}).items()}
        for key, tensor in tensors.items():
            if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                raise NotFiniteError(f"the weights {key.split('/', 1)[1]} are not finite")
        for part in self._parts:
            tensors |= checkpoint.optimiser_tensors(part)
        checkpoint.write_checkpoint(self._file(".checkpoint"), self._progress, tensors)

    def _spent_before_now(self) -> float:
        return getattr(self, "_spent_before", 0.0) + time.monotonic() - self._began

    def _restore(self) -> None:
        tensors = checkpoint.read_tensors(self._file(".checkpoint"))
        for name, module in self._modules.items():
            checkpoint.load_module(f"model/{name}/", module, tensors)
            prefix = f"best/{name}/"
            kept = {key[len(prefix) :]: value for key, value in tensors.items() if key.startswith(prefix)}
            if kept:
                self._kept[name] = kept
        for part in self._parts:
            checkpoint.load_optimiser(part, tensors)

    def _reporting(self, work: Any) -> Any:
        """Do something that may find numbers that are not finite, and tell what can be done about it."""
        try:
            return work()
        except NotFiniteError as error:
            path = self._file(".checkpoint")
            kept = f"The last good checkpoint stays in {path}. " if path.exists() else ""
            raise UserError(
                f"Training {self._task.name} stopped at step {self._step_now()}",
                str(error),
                f"{kept}Start again in another folder with a lower learning_rate or clip"
                + (", or --precision float32." if self._config.precision == "bf16" else "."),
            ) from error

    def _step_now(self) -> int:
        progress = getattr(self, "_progress", None)
        return progress.step if progress else 0


def _validation_steps(steps: int, count: int) -> set[int]:
    """Steps after which the run is validated: evenly spaced, the last one among them."""
    return {max(1, round(steps * k / count)) for k in range(1, count + 1)}


class _Interrupt:
    """While in force, Ctrl+C and SIGTERM ask for a clean end after the step that is being made; twice means now."""

    _SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.asked = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> _Interrupt:
        if threading.current_thread() is threading.main_thread():  # Python allows it nowhere else
            self._before = {number: signal.signal(number, self._ask) for number in self._SIGNALS}
        return self

    def __exit__(self, *exc: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
