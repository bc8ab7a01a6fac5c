"""Sub-pixel registration of two planes of one section, one of which may be far out of focus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from focusviewer.core.arrays import ComplexArray, DoubleArray, FloatArray

_BLOCK_PX = 160
_WORTH_PX = 0.15
"""Displacement by scale or rotation at the corner of the picture that is worth a resampling."""

_MOST_PX = 3.0


@dataclass(frozen=True)
class Alignment:
    """How the blurred plane lies relative to the sharp one.

    Attributes
    ----------
    shift_px : float64 (C, 2)
        Shift of each channel down and to the right, after scale and rotation.
    scale, rotation_rad : float
        About the middle of the picture.
    """

    shift_px: DoubleArray
    scale: float = 1.0
    rotation_rad: float = 0.0

    @property
    def turned(self) -> bool:
        """Whether scale or rotation is needed besides a shift."""
        return self.scale != 1.0 or self.rotation_rad != 0.0

    def reshape(self, image: FloatArray) -> FloatArray:
        """Scale and rotate the sharp plane as the blurred one is: float32 (H, W, C)."""
        if not self.turned:
            return image
        from scipy.ndimage import affine_transform

        cos, sin = np.cos(self.rotation_rad) / self.scale, np.sin(self.rotation_rad) / self.scale
        matrix = np.array([[cos, sin], [-sin, cos]])
        middle = (np.array(image.shape[:2]) - 1) / 2
        offset = middle - matrix @ middle
        channels = [
            affine_transform(image[..., c], matrix, offset, order=3, mode="mirror") for c in range(image.shape[2])
        ]
        return np.stack(channels, axis=-1).astype(np.float32)

    def ramp(self, shape: tuple[int, int]) -> ComplexArray:
        """Factor of the spectrum of each channel that shifts it: complex64 (C, H, W // 2 + 1)."""
        fy = np.fft.fftfreq(shape[0])[:, None]
        fx = np.fft.rfftfreq(shape[1])[None, :]
        phase = [np.exp(-2j * np.pi * (fy * dy + fx * dx)) for dy, dx in self.shift_px]
        return np.stack(phase).astype(np.complex64)


def align(sharp: FloatArray, blurred: FloatArray, inside: FloatArray | None = None) -> Alignment:
    """Register a pair of planes: scale and rotation where they matter, and a shift per channel.

    Parameters
    ----------
    sharp, blurred : float32 (N, H, W, C)
        N fields of one pair, which share one alignment.
    inside : float32 (H, W), optional
        Weight of each pixel, 0 outside the field of view.
    """
    gray = [np.asarray(plane.mean(axis=3), dtype=np.float32) for plane in (sharp, blurred)]
    whole = _shift(gray[0], gray[1], inside)
    scale, rotation = _similarity(gray[0][0], gray[1][0], whole) if len(sharp) == 1 else (1.0, 0.0)
    turn = Alignment(np.zeros((sharp.shape[3], 2)), scale, rotation)
    if turn.turned:
        sharp = turn.reshape(sharp[0])[None]
        whole = _shift(sharp.mean(axis=3, dtype=np.float32), gray[1], inside)
    shifts = [_refine(sharp[..., c], blurred[..., c], inside, whole) for c in range(sharp.shape[3])]
    # A channel that holds too little to be placed by itself follows the others.
    near = [shift if np.abs(shift - whole).max() < _MOST_PX else whole for shift in shifts]
    return Alignment(np.array(near), scale, rotation)


def _spectra(sharp: FloatArray, blurred: FloatArray, inside: FloatArray | None) -> tuple[ComplexArray, DoubleArray]:
    """Cross spectrum and power of the sharp plane, summed over fields: (H, W // 2 + 1)."""
    import scipy.fft

    height, width = sharp.shape[1:]
    window = (np.hanning(height)[:, None] * np.hanning(width)[None, :]).astype(np.float32)
    if inside is not None:
        window = window * inside
    total = max(float(window.sum()), 1e-6)
    cross, power = 0, 0
    for s, b in zip(sharp, blurred, strict=True):
        first, second = (scipy.fft.rfft2((p - np.float32((p * window).sum() / total)) * window) for p in (s, b))
        cross = cross + second * first.conj()
        power = power + np.abs(first) ** 2
    return np.asarray(cross), np.asarray(power, dtype=np.float64)


def _shift(sharp: FloatArray, blurred: FloatArray, inside: FloatArray | None = None) -> DoubleArray:
    """Shift of the blurred plane, px (down, right): the peak of the correlation, then the slope of the phase."""
    import scipy.fft

    # skimage.registration.phase_cross_correlation whitens wholly or not at all, searches in steps of a fixed size and
    # knows no transfer function: a plane far out of focus, whose contrast is reversed in places, misleads it.
    cross, power = _spectra(sharp, blurred, inside)
    height, width = sharp.shape[1:]
    # Half whitened: a peak narrow enough to find, and still governed by what both planes hold.
    half = cross / np.sqrt(power + 1e-6 * power.max())
    peak = scipy.fft.irfft2(half, s=(height, width))
    top = np.array(np.unravel_index(int(np.argmax(peak)), peak.shape), dtype=np.float64)
    size = np.array([height, width])
    whole = np.where(top > size / 2, top - size, top)
    return _slope(cross, power, (height, width), whole)


def _refine(sharp: FloatArray, blurred: FloatArray, inside: FloatArray | None, start: DoubleArray) -> DoubleArray:
    cross, power = _spectra(sharp, blurred, inside)
    return _slope(cross, power, (sharp.shape[1], sharp.shape[2]), start)


def _slope(cross: ComplexArray, power: DoubleArray, shape: tuple[int, int], start: DoubleArray) -> DoubleArray:
    """Least squares of the phase, weighted by the cross power, below the first zero of the transfer function."""
    fy = np.broadcast_to(np.fft.fftfreq(shape[0])[:, None], cross.shape)
    fx = np.broadcast_to(np.fft.rfftfreq(shape[1])[None, :], cross.shape)
    radius = np.hypot(fy, fx)
    shift = np.asarray(start, dtype=np.float64)
    for _ in range(3):
        turned = cross * np.exp(2j * np.pi * (fy * shift[0] + fx * shift[1]))
        used = (radius < _in_phase(turned, power, radius)) & (radius > 0) & (turned.real > 0)
        weight = np.abs(cross[used])
        if weight.size < 8:
            break
        phase = np.angle(turned[used])
        slopes = -2 * np.pi * np.stack([fy[used], fx[used]], axis=1)
        normal = slopes.T @ (weight[:, None] * slopes)
        step = np.linalg.lstsq(normal, slopes.T @ (weight * phase), rcond=None)[0]
        shift = shift + np.clip(step, -1.0, 1.0)
        if np.abs(step).max() < 1e-3:
            break
    return shift


def _in_phase(turned: npt.NDArray[np.complexfloating], power: DoubleArray, radius: DoubleArray) -> float:
    """Frequency up to which the planes agree, cycles per pixel: where the transfer falls below a quarter."""
    ring = (radius * 200).astype(int)
    cross = np.bincount(ring.ravel(), turned.real.ravel(), 200)
    total = np.bincount(ring.ravel(), power.ravel(), 200)
    transfer = cross / np.maximum(total, 1e-30)
    start = max(float(transfer[1:4].max()), 1e-6)
    low = np.nonzero(transfer[2:] < 0.25 * start)[0]
    return max(0.02, (2 + int(low[0])) / 200 if low.size else 0.3)


def _similarity(sharp: FloatArray, blurred: FloatArray, whole: DoubleArray) -> tuple[float, float]:
    """Scale and rotation from the shifts of blocks; 1 and 0 where they are too small or too unsure to matter."""
    height, width = sharp.shape
    rows, columns = (min(5, side // _BLOCK_PX) for side in (height, width))
    if rows * columns < 6:
        return 1.0, 0.0
    places, moves, weights = [], [], []
    for y in np.linspace(0, height - _BLOCK_PX, rows).astype(int):
        for x in np.linspace(0, width - _BLOCK_PX, columns).astype(int):
            part = (slice(y, y + _BLOCK_PX), slice(x, x + _BLOCK_PX))
            move = _refine(sharp[part][None], blurred[part][None], None, whole)
            places.append([y + _BLOCK_PX / 2 - height / 2, x + _BLOCK_PX / 2 - width / 2])
            moves.append(move - whole)
            weights.append(float(sharp[part].std()))
    return _fit_similarity(np.array(places), np.array(moves), np.array(weights))


def _fit_similarity(places: DoubleArray, moves: DoubleArray, weights: DoubleArray) -> tuple[float, float]:
    y, x = places.T
    zero, one = np.zeros_like(x), np.ones_like(x)
    # move = shift + (scale - 1) * place + rotation * (place turned by 90 degrees)
    system = np.concatenate([np.stack([one, zero, y, -x], 1), np.stack([zero, one, x, y], 1)])
    target, weight = moves.T.ravel(), np.tile(weights, 2)
    for _ in range(3):
        root = np.sqrt(weight)
        found = np.linalg.lstsq(system * root[:, None], target * root, rcond=None)[0]
        away = np.abs(target - system @ found)
        weight = np.tile(weights, 2) / np.maximum(away, max(float(np.median(away)), 0.02))
    corner = float(np.hypot(np.abs(y).max(), np.abs(x).max()))
    gained = np.median(np.abs(target)) - np.median(away)
    if corner * float(np.hypot(found[2], found[3])) < _WORTH_PX or gained < 0.3 * float(np.median(np.abs(target))):
        return 1.0, 0.0
    return float(1 + found[2]), float(found[3])
