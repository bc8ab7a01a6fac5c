"""``datasets``: which data sets are on this machine, whether they are intact, and where to get the others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.arguments import AsJson
from focusviewer.cli.output import Progress, note, print_json, table
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.training.datasets import Finding

_SHOWN = 12


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.command()(datasets)


def datasets(
    path: Annotated[
        Path | None, typer.Argument(metavar="[PATH]", help="Folder of data sets; default FOCUSVIEWER_DATASETS.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Decode every image and report what is wrong.")] = False,
    manifest: Annotated[
        Path | None,
        typer.Option("--manifest", metavar="FILE", help="Checksums: written when FILE is new, else compared with it."),
    ] = None,
    json: AsJson = False,
) -> None:
    """The data sets found, with their splits and findings, and where to download the others."""
    from focusviewer.training.datasets import CATALOGUE, datasets_root

    root = datasets_root(path)
    if root is None and (check or manifest is not None):
        raise UserError("No folder of data sets was given", "", "Give PATH, or set FOCUSVIEWER_DATASETS.")
    found, strange = _found(root, check, json) if root is not None else ([], [])
    names = {document["name"] for document in found}
    missing = [
        {"name": entry.about.name, "title": entry.about.title, "url": entry.about.url, "content": entry.about.content}
        for entry in CATALOGUE
        if entry.about.name not in names
    ]
    sums = _manifest(root, manifest, json) if root is not None and manifest is not None else None
    document = {"root": root, "datasets": found, "missing": missing, "unrecognised": strange, "manifest": sums}
    if json:
        print_json(document)
    else:
        _print(document)
    thorough = check or (root is not None and root.is_file())  # a file that is named should be one we can read
    errors = sum(one["errors"] for one in found) if thorough else 0
    errors += sums["errors"] if sums else 0
    if errors:
        raise UserError(f"{root} is not sound", f"{errors} error{'s' if errors > 1 else ''} found", "See the list.")


def _found(root: Path, thorough: bool, quiet: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """What is there, one document each, and the folders that hold nothing we know."""
    from focusviewer.training.datasets import Finding, find_datasets, open_dataset
    from focusviewer.training.datasets import check as check_dataset

    documents, strange = [], []
    for path, entry in find_datasets(root):
        try:
            dataset = open_dataset(path, entry.about.name if entry else "stacks", strict=False)
        except UserError as error:
            if entry is None:
                strange.append(str(path))
                continue
            told = _told([Finding("error", path, str(error))])
            documents.append({"name": entry.about.name, "title": entry.about.title, "path": str(path), **told})
            continue
        findings = list(dataset.findings)
        if thorough:
            with Progress(f"checking {dataset.about.title}", quiet) as progress:
                findings = check_dataset(dataset, progress)
        documents.append({**dataset.summary(), **_told(findings)})
    return documents, strange


def _told(findings: list[Finding]) -> dict[str, Any]:
    kinds = Counter(finding.severity for finding in findings)
    return {
        "errors": kinds["error"],
        "warnings": kinds["warning"],
        "findings": [{"severity": f.severity, "path": str(f.path), "text": f.text} for f in findings],
    }


def _manifest(root: Path, file: Path, quiet: bool) -> dict[str, Any]:
    from focusviewer.training.datasets import read_manifest, verify_manifest, write_manifest

    with Progress("checksums", quiet) as progress:
        if not file.exists():
            return {"file": str(file), "written": True, "files": write_manifest(root, file, progress), **_told([])}
        findings = verify_manifest(root, file, progress)
    return {"file": str(file), "written": False, "files": len(read_manifest(file)), **_told(findings)}


def _print(document: dict[str, Any]) -> None:
    found = document["datasets"]
    if document["root"] is None:
        note("No folder of data sets: give PATH, or set FOCUSVIEWER_DATASETS.")
    rows = [[one["title"], one.get("images"), one.get("stacks"), one.get("slides"), one["path"]] for one in found]
    if rows:
        typer.echo(table(["data set", "images", "stacks", "slides", "path"], rows))
    for one in found:
        _print_details(one)
    for path in document["unrecognised"]:
        typer.echo(f"{path} holds no data set that is known here.")
    sums = document["manifest"]
    if sums:
        verb = "written" if sums["written"] else "compared"
        typer.echo(f"\nManifest {sums['file']}: {verb}, {sums['files']} files, {sums['errors']} errors")
        _print_findings(sums["findings"])
    if document["missing"]:
        typer.echo("\nNot found here; to download:")
        for one in document["missing"]:
            typer.echo(f"  {one['title']}: {one['content']}\n    {one['url']}")


def _print_details(one: dict[str, Any]) -> None:
    typer.echo(f"\n{one['title']}")
    published = one.get("images_published")
    if published and one["images"] != published:
        typer.echo(f"  {one['images']:,} of the {published:,} images it is published with")
    for scheme, sides in one.get("splits", {}).items():
        typer.echo(f"  split {scheme}: " + ", ".join(f"{count} {side}" for side, count in sides.items()))
    if one.get("note"):
        typer.echo(f"  {one['note']}")
    _print_findings(one["findings"])


def _print_findings(findings: list[dict[str, Any]]) -> None:
    ordered = sorted(findings, key=lambda finding: finding["severity"])  # errors come first
    for finding in ordered[:_SHOWN]:
        typer.echo(f"  {finding['severity']}: {finding['path']}: {finding['text']}")
    if len(findings) > _SHOWN:
        typer.echo(f"  ... and {len(findings) - _SHOWN} more (--json lists all)")
