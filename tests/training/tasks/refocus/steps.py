"""Training by hand: the losses of steps on one batch."""

from __future__ import annotations

import torch

from focusviewer.training.lab.task import Task


def losses_on_one_batch(task: Task, rate: float, steps: int = 12) -> list[float]:
    """Losses of Adam's steps on the batch of one generator, before each step."""
    optimiser = torch.optim.Adam(task.modules()["net"].parameters(), rate)
    losses = []
    for _ in range(steps):
        loss = task.loss(0, torch.Generator().manual_seed(3))["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses
