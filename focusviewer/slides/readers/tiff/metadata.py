"""What the many dialects of TIFF say about scale and focal planes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree

from focusviewer.slides.base import PixelSizes, pixel_sizes
from focusviewer.slides.readers.numbers import microns, number, unit_um

_RESOLUTION_UNITS_UM = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}


@dataclass
class Stated:
    """What the file states; None where it is silent. ``mpp_y`` is set where pixels have a size of their own down."""

    mpp: float | None = None
    mpp_y: float | None = None
    objective_power: float | None = None
    z_um: list[float] | None = None
    properties: dict[str, str] = field(default_factory=dict)


def resolution_um(page: Any) -> tuple[float, float] | None:
    """Sides of a pixel, across and down in um, from the resolution tags, whatever they are worth."""
    unit = _RESOLUTION_UNITS_UM.get(int(page.resolutionunit or 1))
    try:
        across, down = (float(v) for v in page.resolution)
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    if unit is None or across <= 0 or down <= 0 or across == down == 1:  # 1 is what writers put when they do not know
        return None
    return unit / across, unit / down


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
    stated.mpp = microns(stated.properties.get("aperio.MPP"))
    stated.objective_power = number(stated.properties.get("aperio.AppMag"))
    return stated


def aperio_z_um(page: Any) -> float | None:
    """Focal position that the description of an Aperio page states."""
    return microns(aperio(page.description).properties.get("aperio.OffsetZ")) if page.is_svs else None


def distinct(z_um: Sequence[float | None]) -> list[float] | None:
    """Focal positions when every plane states one of its own, else None."""
    known = [z for z in z_um if z is not None]
    return known if len(set(known)) == len(z_um) else None


def imagej(metadata: Mapping[str, Any], page: Any) -> Stated:
    """Scale and z step of an ImageJ description; XResolution counts pixels per ``unit``."""
    stated = Stated()
    um = unit_um(str(metadata.get("unit", "")))
    try:
        per_unit = [float(value) for value in page.resolution[:2]]
    except (TypeError, ValueError, ZeroDivisionError):
        per_unit = [0.0]
    if um is not None and min(per_unit) > 0:
        stated.mpp, stated.mpp_y = um / per_unit[0], um / per_unit[-1]
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
    stated.mpp, stated.mpp_y = sizes[0] or sizes[1], sizes[1]
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


def _all(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [child for child in element.iter() if child.tag.rpartition("}")[2] == name]


def _length(element: ElementTree.Element, name: str) -> float | None:
    um = microns(element.get(name), element.get(f"{name}Unit", "µm"))
    return um if um is not None and um > 0 else None


def _plane_positions(pixels: ElementTree.Element, planes: Sequence[int]) -> list[float] | None:
    """PositionZ of these planes, when all are given in a unit of length and differ."""
    found: dict[int, float] = {}
    for plane in _all(pixels, "Plane"):
        um = microns(plane.get("PositionZ"), plane.get("PositionZUnit"))
        if um is not None and plane.get("TheC", "0") == "0" and plane.get("TheT", "0") == "0":
            found[int(plane.get("TheZ", "0"))] = um
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


def stated_sizes(stated: Stated, page: Any) -> PixelSizes:
    """Stated and usable pixel size: the metadata's own word, else the resolution tags."""
    if stated.mpp is not None:
        return pixel_sizes(stated.mpp, stated.mpp_y)
    return pixel_sizes(*(resolution_um(page) or (None, None)))
