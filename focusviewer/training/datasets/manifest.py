"""Checksum manifests: SHA-256 and size of every file of a data set, so that a download can be trusted later."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from focusviewer.core.files import atomic_write
from focusviewer.core.json_text import from_json_text
from focusviewer.training.datasets.records import DatasetError, Finding
from focusviewer.training.datasets.walk import files_below

VERSION = 1
_BLOCK = 1 << 20


def write_manifest(root: Path, file: Path, on_progress: Callable[[float], None] | None = None) -> int:
    """Write the manifest of everything below a folder.

    Parameters
    ----------
    root : Path
    file : Path
        JSON; may lie below ``root`` and is then left out of itself.
    on_progress : callable, optional
        Takes the fraction of bytes read.

    Returns
    -------
    int
        Number of files.
    """
    paths = _files(root, file)
    total = sum(path.stat().st_size for path in paths) or 1
    done, entries = 0, {}
    for path in paths:
        size = path.stat().st_size
        entries[path.relative_to(root).as_posix()] = {"size": size, "sha256": sha256(path)}
        done += size
        if on_progress is not None:
            on_progress(done / total)
    with atomic_write(file) as temporary:
        temporary.write_text(json.dumps({"version": VERSION, "files": entries}, indent=1) + "\n", encoding="utf-8")
    return len(entries)


def verify_manifest(root: Path, file: Path, on_progress: Callable[[float], None] | None = None) -> list[Finding]:
    """Compare a folder with its manifest.

    Returns
    -------
    list of Finding
        Errors for files that are missing or changed, warnings for those the manifest does not know; empty when all
        is as it was.

    Raises
    ------
    DatasetError
        If the manifest cannot be read.
    """
    entries = read_manifest(file)
    findings = []
    total = sum(size for size, _ in entries.values()) or 1
    done = 0
    for name, (size, digest) in entries.items():
        path = root / name
        if not path.is_file():
            findings.append(Finding("error", path, "is missing; the manifest lists it"))
        elif path.stat().st_size != size:
            findings.append(Finding("error", path, f"has {path.stat().st_size:,} bytes, the manifest says {size:,}"))
        elif sha256(path) != digest:
            findings.append(Finding("error", path, "has changed: its SHA-256 is not the manifest's"))
        done += size
        if on_progress is not None:
            on_progress(done / total)
    for path in _files(root, file):
        if path.relative_to(root).as_posix() not in entries:
            findings.append(Finding("warning", path, "is not in the manifest"))
    return findings


def read_manifest(file: Path) -> dict[str, tuple[int, str]]:
    """Relative path -> size in bytes and SHA-256.

    Raises
    ------
    DatasetError
        If the file is no manifest.
    """
    try:
        document = from_json_text(file.read_text(encoding="utf-8"))
        if document["version"] != VERSION:
            raise ValueError(f"version {document['version']}")
        return {str(name): (int(entry["size"]), str(entry["sha256"])) for name, entry in document["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"Cannot read the manifest {file}", f"it is damaged or no manifest ({error})", "Write it again."
        ) from error


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _files(root: Path, manifest: Path) -> list[Path]:
    own = manifest.resolve()
    return [path for path in files_below(root) if path.resolve() != own]
