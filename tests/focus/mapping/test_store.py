from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.focus import FocusMap, MapCache, get_model, load_map, map_slide, save_map
from focusviewer.focus.networks.focuslitenn import FocusLiteNN
from tests.focus.doubles import MemorySlide
from tests.focus.maps import make_map


def _same(a: FocusMap, b: FocusMap) -> None:
    for field in fields(FocusMap):
        np.testing.assert_array_equal(getattr(a, field.name), getattr(b, field.name))


def test_maps_round_trip(tmp_path: Path) -> None:
    original = make_map([[1.5, np.nan], [0, 7]])
    path = tmp_path / "größe map.npz"
    save_map(original, path)
    _same(load_map(path), original)
    with np.load(path, allow_pickle=False) as archive:
        assert {"blur", "x", "y"} <= set(archive.files) and archive["blur"].dtype == np.float32
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_everything_a_fused_model_says_is_kept(tmp_path: Path) -> None:
    original = replace(
        make_map([[1.5, np.nan], [0, 7]]),
        uncertainty=np.float32([[0.1, np.nan], [0.2, 0.3]]),
        members={"mlv": np.float32([[1, 2], [3, 4]]), "gpc": np.zeros((2, 2), np.float32)},
        weights={"mlv": np.full((2, 2), 0.75, np.float32)},
        cannot_tell=np.array([[False, True], [False, False]]),
        calibration="some scanner",
    )
    save_map(original, tmp_path / "map.npz")
    found = load_map(tmp_path / "map.npz")
    assert found.uncertainty is not None and found.cannot_tell is not None and found.cannot_tell.dtype == bool
    np.testing.assert_array_equal(found.uncertainty, original.uncertainty)
    np.testing.assert_array_equal(found.cannot_tell, original.cannot_tell)
    assert list(found.members) == ["mlv", "gpc"] and list(found.weights) == ["mlv"]
    np.testing.assert_array_equal(found.members["mlv"], original.members["mlv"])
    assert found.calibration == "some scanner"


def test_files_from_before_there_were_such_layers_still_load(tmp_path: Path) -> None:
    described = {
        "format": 1, "model": "mlv", "model_version": "1", "absolute": False, "window_px": 235.0, "stride_px": 130.0,
        "mpp": 0.25, "plane": 0, "seconds": 1.0, "decode_seconds": 0.5, "unreadable": 0,
    }  # fmt: skip
    arrays = {"blur": np.ones((2, 3), np.float32), "x": np.zeros(3, np.float32), "y": np.zeros(2, np.float32)}
    np.savez(tmp_path / "old.npz", metadata=np.array(json.dumps(described)), **arrays)
    found = load_map(tmp_path / "old.npz")
    assert found.blur.shape == (2, 3) and found.cannot_tell is None and not found.members


def test_pickled_arrays_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.npz"
    np.savez(path, metadata=np.array([{"a": 1}], dtype=object), blur=np.zeros(1), x=np.zeros(1), y=np.zeros(1))
    with pytest.raises(UserError, match="Cannot read the focus map"):
        load_map(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut short", b"some text"])
def test_damaged_files_are_told_in_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match="Cannot read the focus map"):
        load_map(path)


def test_writing_where_one_cannot_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot write"):
        save_map(make_map([[1.0]]), tmp_path / "no such folder" / "map.npz")


def test_cache_returns_what_was_put_for_the_same_slide_and_model(
    tmp_path: Path, slide: MemorySlide, model: FocusLiteNN
) -> None:
    cache = MapCache(tmp_path / "maps")
    assert cache.get(slide, model) is None
    made = map_slide(slide, model)
    cache.put(slide, model, made)
    found = cache.get(slide, model)
    assert found is not None
    _same(found, made)
    assert cache.get(slide, get_model("mlv")) is None
    assert cache.get(slide, model, plane=1) is None
    assert cache.get(slide, model, mpp=0.5) is None


def test_cache_follows_content_and_weights(tmp_path: Path, picture: RGB, model: FocusLiteNN) -> None:
    cache = MapCache(tmp_path)
    one = MemorySlide(picture, mpp=0.25, fingerprint="one")
    cache.put(one, model, map_slide(one, model))
    assert cache.get(MemorySlide(picture, mpp=0.25, fingerprint="two"), model) is None
    newer = FocusLiteNN.__new__(FocusLiteNN)
    newer.__dict__.update(model.__dict__, version="2-other")
    assert cache.get(one, newer) is None and cache.get(one, model) is not None


def test_a_map_without_scale_learns_the_scale_that_was_told_later(tmp_path: Path, picture: RGB) -> None:
    cache, measure = MapCache(tmp_path), get_model("mlv")
    unknown = MemorySlide(picture, mpp=None)
    cache.put(unknown, measure, map_slide(unknown, measure))
    found = cache.get(MemorySlide(picture, mpp=0.5), measure)
    assert found is not None
    assert found.mpp == 0.5


def test_damaged_cache_files_count_as_missing(tmp_path: Path, slide: MemorySlide, model: FocusLiteNN) -> None:
    cache = MapCache(tmp_path)
    cache.path(slide, model).write_bytes(b"damaged")
    assert cache.get(slide, model) is None


def test_a_cache_that_cannot_be_written_does_not_matter(tmp_path: Path, slide, model: FocusLiteNN) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("in the way")
    cache = MapCache(blocker / "maps")
    cache.put(slide, model, make_map([[1.0]]))
    assert cache.get(slide, model) is None
