from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from focusviewer.errors import UserError
from focusviewer.refocus.fast import FastRefocuser
from focusviewer.training.focus import FocusConfig, train_focus
from focusviewer.training.refocus import RefocusConfig, train_refocus

pytestmark = pytest.mark.usefixtures("_fast_bank")


def test_training_focus_writes_weights_cards_and_a_log(tiny_data: Path, tmp_path: Path) -> None:
    config = FocusConfig(
        minutes=0.02, batch=4, pool=8, phantoms=4, kernels=(1, 2), validation_batches=2, judged_seeds=()
    )
    written = train_focus(tiny_data, tmp_path / "out", config)
    assert set(written) == {"focuslitenn-1", "focuslitenn-2"}
    tensors = load_file(written["focuslitenn-2"])
    assert tensors["mpp0.25/conv.weight"].shape == (2, 3, 7, 7)
    assert tensors["mpp0.5/head.weight"].shape == (4,)
    assert all(np.isfinite(value).all() for value in tensors.values())
    card = written["focuslitenn-2"].with_suffix(".md").read_text()
    assert "SRCC" in card
    assert "--seed" in card
    assert (tmp_path / "out" / "focuslitenn.csv").read_text().startswith("mpp,step")


def test_training_refocus_writes_weights_the_engine_can_use(tiny_data: Path, tmp_path: Path) -> None:
    config = RefocusConfig(minutes=0.03, batch=2, pool=8, width=8, validation=8, judged_fields=1)
    path = train_refocus(tiny_data, tmp_path / "out", config)
    engine = FastRefocuser(path)
    image = np.full((64, 64, 3), 200, np.uint8)
    assert engine.encode([image], 0.25).blur_um.shape == (64, 64)
    card = path.with_suffix(".md").read_text()
    assert "| 1.5 um | 0.002 |" in card
    assert "Limits" in card


def test_a_missing_data_folder_is_a_clear_message(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No training data"):
        train_focus(tmp_path / "nowhere", tmp_path / "out")
