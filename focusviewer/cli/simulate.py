"""``simulate``: images, stacks and slides whose focus is known, with the truth beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.arguments import AsJson, Magnification, Mpp, check_output_file, check_planes, opened, parse_size
from focusviewer.cli.output import Progress, print_json, to_json_text
from focusviewer.errors import ScaleUnknownError, UserError

if TYPE_CHECKING:
    from focusviewer.optics import Optics
    from focusviewer.optics.formation import Domain

MAX_PIXELS = 64_000_000
MAX_SLIDE_PIXELS = 40 * MAX_PIXELS
MAX_STACK_PIXELS = MAX_PIXELS // 4  # a stack's section is held in memory, some hundred bytes a pixel
MAX_Z_UM = 50.0
BLURS = ("none", "whole", "strip", "bubble", "mixed")
STAINS = ("he", "ihc")
SIMULATED = "simulated by FocusViewer"

Seed = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The same seed gives the same pixels.")]
Size = Annotated[str, typer.Option("--size", metavar="WxH", help="Size in pixels.")]
Na = Annotated[float, typer.Option("--na", help="Numerical aperture of the objective.")]
Noise = Annotated[float, typer.Option("--noise", min=0, max=1, help="Camera noise, of full scale.")]
DomainName = Annotated[str, typer.Option("--domain", help="What the lens blurs: intensity or density.")]
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
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Picture to write: .png or .tif.")],
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

    from focusviewer.cli.pictures import PICTURE_SUFFIXES, write_picture
    from focusviewer.optics import Camera, defocus_image
    from focusviewer.slides import Region

    check_output_file(out, PICTURE_SUFFIXES, [image])
    optics = _optics(na)
    acts_on = _domain(domain)
    if not abs(z) <= MAX_Z_UM:
        raise UserError(f"--z {z:g} is out of range", f"the model of the microscope reaches {MAX_Z_UM:g} um")
    with opened(image, mpp, magnification) as slide:
        width, height = slide.dimensions
        if width * height > MAX_PIXELS:
            raise UserError(f"{slide.name} is too large", f"it is {width} x {height} pixels", "Cut out a part first.")
        if slide.mpp is None:
            raise ScaleUnknownError(slide.name)
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
    write_picture(out, pixels, SIMULATED, facts, scale)
    _finish(out, out.with_name(f"{out.stem}.truth.json"), {**facts, "mpp": scale}, json)


@commands.command()
def slide(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Slide to write: .ome.tif.")],
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
    from focusviewer.optics.demo_slide import write_simulated_slide

    width, height = _size(size)
    _one_of(blur, BLURS, "--blur")
    _one_of(stain, STAINS, "--stain")
    _scale(mpp)
    check_output_file(out, (".tif", ".tiff"))
    with Progress(f"simulating {out.name}", quiet=json) as progress:
        truth = write_simulated_slide(
            out, seed=seed, width=width, height=height, blur=blur, mpp=mpp, stain=stain, on_progress=progress
        )
    facts = {"seed": seed, "size": [width, height], "blur": blur, "mpp": mpp, "truth": str(truth)}
    _report(out, facts, json)


@commands.command()
def stack(
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Focal stack to write: .ome.tif.")],
    seed: Seed = 0,
    size: Size = "1024x768",
    planes: Annotated[int, typer.Option("--planes", min=2, max=64, help="Number of planes.")] = 5,
    step: Annotated[float, typer.Option("--step", metavar="UM", help="Distance of the planes in um.")] = 1.0,
    stain: Stain = "he",
    thickness: Annotated[float, typer.Option("--thickness", metavar="UM", help="Thickness of the section.")] = 4.0,
    na: Na = 0.75,
    domain: DomainName = "intensity",
    noise: Noise = 0.004,
    mpp: PixelSize = 0.25,
    json: AsJson = False,
) -> None:
    """A focal stack of a phantom section; the truth goes to FILE's name + .truth.npz.

    The truth holds planes_um, best_z_um (the depth of the tissue, um per pixel) and best_plane.
    """
    from focusviewer.cli.simulated_stack import StackRecipe, write_stack

    width, height = _size(size, MAX_STACK_PIXELS)
    acts_on = _domain(domain)
    _one_of(stain, STAINS, "--stain")
    _scale(mpp)
    if not 0.01 <= step <= 20:
        raise UserError(f"--step {step:g} is not a usable distance", "", "Give microns, like --step 0.5.")
    if not 0.1 <= thickness <= 50:
        raise UserError(f"--thickness {thickness:g} is no section", "", "Give microns, like --thickness 4.")
    check_output_file(out, (".tif", ".tiff"))
    recipe = StackRecipe(seed, width, height, planes, step, stain, thickness, _optics(na), acts_on, noise, mpp)
    with Progress(f"simulating {out.name}", quiet=json) as progress:
        truth = write_stack(out, recipe, progress)
    facts = {"seed": seed, "size": [width, height], "planes": planes, "step_um": step, "mpp": mpp, "truth": str(truth)}
    _report(out, facts, json)


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


def _scale(mpp: float) -> None:
    from focusviewer.cli.arguments import check_scale

    check_scale(mpp, None)


def _optics(na: float) -> Optics:
    from focusviewer.optics import Optics

    if not 0.02 <= na <= 0.98:
        raise UserError(f"--na {na:g} is not a dry objective", "", "Give a value like 0.4 (10x) or 0.75 (40x).")
    return Optics(na=na)


def _domain(text: str) -> Domain:
    _one_of(text, ("intensity", "density"), "--domain")
    return "density" if text == "density" else "intensity"


def _one_of(value: str, choices: tuple[str, ...], option: str) -> None:
    if value not in choices:
        raise UserError(f"{option} {value} is not known", "", f"Choose one of: {', '.join(choices)}.")


def _finish(out: Path, truth: Path, facts: dict[str, Any], json: bool) -> None:
    from focusviewer.files import atomic_write

    with atomic_write(truth) as temporary:
        temporary.write_text(to_json_text(facts) + "\n", encoding="utf-8")
    _report(out, {**facts, "truth": str(truth)}, json)


def _report(out: Path, facts: dict[str, Any], json: bool) -> None:
    if json:
        print_json({"out": str(out), **facts})
    else:
        typer.echo(f"{out} (truth: {facts['truth']})")
