"""Weights files of focus networks: one network for each pixel size, told apart by a prefix. Imports torch."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from focusviewer.core.files import write_safetensors
from focusviewer.core.weights import unreadable_weights
from focusviewer.focus.networks.base import FocusNetwork

HALF_ABOVE = 1_000_000
"""Networks with more parameters are stored in half precision: half the file, and no score moves by a hundredth."""

_COUNTERS = "num_batches_tracked"  # of batch normalisation; of no use after training


def scale_prefix(mpp: float) -> str:
    """Prefix of the tensors made for a pixel size: ``mpp0.25/``."""
    return f"mpp{mpp:g}/"


def save_networks(
    path: Path, networks: Mapping[float, FocusNetwork], metadata: Mapping[str, str] | None = None
) -> None:
    """Write one weights file with a network for each pixel size (um)."""
    state: dict[str, Tensor] = {}
    for mpp, network in networks.items():
        half = parameter_count(network) > HALF_ABOVE
        for name, tensor in network.state_dict().items():
            if not name.endswith(_COUNTERS):
                stored = tensor.detach().cpu().to(torch.float16 if half else torch.float32)
                state[scale_prefix(mpp) + name] = stored.contiguous().clone()
    write_safetensors(path, save(state, dict(metadata or {})))


def load_networks(path: Path, make: Callable[[], FocusNetwork]) -> tuple[dict[float, FocusNetwork], str]:
    """Read a weights file.

    Parameters
    ----------
    make : callable
        Builds the network with random weights.

    Returns
    -------
    dict of pixel size (um) to network, float32 and in evaluation mode; and how the file's SHA-256 begins.

    Raises
    ------
    UserError
        If the file cannot be read or holds other tensors than the network has.
    """
    try:
        data = path.read_bytes()
        scales: dict[str, dict[str, Tensor]] = {}
        for key, tensor in load(data).items():
            prefix, _, name = key.partition("/")
            scales.setdefault(prefix, {})[name] = tensor.float()
        if not scales:
            raise ValueError("it holds no tensors")
        networks = {float(prefix.removeprefix("mpp")): _filled(make(), own) for prefix, own in scales.items()}
    except Exception as error:
        raise unreadable_weights(path.stem, path, error) from error
    return networks, hashlib.sha256(data).hexdigest()[:8]


def _filled(network: FocusNetwork, tensors: Mapping[str, Tensor]) -> FocusNetwork:
    outcome = network.load_state_dict(tensors, strict=False)
    missing = [name for name in outcome.missing_keys if not name.endswith(_COUNTERS)]
    if missing or outcome.unexpected_keys:
        raise ValueError(f"tensors do not fit: missing {missing[:3]}, not known {outcome.unexpected_keys[:3]}")
    return network.eval()


def parameter_count(network: FocusNetwork) -> int:
    """Number of trained parameters."""
    return sum(parameter.numel() for parameter in network.parameters())
