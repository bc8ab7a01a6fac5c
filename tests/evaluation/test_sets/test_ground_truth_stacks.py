from __future__ import annotations

import numpy as np
import pytest

from focusviewer.evaluation.test_sets import ground_truth_stacks as true_module
from focusviewer.evaluation.test_sets.ground_truth_stacks import GroundTruthConfig, ground_truth_stacks
from focusviewer.simulation.stacks import SimulatedStack, StackRecipe
from focusviewer.slides.base import RGB
from tests.evaluation.suites.refocus.toys import picture

pytestmark = pytest.mark.usefixtures("few_draws")


def test_true_stacks_hold_a_picture_at_every_fifth_of_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def simulated(recipe: StackRecipe, patch: RGB | None = None) -> SimulatedStack:
        asked.append(recipe)
        planes_um = np.arange(recipe.planes) * recipe.step_um
        pixels = np.stack([picture(z - 1.9) for z in planes_um])
        return SimulatedStack(pixels, planes_um, np.full((96, 96), 1.9, np.float32), 38)

    monkeypatch.setattr("focusviewer.simulation.stacks.simulate_stack", simulated)
    config = GroundTruthConfig(real=0, phantoms=1, side_px=64)
    (made,) = ground_truth_stacks([], config)
    (recipe,) = asked
    assert (recipe.planes, recipe.step_um, recipe.scanner.camera.noise) == (76, pytest.approx(0.05), 0.0)
    assert made.best == pytest.approx(8.6)
    np.testing.assert_array_equal(made.truth(9.2), made.clean[41])
    monkeypatch.setattr(true_module, "NOISE", 0.004)
    noise = made.recorded(9).astype(float) - made.truth(9)
    assert 1.2 < noise.std() < 1.7  # both have their own
    np.testing.assert_array_equal(made.recorded(9), made.recorded(9))
    assert (made.z_um(9.6), made.z_um(9.6, mirrored=True)) == (pytest.approx(0.25), pytest.approx(-0.25))
    with pytest.raises(ValueError, match="not between"):
        made.truth(16.4)
    assert len(ground_truth_stacks([], config)) == len(asked) == 1  # kept
