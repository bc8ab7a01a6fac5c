"""How long a run is, and where it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

from focusviewer.core.errors import UserError
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.task import Task
from focusviewer.training.lab.update import Updater

_TRIAL_SHARE = 0.02  # of the time budget goes into timing it
_MIN_TRIAL, _MAX_TRIAL = 4, 200  # steps
_TRIAL_LENGTH = 1000  # what the task is told while nobody knows the length


def choose_device(name: str) -> torch.device:
    """The device of a configuration; ``auto`` takes a CUDA card when there is one.

    Raises
    ------
    UserError
        If it is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UserError(f"Cannot train on {name}", "torch finds no such card", "Use --device cpu.")
    return device


def planned_steps(task: Task, modules: dict[str, nn.Module], config: LabConfig, validate: Callable[[], object]) -> int:
    """Number of steps of a new run.

    For a time budget the first steps and one validation are timed, and undone: the run that follows is the very run
    that ``--steps`` with the planned number makes.
    """
    if config.steps is not None:
        return config.steps
    if config.minutes is None:
        raise UserError(f"Cannot train {task.name}", "neither steps nor minutes are set", "Give --steps or --minutes.")
    before = {name: _copied(module) for name, module in modules.items()}
    began = time.monotonic()
    task.steps = _TRIAL_LENGTH
    updater = Updater(task, task.optimisers(config), config, _TRIAL_LENGTH)
    updater.step(0)  # the first one is slow
    warm = time.monotonic()
    done = 0
    while done < _MIN_TRIAL or (done < _MAX_TRIAL and time.monotonic() - began < config.minutes * 60 * _TRIAL_SHARE):
        done += 1
        updater.step(done)
    _wait(task.device)
    per_step = (time.monotonic() - warm) / done
    started = time.monotonic()
    validate()
    validation_s = (time.monotonic() - started) * (config.validations + 1)
    for name, module in modules.items():
        module.load_state_dict(before[name])
        module.zero_grad()
    left = config.minutes * 60 - (time.monotonic() - began) - validation_s
    return max(1, config.validations, round(left / max(per_step, 1e-9)))


def _copied(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.detach().clone() for name, tensor in module.state_dict().items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
