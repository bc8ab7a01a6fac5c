from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.focus.knowledge.sparish import Sparish
from focusviewer.training.lab import LabConfig, train
from focusviewer.training.tasks.focus import dictionary as training
from focusviewer.training.tasks.focus.dictionary import DictionarySettings, DictionaryTask


@pytest.fixture
def from_a_known_dictionary(monkeypatch: pytest.MonkeyPatch) -> np.ndarray:
    """Blocks that are sums of three of sixty patterns."""
    rng = np.random.default_rng(1)
    true = rng.standard_normal((60, 64))
    true /= np.linalg.norm(true, axis=1, keepdims=True)

    def blocks(data: Path, split: str, count: int, generator: np.random.Generator) -> np.ndarray:
        pick = np.stack([generator.permutation(60)[:3] for _ in range(count)])
        made = (generator.uniform(0.5, 1, (count, 3, 1)) * true[pick]).sum(axis=1)
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    monkeypatch.setattr(training, "sharp_blocks", blocks)
    monkeypatch.setattr(training, "_HELD_OUT", 300)
    return true


def test_learning_explains_held_out_blocks_better_and_the_dictionary_loads(
    tmp_path: Path, from_a_known_dictionary: np.ndarray
) -> None:
    task = DictionaryTask(tmp_path, DictionarySettings(atoms=64, blocks=1000, judged=0))
    task.prepare(LabConfig(batch=256))
    before = task.validate()["unexplained"]
    config = LabConfig(steps=50, batch=128, learning_rate=1e-2, validations=2, device="cpu")
    written = train(DictionaryTask(tmp_path, task.settings), config, tmp_path)
    row = (tmp_path / "sparish.md").read_text().split("left unexplained: ")[1].split()[0]
    assert float(row) < 0.7 * before
    model = Sparish(next(path for path in written if path.suffix == ".safetensors"))
    np.testing.assert_allclose(np.linalg.norm(model.dictionary, axis=0), 1, rtol=1e-5)
    assert model.parameters() == 64 * 64
