from __future__ import annotations

import numpy as np
import pytest
import torch

from focusviewer.optics import Optics, defocus_image
from focusviewer.refocus.fast.filtering import filter_image
from focusviewer.refocus.fast.operators import HYPOTHESES, operator_bank
from focusviewer.training.data.stacks import PlaneConfig
from focusviewer.training.tasks.refocus import pool as refocus_pool
from focusviewer.training.tasks.refocus.pool import BLOCK, Pool, Pools, error_terms, make_pool, plain_case, quadratic
from focusviewer.training.tasks.refocus.selector import (
    RefocusSettings,
    hypothesis_errors,
    mixture_errors,
    selection_loss,
    soft_labels,
)

MPP = 0.25


def texture(size: int = 64) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    grain = gaussian_filter(np.random.default_rng(0).standard_normal((size, size)), 1.0)
    return np.repeat(np.clip(0.6 + grain / grain.std() * 0.12, 0, 1)[..., None], 3, axis=2).astype(np.float32)


@pytest.fixture(scope="module")
def terms() -> torch.Tensor:
    """Error terms of a texture blurred by 2 um."""
    sharp = texture()
    blurred = defocus_image(sharp, 2.0, MPP, Optics(na=0.7))
    planar = [torch.from_numpy(np.ascontiguousarray(np.moveaxis(i, -1, 0)))[None] for i in (sharp, blurred)]
    filtered = torch.from_numpy(filter_image(planar[1][0].numpy(), operator_bank(MPP), 48))[None]
    return error_terms(*planar, filtered)


def test_terms_give_the_error_of_any_mixture_of_filters() -> None:
    generator = torch.Generator().manual_seed(0)
    sharp, blurred, filtered, mix = (
        torch.rand(*shape, generator=generator) for shape in ((2, 3, 16, 16), (2, 3, 16, 16), (2, 4, 3, 16, 16), (4,))
    )
    made = blurred + torch.einsum("j,bjchw->bchw", mix, filtered)
    exact = torch.nn.functional.avg_pool2d((made - sharp).square().mean(1), 8)
    found = torch.einsum("t,bthw->bhw", quadratic(mix), error_terms(sharp, blurred, filtered))
    assert torch.allclose(found, exact, atol=1e-6)


def test_the_true_distance_has_the_smallest_error_and_the_label(terms: torch.Tensor) -> None:
    errors = hypothesis_errors(terms, MPP)
    best = HYPOTHESES[int(errors.mean((0, 2, 3)).argmin())]
    assert best.blur_um == pytest.approx(2.0, abs=0.25)
    label = soft_labels(errors, RefocusSettings()).mean((0, 2, 3))
    assert HYPOTHESES[int(label.argmax())].blur_um == pytest.approx(2.0, abs=0.25)
    assert torch.allclose(errors[:, 0], terms[:, -1])


def log_weights(hypothesis: int, side: int = 8 * BLOCK) -> torch.Tensor:
    logits = torch.zeros(1, len(HYPOTHESES), side, side)
    logits[:, hypothesis] = 20.0
    return torch.log_softmax(logits, 1)


def test_risk_is_that_of_the_picture_made(terms: torch.Tensor) -> None:
    chosen = next(i for i, guess in enumerate(HYPOTHESES) if guess.blur_um == 2.0)
    mixed = mixture_errors(log_weights(chosen), terms, MPP)
    assert torch.allclose(mixed, hypothesis_errors(terms, MPP)[:, chosen], rtol=1e-3, atol=1e-7)
    right, idle = (selection_loss(log_weights(k), terms, MPP, RefocusSettings(), 1.0) for k in (chosen, 0))
    assert right < idle


def test_plain_crops_are_the_patch_and_its_blur(rng: np.random.Generator) -> None:
    patch = (texture(80) * 255).astype(np.uint8)
    recorded, sharp, z_um = plain_case(patch, PlaneConfig(64, MPP), -2.0, rng)
    assert (recorded.shape, z_um) == ((64, 64, 3), 2.0)
    assert recorded.std() < 0.8 * sharp.std()
    same, truth, _ = plain_case(patch, PlaneConfig(64, MPP), 0.0, rng)
    assert np.abs(same.astype(int) - truth).mean() < 3


def test_pools_follow_from_their_seed_and_join(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refocus_pool, "SHARES", {"plain": 1.0})
    patches = np.stack([(np.roll(texture(256), shift, axis=0) * 255).astype(np.uint8) for shift in (0, 50)])
    one, again, other = (make_pool(patches, 3.0, 3, seed) for seed in (1, 1, 2))
    assert np.array_equal(one.terms, again.terms)
    assert not np.array_equal(one.z_um, other.z_um)
    both = Pools((one, other))
    assert sorted(np.concatenate([both.rows(0.25), both.rows(0.5)])) == list(range(6))
    rows = both.rows(0.5)
    cells, windows, terms = both.batch(rows, torch.device("cpu"))
    assert len(cells) == len(windows) == len(terms) == len(rows)
    assert isinstance(both.parts[0], Pool)
    assert np.allclose(terms[-1].numpy(), other.terms[other.rows(0.5)[-1]])
