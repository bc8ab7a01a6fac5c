"""Data sets of simulated focal stacks on disk: split by source, with a manifest that says what every file is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from focusviewer.core.arrays import RGB
from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write, check_output_folder, output_folder
from focusviewer.optics.camera import Camera
from focusviewer.optics.psf import Optics
from focusviewer.optics.pupil import Mount
from focusviewer.simulation.scanner import Scan, Scanner
from focusviewer.simulation.sections.artefacts import Artefacts
from focusviewer.simulation.stacks import StackRecipe, simulate_stack, write_simulated_stack
from focusviewer.training.data.simulator import SIMULATOR_VERSION
from focusviewer.training.data.volumes import spread
from focusviewer.training.datasets.decode import read_rgb
from focusviewer.training.datasets.records import DatasetError

SPLITS = ("train", "validation", "test")
HELD_OUT = 0.15
"""Share of the sources in validation, and in test."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
KINDS = ("mixed", "mixed", "gland", "stroma", "tumour", "inflamed")


@dataclass(frozen=True)
class DatasetRecipe:
    """What a data set holds; see ``simulation.stacks.StackRecipe`` for a stack's own size.

    Parameters
    ----------
    stacks : int
        How many, 3 or more.
    phantoms : float
        Share of phantoms, where there are pictures to lift.
    """

    seed: int = 0
    stacks: int = 24
    width: int = 512
    height: int = 512
    planes: int = 9
    step_um: float = 0.75
    mpp: float = 0.25
    phantoms: float = 0.5


@dataclass(frozen=True)
class SourceImage:
    """A picture to lift: its name below the folder, and the SHA-256 of its bytes."""

    name: str
    path: Path
    digest: str


@dataclass(frozen=True)
class Manifest:
    """What ``manifest.json`` says.

    Attributes
    ----------
    recipe : DatasetRecipe
    entries : list of dict
        One per stack: ``path``, ``truth``, ``split``, ``source``, ``best_plane``, ``planes_um`` and its ``recipe``.
    files : dict
        Size and SHA-256 of each file, as ``datasets.manifest`` writes and checks them.
    skipped : dict
        Pictures that could not be used, and why.
    """

    recipe: DatasetRecipe
    entries: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, Any]:
        """How many stacks and sources each split has."""
        stacks = {split: sum(entry["split"] == split for entry in self.entries) for split in SPLITS}
        sources = {
            split: len({entry["source"] for entry in self.entries if entry["split"] == split}) for split in SPLITS
        }
        return {"stacks": stacks, "sources": sources, "skipped": self.skipped}

    def text(self) -> str:
        """The file's content."""
        document = {
            "version": 1,
            "simulator": SIMULATOR_VERSION,
            "recipe": asdict(self.recipe),
            "files": self.files,
            "stacks": self.entries,
            "skipped": self.skipped,
        }
        return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def write_dataset(
    out: Path, recipe: DatasetRecipe, patches: Path | None, on_progress: Callable[[float], None] | None = None
) -> Manifest:
    """Simulate a data set; ``manifest.json`` is written last, so that a data set with one is complete.

    Parameters
    ----------
    out : Path
        Folder: ``train/``, ``validation/`` and ``test/`` with ``stack-0000.ome.tif`` and its ``.truth.npz``.
    patches : Path, optional
        Folder of sharp pictures to lift, taken to be of the recipe's scale. Pictures of equal content are one source.
    on_progress : callable (fraction), optional
        May raise to stop.

    Raises
    ------
    UserError
        If a folder cannot be used, or no picture in ``patches`` is large enough.
    """
    check_output_folder(out)
    if (out / "manifest.json").exists() or any((out / split).exists() for split in SPLITS):
        raise UserError(f"{out} holds a data set already", "", "Choose another --out, or remove it first.")
    manifest = Manifest(recipe)
    images = _usable_images(patches, recipe, manifest.skipped) if patches else []
    for number, (split, image) in enumerate(_plan(recipe, images)):
        output_folder(out / split)
        path = out / split / f"stack-{number:04d}.ome.tif"
        _write_one(path, out, number, split, image, manifest)
        if on_progress:
            on_progress((number + 1) / recipe.stacks)
    with atomic_write(out / "manifest.json") as temporary:
        temporary.write_text(manifest.text(), encoding="utf-8")
    return manifest


def _write_one(path: Path, out: Path, number: int, split: str, image: SourceImage | None, manifest: Manifest) -> None:
    rng = np.random.default_rng((manifest.recipe.seed, 52, number))
    stack_recipe = _random_recipe(manifest.recipe, rng, image is not None)
    patch = None if image is None else _cut(read_rgb(image.path), stack_recipe, rng)
    source = f"phantom-{stack_recipe.seed}" if image is None else image.name
    stack = simulate_stack(stack_recipe, patch)
    truth = write_simulated_stack(path, stack_recipe, stack, source)
    for made in (path, truth):
        data = made.read_bytes()
        name = made.relative_to(out).as_posix()
        manifest.files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest.entries.append(
        {
            "path": path.relative_to(out).as_posix(),
            "truth": truth.relative_to(out).as_posix(),
            "split": split,
            "source": source,
            "source_sha256": None if image is None else image.digest,
            "planes_um": [round(float(z), 6) for z in stack.planes_um],
            "best_plane": stack.best_plane,
            "recipe": asdict(stack_recipe),
        }
    )


def _usable_images(folder: Path, recipe: DatasetRecipe, skipped: dict[str, str]) -> list[SourceImage]:
    """Pictures large enough to cut from, each content once; the others are named with the reason."""
    if not folder.is_dir():
        raise UserError(f"No pictures at {folder}", "there is no such folder", "Give one with --patches DIR.")
    found: dict[str, SourceImage] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() not in SUFFIXES:
            continue
        name = path.relative_to(folder).as_posix()
        try:
            height, width = read_rgb(path).shape[:2]
        except DatasetError as error:
            skipped[name] = error.why
            continue
        if width < recipe.width or height < recipe.height:
            skipped[name] = f"{width} x {height} px is smaller than a stack"
            continue
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest in found:
            skipped[name] = f"the same as {found[digest].name}"
            continue
        found[digest] = SourceImage(name, path, digest)
    if not found:
        size = f"{recipe.width} x {recipe.height} px"
        raise UserError(f"No picture in {folder} is large enough", f"stacks have {size}", "Give a smaller --size.")
    return list(found.values())


def _plan(recipe: DatasetRecipe, images: list[SourceImage]) -> Iterator[tuple[str, SourceImage | None]]:
    """Split and picture (None: a phantom) of each stack."""
    drawn = recipe.stacks if not images else round(recipe.phantoms * recipe.stacks)
    rng = np.random.default_rng((recipe.seed, 50))
    phantom_splits = _splits(drawn, rng)
    order = rng.permutation(len(images))
    # No more pictures than stacks to make of them, so that the splits have the wanted shares of stacks too.
    used = [images[i] for i in order[: recipe.stacks - drawn]]
    image_splits = _splits(len(used), rng)
    for number in range(recipe.stacks):
        if number < drawn:
            yield phantom_splits[number], None
        else:
            which = (number - drawn) % len(used)
            yield image_splits[which], used[which]


def _splits(count: int, rng: np.random.Generator) -> list[str]:
    """The side of each source; from three on, every side gets one."""
    held_out = max(1, round(HELD_OUT * count)) if count >= 3 else 0
    sides = ["validation"] * held_out + ["test"] * held_out
    sides += ["train"] * (count - len(sides))
    return [sides[i] for i in rng.permutation(count)]


def _random_recipe(recipe: DatasetRecipe, rng: np.random.Generator, lifted: bool) -> StackRecipe:
    """A stack of the data set: its section, artefacts and scanner drawn at random."""
    seed = int(rng.integers(1 << 31))
    often = rng.random(8)
    artefacts = Artefacts(
        relief_um=float(rng.uniform(0.1, 0.8)) if often[0] < 0.6 else 0.0,
        folds=int(often[1] < 0.12),
        bubbles=int(often[2] < 0.08),
        dust=int(rng.integers(1, 5)) if often[3] < 0.15 else 0,
        dust_height_um=float(rng.uniform(4, 15)),
    )
    mount = None
    if often[4] < 0.4:
        mount = Mount(
            coverslip_um=float(np.round(rng.normal(170, 6))), section_index=round(float(rng.uniform(1.45, 1.55)), 3)
        )
    optics = Optics(
        na=round(float(rng.uniform(0.6, 0.8)), 3),
        chromatic_shift_um=(round(float(rng.normal(0, 0.2)), 2), 0.0, round(float(rng.normal(0, 0.2)), 2)),
        mount=mount,
        condenser=round(float(rng.uniform(0.55, 1.0)), 2) if often[5] < 0.5 else 1.0,
        refraction=round(float(rng.uniform(0, 0.2)), 2) if often[5] < 0.5 else 0.0,
    )
    camera = Camera(
        noise=float(rng.uniform(0.002, 0.01)),
        gamma=float(np.exp(rng.uniform(-0.2, 0.6))),
        sharpening=float(rng.uniform(0.1, 0.8)) if rng.random() < 0.3 else 0.0,
        jpeg_quality=int(rng.integers(65, 96)) if rng.random() < 0.5 else None,
        bayer=bool(rng.random() < 0.4),
    )
    scan = None
    if often[6] < 0.25:
        field_px = (int(rng.integers(recipe.width // 3, recipe.width)), 0)
        scan = Scan(field_px, float(rng.uniform(0.1, 0.6)), 0.7, 0.01, float(rng.uniform(-0.4, 0.4)), seed)
    return StackRecipe(
        seed=seed,
        width=recipe.width,
        height=recipe.height,
        planes=recipe.planes,
        step_um=recipe.step_um,
        mpp=recipe.mpp,
        stain="" if lifted else str(rng.choice(["he", "he", "ihc"])),
        kind="" if lifted else str(rng.choice(KINDS)),
        thickness_um=round(float(rng.uniform(2.0, 5.3)), 2),  # 3 to 8 um of mounted tissue
        scanner=Scanner(optics, camera, scan),
        artefacts=artefacts,
    )


def _cut(image: RGB, recipe: StackRecipe, rng: np.random.Generator) -> RGB:
    """The most structured of a few random parts of the stack's size."""
    best, part = -1.0, image
    for _ in range(6):
        y, x = (
            int(rng.integers(0, have - want + 1))
            for have, want in zip(image.shape[:2], (recipe.height, recipe.width), strict=True)
        )
        piece = image[y : y + recipe.height, x : x + recipe.width]
        found = spread(piece[::2, ::2, 1])
        if found > best:
            best, part = found, piece
    return np.ascontiguousarray(part)
