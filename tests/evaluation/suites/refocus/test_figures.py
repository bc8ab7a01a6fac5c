"""Figures of refocusing on engines whose answer is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from focusviewer.core.arrays import RGB, FloatMap
from focusviewer.core.errors import UserError
from focusviewer.core.registry import ModelEntry
from focusviewer.evaluation import pictures
from focusviewer.evaluation.sets import true_stacks as true_module
from focusviewer.evaluation.sets.real_stacks import RealStack
from focusviewer.evaluation.sets.true_stacks import PLANES, TrueStack, TrueStacksConfig, true_stacks
from focusviewer.evaluation.suites.focus import simulated as focus_module
from focusviewer.evaluation.suites.refocus import honesty
from focusviewer.evaluation.suites.refocus import planes as planes_module
from focusviewer.evaluation.suites.refocus.bench import derived_rows
from focusviewer.evaluation.suites.refocus.competitors import Rivals, rivals_key
from focusviewer.evaluation.suites.refocus.inputs import evaluate_refocus_gaps, evaluate_refocus_inputs, nested_inputs
from focusviewer.evaluation.suites.refocus.planes import Planes, evaluate_refocus_planes
from focusviewer.evaluation.suites.refocus.real_planes import (
    equally_bright,
    evaluate_real_planes,
    plane_distance_um,
    real_cases,
    summary,
)
from focusviewer.evaluation.suites.refocus.simulated import evaluate_refocus_simulated
from focusviewer.evaluation.suites.refocus.traverse import APART, NEIGHBOURS, ONE, evaluate_traverse
from focusviewer.evaluation.suites.refocus.uneven import evaluate_uneven, uneven_sections
from focusviewer.metrics import psnr
from focusviewer.optics import Optics, defocus_image
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.refocus.fast.operators import SCANNER
from focusviewer.simulation.stacks import SimulatedStack, StackRecipe

Paint = Callable[[list[RGB], tuple[float, ...], "float | FloatMap"], RGB]
SAME_DB = 148.13  # what equal pictures score


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(focus_module, "RESAMPLES", 20)
    monkeypatch.setattr(true_module, "NOISE", 0.0)


class Toy(Refocuser):
    """Renders by a function of its planes, their positions and the target; remembers what it was given."""

    name = "toy"
    halo_px = 8

    def __init__(self, paint: Paint) -> None:
        self.paint, self.seen = paint, list[tuple[float, ...]]()

    def _encode(
        self, images: tuple[RGB, ...], mpp: float, planes_um: tuple[float, ...], focus_maps: list[FloatMap] | None
    ) -> Encoded:
        shape = images[0].shape[:2]
        self.seen.append(tuple(planes_um))
        return Encoded((shape[0], shape[1]), mpp, tuple(planes_um), np.zeros(shape, np.float32), list(images))

    def _render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:
        return self.paint(encoded.state, encoded.planes_um, target_um)


class Touching(Toy):
    """Goes around the interface: it draws even where a plane was acquired."""

    def render(self, encoded: Encoded, target_um: float | FloatMap) -> RGB:  # type: ignore[misc]
        return self._render(encoded, target_um)


def nothing() -> Toy:
    """Shows the plane nearest to the target."""
    return Toy(lambda images, zs, z: images[int(np.argmin([abs(float(np.mean(z)) - at) for at in zs]))])


def shifted(by: int) -> Toy:
    """Everything brighter by so many gray levels."""
    return Toy(lambda images, zs, z: (images[0].astype(int) + by).clip(0, 255).astype(np.uint8))


def decibel(gray_levels: float) -> float:
    return float(20 * np.log10(255 / gray_levels))


GRAIN = np.random.default_rng(2).standard_normal((96, 96, 3))


def picture(z_um: float) -> RGB:
    """A texture that blurs with distance, alike on both sides of focus."""
    sigma = round(abs(z_um), 3) + 0.5
    soft = gaussian_filter(GRAIN, (sigma, sigma, 0))
    return np.asarray(np.clip(128 + 60 * soft, 0, 240), dtype=np.uint8)


def stack(name: str = "a", planes: int = 16) -> Planes:
    z_um = tuple(0.25 * (index - planes // 2) + 0.1 for index in range(planes))  # no two are alike
    return Planes(np.stack([picture(z) for z in z_um]), z_um, planes // 2, name)


def knowing(error: Callable[[int], int] = lambda planes: 0) -> Toy:
    """Knows the picture at every focus; wrong by so many gray levels with so many planes."""
    return Toy(lambda images, zs, z: picture(float(np.mean(z))) + np.uint8(error(len(images))))


def no_rivals() -> Rivals:
    def refuse(name: str) -> Refocuser:
        raise UserError(f"no {name}", "", "")

    return Rivals(lambda image, optics, z_um, mpp, noise: image, refuse)


# More inputs


def test_inputs_of_one_number_are_among_those_of_the_next_and_never_next_to_the_target() -> None:
    engine = nothing()
    evaluate_refocus_inputs(engine, [stack()], (1, 2, 3, 5), targets=1)
    one, two, three, five = ({abs(z) for z in zs} for zs in engine.seen)
    assert (len(engine.seen[0]), len(engine.seen[3])) == (1, 5)
    assert one <= two <= three <= five
    for _ in range(20):
        target, order = nested_inputs(16, 5, np.random.default_rng(_))
        assert len(set(order)) == 5
        assert min(abs(plane - target) for plane in order) >= 2
    with pytest.raises(ValueError, match="too short"):
        nested_inputs(6, 5, np.random.default_rng(0))


def test_the_rise_is_that_of_the_same_cases() -> None:
    rows = evaluate_refocus_inputs(knowing(lambda planes: 6 - planes), [stack("a"), stack("b"), stack("c")])
    assert [row["inputs"] for row in rows] == [1, 2, 3, 5]
    assert [round(row["psnr"], 2) for row in rows] == [round(decibel(error), 2) for error in (5, 4, 3, 1)]
    assert "rise" not in rows[0]
    assert rows[1]["rise"] == pytest.approx(decibel(4) - decibel(5))
    assert rows[1]["rise_low"] == pytest.approx(rows[1]["rise_high"])
    assert [row["rises"] for row in rows[1:]] == [1.0, 1.0, 1.0]


def test_an_engine_that_knows_the_answer_has_nothing_to_gain() -> None:
    rows = evaluate_refocus_inputs(knowing(), [stack()], targets=1)
    assert all(row["psnr"] > 148 for row in rows)
    assert [row["rise"] for row in rows[1:]] == [0.0, 0.0, 0.0]


# Between two planes


def test_gaps_are_compared_with_the_nearer_plane_mixing_and_interpolators() -> None:
    rivals = Rivals(build=lambda name: knowing(lambda planes: 3 if name == "dfi" else 2))
    rows = evaluate_refocus_gaps(knowing(lambda planes: 1), [stack("a"), stack("b"), stack("c")], rivals)
    assert [row["gap_um"] for row in rows] == [1.0, 2.0, 3.0]
    for row in rows:
        assert row["psnr"] == pytest.approx(decibel(1))
        assert row["over_nearest"] == pytest.approx(row["psnr"] - row["psnr_nearest"])
        assert row["over_nearest"] > 3
        assert row["over_blend"] > 3
        assert row["psnr_dfi"] == pytest.approx(decibel(3))
        assert row["over_dfi"] == pytest.approx(decibel(1) - decibel(3))
        assert row["over_linear_latent"] == pytest.approx(decibel(1) - decibel(2))
    assert "psnr_dfi" not in evaluate_refocus_gaps(knowing(), [stack()], no_rivals())[0]


# The focus turned


def true_stack() -> TrueStack:
    levels = 1 + np.arange(PLANES) / 5
    return TrueStack(np.stack([picture((level - 8.5) * 0.25) for level in levels]), "grain", 8.5)


@pytest.fixture(scope="module")
def grain() -> TrueStack:
    return true_stack()


def sweep_row(engine: Refocuser, stack: TrueStack, case: object) -> dict[str, float]:
    return evaluate_traverse(engine, [stack], sweeps=[case])[0]  # type: ignore[list-item]


def test_a_knowing_engine_turns_without_a_step(grain: TrueStack) -> None:
    for case in (NEIGHBOURS, APART, ONE):
        row = sweep_row(knowing(), grain, case)
        assert row["psnr"] > 148
        assert row["largest_step"] == pytest.approx(0, abs=1e-9)
        assert row["largest_step_nearest"] > 0.1
        assert row["steps_over"] == 0
    assert sweep_row(knowing(), grain, NEIGHBOURS)["targets"] == 4
    assert sweep_row(knowing(), grain, ONE)["targets"] == 76


def test_a_jump_between_two_targets_is_found(grain: TrueStack) -> None:
    engine = Toy(lambda images, zs, z: picture(float(np.mean(z))) + np.uint8(8 * (float(np.mean(z)) > 0.01)))
    row = sweep_row(engine, grain, APART)
    assert row["largest_step"] == pytest.approx(SAME_DB - decibel(8), abs=0.1)
    assert row["steps_over"] == 1
    assert row["jump"] > 3 > sweep_row(knowing(), grain, APART)["jump"]


def test_steps_to_acquired_planes_are_told_apart(grain: TrueStack) -> None:
    engine = Toy(
        lambda images, zs, z: next(
            (image for image, at in zip(images, zs, strict=True) if abs(at - float(np.mean(z))) < 1e-6),
            picture(float(np.mean(z))) + np.uint8(4),
        )
    )
    rows = evaluate_traverse(engine, [grain], sweeps=[ONE])
    assert rows[0]["largest_step"] == pytest.approx(0, abs=1e-9)
    assert rows[0]["largest_step_any"] > 5
    assert [row["level"] for row in rows[1:]] == list(range(1, 17))
    assert rows[1]["psnr_one"] == pytest.approx(decibel(4))
    assert rows[16]["psnr_one"] > 148


def test_one_blurred_plane_lies_on_the_side_that_engines_assume(grain: TrueStack) -> None:
    engine = nothing()
    sweep_row(engine, grain, ONE)
    assert engine.seen == [(-7.5 * 0.25,)]


def test_true_stacks_hold_a_picture_at_every_fifth_of_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def simulated(recipe: StackRecipe, patch: RGB | None = None) -> SimulatedStack:
        asked.append(recipe)
        planes_um = np.arange(recipe.planes) * recipe.step_um
        pixels = np.stack([picture(z - 1.9) for z in planes_um])
        return SimulatedStack(pixels, planes_um, np.full((96, 96), 1.9, np.float32), 38)

    monkeypatch.setattr("focusviewer.simulation.stacks.simulate_stack", simulated)
    config = TrueStacksConfig(real=0, phantoms=1, side_px=64)
    (made,) = true_stacks([], config)
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
    assert len(true_stacks([], config)) == len(asked) == 1  # kept


# Uneven sections


def test_a_map_is_compared_with_its_parts() -> None:
    sections = uneven_sections([("grain", np.tile(picture(0)[:48], (1, 4, 1)))])
    assert [section.kind for section in sections] == ["tilted", "stepped"]
    assert sections[1].depth_um[0, [0, 100, 200, 300]].tolist() == [0, 1, 2, 3]
    rows = evaluate_uneven(nothing(), sections)
    assert {(row["section"], row["inputs"], row["depth"]) for row in rows} >= {
        ("tilted", 1, "true"),
        ("stepped", 2, "own"),
    }
    assert all(row["difference"] == 0 for row in rows if row["inputs"] == 1)
    assert all(row["psnr_map"] == row["psnr_before"] for row in rows if row["inputs"] == 1)

    def clumsy(images: list[RGB], zs: tuple[float, ...], z: float | FloatMap) -> RGB:
        return images[0] if np.ndim(z) == 0 else (images[0] // 2)

    assert all(row["difference"] < -1 for row in evaluate_uneven(Toy(clumsy), sections))


def test_uneven_scans_are_sharp_where_the_plane_is() -> None:
    _, stepped = uneven_sections([("grain", np.tile(picture(1), (1, 4, 1)))])
    scan = stepped.scan(0.0, Optics(na=0.7), np.random.default_rng(0)).astype(float)
    errors = [
        np.abs(scan[:, left + 20 : right - 20] - stepped.truth[:, left + 20 : right - 20]).mean()
        for left, right in stepped.parts
    ]
    assert errors[0] < 1.5 < errors[1] < errors[3]


# Honesty


def test_an_engine_that_does_nothing_breaks_no_rule() -> None:
    specimens = honesty.Specimens(
        [picture(0)], [("glass", np.full((64, 64, 3), 240, np.uint8), np.ones((64, 64), bool))]
    )
    rows = honesty.evaluate_honesty(nothing(), specimens)
    assert {row["check"] for row in rows} >= {"re-blur, dB", "changed pixels", "glass, mean change"}
    assert all(row["held"] for row in rows)


def test_a_shade_on_glass_and_a_touched_plane_are_found() -> None:
    specimens = honesty.Specimens(
        [picture(0)], [("glass", np.full((64, 64, 3), 240, np.uint8), np.ones((64, 64), bool))]
    )
    engine = Touching(shifted(3).paint)
    rows = {row["check"]: row for row in honesty.evaluate_honesty(engine, specimens)}
    assert rows["glass, mean change"]["worst"] == pytest.approx(3)
    assert rows["changed pixels"]["worst"] == 96 * 96
    assert not any(rows[check]["held"] for check in ("glass, mean change", "changed pixels"))


def test_a_planted_seam_is_found_where_it_is(rng: np.random.Generator) -> None:
    whole = rng.integers(90, 160, (64, 200, 3)).astype(np.uint8)
    seamed = whole.copy()
    seamed[:, 120:] += 4
    assert honesty.seam_steps(whole, whole, [120]) == [0.0]
    assert honesty.seam_steps(seamed, whole, [80, 120]) == [0.0, 4.0]
    noisy = (whole + rng.integers(-1, 2, whole.shape)).astype(np.uint8)
    assert honesty.seam_steps(noisy, whole, [120])[0] < 0.5


def test_tiles_of_an_engine_that_sees_only_its_tile_are_judged() -> None:
    wide = np.tile(picture(0), (1, 13, 1))[:, :1160]
    row = honesty._seam_row(nothing(), wide)
    assert row["cases"] == 2
    assert row["held"]
    assert row["worst"] == 0


def test_glass_is_what_shows_nothing_in_any_plane() -> None:
    plane = np.full((120, 120, 3), 240, np.uint8)
    blurred = plane.copy()
    plane[:20], blurred[:40] = 150, 200
    mask = honesty.glass_mask([plane, blurred])
    assert not mask[:55].any()
    assert mask[70:].all()


def test_a_grain_of_dust_is_no_glass() -> None:
    plane = np.full((120, 120, 3), 240, np.uint8)
    plane[60, 60], plane[60, 61] = 200, 255
    mask = honesty.glass_mask([plane])
    assert not mask[50:70, 50:70].any()
    assert mask[:40].all()


# Real planes


def real_stack(step_um: float = 0.6) -> RealStack:
    rng = np.random.default_rng(3)
    grain = np.clip(0.6 + 0.25 * gaussian_filter(rng.standard_normal((96, 96, 3)), (1, 1, 0)) * 3, 0, 1)
    planes = [defocus_image(grain.astype(np.float32), abs(i - 4) * step_um, 0.25, SCANNER) for i in range(9)]
    return RealStack("made", np.stack([(plane * 255 + 0.5).astype(np.uint8) for plane in planes]), (4, 4))


@pytest.fixture(scope="module")
def real() -> RealStack:
    return real_stack()


def test_the_distance_of_planes_follows_from_their_blur(real: RealStack) -> None:
    assert plane_distance_um(list(real.planes), 4) == pytest.approx(0.6, abs=0.12)


def test_pictures_of_real_stacks_are_made_from_planes_one_to_three_steps_off(real: RealStack) -> None:
    cases = list(real_cases(real, 96))
    assert {case.task for case in cases} == {
        "1 step nearer",
        "2 steps nearer",
        "3 steps nearer",
        "between planes 2 apart",
        "between planes 4 apart",
    }
    for case in cases:
        assert case.target_um is not None
        steps = len(case.images) == 1 and round(case.target_um / 0.6)
        assert len(case.images) == 2 or case.task.startswith(str(steps))
    fused = RealStack("fused", real.planes, None, real.planes[4])
    assert {case.task for case in real_cases(fused, 64)} == {"all in focus"}


def test_a_lamp_that_flickers_decides_nothing(real: RealStack) -> None:
    lamp = np.linspace(0.7, 1.0, 9)[:, None, None, None]
    flickering = RealStack("made", (real.planes * lamp).astype(np.uint8), (4, 4))
    steady = RealStack("made", (real.planes * lamp[4]).astype(np.uint8), (4, 4))
    rows = [evaluate_real_planes(nothing(), [stack], no_rivals(), crop_px=64) for stack in (flickering, steady)]
    for first, second in zip(*rows, strict=True):
        assert min(first["psnr_before"], 40) == pytest.approx(min(second["psnr_before"], 40), abs=0.5)
    assert any(row["psnr_before"] < 35 for row in rows[0])
    np.testing.assert_array_equal(equally_bright([real.planes[4]], real.planes[4])[0], real.planes[4])


def test_doing_nothing_gains_nothing_on_real_planes(real: RealStack) -> None:
    rows = evaluate_real_planes(nothing(), [real], no_rivals(), crop_px=96)
    single = [row for row in rows if "psnr_blend" not in row]
    assert single
    assert all(row["psnr_after"] == row["psnr_before"] for row in single)
    summed = {row["task"]: row for row in summary({"model": "toy", **row} for row in single)}
    assert summed["1 step nearer"]["gain"] == 0
    assert summed["1 step nearer"]["lost"] == 0


def test_the_summary_names_the_worst_stack_and_counts_the_lost_ones() -> None:
    gains = {"a": (1.0, 0.0), "b": (-0.5, -0.3), "c": (0.2, -0.4)}
    rows = [
        {"model": "m", "task": "t", "stack": stack, "psnr_before": 30.0, "psnr_after": 30 + gain, "psnr_blind": 29.0,
         "ssim_before": 0.5, "ssim_after": 0.6, "ssim_blind": 0.4}
        for stack, pair in gains.items()
        for gain in pair
    ]  # fmt: skip
    (row,) = summary(rows)
    assert row["gain"] == pytest.approx(0.0)
    assert row["gain_over_blind"] == pytest.approx(1.0)
    assert row["ssim_gain"] == pytest.approx(0.1)
    assert (row["worst_stack"], row["lost"], row["stacks"], row["pictures"]) == ("b", 1, 3, 6)
    assert row["worst_stack_gain"] == pytest.approx(-0.4)
    assert row["worst_gain"] == pytest.approx(-0.5)
    assert row["gain_low"] < 0 < row["gain_high"]


def test_tables_that_follow_from_others() -> None:
    real = {"model": "m", "stack": "a", "psnr_before": 30.0, "psnr_after": 31.0, "ssim_before": 0.5, "ssim_after": 0.5}
    best = {"model": "m", "stack": "a", "psnr_before": None, "psnr_after": 148.0}
    rows = derived_rows(
        {
            "refocus-traverse": ({"model": "m", "case": "x"}, {"model": "m", "level": 1}),
            "refocus-real": (real, best, {"model": "broken", "why": "no weights"}),
        }
    )
    assert rows["refocus-traverse"] == ({"model": "m", "case": "x"},)
    assert rows["refocus-levels"] == ({"model": "m", "level": 1},)
    summed, broken = rows["refocus-real-summary"]
    assert (summed["task"], summed["pictures"], summed["gain"]) == ("to best focus", 1, 1.0)
    assert broken == {"model": "broken", "task": "to best focus", "why": "no weights"}


def test_a_refused_task_says_why_and_the_others_go_on(
    real: RealStack, grain: TrueStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planes_module, "likeness", lambda image, truth: {"psnr": psnr(image, truth)})

    def between(images: list[RGB], zs: tuple[float, ...], z: float | FloatMap) -> RGB:
        if len(zs) < 2 or not zs[0] <= np.mean(z) <= zs[-1]:
            raise UserError("It only interpolates", "", "")
        return images[0]

    rows = {
        row["task"]: row
        for row in evaluate_refocus_planes(Toy(between), [stack()], [("refocus", 1), ("interpolate", 2)])
    }
    assert "only interpolates" in rows["refocus"]["why"]
    assert rows["interpolate"]["psnr"] > 20
    planes = [{"model": "toy", **row} for row in evaluate_real_planes(Toy(between), [real], no_rivals(), crop_px=64)]
    summed = {row["task"]: row for row in summary(planes)}
    assert "only interpolates" in summed["1 step nearer"]["why"]
    assert summed["between planes 2 apart"]["pictures"] > 0
    swept = evaluate_traverse(Toy(between), [grain], step=0.4, sweeps=[NEIGHBOURS, ONE])
    assert [("why" in row) for row in swept] == [False, True]


# Rivals


def test_other_methods_are_worked_out_once() -> None:
    calls: list[str] = []

    def oracle(image: RGB, optics: Optics, z_um: float, mpp: float, noise: float) -> RGB:
        calls.append("oracle")
        return image

    def build(name: str) -> Refocuser:
        calls.append(name)
        return nothing()

    rivals = Rivals(oracle, build)
    for _ in range(2):
        told = rivals.told(picture(1), picture(0), Optics(), 1.0, 0.25, 0.002)
        blind = rivals.blind(picture(1), picture(0), 0.25)
    assert calls == ["oracle", "wiener-blind"]
    assert told["psnr_oracle"] == blind["psnr_blind"] < 40
    rivals.told(picture(1), picture(0), Optics(), 2.0, 0.25, 0.002)
    assert calls[-1] == "oracle"


def test_kept_figures_hold_only_for_the_same_interpolators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    weights = tmp_path / "dfi.safetensors"
    entry = ModelEntry("dfi", "refocus-baseline", nothing, "", weights, trained=True)
    monkeypatch.setattr("focusviewer.refocus.registry.baselines", lambda: [entry])
    keys = {rivals_key()}
    for content in (b"first", b"second"):
        weights.write_bytes(content)
        keys.add(rivals_key())
    assert len(keys) == 3


def test_engines_are_set_beside_the_oracle() -> None:
    crops = np.stack([picture(0), picture(0.2)])
    rivals = Rivals(lambda image, optics, z_um, mpp, noise: image, lambda name: nothing())
    rows = evaluate_refocus_simulated(nothing(), crops, (0.0, 1.0), 0.002, 1, rivals=rivals)
    assert "psnr_oracle" not in rows[0]
    assert rows[1]["over_oracle"] == rows[1]["over_blind"] == rows[1]["ssim_over_oracle"] == 0
    assert rows[1]["psnr_oracle"] == rows[1]["psnr_before"]


# Pictures


def test_sheets_show_pictures_pixel_for_pixel(
    real: RealStack, grain: TrueStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "REAL_PX", 64)
    sheet = pictures.real_sheet(nothing(), real)
    top, left = pictures.CAPTION_PX, 16
    np.testing.assert_array_equal(sheet[top : top + 64, :64], real.planes[0, left : left + 64, left : left + 64])
    np.testing.assert_array_equal(sheet[top : top + 64, 204:268], real.planes[4, left : left + 64, left : left + 64])
    assert pictures.between_sheet(nothing(), real).ndim == 3
    levels = pictures.levels_sheet(knowing(), grain)
    second = levels.shape[0] // 2
    np.testing.assert_array_equal(levels[16:112, 100:196], levels[second + 16 : second + 112, 100:196])
    assert pictures.traverse_sheet(knowing(), grain).shape[1] == 16 * (96 + pictures.GAP_PX)


def test_insights_are_drawn_for_every_layer(grain: TrueStack, tmp_path: Path) -> None:
    class Diagnostics:
        asked: ClassVar[list[tuple[int, ...]]] = []

        @staticmethod
        def attention_maps(engine: Refocuser, encoded: Encoded, target_um: float) -> list[np.ndarray]:
            return [np.ones((3, 96 // step, 96 // step), np.float32) for step in (1, 2, 4)]

        @classmethod
        def render_layers(cls, engine: Refocuser, encoded: Encoded, target_um: float, layers: tuple[int, ...]) -> RGB:
            cls.asked.append(layers)
            return picture(2)

    attention, first = pictures.draw_insights(knowing(), Diagnostics, grain, tmp_path)
    assert attention.name == "attention.png"
    assert first.exists()
    assert Diagnostics.asked == [(0,), (0,)]
