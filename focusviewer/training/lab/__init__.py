"""The laboratory: one trainer for every task, with checkpoints that survive a kill at any moment."""

from __future__ import annotations

from focusviewer.training.lab.config import LabConfig, read_config, write_config
from focusviewer.training.lab.task import LossOptimiser, RunFacts, Task, adam
from focusviewer.training.lab.trainer import train

__all__ = ["LabConfig", "LossOptimiser", "RunFacts", "Task", "adam", "read_config", "train", "write_config"]
