"""The registry that all kinds of models share."""

from __future__ import annotations

from pathlib import Path

import pytest

from focusviewer.core.errors import UserError
from focusviewer.core.files import weights_from
from focusviewer.core.registry import ModelEntry, Registry, trained_entry
from focusviewer.core.weights import find_weights, need_weights
from focusviewer.focus import FOCUS_MODELS
from focusviewer.refocus import ENGINES
from focusviewer.restoration import RESTORERS
from focusviewer.stacking import STACKERS


class Double:
    """A model that is nothing but its name."""

    def __init__(self, name: str, weights: Path | None = None) -> None:
        self.name, self.version, self.weights = name, "1", weights

    def parameters(self) -> int:
        return 3


def offered() -> list[ModelEntry[Double]]:
    return [
        ModelEntry("plain", "double", lambda: Double("plain"), "needs nothing"),
        trained_entry("taught", "double", lambda path: Double("taught", path), "needs weights", is_slow=True),
    ]


def others() -> list[ModelEntry[Double]]:
    return [
        trained_entry(
            "hidden", "double", lambda path: Double("hidden", path), "", file="part/hidden.safetensors", advice="Train."
        )
    ]


DOUBLES: Registry[Double] = Registry("double", "There is no double {name}", offered, others)


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    (tmp_path / "part").mkdir()
    (tmp_path / "taught.safetensors").touch()
    (tmp_path / "part" / "hidden.safetensors").touch()
    return tmp_path


def test_models_are_built_by_name_from_their_weights(weights: Path) -> None:
    assert DOUBLES.get("plain").weights is None
    with weights_from(weights):
        assert DOUBLES.get("taught").weights == weights / "taught.safetensors"
        assert DOUBLES.get("hidden").weights == weights / "part" / "hidden.safetensors"
        assert all(entry.available for entry in DOUBLES.every_entry())
        assert need_weights("taught") == weights / "taught.safetensors"


def test_missing_weights_are_told_with_what_to_do() -> None:
    assert [entry.available for entry in DOUBLES.every_entry()] == [True, False, False]
    with pytest.raises(UserError) as told:
        DOUBLES.get("taught")
    assert str(told.value) == (
        "The weights of taught are missing: this installation has no taught.safetensors. Reinstall it."
    )
    with pytest.raises(UserError, match=r"has no part/hidden\.safetensors\. Train\."):
        DOUBLES.get("hidden")
    with pytest.raises(UserError, match="weights of nothing are missing"):
        need_weights("nothing")
    assert find_weights("nothing.safetensors") is None


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"There is no double 'tought'\. Did you mean taught\? Choose one of: plain"):
        DOUBLES.get("tought")
    with pytest.raises(UserError, match=r"There is no double 'xyz'\. Choose one of: plain, taught\."):
        DOUBLES.entry("xyz")


def test_what_is_found_by_name_only_is_not_offered() -> None:
    assert [entry.name for entry in DOUBLES.entries()] == ["plain", "taught"]
    assert [entry.name for entry in DOUBLES.every_entry()] == ["plain", "taught", "hidden"]


def test_slow_models_are_known_before_they_are_built() -> None:
    assert [DOUBLES.is_slow(name) for name in ("plain", "taught", "hidden", "nobody")] == [False, True, False, False]


def test_entries_of_two_listings_are_the_same() -> None:
    assert offered() == offered()


@pytest.mark.parametrize("registry", [FOCUS_MODELS, ENGINES, STACKERS, RESTORERS], ids=lambda registry: registry.kind)
def test_every_registry_names_each_model_once_and_by_its_kind(registry: Registry[Double]) -> None:
    names = [entry.name for entry in registry.every_entry()]
    assert len(set(names)) == len(names)
    assert {entry.kind for entry in registry.entries()} <= {registry.kind}
    with pytest.raises(UserError, match="'no such model'"):
        registry.get("no such model")
