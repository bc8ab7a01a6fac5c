"""Options of ``simulate`` for the artefacts of the slide and the scanner it is seen by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.optics import Optics
    from focusviewer.optics.formation import Domain
    from focusviewer.simulation.scanner import Scanner
    from focusviewer.simulation.sections.artefacts import Artefacts

Na = Annotated[float, typer.Option("--na", help="Numerical aperture of the objective.")]
Noise = Annotated[float, typer.Option("--noise", min=0, max=1, help="Camera noise, of full scale.")]
DomainName = Annotated[str, typer.Option("--domain", help="What the lens blurs: intensity or density.")]

Relief = Annotated[float, typer.Option("--relief", metavar="UM", min=0, max=10, help="Unevenness of the section.")]
Folds = Annotated[int | None, typer.Option("--folds", min=0, max=50, help="Folds, lifted off the glass.")]
Bubbles = Annotated[int, typer.Option("--bubbles", min=0, max=50, help="Bubbles under the coverslip.")]
Dust = Annotated[int, typer.Option("--dust", min=0, max=5000, help="Dust above the section.")]
Field = Annotated[
    str | None, typer.Option("--fields", metavar="W[xH]", help="Scan in strips of W px, or in fields of W x H px.")
]
Jump = Annotated[float, typer.Option("--jump", metavar="UM", min=0, max=10, help="Focus jumps between fields.")]
Shift = Annotated[float, typer.Option("--shift", metavar="PX", min=0, max=20, help="Stitching errors.")]
Curvature = Annotated[
    float, typer.Option("--curvature", metavar="UM", min=-10, max=10, help="Focus at the side of a field.")
]
Condenser = Annotated[float, typer.Option("--condenser", help="Its aperture as a part of the objective's.")]
Refraction = Annotated[float, typer.Option("--refraction", help="Phase of stained structures, rad per light lost.")]
Coverslip = Annotated[
    float | None, typer.Option("--coverslip", metavar="UM", help="Its thickness, for an objective made for 170 um.")
]
SectionIndex = Annotated[float | None, typer.Option("--section-index", help="Refractive index of the section.")]
Vectorial = Annotated[bool, typer.Option("--vectorial", help="Count in the polarisation of light.")]
ColourShift = Annotated[
    float, typer.Option("--colour-shift", metavar="UM", min=-5, max=5, help="Focus of red less focus of blue.")
]
Spherical = Annotated[float, typer.Option("--spherical", metavar="WAVES", min=-2, max=2, help="Spherical aberration.")]
Bayer = Annotated[bool, typer.Option("--bayer", help="A camera with a colour filter array.")]
Gamma = Annotated[float, typer.Option("--gamma", help="Tone curve of the camera.")]
Sharpening = Annotated[float, typer.Option("--sharpening", min=0, max=3, help="Unsharp masking by the camera.")]
Jpeg = Annotated[int | None, typer.Option("--jpeg", metavar="Q", min=30, max=100, help="Compress at this quality.")]


@dataclass(frozen=True)
class ImagingOptions:
    """The options above, as given: one field each, which is also the command line's parameter."""

    na: Na = 0.75
    domain: DomainName = "intensity"
    noise: Noise = 0.004
    relief: Relief = 0.0
    folds: Folds = None
    bubbles: Bubbles = 0
    dust: Dust = 0
    fields: Field = None
    jump: Jump = 0.0
    shift: Shift = 0.0
    curvature: Curvature = 0.0
    condenser: Condenser = 1.0
    refraction: Refraction = 0.0
    coverslip: Coverslip = None
    section_index: SectionIndex = None
    vectorial: Vectorial = False
    colour_shift: ColourShift = 0.0
    spherical: Spherical = 0.0
    bayer: Bayer = False
    gamma: Gamma = 1.0
    sharpening: Sharpening = 0.0
    jpeg: Jpeg = None

    def artefacts(self) -> Artefacts:
        """The artefacts of the section."""
        from focusviewer.simulation.sections.artefacts import Artefacts

        return Artefacts(self.relief, self.folds, self.bubbles, self.dust)

    def scanner(self, seed: int, width: int) -> Scanner:
        """Optics, camera and fields of view.

        Parameters
        ----------
        width : int
            Of the picture: the field, where only its curvature is given.

        Raises
        ------
        UserError
            For settings that no scanner has.
        """
        from focusviewer.optics.camera import Camera
        from focusviewer.simulation.scanner import Scan, Scanner

        if not 0.2 <= self.gamma <= 5:
            raise UserError(f"--gamma {self.gamma:g} is no tone curve", "", "Give 0.2 to 5; 1 is none.")
        camera = Camera(self.noise, 0.0, self.gamma, self.sharpening, self.jpeg, self.bayer)
        scan = None
        if (self.jump or self.shift) and not self.fields:
            raise UserError("--jump and --shift need fields", "nothing says how large they are", "Give --fields 1024.")
        if self.fields or self.curvature:
            field = _field(self.fields) if self.fields else (width, width)
            scan = Scan(field, self.jump, self.shift, 0.01 if self.fields else 0.0, self.curvature, seed)
        return Scanner(self.optics(), camera, scan, domain_of(self.domain))

    def optics(self) -> Optics:
        """The optics alone."""
        from focusviewer.optics import Mount, Optics

        check_na(self.na)
        if not 0.05 <= self.condenser <= 2:
            raise UserError(f"--condenser {self.condenser:g} is no condenser", "", "Give 0.05 to 2; from 1 incoherent.")
        if not abs(self.refraction) <= 2:  # NaN too
            raise UserError(f"--refraction {self.refraction:g} is out of range", "", "Give a value like 0.2 (rad).")
        if self.vectorial and (self.condenser < 1 or self.refraction):
            raise UserError(
                "--vectorial goes with incoherent light only", "", "Leave out --condenser and --refraction."
            )
        mount = None
        if self.coverslip is not None or self.section_index is not None:
            mount = Mount(
                coverslip_um=_between(170.0 if self.coverslip is None else self.coverslip, 0, 2000, "--coverslip"),
                section_index=_between(
                    1.52 if self.section_index is None else self.section_index, 1.0, 2.0, "--section-index"
                ),
            )
        half = self.colour_shift / 2
        return Optics(
            na=self.na,
            chromatic_shift_um=(half, 0.0, -half),
            spherical_waves=self.spherical,
            mount=mount,
            condenser=self.condenser,
            refraction=self.refraction,
            vectorial=self.vectorial,
        )

    def facts(self) -> dict[str, Any]:
        """The options that differ from their defaults, by name."""
        return {
            item.name: getattr(self, item.name) for item in fields(self) if getattr(self, item.name) != item.default
        }


def takes_imaging_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command all options of :class:`ImagingOptions`; it gets them as its argument ``imaging``."""
    hints = get_type_hints(ImagingOptions, include_extras=True)
    options = [
        Parameter(item.name, Parameter.KEYWORD_ONLY, default=item.default, annotation=hints[item.name])
        for item in fields(ImagingOptions)
    ]
    own = get_type_hints(command, include_extras=True)
    kept = [
        parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=own[name])
        for name, parameter in signature(command).parameters.items()
        if name != "imaging"
    ]

    @wraps(command)
    def run(**arguments: Any) -> None:
        command(
            imaging=ImagingOptions(**{item.name: arguments.pop(item.name) for item in fields(ImagingOptions)}),
            **arguments,
        )

    run.__signature__ = Signature([*kept, *options])  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*kept, *options)}
    return run


def _between(value: float, low: float, high: float, option: str) -> float:
    if not low <= value <= high:
        raise UserError(f"{option} {value:g} is out of range", "", f"Give {low:g} to {high:g}.")
    return value


def _field(text: str) -> tuple[int, int]:
    from focusviewer.cli.arguments import parse_size

    wide, high = parse_size(text, "--fields") if "x" in text.lower() else (_whole(text), 0)
    if wide < 64 or (high and high < 64):
        raise UserError(f"--fields {text} is too small", "", "Give 64 px or more, like --fields 1024.")
    return wide, high


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise UserError(f"--fields {text} is no size", "", "Give pixels, like --fields 1024 or 2048x2048.") from None


def check_na(na: float) -> None:
    """Refuse an aperture that no dry objective has."""
    if not 0.02 <= na <= 0.98:
        raise UserError(f"--na {na:g} is not a dry objective", "", "Give a value like 0.4 (10x) or 0.75 (40x).")


def domain_of(text: str) -> Domain:
    """The domain of that name."""
    one_of(text, ("intensity", "density"), "--domain")
    return "density" if text == "density" else "intensity"


def one_of(value: str, choices: tuple[str, ...], option: str) -> None:
    """Refuse a value that is not among the choices."""
    if value not in choices:
        raise UserError(f"{option} {value} is not known", "", f"Choose one of: {', '.join(choices)}.")
