"""A batch on a Dask cluster of separate programs, and the whole of it through the command line."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from focusviewer import qc
from focusviewer.cli.program import run as focusviewer
from focusviewer.core.errors import UserError
from focusviewer.qc.worklist.store import FILE_NAME, Worklist
from focusviewer.qc.worklist.summary import BatchProgress
from tests.qc.batch.test_runner import contents

WORKERS = 3


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Address of a scheduler on the loopback, and its worker programs."""
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    folder = str(tmp_path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DASK_DISTRIBUTED__ADMIN__TICK__LIMIT": "60s"}
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0"]
    scheduler = subprocess.Popen([*command, "--no-dashboard"], stderr=subprocess.PIPE, text=True, env=environment)
    assert scheduler.stderr is not None
    address = ""
    for line in scheduler.stderr:
        found = re.search(r"Scheduler at:\s*(tcp://\S+)", line)
        if found:
            address = found[1]
            break
    threading.Thread(target=scheduler.stderr.read, daemon=True).start()
    options = ["--nthreads", "1", "--no-dashboard", "--no-nanny", "--local-directory", folder]
    workers = [
        subprocess.Popen(
            [sys.executable, "-m", "distributed.cli.dask_worker", address, *options],
            stderr=subprocess.DEVNULL,
            env=environment,
        )
        for _ in range(WORKERS)
    ]
    yield address, workers
    for program in (*workers, scheduler):
        program.kill()
        program.wait()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX systems")
def test_a_cluster_that_loses_a_worker_gives_what_this_machine_gives(
    slide_file: Callable[..., Path], tmp_path: Path, cluster: tuple[str, list[subprocess.Popen[bytes]]]
) -> None:
    address, workers = cluster
    for number in range(6):
        slide_file(f"{number}.tif", number)
    (tmp_path / "in" / "bad.svs").write_text("no slide")
    local, far = tmp_path / "local", tmp_path / "far"
    arguments = ["qc", str(tmp_path / "in"), "--model", "tenengrad", "--workers", "1"]
    assert focusviewer([*arguments, "--out", str(local)]) == 0

    def kill_one(state: BatchProgress) -> None:
        if state.done == 1:
            workers[0].kill()

    summary = qc.run([tmp_path / "in"], far, scheduler=address, model="tenengrad", on_progress=kill_one)
    assert workers[0].wait() != 0
    assert summary.slides == 6 and len(summary.failures) == 1
    assert contents(far) == contents(local)
    with Worklist(local / FILE_NAME) as one, Worklist(far / FILE_NAME) as other:
        pairs = zip(one.slides(), other.slides(), strict=True)
        for here, there in pairs:
            assert here.result is not None and there.result is not None
            assert (here.facts, here.result.features, here.result.judgement) == (
                there.facts, there.result.features, there.result.judgement,
            )  # fmt: skip


def test_a_scheduler_that_does_not_answer_is_named(
    slide_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")
    monkeypatch.setattr("focusviewer.qc.batch.dask_runner.CONNECT_S", 1)
    with pytest.raises(UserError, match=r"Cannot reach the Dask scheduler tcp://127\.0\.0\.1:9"):
        qc.run([slide_file("a.tif")], tmp_path / "out", scheduler="tcp://127.0.0.1:9", model="tenengrad")
    with pytest.raises(UserError, match="--scheduler nowhere is no address"):
        qc.run([slide_file("a.tif")], tmp_path / "out", scheduler="nowhere", model="tenengrad")
    assert not (tmp_path / "out" / FILE_NAME).exists()  # the next try needs no --resume


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="signals of POSIX systems")
def test_a_killed_command_resumes_and_does_nothing_twice(slide_file: Callable[..., Path], tmp_path: Path) -> None:
    for number in range(5):
        slide_file(f"{number}.tif", number)
    out = tmp_path / "out"
    arguments = ["qc", str(tmp_path / "in"), "--out", str(out), "--model", "tenengrad", "--workers", "1"]
    program = subprocess.Popen([sys.executable, "-m", "focusviewer", *arguments], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and len(list(out.glob("slides/*/summary.json"))) < 2:
        time.sleep(0.02)
    program.kill()
    program.wait()
    assert focusviewer(arguments) == 2  # nothing is overwritten without --resume
    assert focusviewer([*arguments, "--resume"]) == 0
    with Worklist(out / FILE_NAME) as worklist:
        assert worklist.check() == "ok"
        assert len(worklist._all("SELECT id FROM results")) == len(worklist.slides()) == 5
    assert (out / "worklist.csv").read_text(encoding="utf-8-sig").count("REVIEW") >= 5
