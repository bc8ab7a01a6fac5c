"""Where the weights of models are found, and what is said when they are missing or unreadable."""

from __future__ import annotations

from pathlib import Path

from focusviewer.core.errors import UserError
from focusviewer.core.files import resource_path

REINSTALL = "Reinstall it."


def find_weights(file: str) -> Path | None:
    """Path of a weights file, None where this installation lacks it.

    Parameters
    ----------
    file : str
        Path inside ``resources/weights``, like ``fast.safetensors`` or ``baselines/dfi.safetensors``; a folder given
        by :func:`~focusviewer.core.files.weights_from` comes first.
    """
    try:
        return resource_path("weights", *file.split("/"))
    except FileNotFoundError:
        return None


def need_weights(name: str) -> Path:
    """Path of the weights of a model.

    Raises
    ------
    UserError
        If this installation lacks them.
    """
    weights = find_weights(f"{name}.safetensors")
    if weights is None:
        raise missing_weights(name, f"{name}.safetensors")
    return weights


def missing_weights(name: str, file: str, advice: str = REINSTALL) -> UserError:
    """The error for a model whose weights file is not there."""
    return UserError(f"The weights of {name} are missing", f"this installation has no {file}", advice)


def unreadable_weights(name: str, path: Path, error: Exception) -> UserError:
    """Weights that are missing, cut off or of another model: all mean the same to the user."""
    why = " ".join(str(error).split())
    return UserError(f"Cannot load the weights of {name} from {path}", why, "Reinstall FocusViewer.")
