"""Judging models on what they never saw, by the names that other modules use; the work is in ``judging``."""

from __future__ import annotations

from focusviewer.training.judging.focus import evaluate_focus_simulated
from focusviewer.training.judging.refocus import (
    evaluate_refocus_real,
    evaluate_refocus_simulated,
    refocus_simulated_table,
)
from focusviewer.training.judging.stacks import ASSUMED_MPP, REFERENCE, RealStack, evaluate_focus, real_stacks
from focusviewer.training.metrics import psnr, ssim

__all__ = [
    "ASSUMED_MPP",
    "REFERENCE",
    "RealStack",
    "evaluate_focus",
    "evaluate_focus_simulated",
    "evaluate_refocus_real",
    "evaluate_refocus_simulated",
    "psnr",
    "real_stacks",
    "refocus_simulated_table",
    "ssim",
]
