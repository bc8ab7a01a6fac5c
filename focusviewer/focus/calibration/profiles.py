"""Optics profiles on disk, beside the calibrations: the user's own, and which one holds for a slide."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from focusviewer.core.files import config_dir
from focusviewer.focus.calibration.store import scanner_key
from focusviewer.optics.profile import OpticsProfile, read_profiles, write_profiles
from focusviewer.slides import Slide


def profiles_path() -> Path:
    """File of the user's optics profiles."""
    return config_dir() / "optics-profiles.json"


def known_profiles() -> tuple[OpticsProfile, ...]:
    """The user's profiles, newest first; none where the file is missing.

    Raises
    ------
    UserError
        If the file is damaged.
    """
    path = profiles_path()
    try:
        changed = path.stat()
    except OSError:
        return ()
    return _read(path, changed.st_mtime_ns, changed.st_size)


@lru_cache(maxsize=2)
def _read(path: Path, changed_ns: int, size: int) -> tuple[OpticsProfile, ...]:
    """Views are studied often, and the file changes seldom."""
    return tuple(read_profiles(path))


def find_profile(slide: Slide) -> OpticsProfile | None:
    """The profile of a slide's scanner and scale; None where there is none.

    Raises
    ------
    UserError
        If the profiles cannot be read.
    """
    key = scanner_key(slide)
    return next((profile for profile in known_profiles() if profile.holds_for(key, slide.mpp)), None)


def keep_profile(profile: OpticsProfile) -> None:
    """Store a profile; it replaces the one for the same scanner and scale.

    Raises
    ------
    UserError
        If the file cannot be read or written.
    """
    kept = [known for known in known_profiles() if not known.holds_for(profile.scanner, profile.mpp)]
    write_profiles(profiles_path(), [profile, *kept])


def forget_profiles(scanner: str) -> int:
    """Remove the user's profiles for a scanner.

    Returns
    -------
    How many there were.
    """
    known = known_profiles()
    kept = [profile for profile in known if profile.scanner != scanner]
    if len(kept) < len(known):
        write_profiles(profiles_path(), kept)
    return len(known) - len(kept)
