"""The radiance network: any number of planes, in any order; planes themselves untouched; smooth in the target."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from focusviewer.refocus.radiance.layers import IntraImageAttention
from focusviewer.refocus.radiance.network import (
    SIZES,
    Discriminator,
    RadianceConfig,
    RadianceNet,
    anchor_weights,
    load_radiance,
    save_radiance,
)

SMALL = RadianceConfig(4, 2, 2, 4)


def random_net(config: RadianceConfig = SMALL) -> RadianceNet:
    """A network whose residual head draws something."""
    torch.manual_seed(0)
    net = RadianceNet(config).eval().requires_grad_(False)
    torch.nn.init.normal_(net.head.weight, std=0.05)
    return net


def stack(planes: int, size: int = 32, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random pictures (1, FS, 3, S, S) and their distances from focus, a um apart."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(1, planes, 3, size, size, generator=generator)
    zs = torch.arange(planes, dtype=torch.float32).view(1, -1, 1, 1, 1) - 1.0
    return images, zs.expand(1, planes, 1, size, size).contiguous()


def target(z_um: float, size: int = 32) -> Tensor:
    return torch.full((1, 1, size, size), z_um)


@pytest.mark.parametrize("planes", [1, 2, 3, 16])
def test_any_number_of_planes_gives_the_same_shapes(planes: int) -> None:
    net = random_net()
    images, defocus = stack(planes)
    features = net.encode(images, defocus)
    assert [tuple(part.shape) for part in features] == [(1, 2, 4, 32, 32), (1, 2, 8, 16, 16), (1, 2, 16, 8, 8)]
    assert net.decode(features, images, defocus, target(-0.4)).shape == (1, 3, 32, 32)


def test_sizes_need_be_multiples_of_eight_only() -> None:
    net = random_net()
    images, defocus = torch.rand(2, 2, 3, 40, 24), torch.randn(2, 2, 1, 40, 24)
    assert net(images, defocus, torch.zeros(2, 1, 40, 24)).shape == (2, 3, 40, 24)


def test_the_order_of_the_planes_does_not_matter() -> None:
    net = random_net()
    images, defocus = stack(4)
    order = [2, 0, 3, 1]
    straight = net(images, defocus, target(0.4))
    assert torch.allclose(straight, net(images[:, order], defocus[:, order], target(0.4)), atol=1e-5)
    assert not torch.allclose(straight, net(images, defocus[:, order], target(0.4)), atol=1e-2)


def test_a_target_at_a_plane_returns_the_plane() -> None:
    net = random_net()
    images, defocus = stack(3)
    for index in range(3):
        assert torch.equal(net(images, defocus, target(index - 1.0)), images[:, index])


def test_the_picture_moves_smoothly_with_the_target() -> None:
    net = random_net()
    images, defocus = stack(2)
    features = net.encode(images, defocus)
    zs = torch.arange(-1.3, 0.3, 0.01)
    pictures = [net.decode(features, images, defocus, target(float(z))) for z in zs]
    steps = [float((a - b).abs().max()) for a, b in itertools.pairwise(pictures)]
    assert 0 < max(steps) < 0.03  # planes of noise: up to 0.01 comes from mixing the two planes alone


def test_the_residual_is_bounded_and_fades_at_a_plane() -> None:
    net = random_net(replace(SMALL, residual_limit=0.1))
    torch.nn.init.normal_(net.head.weight, std=5.0)
    images, defocus = stack(1)
    images = 0.3 + 0.4 * images  # nothing is cut off at black or white
    sizes = [float((net(images, defocus, target(z)) - images[:, 0]).abs().max()) for z in (-1.0, -0.9, 0.5, 3.0)]
    assert sizes[0] == 0
    assert sizes[1] < 0.011
    assert 0.09 < sizes[2] < 0.10001
    assert sizes[3] < 0.10001


def test_a_per_pixel_target_equals_the_uniform_one_far_from_its_steps() -> None:
    net = random_net()
    images, defocus = stack(2, 128)
    stepped = target(-0.5, 128)
    stepped[..., 64:] = 2.0
    features = net.encode(images, defocus)
    mixed = net.decode(features, images, defocus, stepped)
    left, right = (net.decode(features, images, defocus, target(z, 128)) for z in (-0.5, 2.0))
    assert torch.allclose(mixed[..., :32], left[..., :32], atol=1e-5)
    assert torch.allclose(mixed[..., 96:], right[..., 96:], atol=1e-5)


def test_planes_are_mixed_by_nearness_and_the_nearest_counts_outside() -> None:
    defocus = torch.tensor([3.0, 0.0, 1.0]).view(1, 3, 1, 1, 1)
    shares = {
        z: anchor_weights(defocus, torch.full((1, 1, 1, 1), z)).flatten().tolist() for z in (-2.0, 0.25, 2.5, 9.0)
    }
    assert shares[-2.0] == [0, 1, 0]
    assert shares[0.25] == pytest.approx([0, 0.75, 0.25])
    assert shares[2.5] == pytest.approx([0.75, 0, 0.25])
    assert shares[9.0] == [1, 0, 0]


@pytest.mark.parametrize("pooling", ["fsca", "max", "mean"])
def test_every_pooling_learns_and_its_weights_sum_to_one(pooling: str) -> None:
    net = RadianceNet(replace(SMALL, pooling=pooling))  # type: ignore[arg-type]
    torch.nn.init.normal_(net.head.weight, std=0.05)
    images, defocus = stack(2)
    loss = net(images, defocus, target(2.0)).square().mean()
    loss.backward()
    still = [name for name, value in net.named_parameters() if value.grad is None or not value.grad.isfinite().all()]
    assert still == []
    for weights, size in zip(net.attention(net.encode(images, defocus), target(2.0)), (32, 16, 8), strict=True):
        assert weights.shape == (1, 2, size, size)
        assert torch.allclose(weights.sum(1), torch.ones(1, size, size), atol=1e-5)


def test_attention_depends_on_the_target() -> None:
    net = random_net()
    features = net.encode(*stack(2))
    near, far = (net.attention(features, target(z))[0] for z in (0.0, 3.0))
    assert (near - far).abs().max() > 1e-3


def test_windows_see_their_neighbours_and_nothing_beyond_the_edge() -> None:
    torch.manual_seed(1)
    attention = IntraImageAttention(4, 2).eval().requires_grad_(False)
    tokens = torch.rand(1, 4, 24, 24)
    changed = tokens.clone()
    changed[..., 10:12] += 1  # in the neighbouring window, within reach of the first
    assert not torch.allclose(attention(tokens)[..., :8], attention(changed)[..., :8], atol=1e-6)
    constant = attention(torch.full((1, 4, 20, 20), 0.5))
    assert torch.allclose(constant, constant[..., :1, :1].expand_as(constant), atol=1e-5)


def test_bfloat16_draws_nearly_the_same_picture() -> None:
    net = random_net().to(memory_format=torch.channels_last)
    images, defocus = stack(2)
    exact = net(images, defocus, target(2.0))
    with torch.autocast("cpu", torch.bfloat16):
        rounded = net(images, defocus, target(2.0))
    assert rounded.dtype == torch.float32
    assert (exact - rounded).abs().mean() < 0.01


def test_an_untrained_network_shows_the_nearest_plane() -> None:
    net = RadianceNet(SMALL).eval()
    images, defocus = stack(2)
    assert torch.equal(net(images, defocus, target(5.0)), images[:, 1])


def test_weights_come_back_with_their_configuration(tmp_path: Path) -> None:
    net = random_net(replace(SMALL, pooling="mean", name="mine"))
    save_radiance(net, tmp_path / "net.safetensors", {"command": "none"})
    again = load_radiance(tmp_path / "net.safetensors")
    assert again.config == net.config
    images, defocus = stack(2)
    assert torch.allclose(net(images, defocus, target(2.0)), again(images, defocus, target(2.0)), atol=1e-5)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.zeros(1)}, str(tmp_path / "other.safetensors"))
    with pytest.raises(ValueError, match="not radiance"):
        load_radiance(tmp_path / "other.safetensors")


def test_sizes_grow() -> None:
    counts = [sum(p.numel() for p in RadianceNet(SIZES[name]).parameters()) for name in ("tiny", "slim", "seed")]
    assert counts == sorted(counts)
    assert all(SIZES[name].name == name for name in SIZES)


def test_the_discriminator_knows_the_target() -> None:
    torch.manual_seed(0)
    discriminator = Discriminator(8).eval()
    images = torch.rand(2, 3, 64, 64)
    scores = [discriminator(images, torch.full((2, 1, 64, 64), z)) for z in (0.0, 3.0)]
    assert scores[0].shape[:2] == (2, 1)
    assert not torch.allclose(scores[0], scores[1], atol=1e-4)
