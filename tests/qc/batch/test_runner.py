"""Batches: every file accounted for, nothing done twice, whatever goes wrong meanwhile."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from focusviewer.core.errors import CancelledError, UserError
from focusviewer.focus.calibration.curve import Calibration, Curve
from focusviewer.focus.calibration.store import keep_calibration
from focusviewer.focus.mapping.store import load_map
from focusviewer.qc.batch.discover import find_slides
from focusviewer.qc.batch.runner import Batch
from focusviewer.qc.batch.slide_task import IdentifyTask, VerdictTask
from focusviewer.qc.verdicts.judgement import Verdict
from focusviewer.qc.verdicts.rules import Rules, Thresholds
from focusviewer.qc.worklist.lock import batch_lock
from focusviewer.slides import open_slide
from focusviewer.slides.files.suffixes import SLIDE_SUFFIXES, VIEWED_SUFFIXES
from focusviewer.slides.identity import identify
from tests.qc.tasks import InlinePool
from tests.qc.worklists import HOSTILE

SlideFile = Callable[..., Path]
MakeBatch = Callable[..., Batch]
FILES = ["map.geojson", "map.npz", "map.png", "summary.json", "thumbnail.png"]


def contents(out: Path) -> dict[str, str]:
    """Every result file with the hash of what it holds."""
    return {
        str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((out / "slides").rglob("*"))
        if path.is_file()
    }


def findings(batch: Batch) -> list[object]:
    """What the worklist says, without times."""
    return [
        (row.facts, row.result and (row.result.features, row.result.judgement, row.result.regions, row.result.folder))
        for row in batch.worklist.slides()
    ]


def results(batch: Batch) -> int:
    return len(batch.worklist._all("SELECT id FROM results"))


def test_every_file_is_accounted_for(slide_file: SlideFile, batch: MakeBatch, tmp_path: Path) -> None:
    first = slide_file("a.tif", 1)
    slide_file("deep/er/b.tif", 2)
    slide_file("no-scale.tif", 3, mpp=None)
    shutil.copy(first, first.with_name("z-copy.tif"))
    (tmp_path / "in" / "text.svs").write_text("no slide " * 100)
    (tmp_path / "in" / "empty.ndpi").touch()
    (tmp_path / "in" / "cut.tif").write_bytes(first.read_bytes()[:9000])
    (tmp_path / "in" / "gone.tif").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in" / "notes.txt").write_text("left out")
    (tmp_path / "in" / ".hidden.tif").touch()
    done = batch().run(find_slides([tmp_path / "in", first]))
    assert done.slides == 3 and done.verdicts[Verdict.REVIEW] == 3
    assert {failure.path.name: failure.attempt for failure in done.failures} == {
        "text.svs": 2, "empty.ndpi": 2, "cut.tif": 2, "gone.tif": 2,
    }  # fmt: skip
    reasons = {failure.path.name: failure.reason for failure in done.failures}
    assert "plain text" in reasons["text.svs"] and "empty" in reasons["empty.ndpi"] and "cut off" in reasons["cut.tif"]
    assert done.duplicates == {first.with_name("z-copy.tif"): first}
    assert [path.name for path in done.left_out] == ["notes.txt"]
    assert done.files == 8
    text = "\n".join(done.lines())
    assert "8 files: 3 slides" in text and "text.svs" in text


@pytest.mark.parametrize("suffix", sorted(SLIDE_SUFFIXES))
def test_what_the_window_takes_for_a_slide_a_batch_finds(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix.upper()}").touch()
    (tmp_path / "a.png").touch()
    found = find_slides([tmp_path])
    assert [path.name for path in found.slides] == [f"a{suffix.upper()}"]
    assert [path.name for path in found.left_out] == ["a.png"]
    assert suffix in VIEWED_SUFFIXES


def test_a_slide_without_scale_is_for_review_with_the_reason_and_a_relative_map(
    slide_file: SlideFile, batch: MakeBatch
) -> None:
    run = batch()
    run.run(find_slides([slide_file("no-scale.tif", 3, mpp=None)]))
    (row,) = run.worklist.slides()
    assert row.result is not None and row.result.judgement.verdict == Verdict.REVIEW
    assert any("pixel size" in reason for reason in row.result.judgement.reasons)
    folder = run.worklist.folder / row.result.folder
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert load_map(folder / "map.npz").tissue.any()


def test_resuming_after_a_kill_gives_what_an_uninterrupted_run_gives(
    slide_file: SlideFile, batch: MakeBatch, tmp_path: Path
) -> None:
    paths = [slide_file(f"{n}.tif", n) for n in range(4)] + [tmp_path / "in" / "bad.tif"]
    paths[-1].write_bytes(b"bad" * 99)
    found = find_slides(paths)
    whole = batch()
    whole.run(found)
    expected, files = findings(whole), contents(whole.worklist.folder)
    whole.worklist.close()
    shutil.rmtree(whole.worklist.folder)
    (whole.worklist.folder / "slides").mkdir(parents=True)
    for stop in (1, 3, 2, 0, 1, 2):
        with pytest.raises(KeyboardInterrupt):
            batch(InlinePool(stop)).run(found)
    last = batch()
    summary = last.run(found)
    assert findings(last) == expected and contents(last.worklist.folder) == files
    assert results(last) == 4 and summary.slides == 4 and summary.earlier > 0
    assert [failure.attempt for failure in summary.failures] == [2]
    again = InlinePool()
    assert batch(again).run(found).judged == 0 and again.done == []


def test_what_was_left_half_written_by_a_kill_is_replaced(slide_file: SlideFile, batch: MakeBatch) -> None:
    found = find_slides([slide_file("a.tif")])
    first = batch()
    first.run(found)
    folder = first.worklist.folder / first.worklist.slides()[0].result.folder  # type: ignore[union-attr]
    files = contents(first.worklist.folder)
    first.worklist.close()
    first.worklist.path.unlink()
    (folder / "map.npz").write_bytes(b"half")
    second = batch()
    second.run(found)
    assert contents(second.worklist.folder) == files


def test_a_changed_file_is_judged_again_and_a_moved_one_is_not(slide_file: SlideFile, batch: MakeBatch) -> None:
    path = slide_file("a.tif", 1)
    run = batch()
    run.run(find_slides([path]))
    moved = path.rename(path.with_name("moved.tif"))
    assert batch().run(find_slides([moved])).judged == 0
    (row,) = run.worklist.slides()
    assert row.facts.path == moved
    slide_file("moved.tif", 2)
    assert batch().run(find_slides([moved])).judged == 1
    assert len(run.worklist.slides()) == 2


def test_when_the_listed_file_is_gone_its_copy_is_listed(slide_file: SlideFile, batch: MakeBatch) -> None:
    path = slide_file("a.tif", 1)
    copy = Path(shutil.copy(path, path.with_name("b.tif")))
    run = batch()
    assert run.run(find_slides([path.parent])).duplicates == {copy: path}
    path.unlink()
    assert batch().run(find_slides([copy.parent])).judged == 0
    assert [row.facts.path for row in run.worklist.slides()] == [copy]


def test_a_failed_file_is_tried_again_when_it_has_changed_or_when_asked(
    slide_file: SlideFile, batch: MakeBatch, tmp_path: Path
) -> None:
    path = slide_file("a.tif")
    good = path.read_bytes()
    path.write_bytes(b"bad" * 999)
    assert len(batch().run(find_slides([path])).failures) == 1
    again = InlinePool()
    batch(again).run(find_slides([path]))
    assert again.done == []
    asked = InlinePool()
    batch(asked, retry_failed=True).run(find_slides([path]))
    assert len(asked.done) == 2
    path.write_bytes(good)
    mended = batch().run(find_slides([path]))
    assert mended.slides == 1 and mended.failures == ()


def test_a_full_disk_stops_the_batch_and_resuming_completes_it(
    slide_file: SlideFile, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = find_slides([slide_file(f"{n}.tif", n) for n in range(3)])
    real, calls = os.fsync, []

    def full(handle: int) -> None:
        calls.append(handle)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(handle)

    monkeypatch.setattr("os.fsync", full)
    run = batch()
    with pytest.raises(UserError, match=r"disk is full.*--resume"):
        run.run(found)
    monkeypatch.setattr("os.fsync", real)
    assert run.worklist.check() == "ok" and run.worklist.failures() == []
    assert not [path for path in (run.worklist.folder / "slides").iterdir() if path.name.startswith(".")]
    summary = batch().run(found)
    assert summary.slides == 3 and summary.earlier == 1 and results(run) == 3


def test_a_slide_is_identified_once_and_opened_no_more_than_twice(
    slide_file: SlideFile, batch: MakeBatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, identified = [], []
    monkeypatch.setattr(
        "focusviewer.qc.batch.slide_task.open_slide", lambda path: (opened.append(path), open_slide(path))[1]
    )
    monkeypatch.setattr(
        "focusviewer.qc.batch.slide_task.identify",
        lambda *given: (identified.append(given[0].path), identify(*given))[1],
    )
    found = find_slides([slide_file(f"{n}.tif", n) for n in range(2)])
    run = batch()
    run.run(found)
    assert sorted(identified) == found.slides
    assert sorted(opened) == sorted(2 * found.slides)  # which slides are the same is known before any is judged
    facts = [row.result.facts for row in run.worklist.slides() if row.result is not None]
    assert sorted(fact.slide_id for fact in facts) == ["0", "1"]


def test_a_file_that_changed_after_it_was_identified_is_identified_anew(slide_file: SlideFile, tmp_path: Path) -> None:
    (tmp_path / "out" / "slides").mkdir(parents=True)
    path = slide_file("a.tif", 1)
    before = IdentifyTask(path).run()
    slide_file("a.tif", 2)
    result = VerdictTask(path, tmp_path / "out", Rules(), "tenengrad", identified=before).run()
    assert result.facts.fingerprint != before.facts.fingerprint
    assert result.facts == IdentifyTask(path).run().facts


def test_setting_cancel_stops_between_slides(slide_file: SlideFile, batch: MakeBatch) -> None:
    found = find_slides([slide_file(f"{n}.tif", n) for n in range(3)])
    cancel = threading.Event()
    run = batch(cancel=cancel, on_progress=lambda state: cancel.set() if state.done else None)
    with pytest.raises(CancelledError):
        run.run(found)
    assert results(run) == 1
    assert batch().run(found).slides == 3


def test_progress_counts_up_and_tells_the_time_left(slide_file: SlideFile, batch: MakeBatch) -> None:
    states = []
    batch(on_progress=states.append).run(find_slides([slide_file(f"{n}.tif", n) for n in range(3)]))
    assert [state.done for state in states] == [0, 1, 2, 3] and states[0].total == 3
    assert states[1].eta_s is not None and states[1].eta_s > 0 and "left" in str(states[1])


def test_hostile_file_names_survive(slide_file: SlideFile, batch: MakeBatch, tmp_path: Path) -> None:
    made = {slide_file(name.replace("/", "∕").removesuffix(".svs")[:190] + ".tif", n) for n, name in enumerate(HOSTILE)}
    run = batch()
    summary = run.run(find_slides([tmp_path / "in"]))
    assert summary.slides == len(made) == len(HOSTILE) and summary.failures == ()
    for row in run.worklist.slides():
        assert row.facts.path in made and row.result is not None
        folder = run.worklist.folder / row.result.folder
        assert folder.name.isascii() and sorted(path.name for path in folder.iterdir()) == FILES
        assert json.loads((folder / "summary.json").read_text(encoding="utf-8"))["path"] == str(row.facts.path)


@pytest.mark.skipif(os.name == "nt", reason="names are text there")
def test_a_name_that_is_no_text_is_listed_as_a_failure(slide_file: SlideFile, batch: MakeBatch) -> None:
    path = slide_file("a.tif")
    os.rename(path, os.fsencode(path.parent) + b"/\xff\xfe.tif")  # noqa: PTH104
    summary = batch().run(find_slides([path.parent]))
    assert summary.slides == 0 and len(summary.failures) == 1 and "UTF-8" in summary.failures[0].reason


def test_the_same_slide_gives_the_same_bytes(slide_file: SlideFile, batch: MakeBatch, tmp_path: Path) -> None:
    path = slide_file("a.tif")
    run = batch()
    outs = []
    for name in ("one", "two"):
        (tmp_path / name / "slides").mkdir(parents=True)
        VerdictTask(path, tmp_path / name, run.rules, "tenengrad").run()
        outs.append(contents(tmp_path / name))
    assert outs[0] == outs[1] and len(outs[0]) == len(FILES)


def test_one_batch_at_a_time_works_in_a_folder(tmp_path: Path) -> None:
    with batch_lock(tmp_path), pytest.raises(UserError, match="another batch"), batch_lock(tmp_path):
        pass
    with batch_lock(tmp_path):
        pass


def test_a_path_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such file"):
        find_slides([tmp_path / "nothing"])


def test_our_own_results_and_parts_of_slides_are_not_searched(slide_file: SlideFile, tmp_path: Path) -> None:
    slide = slide_file("a.tif")
    slide_file("mirax/x.tif")
    (tmp_path / "in" / "mirax" / "Slidedat.ini").touch()
    slide_file("out/y.tif")
    assert find_slides([tmp_path / "in"], [tmp_path / "in" / "out"]).slides == [slide]


def test_rules_edited_under_the_same_version_and_new_calibrations_are_noticed(
    slide_file: SlideFile, batch: MakeBatch
) -> None:
    found = find_slides([slide_file("a.tif")])
    assert batch().run(found).judged == 1 and batch().run(found).judged == 0
    edited = batch()
    edited.rules = Rules(thresholds=replace(Thresholds(), blurred_um=1.1))
    assert edited.run(found).judged == 1
    model = edited.model
    keep_calibration(Calibration(model.name, model.version, "", None, Curve((0.0, 9.0), (0.0, 4.0)), "a test"))
    calibrated = batch()
    calibrated.rules = edited.rules
    assert calibrated.run(found).judged == 1
    (row,) = calibrated.worklist.slides()
    assert row.result is not None and row.result.features.absolute
    assert row.result.model_version.startswith(f"{model.version}+")
    assert (
        load_map(calibrated.worklist.folder / row.result.folder / "map.npz").model_version == row.result.model_version
    )
    again = batch()
    again.rules = edited.rules
    assert again.run(found).judged == 0
    keep_calibration(Calibration("eonss", "1", "", None, Curve((0.0, 9.0), (0.0, 4.0)), "of another model"))
    other = batch()
    other.rules = edited.rules
    assert other.run(found).judged == 0
