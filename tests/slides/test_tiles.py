from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from focusviewer.core.errors import SlideError
from focusviewer.slides import (
    DisplayPyramid,
    Level,
    Region,
    Slide,
    SlideInfo,
    TileCache,
    TileKey,
    TileLoader,
    open_slide,
    visible_tiles,
)
from focusviewer.slides.pixels import shrink, white
from focusviewer.slides.pyramid import PyramidSlide, with_pyramid

Maker = Callable[..., np.ndarray]


class FakeSlide(Slide):
    """A slide whose pixels tell where they are; can be slow or refuse some places."""

    def __init__(self, width: int, height: int, *, downsamples=(1.0,), delay: float = 0, name: str = "fake") -> None:
        levels = tuple(Level(int(width / d), int(height / d), d) for d in downsamples)
        self.info = SlideInfo(Path(name), "fake", None, levels, planes_um=(0.0, 1.0), fingerprint=name)
        self.delay, self.reads, self.bad = delay, [], set()
        self.closed = False

    def read_region(self, region: Region) -> np.ndarray:
        if self.closed:
            raise SlideError("Cannot read fake", "the slide has been closed")
        self.reads.append(region)
        time.sleep(self.delay)
        if (region.x, region.y) in self.bad:
            raise SlideError("Cannot read part of fake", "bad tile")
        level = self.levels[region.level]
        out = white(region.height, region.width)
        x0, y0 = round(region.x / level.downsample), round(region.y / level.downsample)
        xs, ys = np.arange(region.width) + x0, np.arange(region.height) + y0
        inside = ((ys >= 0) & (ys < level.height))[:, None] & ((xs >= 0) & (xs < level.width))[None]
        value = np.zeros((region.height, region.width, 3), np.uint8)
        value[..., 0] = (xs * level.downsample // 16 % 251).astype(np.uint8)[None]
        value[..., 1] = (ys * level.downsample // 16 % 251).astype(np.uint8)[:, None]
        value[..., 2] = region.plane
        out[inside] = value[inside]
        return out

    def close(self) -> None:
        self.closed = True


def key(pyramid: DisplayPyramid, zoom: int, col: int, row: int, plane: int = 0) -> TileKey:
    return TileKey(pyramid.fingerprint, zoom, col, row, plane)


def mosaic(pyramid: DisplayPyramid, zoom: int) -> np.ndarray:
    columns, rows = pyramid.grid(zoom)
    return np.vstack(
        [np.hstack([pyramid.read_tile(key(pyramid, zoom, c, r)) for c in range(columns)]) for r in range(rows)]
    )


# The picture pyramid


def test_zoom_levels_of_a_pyramidal_slide_are_area_averages(svs: Path) -> None:
    with open_slide(svs) as slide:
        pyramid = DisplayPyramid(slide, tile_px=256)
        base = mosaic(pyramid, 0)
        assert base.shape == (1000, 1300, 3)
        for zoom in range(1, pyramid.n_zooms):
            picture = mosaic(pyramid, zoom)
            assert picture.shape[1::-1] == pyramid.size(zoom)
            expected = shrink(base, 1 << zoom)
            difference = np.abs(picture.astype(int) - expected[: picture.shape[0], : picture.shape[1]])
            assert difference.mean() < 4, zoom
        assert pyramid.grid(pyramid.n_zooms - 1) == (1, 1)


@pytest.mark.parametrize("downsamples", [(1.0,), (1.0, 4.0, 16.0), (1.0, 3.0), (1.0, 2.0005), (1.0, 5.0, 25.0)])
def test_every_level_layout_shows_each_place_where_it_is(downsamples: tuple[float, ...]) -> None:
    slide = FakeSlide(5000, 3700, downsamples=downsamples)
    pyramid = DisplayPyramid(slide, tile_px=256)
    for zoom in range(pyramid.n_zooms):
        columns, rows = pyramid.grid(zoom)
        tile_key = key(pyramid, zoom, columns - 1, rows - 1)
        x, y, width, height = pyramid.tile_rect(tile_key)
        tile = pyramid.read_tile(tile_key)
        assert tile.shape == (height, width, 3)
        centre_x, centre_y = (x + width // 2 + 0.5) * 2**zoom, (y + height // 2 + 0.5) * 2**zoom
        # 16 px of level 0 per gray value; 251 values wrap around
        for channel, place in ((0, centre_x), (1, centre_y)):
            off = abs(int(tile[height // 2, width // 2, channel]) - place / 16 % 251)
            assert min(off, 251 - off) <= 2, (zoom, channel)


def test_zoom_for_scale_is_at_least_as_fine_as_the_screen() -> None:
    pyramid = DisplayPyramid(FakeSlide(100_000, 50_000))
    scales = (2.0, 1.0, 0.7, 0.5, 0.3, 0.25, 1e-9)
    assert [pyramid.zoom_for(scale) for scale in scales] == [0, 0, 0, 1, 1, 2, pyramid.n_zooms - 1]


def test_visible_tiles_come_centre_out_and_stay_inside() -> None:
    pyramid = DisplayPyramid(FakeSlide(5000, 5000))
    keys = visible_tiles(pyramid, -300, -300, 2000, 2000, 0, 1)
    assert {(k.col, k.row) for k in keys} == {(c, r) for c in range(4) for r in range(4)}
    assert (keys[0].col, keys[0].row) == (1, 1)
    assert all(k.plane == 1 for k in keys)
    assert len(visible_tiles(pyramid, 1100, 1100, 1200, 1200, 0, 0, margin=1)) == 9
    assert visible_tiles(pyramid, 9000, 9000, 9100, 9100, 0, 0) == []


# Levels made on the fly


def test_picture_without_levels_gets_them(tmp_path: Path, make_texture: Maker) -> None:
    image = make_texture(1200, 1601)
    Image.fromarray(image).save(tmp_path / "big.png")
    with open_slide(tmp_path / "big.png") as slide:
        assert [(lv.width, lv.height) for lv in slide.levels] == [(1601, 1200), (800, 600), (400, 300)]
        level1 = slide.read_region(Region(1, 0, 0, 800, 600))
        assert np.array_equal(level1, shrink(image, 2))
        level2 = slide.read_region(Region(2, 0, 0, 400, 300))
        assert np.array_equal(level2, shrink(level1, 2))
        part = slide.read_region(Region(1, 1500, -20, 100, 50))
        assert np.array_equal(part[10:, :50], level1[:40, 750:])
        assert (part[:10] == 255).all()
        assert (part[:, 50:] == 255).all()


def test_small_pictures_and_full_pyramids_are_left_alone(svs: Path) -> None:
    small = FakeSlide(400, 300)
    assert with_pyramid(small) is small
    full = FakeSlide(60_000, 40_000, downsamples=(1.0, 8.0, 64.0))
    assert with_pyramid(full) is full


def test_made_levels_read_the_file_once_however_many_threads_ask() -> None:
    slide = FakeSlide(4096, 4096, delay=0.01)
    pyramid = PyramidSlide(slide)
    threads = [threading.Thread(target=pyramid.read_region, args=(Region(3, 0, 0, 512, 512),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(slide.reads) == 16
    assert max(r.width * r.height for r in slide.reads) <= 1024 * 1024
    assert not pyramid._locks


def test_large_tiff_without_levels_opens_without_decoding(tmp_path: Path) -> None:
    tile = np.full((512, 512, 3), 200, np.uint8)
    path = tmp_path / "flat.tif"
    count = 24 * 24
    tifffile.imwrite(
        path, (tile for _ in range(count)), shape=(24 * 512, 24 * 512, 3), dtype=np.uint8, tile=(512, 512),
        compression="jpeg", photometric="rgb",
    )  # fmt: skip
    open_slide(path).close()
    start = time.perf_counter()
    with open_slide(path) as slide:
        assert time.perf_counter() - start < 0.5
        assert slide.levels[-1].width <= 512
        assert slide.read_region(Region(2, 3000, 3000, 64, 64)).shape == (64, 64, 3)


# Cache


def test_cache_stays_within_its_bytes_and_drops_the_longest_unused() -> None:
    cache = TileCache(3 * 300)
    tiles = {n: np.full((10, 10, 3), n, np.uint8) for n in range(4)}
    for n in range(3):
        cache.put(n, tiles[n])
    assert cache.get(0) is tiles[0]
    cache.put(3, tiles[3])
    assert cache.get(1) is None
    assert cache.get(0) is tiles[0]
    assert cache.nbytes == 900
    cache.put("huge", np.zeros((100, 100, 3), np.uint8))
    assert cache.get("huge") is None
    cache.clear()
    assert cache.nbytes == 0


# Loader


class Listener:
    def __init__(self) -> None:
        self.got: dict[TileKey, tuple[object, str | None]] = {}
        self.order: list[TileKey] = []
        self.changed = threading.Condition()

    def __call__(self, tile_key: TileKey, pixels: object, message: str | None) -> None:
        with self.changed:
            self.got[tile_key] = (pixels, message)
            self.order.append(tile_key)
            self.changed.notify_all()

    def wait(self, count: int, timeout: float = 10) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.order) >= count, timeout), f"{len(self.order)} of {count}"


def pending(loader: TileLoader) -> int:
    """Tiles that are wanted or being read."""
    with loader._wake:
        return len({key for keys in loader._wishes.values() for key in keys} | loader._running)


def names() -> set[str]:
    return {t.name for t in threading.enumerate() if t.name.startswith("focusviewer-tiles")}


def test_loader_reads_in_the_order_wanted_and_keeps_tiles() -> None:
    listener = Listener()
    pyramid = DisplayPyramid(FakeSlide(3000, 3000, delay=0.005))
    with TileLoader(listener, threads=1) as loader:
        keys = [key(pyramid, 0, c, 0) for c in (3, 1, 4, 0, 2)]
        loader.want(pyramid, keys)
        listener.wait(5)
        assert listener.order == keys
        assert np.array_equal(loader.cached(keys[1]), pyramid.read_tile(keys[1]))
        reads = len(pyramid.slide.reads)
        loader.want(pyramid, keys)
        time.sleep(0.05)
        assert len(pyramid.slide.reads) == reads
        assert pending(loader) == 0
    assert not names()


def test_new_wishes_replace_those_not_started() -> None:
    listener = Listener()
    pyramid = DisplayPyramid(FakeSlide(30_000, 600, delay=0.1))
    with TileLoader(listener, threads=1) as loader:
        loader.want(pyramid, [key(pyramid, 0, c, 0) for c in range(30)])
        time.sleep(0.05)
        wanted = [key(pyramid, 0, 50, 0)]
        loader.want(pyramid, wanted)
        listener.wait(2)
        assert listener.order[1:] == wanted
        assert pending(loader) == 0


def test_two_views_of_one_slide_share_reads_and_views_take_turns() -> None:
    listener = Listener()
    slide = FakeSlide(5000, 600, delay=0.03)
    one, two = DisplayPyramid(slide), DisplayPyramid(slide)
    other = DisplayPyramid(FakeSlide(5000, 600, delay=0.03, name="other"))
    with TileLoader(listener, threads=2) as loader:
        keys = [key(one, 0, c, 0) for c in range(6)]
        loader.want(one, keys)
        loader.want(two, keys)
        loader.want(other, [key(other, 0, 0, 0)])
        listener.wait(7)
        assert len(slide.reads) == 6
        assert key(other, 0, 0, 0) in listener.order[:5]


def test_bad_tile_is_reported_once_and_tried_again_only_when_asked() -> None:
    listener = Listener()
    slide = FakeSlide(2000, 600)
    slide.bad.add((512, 0))
    pyramid = DisplayPyramid(slide)
    keys = [key(pyramid, 0, c, 0) for c in range(3)]
    with TileLoader(listener) as loader:
        loader.want(pyramid, keys)
        listener.wait(3)
        assert listener.got[keys[1]][0] is None
        assert "bad tile" in str(listener.got[keys[1]][1])
        assert "bad tile" in str(loader.bad(keys[1]))
        loader.want(pyramid, keys)
        time.sleep(0.05)
        assert len(listener.order) == 3
        slide.bad.clear()
        loader.forget_bad(pyramid)
        loader.want(pyramid, keys)
        listener.wait(4)
        assert listener.got[keys[1]][0] is not None


def test_crashing_reader_and_listener_cost_no_thread() -> None:
    pyramid = DisplayPyramid(FakeSlide(3000, 600))
    calls: list[TileKey] = []

    def listener(tile_key: TileKey, pixels: object, message: str | None) -> None:
        calls.append(tile_key)
        raise RuntimeError("listener bug")

    def explode(tile_key: TileKey) -> np.ndarray:
        raise MemoryError("too big")

    with TileLoader(listener, threads=2) as loader:
        pyramid.read_tile = explode  # type: ignore[method-assign]
        loader.want(pyramid, [key(pyramid, 0, c, 0) for c in range(5)])
        deadline = time.monotonic() + 10
        while len(calls) < 5 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(calls) == 5
        assert len(names()) == 2
        assert "MemoryError" in str(loader.bad(calls[0]))


def test_closing_while_busy_with_a_slow_reader_ends_the_threads_quietly() -> None:
    listener = Listener()
    pyramid = DisplayPyramid(FakeSlide(30_000, 600, delay=0.5))
    loader = TileLoader(listener, threads=3)
    loader.want(pyramid, [key(pyramid, 0, c, 0) for c in range(50)])
    time.sleep(0.1)
    start = time.monotonic()
    loader.want(pyramid, [])
    assert time.monotonic() - start < 0.1
    loader.close()
    assert time.monotonic() - start < 2
    assert not names()
    assert listener.order == []
    loader.want(pyramid, [key(pyramid, 0, 0, 0)])
    assert pending(loader) == 0


def test_slide_closed_under_the_loader_leaves_no_bad_tiles_for_its_successor() -> None:
    listener = Listener()
    slide = FakeSlide(3000, 600)
    old = DisplayPyramid(slide)
    started, go = threading.Event(), threading.Event()

    def read(tile_key: TileKey) -> np.ndarray:
        started.set()
        go.wait(10)
        return slide.read_region(Region(0, 0, 0, 8, 8))

    old.read_tile = read  # type: ignore[method-assign]
    with TileLoader(listener, threads=1) as loader:
        wanted = key(old, 0, 0, 0)
        loader.want(old, [wanted])
        assert started.wait(10)
        loader.drop(old)
        slide.close()
        again = DisplayPyramid(FakeSlide(3000, 600))
        loader.want(again, [wanted])
        go.set()
        listener.wait(1)
        assert listener.got[wanted][0] is not None
        assert loader.bad(wanted) is None
