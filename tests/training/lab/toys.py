"""Tiny tasks for the tests of the laboratory; ``toys.py OUT STEPS PAUSE`` trains one in a process to be killed."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from focusviewer.training.common import save_weights, write_card
from focusviewer.training.lab import LabConfig, LossOptimiser, RunFacts, Task, train

MEAN = 1.5  # of the numbers that the adversarial toy imitates


class Toy(Task):
    """Fits a sum of squares; dropout and batch norm carry what a careless resume would lose."""

    name = "toy"
    best = "mae"

    def __init__(self, at_step: Callable[[int], None] | None = None) -> None:
        self.at_step = at_step or (lambda step: None)
        self.net = nn.Sequential()

    def prepare(self, config: LabConfig) -> None:
        self.batch = config.batch

    def modules(self) -> dict[str, nn.Module]:
        if not len(self.net):
            layers = (nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))
            self.net = nn.Sequential(*layers)
        return {"net": self.net}

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        x = torch.randn(count, 4, generator=generator)
        return x, x.square().sum(1, keepdim=True)

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        self.at_step(step)
        x, y = self.draw(self.batch, generator)
        return {"loss": nn.functional.smooth_l1_loss(self.net(x).float(), y)}

    def validate(self) -> dict[str, float]:
        x, y = self.draw(64, torch.Generator().manual_seed(1))
        return {"mae": float((self.net(x) - y).abs().mean())}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        path = out / f"{self.name}.safetensors"
        save_weights(path, self.net.state_dict(), {})
        write_card(path.with_suffix(".md"), self.name, run.rows(path), f"{run.figures}", "a toy")
        return [path, path.with_suffix(".md")]


class ToyGan(Task):
    """A generator of one number that must learn the mean of the real ones, and a critic."""

    name = "gan"
    best = "distance"

    def __init__(self, at_step: Callable[[int], None] | None = None) -> None:
        self.at_step = at_step or (lambda step: None)
        self.generator: nn.Module = nn.Identity()
        self.critic: nn.Module = nn.Identity()

    def prepare(self, config: LabConfig) -> None:
        self.batch = config.batch

    def modules(self) -> dict[str, nn.Module]:
        if isinstance(self.critic, nn.Identity):
            self.generator = nn.Linear(1, 1)
            self.critic = nn.Sequential(nn.Linear(1, 16), nn.ReLU(), nn.Linear(16, 1))
        return {"generator": self.generator, "critic": self.critic}

    def optimisers(self, config: LabConfig) -> list[LossOptimiser]:
        critic = torch.optim.RMSprop(self.critic.parameters(), config.learning_rate / 2)
        generator = torch.optim.Adam(self.generator.parameters(), config.learning_rate, betas=(0.0, 0.9))
        return [LossOptimiser("critic", critic, "critic"), LossOptimiser("generator", generator, "generator", every=2)]

    def loss(self, step: int, generator: torch.Generator) -> dict[str, Tensor]:
        self.at_step(step)
        real = torch.randn(self.batch, 1, generator=generator) + MEAN
        fake = self.generator(torch.randn(self.batch, 1, generator=generator))
        softplus = nn.functional.softplus
        critic = softplus(-self.critic(real)).mean() + softplus(self.critic(fake.detach())).mean()
        return {"critic": critic, "generator": softplus(-self.critic(fake)).mean()}

    def validate(self) -> dict[str, float]:
        noise = torch.randn(256, 1, generator=torch.Generator().manual_seed(1))
        return {"distance": abs(float(self.generator(noise).mean()) - MEAN)}

    def export(self, out: Path, run: RunFacts) -> list[Path]:
        path = out / "gan.safetensors"
        save_weights(path, self.generator.state_dict(), {})
        return [path]


def main() -> None:
    """Train the toy slowly, with a checkpoint after every step."""
    out, steps, pause = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    train(Toy(lambda step: time.sleep(pause)), toy_config(steps), out)


def toy_config(steps: int) -> LabConfig:
    """What the killed run and the uninterrupted one share."""
    return LabConfig(steps=steps, seed=3, batch=8, learning_rate=1e-2, checkpoint_s=0, device="cpu")


if __name__ == "__main__":
    main()
