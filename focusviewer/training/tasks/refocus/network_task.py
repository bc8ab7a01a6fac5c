"""What tasks that train one refocusing network share: the network, its losses and its files."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Generic, TypeVar

import torch
from torch import Tensor, nn

from focusviewer.training.common import save_weights
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.lab.task import RunFacts, Task

Network = TypeVar("Network", bound=nn.Module)

MOST_DB = 50.0
"""Better than this is as good: else planes in focus, recorded without noise, decide every mean."""


class NetworkTask(Task, Generic[Network]):
    """Trains one network, which is written in half precision with its card."""

    _net: Network | None = None

    @property
    def net(self) -> Network:
        """The network."""
        if self._net is None:
            self._net = self._new_network()
            self._net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return self._net

    @abstractmethod
    def _new_network(self) -> Network:
        """The network before training."""

    @abstractmethod
    def _write_card(self, path: Path, run: RunFacts, figures: dict[str, float]) -> None:
        """Write the card of the weights at ``path``, whose figures are those of :meth:`validate`."""

    def modules(self) -> dict[str, nn.Module]:
        """The network."""
        return {"net": self.net}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """Weights in half precision, evaluated as they are written, with their card."""
        path = out / f"{self.name}.safetensors"
        state = {key: tensor.cpu().half() for key, tensor in self.net.state_dict().items()}
        save_weights(path, state, {"model": self.name, "simulator": SIMULATOR_VERSION})
        self.net.load_state_dict({key: tensor.float() for key, tensor in state.items()})
        with torch.no_grad():
            figures = self.validate()
        self._write_card(path, run, figures)
        return [path, path.with_suffix(".md")]


def robust(made: Tensor, wanted: Tensor, epsilon: float = 1e-3) -> Tensor:
    """Charbonnier's loss: absolute errors, squared near 0; a scalar."""
    return ((made.float() - wanted).square() + epsilon**2).sqrt().mean()


def decibels(made: Tensor, wanted: Tensor) -> Tensor:
    """PSNR of pictures (B, 3, H, W), 0..1, dB, at most :data:`MOST_DB`: float32 (B,)."""
    squared = (made.float().clamp(0, 1) - wanted).square().mean((1, 2, 3))
    return -10 * torch.log10(squared.clamp_min(10 ** (-MOST_DB / 10)))
