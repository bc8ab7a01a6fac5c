from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from focusviewer.training.data.refracting import _rimmed, refracting_crop, refracting_sources
from focusviewer.training.data.sources import Source
from focusviewer.training.lab.config import LabConfig
from focusviewer.training.tasks.refocus import pool as refocus_pool
from focusviewer.training.tasks.refocus.pool import SCALES, UNEXPLAINED, make_refracting_pool
from focusviewer.training.tasks.refocus.selector import RefocusSettings, SelectorTask, hypothesis_errors


def disc(side: int = 160, radius: int = 30) -> np.ndarray:
    """A dark cell on bright glass."""
    y, x = np.indices((side, side)) - side // 2
    image = np.full((side, side, 3), 200, np.uint8)
    image[np.hypot(y, x) < radius] = (150, 60, 120)
    return image


@pytest.fixture
def smears(tmp_path: Path) -> Path:
    for name in [f"patches/bccd/BloodImage_{i:05d}.jpg" for i in range(7)] + ["stacks/train/algae/z00.jpg"]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(disc()).save(tmp_path / name)
    return tmp_path


def test_smears_are_split_by_picture_and_algae_only_train(smears: Path) -> None:
    sides = [{source.name for source in refracting_sources(smears, side)} for side in ("train", "validation")]
    assert sides[1] == {"patches/bccd/BloodImage_00000.jpg", "patches/bccd/BloodImage_00006.jpg"}
    assert not sides[0] & sides[1]
    assert "stacks/train/algae/z00.jpg" in sides[0]
    assert refracting_sources(smears / "patches", "train") == []


def test_crops_follow_from_the_generator_and_differ() -> None:
    sources = [Source("smear", disc(300))]
    first, again, other = (refracting_crop(sources, 96, 0.25, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert (first.shape, first.dtype) == ((96, 96, 3), np.uint8)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_rims_are_brighter_than_the_glass_around_a_cell() -> None:
    light = disc().astype(np.float32) / 255
    glass = light[0, 0].mean()
    brightest = [_rimmed(light, np.random.default_rng(seed)).mean(axis=2).max() for seed in range(8)]
    assert light.mean(axis=2).max() == pytest.approx(glass)
    assert max(brightest) > glass + 0.01  # one sign of the strength has them outside, the other inside


def test_leaving_a_refracting_crop_alone_is_the_best_that_can_be_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refocus_pool, "CROP_PX", 64)
    pool = make_refracting_pool([Source("smear", disc(300))], 3, seed=1)
    errors = hypothesis_errors(torch.from_numpy(pool.terms[pool.rows(SCALES[0][0])]), SCALES[0][0]).mean((0, 2, 3))
    assert float(errors[0]) == pytest.approx(UNEXPLAINED, rel=1e-3)
    assert float(errors[1:].min()) > UNEXPLAINED


@pytest.mark.usefixtures("_fast_bank")
def test_batches_hold_their_share_of_refracting_crops(
    tiny_data: Path, smears: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FOCUSVIEWER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(refocus_pool, "SHARES", {"plain": 1.0})
    for path in sorted((smears / "patches" / "bccd").iterdir()):
        target = tiny_data / "patches" / "bccd" / path.name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(path.read_bytes())
    task = SelectorTask(tiny_data, RefocusSettings(pool=5, refracting=5, width=8, validation=4))
    task.prepare(LabConfig(steps=2, batch=4))
    assert task._refracting is not None
    assert task._refracting_checks is not None
    sizes = []
    monkeypatch.setattr(
        "focusviewer.training.tasks.refocus.selector.selection_loss",
        lambda logs, terms, *_: sizes.append(terms[:, -1]) or terms.sum(),
    )
    monkeypatch.setattr(type(task), "steps", 2, raising=False)
    monkeypatch.setattr(type(task), "device", torch.device("cpu"), raising=False)
    task.loss(0, torch.Generator().manual_seed(0))
    assert len(sizes[0]) == 4
    unexplained = torch.isclose(sizes[0], torch.tensor(UNEXPLAINED), rtol=1e-3).all(-1).all(-1)
    assert int(unexplained.sum()) == 1
