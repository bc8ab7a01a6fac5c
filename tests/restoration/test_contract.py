"""What every restoration method keeps to, shown on a small one."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest

from focusviewer.core.arrays import RGB
from focusviewer.core.cancel import Progress
from focusviewer.core.errors import CancelledError, UserError
from focusviewer.core.registry import Registry
from focusviewer.restoration import Restorer, get_restorer
from focusviewer.restoration.registry import RESTORERS


class Brightening(Restorer):
    """Adds five gray levels."""

    name = "brightening"
    mpps = (0.2, 0.5)

    def _restore(self, image: RGB, mpp: float, step: Progress) -> RGB:
        step(0.5)
        return np.minimum(image, 250) + np.uint8(5)


class Shrinking(Brightening):
    """Does not keep the size, or the type."""

    def __init__(self, wrong: RGB) -> None:
        self.wrong = wrong

    def _restore(self, image: RGB, mpp: float, step: Progress) -> RGB:
        return self.wrong


@pytest.fixture
def picture(rng: np.random.Generator) -> RGB:
    return rng.integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_a_picture_of_the_same_size_comes_back_and_the_scan_stays(picture: RGB) -> None:
    before, told = picture.copy(), list[float]()
    restored = Brightening().restore(picture, 0.25, told.append)
    assert restored.shape == picture.shape and restored.dtype == np.uint8
    assert restored.mean() > picture.mean()
    assert np.array_equal(picture, before)
    assert told == [0.0, 0.5, 1.0]


def test_work_ends_when_it_is_no_longer_wanted(picture: RGB) -> None:
    token = Event()
    token.set()
    with pytest.raises(CancelledError):
        Brightening().restore(picture, 0.25, None, token)


@pytest.mark.parametrize(
    ("mpp", "advice"), [(0.1, "Zoom out"), (0.6, "Zoom in"), (float("nan"), "works from 0.2 to 0.5")]
)
def test_pixels_of_another_size_are_refused(picture: RGB, mpp: float, advice: str) -> None:
    with pytest.raises(UserError, match=advice):
        Brightening().restore(picture, mpp)


def test_what_are_no_pixels_is_refused(picture: RGB) -> None:
    for wrong in (picture / 255, picture[..., 0], picture[:, :0]):
        with pytest.raises(UserError, match="the picture is"):
            Brightening().restore(wrong, 0.25)


def test_a_method_that_gives_something_else_is_an_error_of_ours(picture: RGB) -> None:
    for wrong in (picture[1:], picture.astype(np.float32)):
        with pytest.raises(TypeError, match="brightening gave"):
            Shrinking(wrong).restore(picture, 0.25)


@pytest.fixture(params=["brightening", *(entry.name for entry in RESTORERS.every_entry())])
def method(request: pytest.FixtureRequest) -> Restorer:
    """Every method of the registry, and the small one."""
    if request.param == "brightening":
        return Brightening()
    if not RESTORERS.entry(request.param).available:
        pytest.skip(f"the weights of {request.param} are not in this checkout")
    return get_restorer(request.param)


def test_every_method_gives_a_picture_of_the_same_size_and_leaves_the_scan(method: Restorer, picture: RGB) -> None:
    before, mpp = picture.copy(), sum(method.mpps) / 2
    restored = method.restore(picture, mpp)
    assert restored.shape == picture.shape and restored.dtype == np.uint8
    assert np.array_equal(picture, before)
    assert np.array_equal(method.restore(picture, mpp), restored)


def test_no_method_goes_around_the_checks(method: Restorer) -> None:
    assert type(method).restore is Restorer.restore
    with pytest.raises(UserError):
        method.restore(method.restore(np.zeros((8, 8, 3), np.uint8), method.mpps[0]), 10 * method.mpps[1])


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(UserError, match=r"There is no restoration method 'no-such-method'"):
        get_restorer("no-such-method")
    nothing: Registry[Restorer] = Registry("restore", "There is no restoration method {name}", list)
    with pytest.raises(UserError, match=r"There is no restoration method 'unet'\. This version has none\."):
        nothing.get("unet")
