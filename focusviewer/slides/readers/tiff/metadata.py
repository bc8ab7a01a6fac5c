"""What the many dialects of TIFF say about scale and focal planes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from focusviewer.slides.base import usable_mpp

_UNITS_UM = {
    "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "nm": 1e-3, "nanometer": 1e-3, "pm": 1e-6, "å": 1e-4, "angstrom": 1e-4,
    "mm": 1e3, "millimeter": 1e3, "cm": 1e4, "centimeter": 1e4, "m": 1e6, "meter": 1e6,
    "in": 25400.0, "inch": 25400.0, "inches": 25400.0,
}  # fmt: skip
_OTHER_MARKS = ("label", "macro", "thumbnail", "overview")


@dataclass
class Stated:
    """What the file states; None where it is silent."""

    mpp: float | None = None
    objective_power: float | None = None
    z_um: list[float] | None = None
    properties: dict[str, str] = field(default_factory=dict)


def unit_um(name: str | None) -> float | None:
    """Microns in a unit of length, None for units that are no length (pixel, reference frame)."""
    if not name:
        return None
    return _UNITS_UM.get(name.strip().replace("\\u00B5", "µ").replace("\\u00b5", "µ").lower())


def number(text: Any) -> float | None:
    """A finite number from text, else None."""
    try:
        value = float(str(text).strip())
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def resolution_mpp(page: Any) -> float | None:
    """Microns per pixel from the resolution tags (unit inch or centimetre), whatever they are worth."""
    unit = {2: 25400.0, 3: 10000.0}.get(int(page.resolutionunit or 1))
    try:
        across, down = (float(v) for v in page.resolution)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if unit is None or across <= 0 or down <= 0 or across == down == 1:  # 1 is what writers put when they do not know
        return None
    return (unit / across + unit / down) / 2


def tag_properties(page: Any) -> dict[str, str]:
    """Short text tags of a page, named as OpenSlide names them."""
    names = {"ImageDescription": 8000, "Make": 400, "Model": 400, "Software": 400, "DateTime": 400, "Artist": 400}
    found: dict[str, str] = {}
    for name, longest in names.items():
        tag = page.tags.get(name)
        value = tag.value if tag is not None else None
        if isinstance(value, str) and value.strip():
            found[f"tiff.{name}"] = value.strip()[:longest]
    return found


def aperio(description: str) -> Stated:
    """Scale and properties of an Aperio image description (``header|key = value|...``)."""
    stated = Stated()
    for part in description.split("|")[1:]:
        key, sign, value = part.partition("=")
        if sign:
            stated.properties[f"aperio.{key.strip()}"] = value.strip()
    stated.mpp = number(stated.properties.get("aperio.MPP"))
    stated.objective_power = number(stated.properties.get("aperio.AppMag"))
    return stated


def imagej(metadata: Mapping[str, Any], page: Any) -> Stated:
    """Scale and z step of an ImageJ description; XResolution counts pixels per ``unit``."""
    stated = Stated()
    um = unit_um(str(metadata.get("unit", "")))
    try:
        per_unit = float(page.resolution[0])
    except (TypeError, ValueError, ZeroDivisionError):
        per_unit = 0.0
    if um is not None and per_unit > 0:
        stated.mpp = um / per_unit
    spacing = number(metadata.get("spacing"))
    if um is not None and spacing:
        stated.z_um = [abs(spacing) * um]  # the step; the caller knows how many planes
    kept = ("ImageJ", "images", "slices", "channels", "frames", "unit", "spacing", "mode")
    stated.properties = {f"imagej.{key}": str(metadata[key]) for key in kept if key in metadata}
    return stated


def ome(xml: str, image_index: int, planes: int, held: Sequence[int] | None = None) -> Stated:
    """Scale, focal positions and objective of one image of an OME-XML document.

    Parameters
    ----------
    xml : str
    image_index : int
        Which ``Image`` element.
    planes : int
        Size of the Z axis.
    held : sequence of int, optional
        The planes that were written, when some were not: their positions are enough.
    """
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return Stated()
    images = _all(root, "Image")
    if image_index >= len(images):
        return Stated()
    image = images[image_index]
    pixels = next(iter(_all(image, "Pixels")), image)
    stated = Stated()
    sizes = [_length(pixels, f"PhysicalSize{axis}") for axis in "XY"]
    known = [size for size in sizes if size]
    if known:
        stated.mpp = sum(known) / len(known)
    step = _length(pixels, "PhysicalSizeZ")
    stated.z_um = _plane_positions(pixels, range(planes) if held is None else held) or ([step] if step else None)
    stated.objective_power = _objective(root, image)
    stated.properties = {f"ome.{k}": v for k, v in pixels.attrib.items() if k.startswith(("Size", "PhysicalSize"))}
    if image.get("Name"):
        stated.properties["ome.Name"] = str(image.get("Name"))
    description = next((child.text for child in image if child.tag.rpartition("}")[2] == "Description"), None)
    if description and description.strip():
        stated.properties["ome.Description"] = description.strip()[:8000]
    return stated


def ome_image_names(xml: str) -> list[str]:
    """Names of the images of an OME-XML document, in order."""
    try:
        return [image.get("Name") or "" for image in _all(ElementTree.fromstring(xml), "Image")]
    except ElementTree.ParseError:
        return []


def _all(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [child for child in element.iter() if child.tag.rpartition("}")[2] == name]


def _length(element: ElementTree.Element, name: str) -> float | None:
    value = number(element.get(name))
    um = unit_um(element.get(f"{name}Unit", "µm"))
    return value * um if value and value > 0 and um else None


def _plane_positions(pixels: ElementTree.Element, planes: Sequence[int]) -> list[float] | None:
    """PositionZ of these planes, when all are given in a unit of length and differ."""
    found: dict[int, float] = {}
    for plane in _all(pixels, "Plane"):
        value, um = number(plane.get("PositionZ")), unit_um(plane.get("PositionZUnit"))
        if value is not None and um is not None and plane.get("TheC", "0") == "0" and plane.get("TheT", "0") == "0":
            found[int(plane.get("TheZ", "0"))] = value * um
    wanted = [found[z] for z in planes if z in found]
    return wanted if len(planes) > 1 and len(set(wanted)) == len(planes) else None


def _objective(root: ElementTree.Element, image: ElementTree.Element) -> float | None:
    wanted = next((s.get("ID") for s in _all(image, "ObjectiveSettings")), None)
    for objective in _all(root, "Objective"):
        if wanted in (None, objective.get("ID")):
            return number(objective.get("NominalMagnification")) or number(objective.get("CalibratedMagnification"))
    return None


def plane_positions(z_um: Sequence[float] | None, planes: int) -> tuple[tuple[float, ...], bool, list[int]]:
    """Focal positions of the planes, whether they are known, and the order that makes them increase.

    Parameters
    ----------
    z_um : sequence of float or None
        One position per plane, or just the step, or nothing.
    planes : int
    """
    order = list(range(planes))
    if planes == 1:
        return (0.0,), True, order
    if not z_um:
        return tuple(float(i) for i in order), False, order
    if len(z_um) != planes:
        return tuple(round(i * z_um[0], 6) for i in order), True, order
    order.sort(key=lambda i: z_um[i])
    ordered = [z_um[i] for i in order]
    # Positions around a reference keep their zero; heights of a stage count from the lowest plane.
    origin = 0.0 if ordered[0] <= 0 <= ordered[-1] else ordered[0]
    return tuple(round(z - origin, 6) for z in ordered), True, order


def ndpi_planes(zoffsets_nm: Sequence[float | None], magnifications: Sequence[float | None]) -> dict[float, list[int]]:
    """Pages of an NDPI file that form focal stacks: magnification -> page indices, ordered by z (tag 65424, nm).

    Parameters
    ----------
    zoffsets_nm : sequence of float or None
        Tag 65424 of every page; None where it is missing (taken for 0).
    magnifications : sequence of float or None
        Tag 65421 of every page; negative for macro and map images, which are left out.
    """
    found: dict[float, dict[float, int]] = {}
    for index, (z, power) in enumerate(zip(zoffsets_nm, magnifications, strict=True)):
        if power and power > 0:
            found.setdefault(float(power), {}).setdefault(float(z or 0), index)
    return {power: [by_z[z] for z in sorted(by_z)] for power, by_z in sorted(found.items(), reverse=True)}


def usable(stated: Stated, page: Any) -> tuple[float | None, float | None]:
    """Stated and usable pixel size: the metadata's own word, else the resolution tags."""
    if stated.mpp is not None:
        return stated.mpp, usable_mpp(stated.mpp)
    fallback = resolution_mpp(page)
    return fallback, usable_mpp(fallback)


def other_image(description: str) -> str | None:
    """``label``, ``macro`` or ``thumbnail`` when an Aperio description names one of them."""
    second = description.splitlines()[1].strip().lower() if len(description.splitlines()) > 1 else ""
    word = second.split(" ")[0]
    return {"overview": "macro"}.get(word, word) if word in _OTHER_MARKS else None
