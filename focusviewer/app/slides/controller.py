"""Opening, switching and closing slides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from PySide6.QtCore import QObject, Signal, Slot
from PySide6.QtGui import QImage

from focusviewer.app.services.jobs import Job, Jobs, Lane
from focusviewer.app.services.pixels import to_qimage
from focusviewer.app.services.tiles import TileSource
from focusviewer.app.slides.files import slides_in
from focusviewer.app.slides.scale_dialog import ScaleAnswer
from focusviewer.app.slides.state import SlidesState
from focusviewer.app.viewer.document import Document, files_of
from focusviewer.core.cancel import done_within, stop_if
from focusviewer.core.errors import SlideError
from focusviewer.qc.worklist.files import worklist_in
from focusviewer.slides import ScaleStore, Slide, open_slide, with_scale, with_step
from focusviewer.slides.files.freshness import Stamp, stamp_of
from focusviewer.slides.readers.contents import parts_of_slide
from focusviewer.slides.readers.plane_names import OrderError, PlaneOrders

Opener = Callable[[Path], Slide]
MAX_FROM_FOLDER = 50
CLOSING_S = 1.0

log = logging.getLogger(__name__)


class SlideController(QObject):
    """Keeps the open documents; every file access happens in the files lane."""

    current_changed = Signal(object)  # Document or None
    documents_changed = Signal()
    opened = Signal(object)
    scale_changed = Signal(object)
    pictures_ready = Signal(object, object)
    records_ready = Signal(object, object)
    worklist_found = Signal(object)  # path of a worklist that was named, or lies in a folder that was
    folder_found = Signal(object)  # paths of slides in a folder that is no stack
    asked_again = Signal()  # a slide that is open was named again: its file may be another by now
    order_asked = Signal(object)  # OrderError of a folder whose planes may have several orders
    already_open = Signal(object, object)  # path, and the open Document of the same content
    failed = Signal(str)

    def __init__(self, jobs: Jobs, tiles: TileSource, opener: Opener = open_slide) -> None:
        super().__init__()
        self._jobs, self._tiles, self.opener = jobs, tiles, opener
        self.state = SlidesState()
        self._closing: list[Slide] = []
        self.open_ms = 0.0
        jobs.ended.connect(self._job_ended)
        self.state.events.current.connect(self._current_changed)

    @property
    def documents(self) -> list[Document]:
        """The open slides."""
        return list(self.state.documents)

    @property
    def current(self) -> Document | None:
        """The slide that is shown."""
        return self.state.current

    def open(self, paths: Sequence[Path]) -> None:
        """Open files and folders; the last one that opens is shown."""
        for path in paths:
            self._open(path)

    def _open(self, path: Path) -> None:
        known = self.state.at(path)
        if known is not None:
            self.show(known)
            self.asked_again.emit()
            return
        started = perf_counter()

        def work(job: Job) -> Document | list[Path] | Path | OrderError:
            worklist = worklist_in(path)
            if worklist is not None:
                return worklist
            before = stamp_of((path,))
            try:
                slide = self.opener(path)
            except OrderError as error:
                return error
            except SlideError:
                found = slides_in(path)
                if found:
                    return found
                raise
            if job.cancel.is_set():
                slide.close()
            parts = tuple(parts_of_slide(slide.path))
            return Document.of(slide, _stamp(slide, parts, before), parts)

        def done(result: Document | list[Path] | Path | OrderError) -> None:
            self.open_ms = 1000 * (perf_counter() - started)
            if isinstance(result, Path):
                self.worklist_found.emit(result)
                return
            if isinstance(result, OrderError):
                self.order_asked.emit(result)
                return
            if isinstance(result, list):
                self.folder_found.emit(result)
                return
            self._add(result)

        title = f"Opening {path.name}"
        kind = f"open {path}"
        self._jobs.start(kind, work, lane=Lane.FILES, title=title, done=done, failed=self.failed.emit)

    def set_order(self, asked: OrderError, place: int) -> None:
        """Remember which number counts the planes of a folder, and open it."""
        self._jobs.start(
            f"order {asked.folder}",
            lambda job: PlaneOrders().set(asked.orders[place], place),
            lane=Lane.FILES,
            done=lambda _: self.open([asked.folder]),
            failed=self.failed.emit,
        )

    def _add(self, document: Document) -> None:
        other = self.state.same_as(document)
        if other is not None:  # the same content under another name
            self._close_file(document.slide)
            self.show(other)
            if document.path not in other.parts:  # the files of one slide may well be opened together
                self.already_open.emit(document.path, other)
            return
        self.state.documents += (document,)
        self._tiles.add(document.pyramid)
        self.opened.emit(document)
        self.show(document)
        self.documents_changed.emit()

    def replace(self, old: Document, new: Document) -> None:
        """Put a document into the place of one whose file is another now, and show the same part of it."""
        if old.slide.dimensions == new.slide.dimensions and len(old.planes_um) == len(new.planes_um):
            new.view, new.fresh = old.view, old.fresh
        documents = tuple(new if document is old else document for document in self.state.documents)
        twin = next((document for document in documents if document is not new and _same(document, new)), None)
        self._tiles.forget(old.pyramid)
        if twin is not None:
            documents = tuple(document for document in documents if document is not new)
            self._close_file(new.slide)
        self.state.documents = documents
        self._tiles.add((twin or new).pyramid)
        if old is self.current:
            self.show(twin or new)
        self._close_file(old.slide)
        self.documents_changed.emit()

    def discard(self, document: Document) -> None:
        """Close a document that was opened in vain."""
        self._close_file(document.slide)

    def show(self, document: Document | None) -> None:
        """Make an open slide the current one."""
        self.state.current = document

    def _current_changed(self, document: Document | None) -> None:
        self.current_changed.emit(document)
        if document is not None:
            self._read_pictures(document)

    def close(self, document: Document) -> None:
        """Close a slide; the one beside it is shown instead."""
        if document not in self.state.documents:
            return
        neighbour = self.state.neighbour(document)
        self.state.documents = tuple(other for other in self.state.documents if other is not document)
        if document is self.current:
            self.show(neighbour)
        self._tiles.drop(document.pyramid)
        self._close_file(document.slide)
        self.documents_changed.emit()

    def set_scale(self, document: Document, answer: ScaleAnswer) -> None:
        """Use and remember the scale the user has given."""
        step = answer.z_step_um
        with_scale(document.slide, answer.mpp)
        if step is not None:
            document.slide.info = with_step(document.slide.info, step)
        fingerprint = document.slide.fingerprint
        self._jobs.start(
            "remember scale",
            lambda job: ScaleStore().set(fingerprint, answer.mpp, step),
            lane=Lane.FILES,
            failed=self.failed.emit,
            replace=False,
            essential=True,
        )
        self.scale_changed.emit(document)
        if document is self.current:  # the panel shows the slide anew
            self._read_pictures(document)

    def close_all(self) -> None:
        """Release every file (at the end of the program, when no worker reads any more)."""
        for slide in [*(document.slide for document in self.documents), *self._closing]:
            if not done_within(CLOSING_S, slide.close):  # some reader of it hangs
                log.warning("%s could not be closed", slide.name)
        self._closing.clear()
        self.state.documents = ()
        with self.state.events.current.blocked():  # nothing is shown any more
            self.state.current = None

    def _close_file(self, slide: Slide) -> None:
        if any(job.needs is slide for job in self._jobs.running()):
            self._closing.append(slide)  # closed when the jobs that read it have ended
            return
        self._jobs.start("close", lambda job: slide.close(), lane=Lane.FILES, replace=False)

    @Slot(object)
    def _job_ended(self, job: Job) -> None:
        if job.needs in self._closing:
            self._closing.remove(job.needs)
            self._close_file(job.needs)

    def _read_pictures(self, document: Document) -> None:
        def work(job: Job) -> dict[str, QImage]:
            pictures = {}
            for name in document.slide.info.associated:
                stop_if(job.cancel)
                pictures[name] = to_qimage(document.slide.read_associated(name))
            return pictures

        def done(pictures: dict[str, QImage]) -> None:
            self.pictures_ready.emit(document, pictures)

        # a slide whose label cannot be read is still a good slide
        self._jobs.start("pictures", work, lane=Lane.FILES, done=done, failed=lambda text: None)
        self._read_records(document)

    def _read_records(self, document: Document) -> None:
        """What the scanner wrote about its focus; read from the file once."""
        if document.focus_records is not None:
            self.records_ready.emit(document, document.focus_records)
            return

        def work(job: Job) -> list[tuple[str, str]]:
            from focusviewer.slides.identity import describe_records, focus_records

            return describe_records(focus_records(document.slide))

        def done(records: list[tuple[str, str]]) -> None:
            document.focus_records = records
            self.records_ready.emit(document, records)

        self._jobs.start("records", work, lane=Lane.FILES, done=done, failed=lambda text: None)


def _stamp(slide: Slide, parts: tuple[Path, ...], before: Stamp) -> Stamp | None:
    """How the files of a slide were when it was opened; None for those that cannot be looked at."""
    now = stamp_of(files_of(slide, parts))
    if before.problem or now.problem:
        return None
    # Written while it was opened: it is told from every later state.
    return now if stamp_of((slide.path,)) == before else Stamp()


def _same(one: Document, other: Document) -> bool:
    return one.pyramid.fingerprint == other.pyramid.fingerprint
