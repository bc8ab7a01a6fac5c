"""What every stacking method keeps to, shown on a small one."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.cancel import Progress
from focusviewer.core.errors import CancelledError, UserError
from focusviewer.core.registry import Registry
from focusviewer.stacking import Stacked, Stacker, get_stacker
from focusviewer.stacking.registry import STACKERS

ZS = (1.5, -0.5, 0.5)


class Brightest(Stacker):
    """Takes the brightest plane at each pixel; its planes move by a pixel from one to the next."""

    name = "brightest"
    max_planes = 4

    def _align(self, planes: RGB, z_um: tuple[float, ...], step: Progress) -> RGB:
        return np.stack([np.roll(plane, -index, axis=1) for index, plane in enumerate(planes)])

    def _fuse(self, planes: RGB, z_um: tuple[float, ...], step: Progress) -> Stacked:
        best = planes.astype(int).sum(axis=3).argmax(axis=0)
        step(0.5)
        image = np.take_along_axis(planes, best[None, ..., None], axis=0)[0]
        return Stacked(image, np.asarray(z_um, np.float32)[best])


class Broken(Stacker):
    """Gives what it was told to give."""

    name = "broken"

    def __init__(self, stacked: Stacked) -> None:
        self.stacked = stacked

    def _fuse(self, planes: RGB, z_um: tuple[float, ...], step: Progress) -> Stacked:
        return self.stacked


@pytest.fixture
def planes(rng: np.random.Generator) -> RGB:
    return rng.integers(0, 256, (3, 20, 30, 3), dtype=np.uint8)


def test_planes_come_in_any_order_as_array_or_list(planes: RGB) -> None:
    stacked, sorted_ones = Brightest().fuse(planes, ZS), Brightest().fuse(list(planes[[1, 2, 0]]), sorted(ZS))
    assert np.array_equal(stacked.image, sorted_ones.image)
    assert stacked.depth_um is not None and sorted_ones.depth_um is not None
    assert np.array_equal(stacked.depth_um, sorted_ones.depth_um)
    assert stacked.image.shape == (20, 30, 3) and stacked.depth_um.dtype == np.float32
    assert set(np.unique(stacked.depth_um)) <= set(ZS)
    assert np.array_equal(stacked.image[stacked.depth_um == 1.5], planes[0][stacked.depth_um == 1.5])


def test_one_plane_is_returned_as_it_is(planes: RGB) -> None:
    stacked = Brightest().fuse(planes[:1], (0.75,))
    assert np.array_equal(stacked.image, planes[0]) and not np.shares_memory(stacked.image, planes)
    assert stacked.depth_um is not None and (stacked.depth_um == np.float32(0.75)).all()
    assert np.array_equal(Brightest().align(planes[:1], (0.75,)), planes[:1])


def test_registered_planes_keep_the_order_they_were_given_in(planes: RGB) -> None:
    aligned = Brightest().align(planes, ZS)
    assert np.array_equal(aligned[1], planes[1])  # the lowest is the reference
    assert np.array_equal(aligned[2], np.roll(planes[2], -1, axis=1))
    assert np.array_equal(aligned[0], np.roll(planes[0], -2, axis=1))
    assert np.array_equal(Broken(Stacked(planes[0])).align(planes, ZS), planes)  # says not how


def test_progress_is_told_and_work_ends_when_it_is_no_longer_wanted(planes: RGB) -> None:
    told, token = list[float](), Event()
    Brightest().fuse(planes, ZS, told.append, token)
    assert told == [0.0, 0.5, 1.0]
    token.set()
    for work in (Brightest().fuse, Brightest().align):
        with pytest.raises(CancelledError):
            work(planes, ZS, None, token)


@pytest.mark.parametrize(
    ("words", "count", "zs"),
    [("0 planes", 0, ()), ("3 planes with 2", 3, ZS[:2]), ("5 planes", 5, range(5)), ("not a number", 2, (0, np.nan))],
)
def test_numbers_and_positions_of_planes_must_fit(planes: RGB, words: str, count: int, zs: tuple[float, ...]) -> None:
    for work in (Brightest().fuse, Brightest().align):
        with pytest.raises(UserError, match=words):
            work([planes[0]] * count, zs)


def test_planes_must_be_pixels_of_one_size(planes: RGB) -> None:
    with pytest.raises(UserError, match="differ in size"):
        Brightest().fuse([planes[0], planes[1][1:], planes[2]], ZS)
    for wrong in (planes / 255, planes[..., 0], planes[:, :0]):
        with pytest.raises(UserError, match="a plane is"):
            Brightest().fuse(wrong, ZS)


def test_a_method_that_gives_something_else_is_an_error_of_ours(planes: RGB) -> None:
    wrong = (
        Stacked(planes[0][1:]),
        Stacked(planes[0].astype(np.float32)),
        Stacked(planes[0], np.zeros((3, 3), np.float32)),
        Stacked(planes[0], np.zeros((20, 30))),
    )
    for stacked in wrong:
        with pytest.raises(TypeError):
            Broken(stacked).fuse(planes, ZS)


@pytest.fixture(params=["brightest", *(entry.name for entry in STACKERS.every_entry())])
def method(request: pytest.FixtureRequest) -> Stacker:
    """Every method of the registry, and the small one."""
    if request.param == "brightest":
        return Brightest()
    if not STACKERS.entry(request.param).available:
        pytest.skip(f"the weights of {request.param} are not in this checkout")
    return get_stacker(request.param)


def test_every_method_makes_one_picture_of_planes_in_any_order(method: Stacker, planes: RGB) -> None:
    before = planes.copy()
    stacked = method.fuse(planes, ZS)
    assert stacked.image.shape == planes.shape[1:] and stacked.image.dtype == np.uint8
    assert stacked.depth_um is None or stacked.depth_um.shape == planes.shape[1:3]
    assert np.array_equal(method.fuse(planes[[1, 2, 0]], sorted(ZS)).image, stacked.image)
    assert np.array_equal(planes, before)
    assert np.array_equal(method.fuse(planes[:1], (0.5,)).image, planes[0])


def test_no_method_goes_around_the_checks(method: Stacker, planes: RGB) -> None:
    assert type(method).fuse is Stacker.fuse and type(method).align is Stacker.align
    with pytest.raises(UserError, match="differ in size"):
        method.fuse([planes[0], planes[1][1:], planes[2]], ZS)


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"There is no stacking method 'no-such-method'"):
        get_stacker("no-such-method")
    nothing: Registry[Stacker] = Registry("stack", "There is no stacking method {name}", list)
    with pytest.raises(UserError, match=r"There is no stacking method 'wavelet'\. This version has none\."):
        nothing.get("wavelet")
