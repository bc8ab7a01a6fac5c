"""What the trainer trains: a task says what its networks, losses and figures are; the trainer does the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from focusviewer.training.common import file_digest, hardware
from focusviewer.training.lab.config import FREE_TO_CHANGE, LabConfig
from focusviewer.training.lab.evaluator import Evaluator
from focusviewer.training.lab.typed_toml import toml_lines


@dataclass(frozen=True)
class LossOptimiser:
    """Which optimiser lowers which loss.

    Attributes
    ----------
    name : str
        Key of its state in the checkpoint.
    optimiser : torch.optim.Optimizer
        Its learning rate at the start is the peak of the cosine schedule.
    loss : str
        Key of :meth:`Task.loss`'s result; its gradient goes to this optimiser's parameters only.
    every : int
        Steps between updates: a generator that moves once for five critic updates has 5.
    """

    name: str
    optimiser: torch.optim.Optimizer
    loss: str = "loss"
    every: int = 1

    def parameters(self) -> list[nn.Parameter]:
        """All parameters of the optimiser."""
        return [parameter for group in self.optimiser.param_groups for parameter in group["params"]]


@dataclass(frozen=True)
class RunFacts:
    """What a model card says about the run.

    Attributes
    ----------
    command : str
        Repeats the run exactly: the steps are those that were planned.
    seconds : float
        Time in training, over all sittings, data not counted.
    best_steps : dict of module name to the step whose weights were kept
    figures : dict
        What :meth:`Task.validate` says of the weights that are exported.
    settings : dataclass or None
        Settings of the task itself.
    """

    name: str
    command: str
    config: LabConfig
    steps: int
    seconds: float
    device: str
    best_steps: Mapping[str, int]
    figures: Mapping[str, float]
    settings: Any = None

    def rows(self, weights: Path) -> dict[str, str]:
        """The rows of a card that are the same for every task."""
        kept = sorted(set(self.best_steps.values()))
        steps = f"step {kept[0]}" if len(kept) == 1 else f"steps {kept[0]}-{kept[-1]}"
        return {
            "Command": self.command,
            "Settings": "; ".join(self._settings()),
            "Hardware, time": f"{hardware(self.device)}; {self.seconds / 60:.3g} min for {self.steps} steps "
            f"in {self.config.precision}, plus making the data; weights of {steps}, the best on held-out data",
            "Weights": f"SHA-256 begins {file_digest(weights)}",
        }

    def _settings(self) -> list[str]:
        """All that decides the weights, so that the card alone tells how to make them again."""
        lines = toml_lines(replace(self.config, steps=self.steps, minutes=None))
        if self.settings is not None:
            lines += toml_lines(self.settings)
        return [line for line in lines if not line.startswith(tuple(f"{name} =" for name in FREE_TO_CHANGE))]


class Task(ABC):
    """One thing to train.

    The trainer sets torch's global seed, calls :meth:`prepare`, sets the seed again, calls :meth:`modules`, moves them
    to :attr:`device`, and then asks for one loss a step. Networks may be made in either method, but before anything
    else that draws random numbers.

    A step must be a pure function of the weights and of its generator: everything random comes from ``generator`` (on
    the CPU) or from torch's global generators (dropout), which the trainer both seeds from (seed, step). Nothing else
    may carry over from one step to the next, or a resumed run would go another way.

    Attributes
    ----------
    name : str
        Stem of the run's files.
    best : str or dict of module name to str
        Figure of :meth:`validate` that says which weights to keep: ``"mae_um"`` keeps the lowest, ``"+srcc"`` the
        highest. A dict lets modules that learn side by side each keep their own best.
    outputs : tuple of str
        Stems of the files that :meth:`export` writes, when they are not ``name``.
    alternate : bool
        With several optimisers: False takes all gradients from one call of :meth:`loss` and then makes all updates;
        True calls it again, with the same batch, for every optimiser, so that each sees the updates before it.
    command : str
        The command line that trains this, without the options of :class:`LabConfig`.
    defaults : (LabConfig, settings) or None
        What that command line does by itself; what differs from it needs the file of settings.
    settings : dataclass or None
        Settings of the task itself, kept beside the weights and compared when a run is resumed.
    evaluator : Evaluator or None
        Figures for model cards that training itself cannot take; cards lack them when it is None.
    device : torch.device
        Where the networks are; set by the trainer before :meth:`prepare`. Batches must be moved there.
    steps : int
        Planned length of the run, for schedules inside the loss; set by the trainer before the first loss.
    """

    name: str
    best: str | Mapping[str, str] = "loss"
    outputs: tuple[str, ...] = ()
    alternate: ClassVar[bool] = False
    command: str = ""
    defaults: tuple[LabConfig, Any] | None = None
    settings: Any = None
    evaluator: Evaluator | None = None
    device: torch.device = torch.device("cpu")
    steps: int = 1

    @abstractmethod
    def prepare(self, config: LabConfig) -> None:
        """Get the data ready; called once.

        Raises
        ------
        UserError
            If the data cannot be used.
        """

    @abstractmethod
    def modules(self) -> dict[str, nn.Module]:
        """The networks by name; the same objects every time."""

    @abstractmethod
    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Draw a batch and give its losses as scalars; those that no optimiser names are only logged."""

    @abstractmethod
    def validate(self) -> dict[str, float]:
        """Figures on held-out data; the networks are in eval mode and no gradient is kept."""

    @abstractmethod
    def export(self, out: Path, run: RunFacts) -> list[Path]:
        """Write weights and model card into ``out``; the modules hold the best weights, in eval mode.

        Returns
        -------
        The files written.
        """

    def optimisers(self, config: LabConfig) -> list[LossOptimiser]:
        """Which optimiser lowers which loss: by default one Adam (AdamW with weight decay) for all that can learn."""
        parameters = [p for module in self.modules().values() for p in module.parameters() if p.requires_grad]
        return [LossOptimiser("all", adam(parameters, config))]

    def identity(self) -> dict[str, Any]:
        """What the run learns from, in JSON's terms; a resumed run must say the same (after :meth:`prepare`)."""
        return {}


def adam(parameters: list[nn.Parameter], config: LabConfig) -> torch.optim.Optimizer:
    """Adam, or AdamW when the configuration has weight decay."""
    if config.weight_decay:
        return torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay)
    return torch.optim.Adam(parameters, config.learning_rate)
