"""``simulate``: images, stacks and slides whose focus is known, with the truth beside them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.arguments import AsJson, Magnification, Mpp, check_output_file, check_planes, opened, parse_size
from focusviewer.cli.output import Progress, note, print_json
from focusviewer.cli.simulate.options import (
    DomainName,
    ImagingOptions,
    Na,
    Noise,
    check_na,
    domain_of,
    one_of,
    takes_imaging_options,
)
from focusviewer.core.errors import UserError
from focusviewer.core.json_text import write_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from focusviewer.optics import Optics

MAX_PIXELS = 64_000_000
MAX_SLIDE_PIXELS = 40 * MAX_PIXELS
MAX_STACK_PIXELS = MAX_PIXELS // 4  # a stack's section is held in memory, some hundred bytes a pixel
MAX_Z_UM = 50.0
BLURS = ("none", "whole", "strip", "bubble", "mixed")
STAINS = ("he", "ihc")
SIMULATED = "simulated by FocusViewer"

Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same pixels.")]
Size = Annotated[str, typer.Option("--size", metavar="WxH", help="Size in pixels.")]
Stain = Annotated[str, typer.Option("--stain", help="he or ihc.")]
PixelSize = Annotated[float, typer.Option("--mpp", metavar="UM", help="Pixel size in um.")]

commands = typer.Typer(
    help="Simulated data with the truth beside it.", no_args_is_help=True, rich_markup_mode=None, add_completion=False
)


def register(app: typer.Typer) -> None:
    """Add the commands of this module to the program."""
    app.add_typer(commands, name="simulate")


@commands.command()
def defocus(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="A sharp image.")],
    z: Annotated[float, typer.Option("--z", metavar="UM", help="Distance from focus in um.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Picture to write: .png, .tif or .jpg.")],
    na: Na = 0.75,
    domain: DomainName = "intensity",
    noise: Noise = 0.0,
    seed: Seed = 0,
    plane: Annotated[int | None, typer.Option("--plane", help="The sharp plane, where IMAGE is a focal stack.")] = None,
    mpp: Mpp = None,
    magnification: Magnification = None,
    json: AsJson = False,
) -> None:
    """A sharp image as the microscope would show it out of focus; the truth goes to FILE's name + .truth.json."""
    import numpy as np

    from focusviewer.core.files import output_folder
    from focusviewer.optics import Camera, defocus_image
    from focusviewer.slides import Region
    from focusviewer.slides.marks import STATEMENT
    from focusviewer.slides.marks.picture_file import WRITTEN_SUFFIXES, write_picture

    check_output_file(out, WRITTEN_SUFFIXES, [image])
    optics = _optics(na)
    acts_on = domain_of(domain)
    if not abs(z) <= MAX_Z_UM:
        raise UserError(f"--z {z:g} is out of range", f"the model of the microscope reaches {MAX_Z_UM:g} um")
    with opened(image, mpp, magnification) as slide:
        width, height = slide.dimensions
        if width * height > MAX_PIXELS:
            raise UserError(f"{slide.name} is too large", f"it is {width} x {height} pixels", "Cut out a part first.")
        if slide.mpp is None:
            raise slide.scale_error()
        if plane is None and len(slide.planes_um) > 1:
            raise UserError(f"{slide.name} is a focal stack", "only one image can be blurred", "Name one with --plane.")
        check_planes([plane or 0], slide)
        scale = slide.mpp
        light = np.divide(slide.read_region(Region(0, 0, 0, width, height, plane or 0)), 255, dtype=np.float32)
    blurred = defocus_image(light, z, scale, optics, acts_on)
    pixels = Camera(noise=noise).capture(blurred, np.random.default_rng(seed))
    facts = {
        "z_um": z,
        "na": na,
        "domain": domain,
        "noise": noise,
        "seed": seed,
        "source": image.name,
        "plane": plane or 0,
    }
    output_folder(out.parent)
    write_picture(out, pixels, SIMULATED, {"statement": STATEMENT, **facts}, scale)
    _finish(out, out.with_name(f"{out.stem}.truth.json"), {**facts, "mpp": scale}, json)


@commands.command()
@takes_imaging_options
def slide(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Slide to write: .ome.tif.")],
    imaging: ImagingOptions,
    seed: Seed = 0,
    size: Size = "4096x3072",
    blur: Annotated[str, typer.Option("--blur", help="none, whole, strip, bubble or mixed.")] = "mixed",
    stain: Stain = "he",
    mpp: PixelSize = 0.25,
    json: AsJson = False,
) -> None:
    """A pyramidal slide of phantom tissue, partly out of focus; the truth goes to FILE's name + .truth.npz.

    The truth holds z_um, the distance from focus in um (rows, cols), and x, y, the level-0 pixels it is for.
    """
    from focusviewer.core.files import output_folder
    from focusviewer.simulation.demo_slide import write_simulated_slide
    from focusviewer.simulation.slides import CAMERA, SCANNER

    width, height = _size(size)
    one_of(blur, BLURS, "--blur")
    one_of(stain, STAINS, "--stain")
    _scale(mpp)
    check_output_file(out, (".tif", ".tiff"))
    scanner = imaging.scanner(seed, width)
    if scanner == ImagingOptions().scanner(seed, width):
        scanner = replace(scanner, optics=SCANNER, camera=CAMERA)
    output_folder(out.parent)
    with Progress(f"simulating {out.name}", quiet=json) as progress:
        truth = write_simulated_slide(
            out,
            seed=seed,
            width=width,
            height=height,
            blur=blur,
            mpp=mpp,
            stain=stain,
            on_progress=progress,
            artefacts=imaging.artefacts(),
            scanner=scanner,
        )
    facts = {"seed": seed, "size": [width, height], "blur": blur, "mpp": mpp, "truth": str(truth)}
    _report(out, facts | {"options": imaging.facts()}, json)


@commands.command()
@takes_imaging_options
def stack(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Focal stack to write: .ome.tif.")],
    imaging: ImagingOptions,
    seed: Seed = 0,
    size: Annotated[
        str | None, typer.Option("--size", metavar="WxH", help="Size in pixels; 1024x768 by default.")
    ] = None,
    planes: Annotated[int, typer.Option("--planes", min=2, max=64, help="Number of planes.")] = 5,
    step: Annotated[float, typer.Option("--step", metavar="UM", help="Distance of the planes in um.")] = 1.0,
    stain: Stain = "he",
    thickness: Annotated[
        float, typer.Option("--thickness", metavar="UM", help="Thickness of the section on the focus axis.")
    ] = 4.0,
    patch: Annotated[
        Path | None, typer.Option("--patch", metavar="IMAGE", help="A sharp image to lift, instead of a phantom.")
    ] = None,
    mpp: Annotated[
        float | None, typer.Option("--mpp", metavar="UM", help="Pixel size in um; 0.25 for phantoms.")
    ] = None,
    json: AsJson = False,
) -> None:
    """A focal stack of a phantom section, or of a sharp image lifted to one; the truth goes to FILE + .truth.npz.

    The truth holds planes_um, best_z_um (the depth of the tissue, um per pixel) and best_plane.
    """
    from focusviewer.core.files import output_folder
    from focusviewer.simulation.stacks import StackRecipe, simulate_stack, write_simulated_stack

    one_of(stain, STAINS, "--stain")
    _scale(0.25 if mpp is None else mpp)
    _check_planes(planes, step)
    if not 0.1 <= thickness <= 50:
        raise UserError(f"--thickness {thickness:g} is no section", "", "Give microns, like --thickness 4.")
    check_output_file(out, (".tif", ".tiff"), [patch] if patch else [])
    picture, scale = _patch(patch, size, mpp) if patch else (None, mpp or 0.25)
    if picture is None:
        width, height = _size(size or "1024x768", MAX_STACK_PIXELS)
    else:
        height, width = picture.shape[:2]
    scanner = imaging.scanner(seed, width)
    recipe = StackRecipe(
        seed, width, height, planes, step, scale, stain, "mixed", thickness, scanner, imaging.artefacts()
    )
    output_folder(out.parent)
    with Progress(f"simulating {out.name}", quiet=json) as progress:
        made = simulate_stack(recipe, picture, progress)
        truth = write_simulated_stack(out, recipe, made, patch.name if patch else "")
    facts = {"seed": seed, "size": [width, height], "planes": planes, "step_um": step, "mpp": scale}
    _report(out, facts | {"truth": str(truth), "options": imaging.facts()}, json)


@commands.command()
def dataset(
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder to write.")],
    seed: Seed = 0,
    stacks: Annotated[int, typer.Option("--stacks", min=3, max=10000, help="How many focal stacks.")] = 24,
    size: Size = "512x512",
    planes: Annotated[int, typer.Option("--planes", min=2, max=64, help="Planes of a stack.")] = 9,
    step: Annotated[float, typer.Option("--step", metavar="UM", help="Distance of the planes in um.")] = 0.75,
    patches: Annotated[
        Path | None, typer.Option("--patches", metavar="DIR", help="Sharp images to lift; phantoms alone without.")
    ] = None,
    phantoms: Annotated[
        float, typer.Option("--phantoms", min=0, max=1, help="Share of phantoms, where there are images.")
    ] = 0.5,
    mpp: PixelSize = 0.25,
    json: AsJson = False,
) -> None:
    """Many focal stacks with their truth, split by source into train, validation and test.

    manifest.json names every file with its SHA-256, source and recipe. The same seed gives the same bytes.
    """
    from focusviewer.training.data.simulated_dataset import DatasetRecipe, write_dataset

    width, height = _size(size, MAX_STACK_PIXELS)
    _scale(mpp)
    _check_planes(planes, step)
    recipe = DatasetRecipe(seed, stacks, width, height, planes, step, mpp, phantoms)
    with Progress(f"simulating {out.name}", quiet=json) as progress:
        manifest = write_dataset(out, recipe, patches, progress)
    if json:
        print_json({"out": str(out), "manifest": str(out / "manifest.json"), **manifest.summary()})
    else:
        for name, why in manifest.skipped.items():
            note(f"left out: {name}: {why}")
        counts = ", ".join(f"{count} {split}" for split, count in manifest.summary()["stacks"].items())
        typer.echo(f"{out / 'manifest.json'} ({counts})")


def _patch(path: Path, size: str | None, mpp: float | None) -> tuple[npt.NDArray[np.uint8], float]:
    """The picture to lift (its middle, where a size is given), and its scale."""
    from focusviewer.slides import Region

    with opened(path, mpp) as picture:
        width, height = picture.dimensions
        if picture.mpp is None:
            raise picture.scale_error()
        wide, high = _size(size, MAX_STACK_PIXELS) if size else (width, height)
        if wide > width or high > height:
            raise UserError(
                f"{picture.name} is too small", f"it has {width} x {height} pixels", "Give a smaller --size."
            )
        if wide * high > MAX_STACK_PIXELS:
            raise UserError(f"{picture.name} is too large", f"it has {width} x {height} pixels", "Give a --size.")
        if min(wide, high) < 64:
            raise UserError(f"{picture.name} is too small", f"it has {width} x {height} pixels", "Give 64 px or more.")
        left, top = (width - wide) // 2, (height - high) // 2
        return picture.read_region(Region(0, left, top, wide, high)), picture.mpp


def _size(text: str, most: int = MAX_SLIDE_PIXELS) -> tuple[int, int]:
    width, height = parse_size(text)
    if min(width, height) < 64:
        raise UserError(f"--size {text} cannot be simulated", "", "Give 64 pixels or more each way, like 2048x1536.")
    if width * height > most:
        raise UserError(
            f"--size {text} cannot be simulated",
            f"it has more than {most / 1e6:g} million pixels",
            "Give a smaller one.",
        )
    return width, height


def _check_planes(planes: int, step: float) -> None:
    if not 0.01 <= step <= 20:
        raise UserError(f"--step {step:g} is not a usable distance", "", "Give microns, like --step 0.5.")
    reach = (planes - 1) * step / 2
    if reach > MAX_Z_UM:
        raise UserError(
            f"--planes {planes} and --step {step:g} reach {reach:g} um from focus",
            f"the model of the microscope reaches {MAX_Z_UM:g} um",
            "Give fewer planes or a smaller step.",
        )


def _scale(mpp: float) -> None:
    from focusviewer.cli.arguments import check_scale

    check_scale(mpp, None)


def _optics(na: float) -> Optics:
    from focusviewer.optics import Optics

    check_na(na)
    return Optics(na=na)


def _finish(out: Path, truth: Path, facts: dict[str, Any], json: bool) -> None:
    write_json(truth, facts)
    _report(out, {**facts, "truth": str(truth)}, json)


def _report(out: Path, facts: dict[str, Any], json: bool) -> None:
    if json:
        print_json({"out": str(out), **facts})
    else:
        typer.echo(f"{out} (truth: {facts['truth']})")
