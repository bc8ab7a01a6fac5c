"""Which pictures of a folder are the planes of a stack, and in which order: told by the numbers in their names.

Numbers may have signs and decimals (``z-1.5um``, ``z+0,50``). Of several numbers in a name one counts the planes: the
one that follows a word for focus, else the one that goes up evenly, which scores and times do not. Where that leaves
two orders, nobody but the user can tell; a file ``planes.txt`` that lists the names in order settles it for good.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from focusviewer.core.errors import SlideError
from focusviewer.core.files import atomic_write, config_dir, natural_order
from focusviewer.core.json_text import from_json_text

ORDER_FILE = "planes.txt"
"""Lists the planes of the folder it lies in, one name a line, the lowest first."""

_SIGN = r"(?P<sign>[+\-−–]|(?<![a-z])(?:minus|plus|neg|pos)[_ ]?)?"
_NUMBER = re.compile(_SIGN + r"(?P<digits>\d+(?:[.,]\d+)?(?:e[+-]\d{1,2}(?!\d))?)", re.IGNORECASE)
_MINUS = ("-", "−", "–", "minus", "neg")
_SURE_WORDS = ("z", "plane", "slice", "depth", "zpos", "zplane", "zslice", "zstack", "zlevel", "zindex", "focalplane")
_Z_WORDS = (*_SURE_WORDS, "focus", "focal")
_SCORE_WORDS = (
    "score", "sharpness", "sharp", "blur", "metric", "quality", "var", "variance", "value", "val", "laplacian",
    "tenengrad", "brenner", "psnr", "ssim",
)  # fmt: skip
_UNITS_UM = {"um": 1.0, "µm": 1.0, "μm": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3}
_ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth")
_LONGEST_LIST = 1 << 20


class OrderError(SlideError):
    """The names allow several orders of the planes.

    Attributes
    ----------
    folder : Path
    orders : dict of int to list of Path
        The planes by each of the numbers that may count them (the place of the number in the name, from 0).
    """

    def __init__(self, folder: Path, orders: dict[int, list[Path]]) -> None:
        self.folder, self.orders = folder, orders
        shown = "; ".join(f"by the {ordinal(place)} number: {brief(files)}" for place, files in orders.items())
        super().__init__(
            f"Cannot tell the order of the planes of {folder.name}",
            shown,
            f"Write z before the number that counts them, or list the names in order in {ORDER_FILE} beside them.",
        )


@dataclass
class PlaneSeries:
    """The planes of a folder.

    Attributes
    ----------
    files : list of Path
        In order.
    z_um : list of float or None
        Their positions, where the names state them with a unit.
    ranks : list of int
        Places of the planes in the series, which skip the numbers that no file has.
    left_out : list of Path
        Pictures of the folder that are no planes.
    """

    files: list[Path]
    z_um: list[float] | None = None
    ranks: list[int] = field(default_factory=list)
    left_out: list[Path] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Without gaps, where nothing else is known."""
        self.ranks = self.ranks or list(range(len(self.files)))


@dataclass(frozen=True)
class _Name:
    """A name taken apart: ``texts`` around ``numbers``; ``signs`` as written before them."""

    path: Path
    texts: tuple[str, ...]
    signs: tuple[str, ...]
    numbers: tuple[str, ...]


def plane_series(folder: Path, images: Sequence[Path]) -> PlaneSeries:
    """Find the planes among the images of a folder and put them in order.

    Raises
    ------
    OrderError
        If the names allow several orders.
    SlideError
        If they form no series, or more than one.
    """
    listed = folder / ORDER_FILE
    if listed.is_file():
        return _listed(listed, images)
    names = [name for name in map(_taken_apart, images) if name.numbers]
    templates = Counter(name.texts for name in names)
    template, count = templates.most_common(1)[0] if templates else ((), 0)
    if not names or count * 2 <= len(names):
        raise SlideError(
            f"Cannot open {folder.name} as a focal stack",
            "the names of its images do not form one numbered series",
            "Open one image, or name the planes z00, z01, z02 ...",
        )
    series = [name for name in names if name.texts == template]
    columns = [_Column.of(series, place) for place in range(len(template) - 1)]
    column = _counting(folder, series, columns)
    ordered = sorted(range(len(series)), key=lambda index: column.values[index])
    for one, other in pairwise(ordered):
        if column.values[one] == column.values[other]:
            raise SlideError(
                f"Cannot open {folder.name} as a focal stack",
                f"{series[one].path.name} and {series[other].path.name} have the same plane number",
                "Put each stack into a folder of its own.",
            )
    files = [series[index].path for index in ordered]
    values = [column.values[index] for index in ordered]
    taken = set(files)
    left_out = [path for path in images if path not in taken]
    unit = _UNITS_UM.get(re.split(r"[^a-zµμ]", template[column.place + 1].lower().lstrip(" _"))[0])
    z_um = None if unit is None or len(files) < 2 else [value * unit for value in values]
    return PlaneSeries(files, z_um, _ranks(values), left_out)


def _listed(path: Path, images: Sequence[Path]) -> PlaneSeries:
    try:
        with path.open("rb") as file:
            lines = file.read(_LONGEST_LIST).decode("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SlideError(f"Cannot read {path.name} of {path.parent.name}", str(error), "Save it as UTF-8.") from error
    wanted = [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]
    by_name = {image.name: image for image in images}
    wrong = next((name for name in wanted if name not in by_name), None)
    if wrong is not None or len(set(wanted)) < len(wanted) or not wanted:
        twice = "it names a file twice" if wanted else "it is empty"
        why = twice if wrong is None else f"it names {wrong}, which is not there"
        what = f"Cannot use {path.name} of {path.parent.name}"
        raise SlideError(what, why, "List each plane once, the lowest first.")
    return PlaneSeries([by_name[name] for name in wanted], left_out=[i for i in images if i.name not in set(wanted)])


def _taken_apart(path: Path) -> _Name:
    texts, signs, numbers, end = [], [], [], 0
    for found in _NUMBER.finditer(path.stem):
        texts.append(path.stem[end : found.start()].casefold())
        signs.append((found["sign"] or "").strip("_ ").lower())
        numbers.append(found["digits"].replace(",", ".").lower())
        end = found.end()
    return _Name(path, (*texts, path.stem[end:].casefold()), tuple(signs), tuple(numbers))


@dataclass(frozen=True)
class _Column:
    """The numbers at one place of the names."""

    place: int
    word: str
    values: tuple[float, ...]
    whole: bool

    @classmethod
    def of(cls, series: Sequence[_Name], place: int) -> _Column:
        signs = {name.signs[place] for name in series}
        word = re.sub(r"[^a-zµ]+$", "", series[0].texts[place])
        word = re.split(r"[^a-zµ]", word)[-1]
        numbers = [name.numbers[place] for name in series]
        wholes, _, rests = zip(*(number.partition(".") for number in numbers), strict=True)
        if len(set(wholes)) == 1 and int(wholes[0]) and all(rest.isdigit() for rest in rests) and word not in _Z_WORDS:
            numbers = list(rests)  # img_1.9, img_1.10: two numbers, not one with decimals
        fractions = not all(number.isdigit() for number in numbers)
        # A hyphen before every number is a separator, unless what follows is plainly a position.
        signed = len(signs) > 1 or (fractions and word in _Z_WORDS) or not signs & {"-", "–"}
        values = tuple(
            (-1.0 if signed and name.signs[place] in _MINUS else 1.0) * float(number)
            for name, number in zip(series, numbers, strict=True)
        )
        return cls(place, word, values, not fractions)

    @property
    def varies(self) -> bool:
        return len(set(self.values)) > 1

    @property
    def distinct(self) -> bool:
        return len(set(self.values)) == len(self.values)

    @property
    def is_score(self) -> bool:
        return self.word in _SCORE_WORDS or (not self.whole and self.word not in _SURE_WORDS)

    @property
    def evenness(self) -> int:
        """2 for numbers that count, 1 for those that go up evenly or nearly so, 0 for others."""
        if not self.distinct or not self.whole:
            return 0
        ranks = _ranks(sorted(self.values))
        if ranks[-1] + 1 > 2 * len(ranks) or max(abs(value) for value in self.values) > 1e12:
            return 0
        return 2 if (max(self.values) - min(self.values)) == ranks[-1] else 1

    @property
    def rank(self) -> tuple[bool, bool, bool, int]:
        return self.word in _SURE_WORDS, not self.is_score, self.distinct, self.evenness


def _counting(folder: Path, series: Sequence[_Name], columns: Sequence[_Column]) -> _Column:
    """The number that counts the planes; see the module."""
    varying = [column for column in columns if column.varies] or [columns[-1]]
    best = max(varying, key=lambda column: (column.rank, column.word in _Z_WORDS, column.place))
    if best.rank[0] or not best.distinct:
        return best
    rivals = [
        column for column in varying if column.distinct and column.rank[:3] == best.rank[:3]
        and column.evenness == best.evenness and column.word not in _SCORE_WORDS
    ]  # fmt: skip
    orders = {column.place: _sorted(series, column) for column in rivals}
    if len({tuple(files) for files in orders.values()}) < 2:
        return best
    said = PlaneOrders().get([name.path for name in series])
    if said in orders:
        return columns[said]
    raise OrderError(folder, orders)


def _sorted(series: Sequence[_Name], column: _Column) -> list[Path]:
    return [series[index].path for index in sorted(range(len(series)), key=lambda index: column.values[index])]


def _ranks(values: Sequence[float]) -> list[int]:
    """Places of increasing numbers in the evenly spaced series they are of; without gaps where they are of none."""
    plain = list(range(len(values)))
    if len(values) < 3 or any(value != int(value) for value in values):
        return plain
    steps = [int(after - before) for before, after in pairwise(values)]
    step = math.gcd(*steps)
    if step < 1:
        return plain
    return [int(value - values[0]) // step for value in values]


def gaps(ranks: Sequence[int]) -> list[int]:
    """Places of planes that have no file, where that is the likely reason for a gap: most of them are there."""
    missing = sorted(set(range(ranks[-1] + 1)) - set(ranks)) if ranks[-1] < 2 * len(ranks) else []
    return missing if len(missing) * 2 <= len(ranks) else []


def ordinal(place: int) -> str:
    """``first`` for 0, and so on."""
    return _ORDINALS[place] if place < len(_ORDINALS) else f"{place + 1}th"


def brief(files: Sequence[Path], most: int = 4) -> str:
    """The first names of a list, for messages."""
    return ", ".join(path.name for path in files[:most]) + (" ..." if len(files) > most else "")


_lock = threading.Lock()


class PlaneOrders:
    """Orders that the user has chosen, by the names of the planes, in ``plane-orders.json`` of the settings folder."""

    def get(self, files: Sequence[Path]) -> int:
        """Place of the number that counts these planes; -1 when it was never said."""
        with _lock:
            found = self._load().get(_key(files))
        return found if isinstance(found, int) else -1

    def set(self, files: Sequence[Path], place: int) -> None:
        """Remember an order.

        Raises
        ------
        UserError
            If the settings folder cannot be written to.
        """
        with _lock:
            orders = self._load()
            orders[_key(files)] = place
            with atomic_write(config_dir() / "plane-orders.json") as temporary:
                temporary.write_text(json.dumps(orders, indent=1, sort_keys=True), encoding="utf-8")

    def _load(self) -> dict[str, object]:
        try:
            loaded = from_json_text((config_dir() / "plane-orders.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):  # a lost order is asked for again
            return {}
        return loaded if isinstance(loaded, dict) else {}


def _key(files: Sequence[Path]) -> str:
    names = "\0".join(sorted((path.name for path in files), key=natural_order))
    return hashlib.blake2b(names.encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()
