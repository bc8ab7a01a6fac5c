"""What lies on a slide that no focus model can score: marker pen, dust, rims of bubbles and coverslips, folds.

Found on a low-resolution picture by colour and shape. Sharpness plays no part, so tissue out of focus is none of them.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from focusviewer.core.arrays import FloatArray, Mask
from focusviewer.focus.tissue.appearance import wide_means

KINDS = ("pen", "dust", "rim", "fold")

_STAIN_SHARE = 0.65  # pen colours on more than this part of the tissue are the stain's, if they have texture
_STAIN_TEXTURE = 8.0
_RED_SHARE = 0.72  # least density of blue over that of green in red ink; some eosins have it too
_INK_DENSITY, _INK_DENSE_SHARE = 0.5, 0.1  # a tenth of a mark is as dense; of pale tissue next to nothing
_PEN_REACH_UM = 100.0  # how far a mark may go on over its faint edges
_SPECK_UM = 10.0  # half the width of what is no area yet: blood is as red as ink
_LEAST_MARK = 0.003  # of the picture, or in mm2: what a mark covers in one piece
_LEAST_MARK_MM2 = 0.1

_RIM_DENSITY = 0.06  # by which a rim or speck is denser than what surrounds it
_RIM_TISSUE_DENSITY = 0.3
_NEUTRAL, _OPAQUE = 0.75, 0.8  # least over most density of what is gray, and not stained
_RIM_REACH_UM = 40.0  # half the width of what counts as surroundings, and at most in pixels
_RIM_REACHES_PX = (12, 48)
_RIM_LENGTH_UM = 80.0
_DUST_UM = 6.0
_DUST_PER_MM2 = 40.0  # gray specks on tissue that are more than this are its own: pigment, black precipitate

_CODES = 150.0  # steps of density in which means over wide squares are taken

_FOLD_TIMES = 1.8  # as dense as the tissue around it: a fold is tissue twice
_FOLD_DENSITY = 0.5
_FOLD_REACH_UM = 160.0
_FOLD_LENGTH_UM = 120.0
_FOLD_SLIMNESS = 3.0
_FOLD_INSIDE = 0.75  # part of the surroundings that is tissue: edges of dense tissue look like folds
_FOLD_HUE = 0.13  # by which the ratios of the channels' densities may differ from those around: nuclei differ by more


@dataclass(frozen=True)
class Ink:
    """Colour rules of one kind of ink, as masks over a picture.

    Attributes
    ----------
    sure : bool (H, W)
        Colour that only ink has, if it fills an area.
    likely : bool (H, W)
        Enough on a slide on which there is such an area.
    faint : bool (H, W)
        How a mark may go on from there, for a while.
    lines : bool
        Colour that thin lines may tell as well; blood is as red as ink, and bubbles have black rims.
    """

    sure: Mask
    likely: Mask
    faint: Mask
    lines: bool = False


def find_pen(density: FloatArray, texture: FloatArray, tissue: Mask, um_per_px: float) -> Mask:
    """Marker pen: colours no usual stain has, in areas, not specks; also over tissue.

    Green and blue inks let less red than green through, by far; red ink lets red through and stops green and blue
    almost alike (eosin stops green mainly, DAB stops some red too); yellow ink stops blue alone; black ink stops all
    alike. From there the mark goes on over its faint edges, and over tissue that it shades.

    Parameters
    ----------
    density : float32 (3, H, W)
        Optical density of red, green and blue above glass.
    texture : float32 (H, W)
        Local spread in gray levels.
    tissue : bool (H, W)
        What looks like tissue, marks included.
    um_per_px : float
        Pixel size of the picture.
    """
    reach = int(np.clip(_PEN_REACH_UM / um_per_px, 12, 64))
    # Where the scale is not what is stated (overviews), the picture's size bounds what a speck is.
    most = int(np.clip(min(tissue.shape) / 150, 1, 3))
    speck = int(np.clip(round(_SPECK_UM / um_per_px), 1, most))
    least_px = min(_LEAST_MARK * tissue.size, _LEAST_MARK_MM2 * 1e6 / um_per_px**2)
    result = np.zeros_like(tissue)
    # Large areas show on every other pixel: slides without a mark are done soon.
    if all(4 * float(ink.sure.sum()) < least_px / 2 for ink in _inks(density[:, ::2, ::2], tissue[::2, ::2])):
        return result
    for ink in _inks(density, tissue):
        if float(ink.sure.sum()) < least_px:
            continue
        cores = erode(ink.sure, speck)
        area = _large(ink.sure if ink.lines else cores, cores, least_px)
        if not area.any():
            continue
        share = ((ink.sure | ink.faint) & tissue).sum() / max(1, tissue.sum())
        if share > _STAIN_SHARE and np.median(texture[ink.sure]) > _STAIN_TEXTURE:
            continue  # a blue or red stain: ink neither covers whole slides nor has structure
        area = dilate(area, speck + 1) | dilate(erode(ink.likely, speck // 2), max(1, speck // 2))
        area |= _joined(ink.faint | ink.likely, area, reach)
        result |= dilate(area, 1)
    return np.asarray(erode(dilate(result, 2), 2))


def _large(mask: Mask, cores: Mask, least_px: float) -> Mask:
    """The cores that lie in connected parts of a mask that have at least so many pixels."""
    from scipy import ndimage

    labels, _ = ndimage.label(mask, np.ones((3, 3)))
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(cores & (sizes >= least_px)[labels])


def _joined(mask: Mask, seeds: Mask, reach: int) -> Mask:
    """The parts of a mask that hang together with the seeds and lie within ``reach`` pixels of them."""
    from scipy import ndimage

    near = ndimage.maximum_filter(seeds, 2 * reach + 1) & (mask | seeds)
    labels, count = ndimage.label(near)
    kept = np.zeros(count + 1, bool)
    kept[labels[seeds]] = True
    kept[0] = False
    return np.asarray(kept[labels])


def _inks(density: FloatArray, tissue: Mask) -> list[Ink]:
    red, green, blue = density
    least, most = density.min(axis=0), density.max(axis=0)
    bluish = red - green
    usual, usual_blue = _usual(bluish, tissue, 0.1), _usual(blue / np.maximum(green, 0.02), tissue, 0.7)
    bluer = bluish > usual + 0.12
    green_or_blue = (bluish > max(0.03, usual)) | ((bluish > max(-0.06, usual + 0.1)) & (red > 0.22))
    dark = (least > 0.3) & (red > 0.35) & (most - least < 0.75 * green)
    red_ink = _is_red(density, 0.25, 0.35, max(_RED_SHARE, usual_blue + 0.12))
    own = blue / np.maximum(green, 0.02)
    if tissue.any() and float(np.median(own[tissue])) > _RED_SHARE and not _has_dense(red_ink, green):
        red_ink = np.zeros_like(red_ink)  # the stain itself is of that red
    pink_ink = _is_red(density, 0.05, 0.3, max(0.76, usual_blue + 0.08))
    reddish = _is_red(density, 0.04, 0.36, max(0.66, usual_blue + 0.06)) | dark
    black = (least > 0.8) & (most - least < 0.3)
    return [
        Ink(bluer & (bluish > 0.18), bluer & (bluish > 0.08), green_or_blue, lines=True),
        Ink(bluer & _is_blue(density, 0.12, 0.4), bluer & _is_blue(density, 0.06, 0.4), green_or_blue, lines=True),
        Ink(red_ink, red_ink | pink_ink, reddish),
        Ink((blue - green > 0.25) & (green < 0.4 * blue), blue > 2.5 * green + 0.12, blue > 2 * green + 0.04),
        Ink((least > 0.65) & (most - least < 0.22), black, (least > 0.06) & (most < 1.5 * least + 0.05)),
    ]


def _has_dense(ink: Mask, density: FloatArray) -> bool:
    """Whether a fair part of a mark is as dense as ink is and stain is not."""
    return float((ink & (density > _INK_DENSITY)).sum()) >= _INK_DENSE_SHARE * float(ink.sum())


def _usual(values: FloatArray, tissue: Mask, at_most: float) -> float:
    """What the tissue of this slide has by itself; not more than stains can have, as marks may cover it all."""
    return min(float(np.median(values[tissue])), at_most) if tissue.any() else 0.0


def _is_blue(density: FloatArray, least: float, blue_share: float) -> Mask:
    red, green, blue = density
    return np.asarray((red > least) & (red - green > 0.06) & (blue < blue_share * red))


def _is_red(density: FloatArray, least: float, red_share: float, blue_share: float) -> Mask:
    red, green, blue = density
    return np.asarray((green > least) & (red < red_share * green) & (blue > blue_share * green))


def find_rims(density: FloatArray, tissue: Mask, um_per_px: float) -> tuple[Mask, Mask]:
    """Dust, and the rims of bubbles and coverslips: gray, denser than their surroundings, small or thin.

    Returns
    -------
    dust, rim : bool (H, W)
    """
    from scipy import ndimage

    lowest, highest = density.min(axis=0), density.max(axis=0)
    grayish = (lowest > _RIM_DENSITY) & (highest - lowest < 0.3 * highest + 0.03)
    if not grayish.any():
        return grayish, grayish.copy()
    opaque = lowest > _OPAQUE * highest
    seeds = np.zeros_like(tissue)
    # Thin rims stand out from what is near, wide ones only from what is farther away.
    for reach in sorted({int(np.clip(round(_RIM_REACH_UM / um_per_px), 3, most)) for most in _RIM_REACHES_PX}):
        excess = density - np.stack(list(wide_means(density, reach, _CODES)))
        least, most = excess.min(axis=0), excess.max(axis=0)
        # What lies on tissue adds to its density, or hides it.
        gray = (least > _NEUTRAL * most) | opaque
        # Where tissue is gray by itself, gray specks are its own.
        own = (least > 0.05) & gray & tissue
        allowed = ~tissue if own.sum() > 0.05 * tissue.sum() else np.ones_like(tissue)
        seeds |= gray & allowed & (least > np.where(tissue, _RIM_TISSUE_DENSITY, _RIM_DENSITY))
    seeds &= grayish
    labels, count = ndimage.label(seeds & tissue, np.ones((3, 3)))
    if count > max(8.0, _DUST_PER_MM2 * float(tissue.sum()) * um_per_px**2 / 1e6):
        seeds &= ~tissue
    labels, _ = ndimage.label(seeds, np.ones((3, 3)))
    rim = np.zeros_like(seeds)
    dust = np.zeros_like(seeds)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        part = labels[box] == label
        length = max(part.shape) * um_per_px
        target = rim if length >= _RIM_LENGTH_UM else dust
        if part.sum() * um_per_px**2 >= _DUST_UM**2:
            target[box] |= part
    return dilate(dust, 1), dilate(rim, 1)


def find_folds(density: FloatArray, tissue: Mask, um_per_px: float) -> Mask:
    """Folds: long bands of tissue that is far denser than the tissue around it, but of the same colour."""
    from scipy import ndimage

    average = density.mean(axis=0)
    dense = tissue & (average > _FOLD_DENSITY)
    if not dense.any():
        return np.zeros_like(tissue)
    reach = max(4, round(_FOLD_REACH_UM / um_per_px))
    weight, *sums = wide_means((tissue.astype(np.float32), *(density * tissue)), reach, _CODES)
    around = np.stack(sums) / np.maximum(weight, 1e-2)
    dense &= (average > _FOLD_TIMES * around.mean(axis=0)) & (weight > _FOLD_INSIDE)
    green, green_around = np.maximum(density[1], 0.05), np.maximum(around[1], 0.05)
    for channel in (0, 2):
        dense &= np.abs(density[channel] / green - around[channel] / green_around) < _FOLD_HUE
    shortest = min(_FOLD_LENGTH_UM / um_per_px, 0.3 * min(tissue.shape))  # small pictures show a part of it
    # Gaps of a pixel or two are bridged: folded tissue keeps its own texture.
    labels, _ = ndimage.label(dilate(dense, 1))
    folds = np.zeros_like(tissue)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        if box is None:
            continue
        part = labels[box] == label
        rows, cols = np.nonzero(part)
        if rows.size < 12:
            continue
        spread = np.linalg.eigvalsh(np.cov(np.stack([rows, cols]).astype(float)))
        length = np.sqrt(12 * max(float(spread[1]), 1e-9))
        if length >= shortest and length**2 >= _FOLD_SLIMNESS * rows.size:
            folds[box] |= part
    return dilate(folds, 1)


def find_artefacts(density: FloatArray, texture: FloatArray, tissue: Mask, um_per_px: float) -> dict[str, Mask]:
    """Every kind of artefact, each as a mask: the keys are KINDS.

    Parameters
    ----------
    density, texture, tissue, um_per_px
        As for :func:`find_pen`.
    """
    pen = find_pen(density, texture, tissue, um_per_px)
    clean = tissue & ~pen
    with ThreadPoolExecutor(1) as pool:
        folds = pool.submit(find_folds, density, clean, um_per_px)
        dust, rim = find_rims(density, clean, um_per_px)
        return {"pen": pen, "dust": dust & ~pen, "rim": rim & ~pen, "fold": folds.result()}


def dilate(mask: Mask, radius: int) -> Mask:
    """Grow a mask by a square of ``2 * radius + 1`` pixels; five to ten times faster than scipy's dilation of it."""
    for axis in (-2, -1):
        padded = np.pad(mask, [(radius, radius) if a == axis else (0, 0) for a in (-2, -1)])
        grown = mask.copy()
        length = mask.shape[axis]
        for shift in range(2 * radius + 1):
            if shift != radius:
                part = slice(shift, shift + length)
                grown |= padded[part] if axis == -2 else padded[:, part]
        mask = grown
    return mask


def erode(mask: Mask, radius: int) -> Mask:
    """Shrink a mask likewise; the picture's border does not count as outside."""
    return ~dilate(~mask, radius)
