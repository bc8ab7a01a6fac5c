"""The settings of a training run: one typed TOML file, overridden by what the command line gives."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from focusviewer.core.errors import UserError
from focusviewer.core.files import atomic_write
from focusviewer.training.lab.typed_toml import checked, read_table, toml_lines

Own = TypeVar("Own")

MAX_MINUTES = 365 * 24 * 60

TASK_TABLE = "task"
"""Table of the file that holds the settings of the task itself."""

FREE_TO_CHANGE = frozenset({"device", "checkpoint_s"})
"""What a resumed run may change; anything else would make it another run."""


@dataclass(frozen=True)
class LabConfig:
    """Settings that all tasks share.

    Attributes
    ----------
    steps : int or None
        Length of the run. Exactly one of ``steps`` and ``minutes`` is set.
    minutes : float or None
        Length of the run by the clock, data not counted: the first steps are timed, and as many steps as fit are
        planned once. The plan is kept, so that an interrupted run ends where it would have.
    seed : int
        Of the weights, the batches and everything else that is random.
    batch : int
        Samples a step.
    learning_rate : float
        Peak of the cosine schedule.
    weight_decay : float
        Of AdamW; 0 is Adam.
    clip : float
        Largest norm of an optimiser's gradient; 0 for no limit.
    device : str
        ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    precision : "float32" or "bf16"
        ``bf16`` runs the networks under autocast; weights and optimisers stay float32.
    checkpoint_s : float
        Seconds between checkpoints; 0 writes one after every step.
    validations : int
        How often the run is validated, evenly over its steps.
    """

    steps: int | None = None
    minutes: float | None = None
    seed: int = 20
    batch: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    clip: float = 1.0
    device: str = "auto"
    precision: Literal["float32", "bf16"] = "float32"
    checkpoint_s: float = 60.0
    validations: int = 10

    def __post_init__(self) -> None:
        self._check(self.steps is None or self.minutes is None, "steps and minutes are both set", "give one of them")
        self._check(self.steps is None or self.steps >= 1, f"steps = {self.steps}", "it must be at least 1")
        self._check(
            self.minutes is None or 0 < self.minutes <= MAX_MINUTES,
            f"minutes = {self.minutes}",
            f"it must be above 0, and at most {MAX_MINUTES} (a year)",
        )
        self._check(0 <= self.seed < 2**63, f"seed = {self.seed}", "it must be 0 or more, and below 2^63")
        for name in ("batch", "validations"):
            self._check(getattr(self, name) >= 1, f"{name} = {getattr(self, name)}", "it must be at least 1")
        self._check(self.learning_rate > 0, f"learning_rate = {self.learning_rate:g}", "it must be above 0")
        for name in ("weight_decay", "clip", "checkpoint_s"):
            self._check(getattr(self, name) >= 0, f"{name} = {getattr(self, name):g}", "it must be 0 or more")
        self._check(
            re.fullmatch(r"auto|cpu|cuda(:\d+)?", self.device) is not None,
            f'device = "{self.device}"',
            "it must be auto, cpu, cuda or cuda:N",
        )
        self._check(
            self.precision in ("float32", "bf16"), f'precision = "{self.precision}"', "it must be float32 or bf16"
        )

    @staticmethod
    def _check(good: bool, what: str, why: str) -> None:
        if not good:
            raise UserError(f"Training cannot use {what}", why)

    def overridden(self, **given: Any) -> LabConfig:
        """The same settings with those replaced that were given (None: not given).

        A length given replaces the other kind of length.
        """
        values = {name: value for name, value in given.items() if value is not None}
        if len({"steps", "minutes"} & set(values)) == 1:
            values = {"steps": None, "minutes": None} | values
        return replace(self, **values)


def read_config(path: Path, defaults: LabConfig, own_defaults: Own) -> tuple[LabConfig, Own]:
    """Read a configuration file; what it does not say stays as the defaults have it.

    Parameters
    ----------
    defaults : LabConfig
        The task's own defaults.
    own_defaults : dataclass
        Settings of the task itself, read from the table ``[task]``.

    Raises
    ------
    UserError
        If it cannot be read, has an unknown key or a value of a wrong type or range.
    """
    table = read_table(path)
    own_table = table.pop(TASK_TABLE, {})
    if not isinstance(own_table, dict):
        raise UserError(
            f"Setting {TASK_TABLE} in {path} is no table", "", f"Write [{TASK_TABLE}] on a line of its own."
        )
    given = {name: getattr(checked(LabConfig, {name: value}, str(path)), name) for name, value in table.items()}
    checked(LabConfig, given, str(path))  # steps and minutes both given, for instance
    own_given = checked(type(own_defaults), own_table, f"{path} [{TASK_TABLE}]")
    own = replace(own_defaults, **{name: getattr(own_given, name) for name in own_table})  # type: ignore[type-var]
    return defaults.overridden(**given), own


def write_config(path: Path, config: LabConfig, own: object | None) -> None:
    """Write the settings in effect as a file that :func:`read_config` takes."""
    lines = toml_lines(config)
    if own is not None:
        own_lines = toml_lines(own)
        lines += ["", f"[{TASK_TABLE}]", *own_lines] if own_lines else []
    with atomic_write(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def refuse_change(name: str, before: LabConfig, now: LabConfig) -> None:
    """Refuse to resume with settings that the run was not started with.

    Raises
    ------
    UserError
        Naming the first setting that differs.
    """
    old, new = asdict(before), asdict(now)
    for key in old:
        if old[key] != new[key] and key not in FREE_TO_CHANGE:
            raise UserError(
                f"Cannot resume {name} with {key} = {_shown(new[key])}",
                f"the run was started with {_shown(old[key])}",
                "Leave it as it was, or start a new run in another folder.",
            )


def _shown(value: object) -> str:
    return "no value" if value is None else str(value)
