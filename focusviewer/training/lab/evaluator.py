"""Figures of model cards that training cannot take itself: measured by whoever runs the training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from focusviewer.core.arrays import RGB, FloatArray
    from focusviewer.focus.base import FocusModel
    from focusviewer.refocus.base import Refocuser


class Evaluator(Protocol):
    """Takes figures of finished models on data that no task learns from; each row is for people and for tables."""

    def simulated_slides(self, model: FocusModel, seeds: Sequence[int]) -> list[dict[str, Any]]:
        """Map whole simulated slides, one for each seed: ``slide``, ``tissue_windows`` and ``srcc`` of each."""
        ...

    def held_out_fields(self, engine: Refocuser, data: Path, fields: int) -> list[dict[str, Any]]:
        """Refocus held-out fields of the data folder, blurred at several distances and with two levels of noise.

        Each row has ``z_um``, ``noise``, ``psnr_before``, ``psnr_auto``, ``worst_gain_auto``, ``ssim_before`` and
        ``ssim_auto``.
        """
        ...

    def real_gain(self, draw: Callable[[RGB], FloatArray], data: Path) -> dict[str, float]:
        """What a way to draw scans in focus gains on the real tissue that development looks at.

        Parameters
        ----------
        draw : callable
            From a scan, uint8 (H, W, 3) at 0.25 um per pixel, to a picture in focus, 0..255.

        Returns
        -------
        ``real_gain`` (dB), ``real_ssim_gain`` and ``real_worst`` (dB); empty where the folder has no such data.
        """
        ...

    def real_tissue(self, engine: Refocuser, data: Path) -> list[dict[str, Any]]:
        """Refocus real tissue of the data folder that is out of focus, beside the best textbook filter.

        Each row is the mean of a tissue, the last of all: ``tissue``, ``pairs``, gains over the scan in dB and SSIM
        (``gain_all``, ``ssim_gain_all``, ``gain_best``, ``ssim_gain_best``). None without such data.
        """
        ...
