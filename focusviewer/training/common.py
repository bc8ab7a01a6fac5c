"""What every trainer shares: data folder, schedule, augmentation, the weights file and its model card."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, write_safetensors


def data_folder(path: Path | None) -> Path:
    """The folder of training data: the argument, else ``FOCUSVIEWER_DATA``, else ``../shared/data``.

    Raises
    ------
    UserError
        If it does not exist.
    """
    folder = Path(path or os.environ.get("FOCUSVIEWER_DATA") or "../shared/data")
    if not folder.is_dir():
        raise UserError(f"No training data at {folder}", "the folder does not exist", "Give it with --data DIR.")
    return folder


def cosine(progress: float, peak: float, warm_up: float = 0.03) -> float:
    """Learning rate after ``progress`` of the budget: linear warm-up, then half a cosine down to 1 % of the peak."""
    if progress < warm_up:
        return peak * max(progress / warm_up, 0.02)
    return float(peak * (0.01 + 0.99 * 0.5 * (1 + np.cos(np.pi * (progress - warm_up) / (1 - warm_up)))))


def augment(batch: Tensor, generator: torch.Generator) -> Tensor:
    """Flip and turn a square batch (B, C, S, S) as one."""
    turns = int(torch.randint(4, (1,), generator=generator))
    batch = torch.rot90(batch, turns, (2, 3))
    return batch.flip(3) if bool(torch.randint(2, (1,), generator=generator)) else batch


def save_weights(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file."""
    from safetensors.torch import save

    state = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    write_safetensors(path, save(state, dict(metadata)))


def file_digest(path: Path) -> str:
    """First 12 hex digits of a file's SHA-256, as model cards name weights."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def hardware(device: str = "cpu") -> str:
    """One line about this machine, for model cards; ``device`` is torch's name of where the training ran."""
    torch_version = f"torch {torch.__version__.split('+')[0]}"
    if torch.device(device).type == "cuda":
        return f"{torch.cuda.get_device_name(torch.device(device))}, {torch_version}"
    return f"{platform.machine()} CPU, {os.cpu_count()} cores, {torch_version}"


def write_card(path: Path, title: str, facts: Mapping[str, Any], figures: str, limits: str) -> None:
    """Write a model card in Markdown: what it is, how it was made, what was measured, where it ends."""
    lines = [f"# {title}", "", "| | |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in facts.items()]
    lines += ["", "## Figures", "", figures.strip(), "", "## Limits", "", limits.strip(), ""]
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
