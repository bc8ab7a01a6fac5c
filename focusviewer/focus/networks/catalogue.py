"""Every network by name: its window, what its output means, how to build it. Light: no torch until one is built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from focusviewer.core.errors import UserError
from focusviewer.core.registry import ModelEntry, trained_entry
from focusviewer.focus.base import FocusModel
from focusviewer.focus.networks.spec import NetworkSpec

if TYPE_CHECKING:
    from focusviewer.focus.networks.base import FocusNetwork


def _eonss() -> FocusNetwork:
    from focusviewer.focus.networks.eonss import Eonss

    return Eonss()


def _densenet() -> FocusNetwork:
    from focusviewer.focus.networks.densenet import DenseNet

    return DenseNet()


def _resnet(depth: int) -> Callable[[], FocusNetwork]:
    def make() -> FocusNetwork:
        from focusviewer.focus.networks.resnet import ResNet

        return ResNet(depth)

    return make


def _fno() -> FocusNetwork:
    from focusviewer.focus.networks.fno import FourierClassifier

    return FourierClassifier()


def _mobile() -> FocusNetwork:
    from focusviewer.focus.networks.mobile import MobileClassifier

    return MobileClassifier()


NETWORKS: tuple[NetworkSpec, ...] = (
    NetworkSpec("eonss", "EONSS, four convolutions, divisive normalisation; levels of 0.25 um", 235, 130, True, _eonss),
    NetworkSpec("densenet-13", "DenseNet, four blocks of one layer; levels of 0.25 um", 235, 130, True, _densenet),
    NetworkSpec("resnet-10", "ResNet with 10 layers; levels of 0.25 um", 235, 130, True, _resnet(10)),
    NetworkSpec("resnet-50", "ResNet with 50 layers; levels of 0.25 um", 235, 130, True, _resnet(50)),
    NetworkSpec("resnet-101", "ResNet with 101 layers; levels of 0.25 um", 235, 130, True, _resnet(101)),
    NetworkSpec(
        "fno-64", "Fourier neural operator on 64 px windows; probability of being blurred", 64, 64, False, _fno, 32
    ),
    NetworkSpec(
        "mobile-84",
        "classifier of ten defocus classes on 84 px windows, with uncertainty; expected level of 0.25 um",
        84,
        84,
        True,
        _mobile,
        16,
    ),
)
"""Every network; a new one is a line here."""


def network_spec(name: str) -> NetworkSpec:
    """The network of that name.

    Raises
    ------
    UserError
        If there is none.
    """
    for spec in NETWORKS:
        if spec.name == name:
            return spec
    known = ", ".join(spec.name for spec in NETWORKS)
    raise UserError(f"There is no focus network {name!r}", advice=f"Choose one of: {known}.")


def entries() -> list[ModelEntry[FocusModel]]:
    """The lines of the model registry for these networks."""
    return [_entry(spec) for spec in NETWORKS]


def _entry(spec: NetworkSpec) -> ModelEntry[FocusModel]:
    def build(weights: Path) -> FocusModel:
        from focusviewer.focus.networks.model import NetworkModel

        if spec.name == "eonss":
            from focusviewer.focus.networks.eonss_strips import EonssModel

            return EonssModel(spec, weights)
        return NetworkModel(spec, weights)

    return trained_entry(spec.name, "focus", build, spec.summary)
