"""What all plots of the laboratory share: the way to matplotlib, which is an extra, and one look.

Figures are built as objects. Nothing here touches pyplot, whose state all threads of a process would share.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, FAINT = "#24292f", "#d8dee4"
COLOURS = ("#1f6fb2", "#d1632a", "#2e8b57", "#8d5bb5", "#b8453f", "#57606a", "#b08a1e", "#3aa0a0")

_DPI = 100
_STEPS = (1, 2, 2.5, 5, 10)
_HINT = "Run: pip install 'focusviewer[train]'"
_LOOK: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.labelsize": 8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 9,
    "font.size": 8,
    "grid.color": FAINT,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 4,
    "svg.fonttype": "none",  # text stays text
    "text.color": INK,
    "text.parse_math": False,  # a name with dollar signs is no formula
    "xtick.color": INK,
    "ytick.color": INK,
}


def why_no_plots() -> str | None:
    """Why nothing can be drawn here; None where matplotlib is installed."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        return "matplotlib is not installed"
    return None


def need_plots(what: str) -> None:
    """Refuse work whose result would be plots.

    Parameters
    ----------
    what : str
        What cannot be done.

    Raises
    ------
    UserError
        If matplotlib is not installed.
    """
    why = why_no_plots()
    if why is not None:
        raise UserError(what, why, _HINT)


def no_curve_line() -> str | None:
    """What a training run says when it cannot draw its curve; None when it can."""
    why = why_no_plots()
    return None if why is None else f"No curve is drawn: {why}. {_HINT}"


@contextmanager
def one_look() -> Iterator[None]:
    """Within this, figures look the same whatever the user's own settings of matplotlib are; also a decorator."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(cast("Any", _LOOK))
        yield


def new_figure(width_px: int, height_px: int) -> Figure:
    """An empty figure of a size in pixels of the picture that :func:`write_png` makes."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width_px / _DPI, height_px / _DPI), dpi=_DPI)


def write_png(figure: Figure, path: Path) -> None:
    """Write a figure so that equal figures give equal files."""
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png", dpi=_DPI, metadata={"Software": None})


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round numbers that cover a range, at about ``count`` places; none lies outside it."""
    from matplotlib.ticker import MaxNLocator

    if not high > low:
        return [low]
    slack = 1e-9 * (high - low)
    values = MaxNLocator(count, steps=_STEPS).tick_values(low, high)
    return [float(value) for value in values if low - slack <= value <= high + slack]


def round_ticks(axes: Axes, x_count: int = 6, y_count: int = 5) -> None:
    """Put :func:`ticks` along both sides of axes whose limits are set; with a count of 0, none."""
    axes.set_xticks(ticks(*axes.get_xlim(), x_count) if x_count else [])
    axes.set_yticks(ticks(*axes.get_ylim(), y_count) if y_count else [])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_major_formatter("{x:g}")
