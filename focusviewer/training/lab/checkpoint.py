"""Checkpoints: one safetensors file with a JSON header, replaced as a whole or not at all; never pickle."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write
from focusviewer.core.json_text import from_json_text
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.lab.task import LossOptimiser
from focusviewer.training.lab.typed_toml import checked

FORMAT = 1
_HEADER = "focusviewer"


@dataclass
class Progress:
    """Where a run stands: everything but the tensors. All of it is JSON.

    Attributes
    ----------
    steps : int
        Planned length.
    step : int
        Steps done.
    seconds : float
        Time in training so far, over all sittings.
    rows : list of dict
        The log.
    sums, counts : dict
        Losses since the last row of the log, and how many steps gave each.
    best : dict of module name to (figure, step)
        The weights kept so far.
    """

    config: LabConfig
    settings: dict[str, Any]
    identity: dict[str, Any]
    steps: int
    step: int = 0
    seconds: float = 0.0
    rows: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    best: dict[str, tuple[float, int]] = field(default_factory=dict)


def _as_json(value: Any) -> str:
    return json.dumps(value)  # in the order of the rows, which is that of the columns


def write_checkpoint(path: Path, progress: Progress, tensors: Mapping[str, Tensor]) -> None:
    """Replace the checkpoint; on any end of the process there is the old one or the new one.

    Raises
    ------
    UserError
        If the folder cannot be written to.
    """
    header = {"format": FORMAT} | asdict(progress)
    data = save(
        {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()},
        {_HEADER: _as_json(header)},
    )
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())  # a power cut must not leave a new name on empty blocks


def read_progress(path: Path) -> Progress:
    """Where the run of a checkpoint stands.

    Raises
    ------
    UserError
        If there is no checkpoint, or it is damaged or of another version.
    """
    if not path.exists():
        raise UserError(f"Nothing to resume in {path.parent}", f"{path.name} is missing", "Start without --resume.")
    try:
        # Not as tensors of torch: for those the file is opened twice, and a running trainer may replace it in between.
        with safe_open(str(path), "np") as file:
            header = from_json_text(file.metadata()[_HEADER])
        if header.pop("format") != FORMAT:
            raise ValueError("it is of another version of the program")
        header["config"] = checked(LabConfig, {k: v for k, v in header["config"].items() if v is not None}, str(path))
        header["best"] = {name: (float(figure), int(step)) for name, (figure, step) in header["best"].items()}
        return Progress(**header)
    except (SafetensorError, KeyError, TypeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"Cannot resume from {path}", reason, "Start a new run in another folder.") from error


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, on the CPU, in memory of their own."""
    with safe_open(str(path), "pt") as file:
        return {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118 - not a dict


def module_tensors(prefix: str, module: nn.Module) -> dict[str, Tensor]:
    """State of a module under ``prefix``."""
    return {f"{prefix}{name}": tensor for name, tensor in module.state_dict().items()}


def load_module(prefix: str, module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Put the state under ``prefix`` into a module.

    Raises
    ------
    UserError
        If it does not fit.
    """
    state = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise UserError(
            f"Cannot resume {prefix.strip('/')}",
            "the network has changed since the checkpoint was written",
            "Start a new run in another folder.",
        ) from error


def optimiser_tensors(part: LossOptimiser) -> dict[str, Tensor]:
    """State of an optimiser; numbers become tensors of one element, so that nothing but tensors is stored."""
    state = part.optimiser.state_dict()["state"]
    return {
        f"optimiser/{part.name}/{index}/{key}": value if isinstance(value, Tensor) else _scalar(value)
        for index, values in state.items()
        for key, value in values.items()
        if value is not None
    }


def _scalar(value: float | int) -> Tensor:
    return torch.tensor(value, dtype=torch.int64 if isinstance(value, int) else torch.float64)


def load_optimiser(part: LossOptimiser, tensors: Mapping[str, Tensor]) -> None:
    """Put stored state into an optimiser; its settings are those it was made with."""
    prefix = f"optimiser/{part.name}/"
    state: dict[int, dict[str, Any]] = {}
    for name, tensor in tensors.items():
        if name.startswith(prefix):
            index, key = name[len(prefix) :].split("/", 1)
            state.setdefault(int(index), {})[key] = tensor
    part.optimiser.load_state_dict({"state": state, "param_groups": part.optimiser.state_dict()["param_groups"]})
