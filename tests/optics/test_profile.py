"""Optics profiles: what they hold for, and files that hold what cannot be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from focusviewer.core.errors import UserError
from focusviewer.optics.profile import ModelError, OpticsProfile, as_gray, read_profiles, to_document, write_profiles
from focusviewer.optics.psf import Optics


def profile(**changes: Any) -> OpticsProfile:
    rows = ((0.01, 0.1, 0.5),) * 3
    errors = (ModelError(1.0, rows, rows), ModelError(3.0, rows, ((0.04, 0.4, 2.0),) * 3))
    optics = Optics(na=0.62, chromatic_shift_um=(0.25, 0.0, -0.125), spherical_waves=0.125)
    made = OpticsProfile(
        "maker, 0.25 um", 0.25, optics, (0.1, 0.5, 1.5), errors, 0.5, None, "pair", "a and b", "2026-11-30"
    )
    return replace(made, **changes)


def test_profiles_survive_their_file(tmp_path: Path) -> None:
    both = [profile(), profile(scanner="Zürich, 0.5 um", mpp=0.5)]
    write_profiles(tmp_path / "profiles.json", both)
    assert read_profiles(tmp_path / "profiles.json") == both
    assert both[0].digest != both[1].digest


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"mpp": -1.0}, "mpp"),
        ({"mpp": None}, "mpp cannot be None"),
        ({"scanner": 3}, "scanner"),
        ({"colour": 1}, "colour is not known"),
        ({"frequency": [0.1, 0.5]}, "do not fit together"),
        ({"frequency": [0.5, 0.1, 1.5]}, "must rise"),
        ({"errors": []}, "do not fit together"),
        ({"method": "guess"}, "method"),
        ({"optics": {"na": 7.0}}, "optics.na"),
    ],
)
def test_what_cannot_be_is_told_by_its_name(tmp_path: Path, change: dict[str, Any], told: str) -> None:
    path = tmp_path / "profiles.json"
    document = to_document(profile()) | change
    if "optics" in change:
        document["optics"] = to_document(profile())["optics"] | change["optics"]
    path.write_text(json.dumps({"format": 1, "profiles": [document]}))
    with pytest.raises(UserError, match=told) as caught:
        read_profiles(path)
    assert str(path) in str(caught.value)


def test_a_missing_value_is_told_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "profiles.json"
    document = to_document(profile())
    del document["frequency"]
    path.write_text(json.dumps({"format": 1, "profiles": [document]}))
    with pytest.raises(UserError, match="frequency is missing"):
        read_profiles(path)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2, "profiles": []}', '{"format": 1, "profiles": [3]}'])
def test_a_file_of_another_kind_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "profiles.json"
    path.write_text(text)
    with pytest.raises(UserError, match="Cannot read the optics profiles"):
        read_profiles(path)


def test_a_profile_holds_for_its_scanner_and_scale_only() -> None:
    assert profile().holds_for("maker, 0.25 um", 0.251)
    assert not profile().holds_for("maker, 0.25 um", 0.5)
    assert not profile().holds_for("other, 0.25 um", 0.25)
    assert not profile().holds_for("maker, 0.25 um", None)


def test_noise_to_signal_lies_between_what_was_measured_and_stays_beyond() -> None:
    found = profile().noise_to_signal(np.array([0.0, 0.5, 9.0]), 1.0)
    assert found.shape == (3, 3) and np.allclose(found[1], [0.01, 0.1, 0.5], rtol=1e-3)
    assert np.allclose(profile().noise_to_signal(np.array([0.5]), 2.0), 0.2, rtol=1e-3)  # in its logarithm
    assert np.allclose(profile().noise_to_signal(np.array([0.5]), 50.0), 0.4, rtol=1e-3)
    assert np.allclose(profile().noise_to_signal(np.array([0.5]), 0.0), 0.1, rtol=1e-3)


def test_a_gray_camera_has_one_colour_for_all() -> None:
    gray = as_gray(profile().optics)
    assert len(set(gray.wavelengths_um)) == 1 and not any(gray.chromatic_shift_um)
