"""``calibrate --optics``: measure the optics of a scanner on its own planes, and keep them for its slides."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from focusviewer.cli.arguments import check_planes, opened
from focusviewer.cli.commands.heatmap import cancel_on_interrupt
from focusviewer.cli.output import Progress, note, print_json
from focusviewer.core.errors import UserError

if TYPE_CHECKING:
    from focusviewer.optics.profile import OpticsProfile
    from focusviewer.refocus.wiener.measuring import Measured


def measure(
    paths: Sequence[Path],
    reference: int | None,
    step: float | None,
    scanner: str | None,
    mpp: float | None,
    magnification: float | None,
    json: bool,
) -> None:
    """Measure a profile on a focal stack, or on a field in focus and the same field out of focus; keep it, and tell."""
    from focusviewer.focus.calibration.profiles import keep_profile, known_profiles
    from focusviewer.refocus.wiener.measuring import profile_of_pair, profile_of_stack

    known_profiles()  # a damaged file is told before minutes of work
    if len(paths) > 2:
        raise UserError(
            f"{len(paths)} files are too many", "", "Give a focal stack, or two files: in focus, and out of focus."
        )
    if len(paths) == 2 and (reference is not None or step is not None):
        raise UserError("--reference and --step go with a focal stack", "two files have no planes to count", "")
    with ExitStack() as stack:
        slides = [stack.enter_context(opened(path, mpp, magnification)) for path in paths]
        progress = stack.enter_context(Progress(f"{slides[0].name}: optics", quiet=json))
        cancel = stack.enter_context(cancel_on_interrupt())
        if len(slides) == 2:
            found = profile_of_pair(*slides, scanner=scanner, on_progress=progress, cancel=cancel)
        else:
            if reference is not None:
                check_planes([reference], slides[0], "--reference")
            found = profile_of_stack(
                slides[0], reference=reference, step_um=step, scanner=scanner, on_progress=progress, cancel=cancel
            )
    keep_profile(found.profile)
    _tell(found, json)


def forget(
    paths: Sequence[Path], scanner: str | None, mpp: float | None, magnification: float | None, json: bool
) -> None:
    """Forget the profiles of a scanner, named or told by a slide of it."""
    from focusviewer.focus.calibration.profiles import forget_profiles
    from focusviewer.focus.calibration.store import scanner_key

    key = scanner
    if key is None:
        with opened(paths[0], mpp, magnification) as slide:
            key = scanner_key(slide)
    count = forget_profiles(key)
    if not count:
        raise UserError(f"There is no optics profile for {key}", "", "List them with: focusviewer calibrate --list")
    if json:
        print_json({"forgotten": count, "kind": "optics", "scanner": key})
    else:
        typer.echo(f"forgotten:    optics of {key}")


def document(profile: OpticsProfile) -> dict[str, Any]:
    """A profile for ``--json``."""
    from focusviewer.optics.profile import to_document

    return {"kind": "optics", **to_document(profile), "story": profile.story()}


def rows(profiles: Sequence[OpticsProfile]) -> list[list[str]]:
    """Profiles as rows of the list: scanner, um per pixel, optics, gain, from, date."""
    return [
        [one.scanner or "any", f"{one.mpp:.3g}", one.story(), gain_text(one), one.source, one.date] for one in profiles
    ]


def gain_text(profile: OpticsProfile) -> str:
    """What a profile gains on planes it was not fitted to, and what the standard lens does there."""
    if profile.gain_db is None or profile.standard_gain_db is None:
        return "not measured"
    return f"{profile.gain_db:+.2f} dB ({profile.standard_gain_db:+.2f} dB)"


def _tell(found: Measured, json: bool) -> None:
    profile = found.profile
    if json:
        print_json({**document(profile), "reference": found.reference, "notes": list(found.notes)})
        return
    lines = [
        f"measured:     optics of {profile.scanner}",
        f"from:         {profile.source}",
        f"lens:         {profile.story()}",
        f"gain:         {gain_text(profile)} (with the standard lens), by a Wiener filter, where it was not fitted to",
    ]
    for error in profile.errors:
        green = error.unexplained[len(error.unexplained) // 2]
        picked = [(f, share) for f, share in zip(profile.frequency, green, strict=True)][1::4]
        shares = "; ".join(f"{f:.2g}/um {min(share, 1):.0%}" for f, share in picked)
        lines.append(f"unexplained:  {error.z_um:.2f} um out of focus: {shares}")
    typer.echo("\n".join(lines))
    for line in found.notes:
        note(line)
