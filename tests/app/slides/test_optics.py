"""The optics of the scanner in the window: from Set scale to the engines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtWidgets import QLabel

from focusviewer.app.refocus.area import area_of
from focusviewer.app.refocus.inference.engines import EngineHost
from focusviewer.app.services.jobs import Job
from focusviewer.app.slides.optics_dialog import OpticsDialog, profile_text
from focusviewer.app.slides.scale_dialog import ScaleDialog
from focusviewer.core.errors import UserError
from focusviewer.focus.calibration.profiles import find_profile, keep_profile
from focusviewer.focus.calibration.store import scanner_key
from focusviewer.refocus.base import Encoded, Refocuser
from focusviewer.refocus.fast import operators
from focusviewer.refocus.wiener import measuring
from tests.optics.test_profile import profile


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("FOCUSVIEWER_CONFIG", str(tmp_path / "config"))
    yield


def dialog_of(window: Any, qtbot: Any) -> OpticsDialog:
    window.opening.ask_scale()
    window.findChild(ScaleDialog).optics.click()
    found = window.findChild(OpticsDialog)
    qtbot.waitUntil(lambda: found.from_pair.isEnabled(), timeout=5000)
    return found


def test_a_stack_is_measured_kept_and_forgotten(window, open_in, slides, qtbot, monkeypatch) -> None:
    name = next(name for name, slide in slides.items() if len(slide.planes_um) > 1 and slide.mpp)
    open_in(window, name)
    slide = window.document.slide

    def measured(slide: Any, on_progress: Any, cancel: Any) -> measuring.Measured:
        on_progress(0.5)
        return measuring.Measured(profile(scanner=scanner_key(slide), mpp=slide.mpp), 0, ())

    monkeypatch.setattr(measuring, "profile_of_stack", measured)
    prepared: list[Any] = []
    monkeypatch.setattr(operators, "operator_bank", lambda mpp, optics: prepared.append(optics))
    dialog = dialog_of(window, qtbot)
    assert "standard lens" in dialog.profile.text() and not dialog.forget.isEnabled()
    with qtbot.waitSignal(window.opening.optics.changed, timeout=5000):
        dialog.from_stack.click()
    assert "NA 0.62" in dialog.profile.text() and find_profile(slide) is not None
    qtbot.waitUntil(lambda: prepared == [profile().optics], timeout=5000)
    with qtbot.waitSignal(window.opening.optics.changed, timeout=5000):
        dialog.forget.click()
    assert find_profile(slide) is None and "standard lens" in dialog.profile.text()
    dialog.reject()


def test_what_goes_wrong_is_told_and_the_dialog_can_be_used_again(window, open_in, slides, qtbot, monkeypatch) -> None:
    name = next(name for name, slide in slides.items() if len(slide.planes_um) > 1 and slide.mpp)
    open_in(window, name)

    def refused(slide: Any, on_progress: Any, cancel: Any) -> measuring.Measured:
        raise UserError("The planes do not show the same tissue", "", "")

    monkeypatch.setattr(measuring, "profile_of_stack", refused)
    dialog = dialog_of(window, qtbot)
    dialog.from_stack.click()
    qtbot.waitUntil(lambda: any("same tissue" in one.text for one in window.messages.messages()), timeout=5000)
    qtbot.waitUntil(lambda: dialog.from_stack.isEnabled(), timeout=5000)
    dialog.reject()


class Spy(Refocuser):
    """Notes the profile it is given."""

    name = "wiener"
    uses_profile = True

    def __init__(self) -> None:
        self.given: list[Any] = []

    def _encode(self, images, mpp, planes_um, focus_maps):
        self.given.append(None)
        return Encoded(images[0].shape[:2], mpp, planes_um, np.zeros(images[0].shape[:2], np.float32), None)

    def _encode_measured(self, images, mpp, planes_um, focus_maps, profile):
        return replace(self._encode(images, mpp, planes_um, focus_maps), state=self.given.append(profile))

    def _render(self, encoded, target_um):
        return encoded.images[0]


def test_studies_use_the_profile_of_the_slide_and_files_say_so(window, open_in) -> None:
    open_in(window, "fake.svs")
    document, spy = window.document, Spy()
    window.viewport.go_to(1500, 1000, 1.0)
    kept = profile(scanner=scanner_key(document.slide), mpp=document.mpp)
    keep_profile(kept)
    host, area = EngineHost(lambda name: spy), area_of(document, "wiener")
    study = host.study(document, area, None, Job("study", 1))
    assert study.encoded.profile == kept
    assert spy.given[-1] == kept
    assert host.area_provenance(document, area, 1.5, study.encoded.profile)["optics_profile"]["digest"] == kept.digest


def test_profiles_are_said_in_words() -> None:
    assert "standard lens" in profile_text(None)
    text = profile_text(profile(gain_db=0.5, standard_gain_db=-0.1))
    assert "NA 0.62" in text and "+0.50 dB" in text and "-0.10 dB" in text


def test_the_dialog_shows_all_of_its_texts(window, open_in, qtbot) -> None:
    open_in(window, "fake.svs")
    dialog = OpticsDialog(window.document)
    qtbot.addWidget(dialog)
    dialog.show_profile("Maker, model, 0.25 µm", profile(gain_db=0.5, standard_gain_db=-0.1))
    dialog.show()
    for label in dialog.findChildren(QLabel):
        assert label.height() >= label.heightForWidth(label.width()), label.text()
