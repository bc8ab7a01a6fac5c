"""``info``: what a file is, and what it says about itself."""

from __future__ import annotations

from typing import Any

import typer

from focusviewer.cli.arguments import AsJson, Magnification, Mpp, SlidePath, opened
from focusviewer.cli.output import print_json


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(info)


def info(path: SlidePath, mpp: Mpp = None, magnification: Magnification = None, json: AsJson = False) -> None:
    """Format, size, levels, pixel size, planes and properties of a slide."""
    from focusviewer.slides import to_json
    from focusviewer.slides.identity import describe_records, focus_records

    with opened(path, mpp, magnification, tell=False) as slide:
        records = focus_records(slide)
        document = to_json(slide.info) | {"focus_records": records}
    if json:
        print_json(document)
        return
    lines = _lines(document)
    if records:
        lines += ["focus records of the scanner:", *(f"  {name}: {text}" for name, text in describe_records(records))]
    typer.echo("\n".join(lines))


def _lines(document: dict[str, Any]) -> list[str]:
    """The facts of an ``info`` document for people, one a line."""
    width, height = document["dimensions"]
    facts = [
        ("path", document["path"]),
        ("format", document["format"]),
        ("vendor", document["vendor"] or "not stated"),
        ("size", f"{width} x {height} pixels"),
        ("levels", len(document["levels"])),
        ("pixel size", _scale(document)),
        ("magnification", f"{document['objective_power']:g}x" if document["objective_power"] else "not stated"),
        ("planes", _planes(document)),
        ("pixels", document["computed"] or "as the file has them; nothing says that they were computed"),
        ("other images", ", ".join(document.get("associated") or []) or "none"),
        ("fingerprint", document["fingerprint"]),
    ]
    facts += [("note", remark) for remark in document.get("remarks") or []]
    lines = [f"{name + ':':<15}{value}" for name, value in facts]
    properties = document.get("properties") or {}
    if properties:
        lines += ["properties:", *(f"  {key}: {_short(str(value))}" for key, value in sorted(properties.items()))]
    return lines


def _scale(document: dict[str, Any]) -> str:
    sides = document.get("stated_mpp_xy")
    both = " x ".join(f"{side:.4g}" for side in sides) + " um" if sides else ""
    if document["mpp"]:
        differ = sides is not None and len({f"{side:.4g}" for side in sides}) > 1
        return f"{document['mpp']:.4g} um" + (f" (the file states {both}, across x down)" if differ else "")
    if document.get("mpp_x") and document.get("mpp_y"):
        return f"{both} (across x down: the pixels are not square)"
    stated = both or (f"{document['stated_mpp']:g} um" if document.get("stated_mpp") else "")
    why = f"the file states {stated}, which cannot be" if stated else "not stated"
    return f"unknown ({why}; give --mpp UM or --magnification X to commands that need it)"


def _planes(document: dict[str, Any]) -> str:
    planes, lacking = document["planes_um"], document.get("missing_planes") or 0
    known = document.get("z_step_known", True)
    missing = ""
    if lacking:
        where = ", ".join(f"{z:g}" for z in document.get("missing_um") or [])
        at = f": z = {where} um" if where and known else f": numbers {where}, from 0" if where else ""
        missing = f"; {lacking} missing{at}"
    if len(planes) == 1:
        return "1" + missing
    if not known:
        return f"{len(planes)}, z step not stated{missing}"
    return f"{len(planes)}, z = {', '.join(f'{z:g}' for z in planes)} um{missing}"


def _short(text: str, limit: int = 150) -> str:
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
