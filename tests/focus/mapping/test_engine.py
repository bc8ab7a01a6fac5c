from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import CancelledError, ScaleUnknownError, SlideError
from focusviewer.focus import FocusMap, FocusModel, ScoreGrid, get_model, map_slide, tissue_mask
from focusviewer.focus.networks.focuslitenn import FocusLiteNN
from focusviewer.slides import Region
from tests.focus.doubles import MemorySlide, blur, tissue_picture


def test_map_covers_the_slide_and_centres_lie_on_it(slide: MemorySlide, model: FocusLiteNN) -> None:
    result = map_slide(slide, model)
    width, height = slide.dimensions
    assert result.blur.shape == (result.y.size, result.x.size)
    assert 0 < result.x[0] <= result.window_px / 2 and width - result.window_px / 2 <= result.x[-1] < width
    assert 0 < result.y[0] <= result.window_px / 2 and height - result.window_px / 2 <= result.y[-1] < height
    np.testing.assert_allclose(np.diff(result.x), result.stride_px)
    assert result.tissue.all() and result.absolute and result.mpp == 0.25
    assert result.seconds >= result.decode_seconds > 0


def test_blocks_give_the_scores_of_the_whole_image(model: FocusLiteNN, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tissue_picture(235 + 9 * 130, 235 + 7 * 130)  # a whole number of strides: the grid starts at 0
    whole = model.score_windows(picture, 0.25).scores
    for side in (3, 28):
        monkeypatch.setattr(FocusLiteNN, "block_windows", side)
        monkeypatch.setattr("focusviewer.focus.mapping.grid._LEAST_WINDOWS", side)
        result = map_slide(MemorySlide(picture, mpp=0.25), model, threads=3)
        np.testing.assert_allclose(result.blur, whole, atol=1e-5)


class _Fused(FocusModel):
    """A model that also tells its doubt, its members' scores and their weights."""

    name, window_px, stride_px = "fused", 64, 32

    def score_windows(self, image: RGB, mpp: float | None = None) -> ScoreGrid:
        rows, cols = ((side - 64) // 32 + 1 for side in image.shape[:2])
        starts = [[image[32 * r, 32 * c, 0] for c in range(cols)] for r in range(rows)]
        scores = np.asarray(starts, np.float32)
        return ScoreGrid(scores, 64, 32, scores / 10, {"a": scores + 1, "b": scores + 2}, {"a": scores * 0 + 0.75})


def test_what_a_fused_model_tells_reaches_the_map_block_by_block(
    slide: MemorySlide, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Fused, "block_windows", 8)
    result = map_slide(slide, _Fused())
    assert result.uncertainty is not None and list(result.members) == ["a", "b"] and list(result.weights) == ["a"]
    np.testing.assert_allclose(result.uncertainty, result.blur / 10)
    np.testing.assert_allclose(result.members["b"], result.blur + 2)
    np.testing.assert_array_equal(np.isfinite(result.weights["a"]), result.tissue)


@pytest.mark.parametrize("name", ["focuslitenn", "mlv"])
def test_map_of_a_region_is_part_of_the_whole_map(name: str, slide: MemorySlide, model: FocusLiteNN) -> None:
    chosen = model if name == "focuslitenn" else get_model(name)
    whole = map_slide(slide, chosen)
    part = map_slide(slide, chosen, region=(400, 300, 390, 260))
    cols = [int(np.flatnonzero(whole.x == x)[0]) for x in part.x]
    rows = [int(np.flatnonzero(whole.y == y)[0]) for y in part.y]
    assert 3 <= len(cols) <= 4 and 2 <= len(rows) <= 3
    assert part.x[0] - part.stride_px / 2 <= 400 and part.x[-1] + part.stride_px / 2 >= 790
    np.testing.assert_allclose(part.blur, whole.blur[np.ix_(rows, cols)], atol=1e-5)


@pytest.mark.parametrize(("mpp", "scale"), [(0.25, 1.0), (0.23, 1.0), (0.5, 1.0), (0.125, 2.0), (1.0, 0.5)])
def test_a_blurred_rectangle_shows_up_where_it_is(mpp: float, scale: float, model: FocusLiteNN) -> None:
    sharp = tissue_picture(1900, 1900) if scale >= 1 else tissue_picture(1000, 1000)
    if scale > 1:  # a finer scan of the same tissue
        sharp = np.repeat(np.repeat(sharp, 2, axis=0), 2, axis=1)
    side = len(sharp)
    x0, y0, x1, y1 = (round(side * part) for part in (0.3, 0.45, 0.7, 0.85))
    picture = sharp.copy()
    picture[y0:y1, x0:x1] = blur(sharp[y0:y1, x0:x1], 4 * scale)
    result = map_slide(MemorySlide(picture, mpp=mpp), model)
    assert result.stride_px == pytest.approx(130 * scale)
    half, stride = result.window_px / 2, result.stride_px
    x, y = result.x[None, :], result.y[:, None]
    inside = (x - half >= x0) & (x + half <= x1) & (y - half >= y0) & (y + half <= y1)
    outside = (x + half < x0) | (x - half > x1) | (y + half < y0) | (y - half > y1)
    assert inside.any() and outside.any()
    cut = (result.blur[inside].min() + result.blur[outside].max()) / 2
    assert result.blur[inside].min() > result.blur[outside].max()
    # A window turns blurred when it is all but wholly inside, so the found box is smaller by known bounds.
    rows, cols = np.nonzero(result.blur > cut)
    centre = result.x[cols].astype(float).mean(), result.y[rows].astype(float).mean()
    assert abs(centre[0] - (x0 + x1) / 2) <= stride / 2 and abs(centre[1] - (y0 + y1) / 2) <= stride / 2


def test_scale_is_chosen_without_much_upsampling(model: FocusLiteNN) -> None:
    chosen = {mpp: (model.model_mpp(mpp), round(model.scale_for(mpp), 2)) for mpp in (0.2, 0.26, 0.29, 0.35, 0.55, 2)}
    assert chosen == {
        0.2: (0.25, 1.25),
        0.26: (0.25, 1.0),
        0.29: (0.25, 0.86),
        0.35: (0.5, 1.43),
        0.55: (0.5, 1.0),
        2: (0.5, 0.25),
    }


def test_images_below_a_window_get_one_window(model: FocusLiteNN) -> None:
    result = map_slide(MemorySlide(tissue_picture(150, 90), mpp=0.25, downsamples=(1,)), model)
    assert result.blur.shape == (1, 1) and np.isfinite(result.blur[0, 0])
    assert (result.x[0], result.y[0]) == pytest.approx((75, 45), abs=1)


def test_unknown_scale_is_asked_for_by_absolute_models_only(picture: RGB, model: FocusLiteNN) -> None:
    unknown = MemorySlide(picture)
    with pytest.raises(ScaleUnknownError, match="no known pixel size"):
        map_slide(unknown, model)
    assert map_slide(unknown, model, mpp=0.25).mpp == 0.25
    relative = map_slide(unknown, get_model("mlv"))
    assert relative.mpp is None and not relative.absolute and relative.tissue.any()


def test_glass_is_neither_read_nor_scored(model: FocusLiteNN) -> None:
    picture = np.full((4000, 4000, 3), 244, np.uint8)
    picture[400:1000, 2600:3400] = tissue_picture(800, 600)
    slide = MemorySlide(picture, mpp=0.25, downsamples=(1, 16))
    mask = tissue_mask(slide)
    slide.read_px = 0
    result = map_slide(slide, model, tissue=mask)
    assert slide.read_px < 0.15 * 4000 * 4000
    assert np.isfinite(result.at(3000, 700)) and np.isnan(result.at(1000, 3000))
    assert result.tissue.sum() < 80


def test_progress_comes_with_partial_maps(model: FocusLiteNN, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("focusviewer.focus.mapping.engine._PROGRESS_S", 0.0)
    heard: list[tuple[float, FocusMap]] = []
    threads: set[int] = set()

    def listen(fraction: float, partial: FocusMap) -> None:
        heard.append((fraction, partial))
        threads.add(threading.get_ident())

    slide = MemorySlide(tissue_picture(2000, 2000), mpp=0.25, before_read=lambda region: time.sleep(0.002))
    result = map_slide(slide, model, on_progress=listen)
    fractions = [fraction for fraction, _ in heard]
    assert len(heard) >= 3 and fractions == sorted(fractions) and fractions[-1] <= 1
    counts = [int(partial.tissue.sum()) for _, partial in heard]
    assert counts == sorted(counts) and counts[0] < result.tissue.sum()
    done = heard[0][1].tissue
    np.testing.assert_array_equal(heard[0][1].blur[done], result.blur[done])
    assert threading.get_ident() not in threads


def test_progress_is_heard_at_most_ten_times_a_second(model: FocusLiteNN) -> None:
    heard: list[float] = []
    slide = MemorySlide(tissue_picture(2000, 2000), mpp=0.25, before_read=lambda region: time.sleep(0.02))
    result = map_slide(slide, model, on_progress=lambda fraction, _: heard.append(time.perf_counter()))
    assert heard and len(heard) <= result.seconds * 10 + 1


def test_cancelling_stops_the_map_soon(model: FocusLiteNN, cancel: threading.Event) -> None:
    reads: list[Region] = []

    def slow(region: Region) -> None:
        reads.append(region)
        if len(reads) > 2:
            cancel.set()

    slide = MemorySlide(tissue_picture(2000, 2000), mpp=0.25, before_read=slow)
    with pytest.raises(CancelledError):
        map_slide(slide, model, cancel=cancel)
    assert len(reads) <= 5
    with pytest.raises(CancelledError):
        map_slide(slide, model, cancel=cancel)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("focus-map")]


def test_an_unreadable_part_costs_only_its_own_windows(picture: RGB, model: FocusLiteNN) -> None:
    picture = tissue_picture(2000, 2000)

    def broken(region: Region) -> None:
        x0, y0, x1, y1 = region.x, region.y, region.x + region.width, region.y + region.height
        if region.level == 0 and x0 < 300 < x1 and y0 < 300 < y1:
            raise SlideError("Cannot decode a tile", "it is damaged")

    result = map_slide(MemorySlide(picture, mpp=0.25, downsamples=(1, 16), before_read=broken), model)
    assert np.isnan(result.at(300, 300)) and result.unreadable == np.isnan(result.blur).sum()
    assert result.tissue.mean() > 0.9


def test_a_slide_that_cannot_be_read_at_all_says_so(model: FocusLiteNN) -> None:
    def broken(region: Region) -> None:
        if region.level == 0:
            raise SlideError("Cannot decode a tile", "it is damaged")

    slide = MemorySlide(tissue_picture(1500, 1500), mpp=0.25, downsamples=(1, 16), before_read=broken)
    with pytest.raises(SlideError, match="damaged"):
        map_slide(slide, model)


def test_errors_in_a_listener_are_not_swallowed(slide: MemorySlide, model: FocusLiteNN) -> None:
    def listen(fraction: float, partial: FocusMap) -> None:
        raise RuntimeError("listener broke")

    with pytest.raises(RuntimeError, match="listener broke"):
        map_slide(slide, model, on_progress=listen)


def test_real_slides_map_at_their_own_scale(data_dir, model: FocusLiteNN) -> None:
    from focusviewer.slides import open_slide

    with open_slide(data_dir / "wsi" / "cmu-1-small-region.svs") as slide:
        result = map_slide(slide, model)
    assert result.stride_px == 130 and 0.3 < result.tissue.mean() < 0.9
