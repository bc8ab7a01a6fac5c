"""The one error a person sees: what went wrong, why, and what to do about it."""

from __future__ import annotations


class UserError(Exception):
    """A problem with what the user gave us, told in one line.

    The window shows it as a message; the command line prints it and exits with code 2.
    Everything else that escapes is an error of ours (exit code 1).

    Parameters
    ----------
    what : str
        What could not be done, naming the file or option.
    why : str
        The reason, as far as we know it.
    advice : str
        What the user can do about it.
    """

    def __init__(self, what: str, why: str = "", advice: str = "") -> None:
        self.what, self.why, self.advice = what, why, advice
        super().__init__(str(self))

    def __str__(self) -> str:
        text = self.what if not self.why else f"{self.what}: {self.why}"
        text = text.rstrip(".") + "."
        line = f"{text} {self.advice}" if self.advice else text
        return " ".join(line.split())


class SlideError(UserError):
    """A slide, stack or image that cannot be opened or read."""


class ScaleUnknownError(UserError):
    """A step that needs microns was asked of a slide whose file does not say its scale."""

    def __init__(self, name: str, why: str = "the file does not state a usable scale") -> None:
        super().__init__(
            f"{name} has no known pixel size",
            why,
            "Give it with --mpp UM or --magnification X (in the window: Slide panel, Set scale).",
        )


class NotSquareError(ScaleUnknownError):
    """A step that needs square pixels was asked of a slide whose pixels are not: ``across`` and ``down`` in um."""

    def __init__(self, name: str, across: float, down: float) -> None:
        UserError.__init__(
            self,
            f"The pixels of {name} are not square",
            f"they are {across:.4g} x {down:.4g} um, and what models and engines know of blur holds for square ones",
            "Resample it to square pixels; --mpp UM takes them for square as they are.",
        )


class CancelledError(Exception):
    """A job was cancelled by its token; not an error, never shown."""
