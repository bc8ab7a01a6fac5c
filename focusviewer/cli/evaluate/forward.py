"""``evaluate forward`` and ``evaluate transfer``: the simulator against real planes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from focusviewer.cli.arguments import AsJson, Magnification, Mpp, check_scale, opened
from focusviewer.cli.output import Progress, note, print_json
from focusviewer.core.errors import ScaleUnknownError, UserError
from focusviewer.core.json_text import write_json

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from focusviewer.slides import Slide

_LARGEST_PX = 2048

Data = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data folder; FOCUSVIEWER_DATA or ../shared/data when missing."),
]
Out = Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Write tables and plots here.")]


def register(commands: typer.Typer) -> None:
    """Add the commands of this module to ``evaluate``."""
    commands.command()(forward)
    commands.command()(transfer)


def forward(
    sharp: Annotated[Path | None, typer.Argument(metavar="SHARP", help="The sharper plane of a pair.")] = None,
    blurred: Annotated[Path | None, typer.Argument(metavar="BLURRED", help="The plane to predict from it.")] = None,
    mpp: Mpp = None,
    magnification: Magnification = None,
    na: Annotated[
        float | None, typer.Option("--na", metavar="NA", help="Aperture of the objective, where it is known.")
    ] = None,
    data: Data = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """How well the image-formation model predicts one real plane from another; without planes, on every real stack."""
    if out is not None:
        from focusviewer.training.lab.plotting import need_plots

        need_plots("Cannot draw the plots for --out")
    if sharp is None:
        _all_stacks(data, out, as_json)
        return
    if blurred is None:
        raise UserError("One plane alone cannot be judged", "", "Give two: focusviewer evaluate forward SHARP BLURRED.")
    check_scale(mpp, magnification)
    if na is not None and not 0.02 <= na <= 1.49:
        raise UserError(f"--na {na:g} is not the aperture of an objective", "", "Give e.g. 0.75.")
    first, scale = _read_plane(sharp, mpp, magnification)
    second, _ = _read_plane(blurred, mpp, magnification, required=False)
    if scale is None:
        raise ScaleUnknownError(sharp.name)
    _one_pair(first, second, scale, na, out, as_json)


def _one_pair(
    sharp: npt.NDArray[np.uint8],
    blurred: npt.NDArray[np.uint8],
    mpp: float,
    na: float | None,
    out: Path | None,
    as_json: bool,
) -> None:
    from dataclasses import replace

    from focusviewer.core.files import output_folder
    from focusviewer.evaluation.forward import PlaneStack, StackFidelity, pair_figures
    from focusviewer.evaluation.forward_plot import draw_stack
    from focusviewer.simulation.fitting.pair import usual_optics

    if out is not None:
        output_folder(out)
    optics = usual_optics(mpp)
    if na is not None:
        optics = replace(optics, na=na, refractive_index=1.0 if na < 0.97 else 1.515)
    figures, fit = pair_figures(sharp, blurred, mpp, optics, free_na=na is None)
    if out is not None:
        row = {"sharp": "sharp", "blurred": "blurred", **figures}
        stack = PlaneStack("pair", sharp[None, None], mpp, False)
        draw_stack(out / "forward.png", StackFidelity(stack, [row], [fit]))
        write_json(out / "forward.json", figures)
    if as_json:
        print_json(figures)
        return
    typer.echo(_story(figures))


def _story(f: dict[str, Any]) -> str:
    """The figures of a pair for people."""
    lines = [
        f"Predicted plane: {f['psnr']:.2f} dB, SSIM {f['ssim']:.4f} (light adds up in {f['tone']})",
        f"Best Gaussian:   {f['gaussian_psnr']:.2f} dB, SSIM {f['gaussian_ssim']:.4f}, "
        f"sigma {f['gaussian_sigma_um']:.3g} um",
        f"Best disk:       {f['disk_psnr']:.2f} dB, SSIM {f['disk_ssim']:.4f}, radius {f['disk_radius_um']:.3g} um",
        f"Measured filter: {f['limit_psnr']:.2f} dB (the measured transfer function itself)",
        f"Fitted: z {f['z_um']:.2f} um, NA {f['na']:.2f}, thickness {f['thickness_um']:.1f} um, condenser "
        f"{f['condenser']:.2f}, colour shift {_list(f['chromatic_shift_um'])} um, noise {f['noise']:.4f}",
        f"First zero, 1/um, {'/'.join(f['colours'])}: measured {_list(f['first_zero']['measured'])}, "
        f"predicted {_list(f['first_zero']['predicted'])}",
        f"Contrast reversal: measured {_list(f['reversal_depth']['measured'])}, "
        f"predicted {_list(f['reversal_depth']['predicted'])}",
    ]
    return "\n".join(lines)


def _list(values: list[float | None]) -> str:
    return "/".join("none" if value is None else f"{value:.3g}" for value in values)


def _read_plane(
    path: Path, mpp: float | None, magnification: float | None, required: bool = True
) -> tuple[npt.NDArray[np.uint8], float | None]:
    """A plane as uint8 (H, W, 1 or 3), its middle where it is large, and its pixel size."""
    with opened(path, mpp, magnification) as slide:
        if required and slide.mpp is None:
            raise slide.scale_error()
        pixels = _read_all(slide)
        scale = slide.mpp
    gray = bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 0] == pixels[..., 2]).all())
    return (pixels[..., :1] if gray else pixels), scale


def _read_all(slide: Slide) -> npt.NDArray[np.uint8]:
    """The middle of the first plane, as much as a fit needs."""
    from focusviewer.slides import Region

    width, height = slide.dimensions
    x, y = max(0, (width - _LARGEST_PX) // 2), max(0, (height - _LARGEST_PX) // 2)
    return slide.read_region(Region(0, x, y, min(width, _LARGEST_PX), min(height, _LARGEST_PX)))


def _all_stacks(data: Path | None, out: Path | None, as_json: bool) -> None:
    from focusviewer.core.files import output_folder
    from focusviewer.evaluation.forward import StackFidelity, fidelity, fidelity_table, summary
    from focusviewer.evaluation.forward_plot import draw_stack
    from focusviewer.evaluation.tables.table import write_tables
    from focusviewer.training.common import data_folder

    folder = data_folder(data)
    if out is not None:
        output_folder(out)
    with Progress("Fitting real stacks", as_json) as progress:

        def on_stack(result: StackFidelity, share: float) -> None:
            progress(share, result.stack.name)
            if out is not None:
                draw_stack(out / f"forward-{result.stack.name}.png", result)

        rows = fidelity(folder, on_stack)
    table, figures = fidelity_table(rows), summary(rows)
    if out is not None:
        write_tables([table], out, "forward")
    if as_json:
        print_json({"pairs": rows, "summary": figures})
        return
    typer.echo(table.markdown())
    typer.echo(
        f"\n{figures['reach_gaussian']} of {figures['fitted']} fitted pairs reach the best Gaussian, "
        f"{figures['reach_disk']} the best disk; {figures['zeros_right']} of {figures['zeros_measured']} measured "
        f"first zeros are predicted within 15 %."
    )


def transfer(
    weights: Annotated[
        Path | None,
        typer.Option("--weights", metavar="DIR", help="Evaluate the weights in this folder, not the shipped."),
    ] = None,
    model: Annotated[
        list[str] | None, typer.Option("--model", metavar="NAME", help="Only this model; may be given again.")
    ] = None,
    simulator: Annotated[
        str | None,
        typer.Option("--simulator", metavar="VERSION", help="Simulator behind weights that do not say it themselves."),
    ] = None,
    record: Annotated[bool, typer.Option("--record", help="Add the rows to the running table of the project.")] = False,
    data: Data = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Models trained on simulation alone, evaluated on real planes they never saw."""
    from focusviewer.core.files import check_output_folder
    from focusviewer.evaluation.tables.table import write_tables
    from focusviewer.evaluation.transfer import (
        orders_real_stacks,
        running_table,
        trained_models,
        transfer_rows,
        transfer_tables,
        update_table,
    )
    from focusviewer.training.common import data_folder

    chosen = trained_models(weights, model, simulator)
    if out is not None:
        check_output_folder(out)
    with Progress("Evaluating", as_json) as progress:
        rows = transfer_rows(chosen, data_folder(data), progress)
    if record:
        note(f"Recorded in {update_table(rows)}", as_json)
    if out is not None:
        write_tables(transfer_tables(rows), out, "transfer")
    if as_json:
        print_json({"rows": rows, "right": orders_real_stacks(rows), "recorded": running_table() if record else None})
        return
    typer.echo("\n\n".join(table.markdown() for table in transfer_tables(rows)))
    for name, right in orders_real_stacks(rows).items():
        verdict = "orders" if right else "does not order"
        typer.echo(f"\n{name} {verdict} every stack right (lowest within one plane, 90 % of steps rise).")
