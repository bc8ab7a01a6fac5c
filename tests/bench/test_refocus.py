"""The benchmark of radiance against fast."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from focusviewer.bench import refocus as bench_refocus
from focusviewer.bench.run import run_benchmarks
from focusviewer.core import registry
from focusviewer.refocus.radiance.network import RadianceConfig, RadianceNet, save_radiance


@pytest.fixture
def slide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bench_refocus, "PATCH_PX", 64)
    monkeypatch.setattr(bench_refocus, "PUBLISHED_PATCH_PX", 32)
    monkeypatch.setattr(bench_refocus, "PUBLISHED_SIZE", "tiny")
    path = tmp_path / "tissue.png"
    Image.fromarray(np.random.default_rng(0).integers(60, 200, (80, 90, 3), dtype=np.uint8)).save(path)
    return path


def with_weights(monkeypatch: pytest.MonkeyPatch, weights: Path | None) -> None:
    known = registry.find_weights
    monkeypatch.setattr(registry, "find_weights", lambda file: weights if file.startswith("radiance") else known(file))


def test_both_engines_are_timed_on_the_same_pixels(
    slide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    save_radiance(RadianceNet(RadianceConfig(4, 2, 2, 4)), tmp_path / "radiance.safetensors")
    with_weights(monkeypatch, tmp_path / "radiance.safetensors")
    rows, failures = run_benchmarks(["radiance"], slide, lambda done, what: None)
    assert failures == []
    parts = ("encode", "step", "picture")
    shipped, full = rows[:3], rows[3:]
    assert [row.name for row in shipped] == [f"radiance-{part}" for part in parts]
    assert [row.name for row in full] == [f"radiance-full-{part}" for part in parts]
    assert all(row.against == "fast" for row in shipped)
    assert all("untrained, timing only" in row.against for row in full)
    assert [row.reference for row in shipped] == [row.reference for row in full]  # measured once, in the same run
    assert all(row.ratio is not None and row.ratio > 0 for row in rows)
    assert shipped[2].value == pytest.approx(shipped[0].value + shipped[1].value)


def test_without_weights_it_is_left_out_with_the_reason(slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_weights(monkeypatch, None)
    radiance_only = tuple(one for one in bench_refocus.BENCHMARKS if one.name == "radiance")
    monkeypatch.setattr("focusviewer.bench.run.BENCHMARKS", radiance_only)
    rows, failures = run_benchmarks([], slide, lambda done, what: None)
    assert rows == []
    assert failures[0][0] == "radiance"
    assert "radiance.safetensors" in failures[0][1]
