"""One OME stack that lies in several files: planes in a file each, or described by a companion."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from focusviewer.core.errors import SlideError
from focusviewer.slides.base import DamagedError, Slide
from focusviewer.slides.cache import TileCache
from focusviewer.slides.files.limits import MAX_DESCRIPTION_BYTES, MAX_FILES_LOOKED_AT
from focusviewer.slides.files.suffixes import COMPANION_SUFFIXES, TIFF_MAGIC
from focusviewer.slides.readers.filepool import FilePool, PooledFile
from focusviewer.slides.readers.orientation import shown_upright
from focusviewer.slides.readers.rawfile import RawFile
from focusviewer.slides.readers.tiff.chain import check_chain
from focusviewer.slides.readers.tiff.layout import Layout
from focusviewer.slides.readers.tiff.ome import (
    Block,
    OmeDocument,
    OmeImage,
    Place,
    read_document,
    refused_without_pixels,
)
from focusviewer.slides.readers.tiff.ome_pages import OmePages, find_pages, stated_by
from focusviewer.slides.readers.tiff.pages import BlankPage, MergedPage, PageImage
from focusviewer.slides.readers.tiff.reader import TILE_CACHE_BYTES, TiffSlide, page_image

_UUID = re.compile(rb"<(?:\w+:)?OME\b[^>]*?\bUUID\s*=\s*[\"']([^\"']+)")


class Spread:
    """A document whose planes lie in several files, and where those files are.

    Parameters
    ----------
    path : Path
        One of its files: a TIFF that holds the document or says where it is, or the companion.

    Raises
    ------
    SlideError
        If there is no document to be found, or it names no files.
    """

    def __init__(self, path: Path) -> None:
        self.path = path = Path(os.path.normpath(path))
        self.document, self._holder = _document_of(path)
        self._folder = self._holder.parent
        self._names: dict[str, Path] | None = None
        self._uuids: dict[str, Path] | None = None
        self._found: dict[tuple[str | None, str | None], Path | None] = {}

    def images(self) -> list[OmeImage]:
        """Images that may be the slide: those with a plane in the file it was opened by, if there are any."""
        images = [image for image in self.document.candidates() if image.blocks]
        own = [image for image in images if any(self.file(block) == self.path for block in image.blocks)]
        return own or images

    def files(self, image: OmeImage) -> list[Path]:
        """The files of an image that are there, in the order of its planes."""
        found = (self.file(block) for block in sorted(image.blocks, key=lambda block: (block.z, block.t, block.c)))
        return list(dict.fromkeys(path for path in found if path is not None))

    def file(self, block: Block) -> Path | None:
        """The file a block speaks of, by its name or else by its UUID; None where it is not there."""
        key = block.uuid, block.file_name
        if key not in self._found:
            self._found[key] = self._look(block)
        return self._found[key]

    def _look(self, block: Block) -> Path | None:
        is_tiff = not self._holder.name.lower().endswith(COMPANION_SUFFIXES)
        if block.uuid is None and block.file_name is None:
            return self._holder if is_tiff else None
        if is_tiff and block.uuid is not None and block.uuid == self.document.uuid:
            return self._holder
        named = self._named(block.file_name)
        if named is not None and (block.uuid is None or uuid_of(named) in (None, block.uuid)):
            return named
        if self._uuids is None:
            self._uuids = {}
            for other in self._siblings().values():
                uuid = uuid_of(other)
                if uuid is not None:
                    self._uuids.setdefault(uuid, other)
        return None if block.uuid is None else self._uuids.get(block.uuid)

    def _named(self, file_name: str | None) -> Path | None:
        """A file of the folder or below, never outside it."""
        if not file_name or "\0" in file_name:
            return None
        path = Path(os.path.normpath(self._folder / file_name.replace("\\", "/")))
        if not path.is_relative_to(self._folder):
            path = self._folder / path.name
        if path.is_file():
            return path
        return self._siblings().get(path.name.casefold())

    def _siblings(self) -> dict[str, Path]:
        if self._names is None:
            self._names = {}
            with os.scandir(self._folder) as entries:
                for number, entry in enumerate(entries):
                    if number >= MAX_FILES_LOOKED_AT:
                        break
                    if entry.name.lower().endswith((".tif", ".tiff", ".tf2", ".tf8", ".btf")):
                        self._names[entry.name.casefold()] = self._folder / entry.name
        return self._names


def uuid_of(path: Path) -> str | None:
    """The UUID that a TIFF file's own OME-XML states; None where there is none."""
    description = description_of(path)
    found = _UUID.search(description[:8192].encode("utf-8", "replace")) if description else None
    return found[1].decode() if found else None


def description_of(path: Path) -> str | None:
    """The OME-XML of a TIFF file; None for other files, or those that cannot be read."""
    import tifffile

    try:
        with tifffile.TiffFile(path) as tif:
            return str(tif.ome_metadata) if tif.ome_metadata else None
    except Exception:  # a damaged file upsets the parser in any way
        return None


def _document_of(path: Path) -> tuple[OmeDocument, Path]:
    """The document that describes a file, and the file that holds it."""
    document, seen = None, {path}
    holder = path
    for _ in range(4):  # a file names the file that describes it
        document = _read(holder)
        if document is None or document.metadata_file is None:
            break
        named = holder.parent / Path(document.metadata_file.replace("\\", "/")).name
        if not named.is_file():
            raise DamagedError(
                f"Cannot open {path.name}",
                f"it is one file of a stack that {named.name} describes, which is not there",
                f"Put {named.name} beside it.",
            )
        if named in seen:
            document = None
            break
        seen.add(named)
        holder = named
    if document is None or document.metadata_file is not None:
        raise DamagedError(f"Cannot open {path.name}", "its OME-XML cannot be read", "Copy it again from its source.")
    return document, holder


def _read(path: Path) -> OmeDocument | None:
    with path.open("rb") as file:
        head = file.read(4)
        if head not in TIFF_MAGIC:
            return read_document(head + file.read(MAX_DESCRIPTION_BYTES), path.name)
    description = description_of(path)
    return None if description is None else read_document(description, path.name)


class _Files:
    """The pages of the files of a document; a file is open only while a page is looked up."""

    def __init__(self, spread: Spread) -> None:
        self._spread = spread
        self._open: dict[Path, Any] = {}

    def holds(self, block: Block) -> bool:
        """See :class:`PageSource`."""
        return self._spread.file(block) is not None

    def count(self, block: Block) -> int:
        """See :class:`PageSource`."""
        path = self._spread.file(block)
        if path is None:
            return 0
        tif = self._tif(path)
        try:
            return 0 if tif is None else max(0, len(tif.pages) - block.ifd)
        finally:
            self._rest(tif)

    def page(self, place: Place) -> Any | None:
        """See :class:`PageSource`."""
        path = self._spread.file(place.block)
        tif = None if path is None else self._tif(path)
        if tif is None:
            return None
        try:
            if place.ifd >= len(tif.pages):
                return None
            page = tif.pages[place.ifd].aspage()
            for sub in page.pages or ():
                sub.aspage()
            return page
        except Exception:  # a damaged page upsets the parser in any way; it counts as missing
            return None
        finally:
            self._rest(tif)

    def _tif(self, path: Path) -> Any | None:
        import tifffile

        if path not in self._open:
            with closing(RawFile(path)) as raw:
                check_chain(raw, path.name)
            try:
                self._open[path] = tifffile.TiffFile(path)
            except (OSError, tifffile.TiffFileError):
                self._open[path] = None
        tif = self._open[path]
        if tif is not None:
            tif.filehandle.open()
        return tif

    @staticmethod
    def _rest(tif: Any) -> None:
        if tif is not None:
            tif.filehandle.close()


class OmeFilesSlide(TiffSlide):
    """A stack in several OME-TIFF files; see :func:`open_ome_files`."""

    def __init__(self, path: Path) -> None:
        spread = Spread(path)
        pages = find_pages(spread.document, spread.images(), _Files(spread))
        if pages is None:
            raise _nothing(spread)
        self._raw = pool = FilePool(path.name)
        self._cache = TileCache(TILE_CACHE_BYTES)
        raws: dict[Path, PooledFile] = {}

        def image(page: Any) -> PageImage:
            if page is None:
                return BlankPage(1, 1)
            if isinstance(page, list):
                return MergedPage(tuple(image(one) for one in page))
            file = Path(page.parent.filehandle.path)
            if file not in raws:
                raws[file] = PooledFile(file, pool)
            return page_image(page, raws[file], self._cache)

        try:
            stack = [[image(page) for page in row] for row in pages.levels]
            layout = Layout("OME-TIFF", None, pages.levels, stated_by(spread.document, pages), remarks=pages.remarks)
            layout.missing_where = _where(spread, pages)
            self._assemble(layout, stack, path, spread.files(pages.image))
        except BaseException:
            pool.close()
            raise


def _where(spread: Spread, pages: OmePages) -> str:
    absent = [block.file_name or block.uuid or "?" for block in pages.image.blocks if spread.file(block) is None]
    names = list(dict.fromkeys(absent))
    if not names:
        return "its description announces them, its files do not hold them"
    more = "" if len(names) <= 5 else f" and {len(names) - 5} more"
    return f"these files are not there: {', '.join(names[:5])}{more}"


def _nothing(spread: Spread) -> SlideError:
    for image in spread.document.images:
        for block in image.blocks:
            if block.file_name and spread.file(block) is None:
                return DamagedError(
                    f"Cannot open {spread.path.name}",
                    f"the files it describes are not there, {block.file_name} for one",
                    "Put them beside it.",
                )
    return refused_without_pixels(spread.path.name, spread.document)


def open_ome_files(path: Path) -> Slide:
    """Open a stack by one of its OME-TIFF files or by its companion.

    Raises
    ------
    SlideError
        If its description is not there or of no use, or none of the files it names is there.
    """
    slide = OmeFilesSlide(path)
    return shown_upright(slide, slide.turns)


def spread_files(path: Path) -> Sequence[Path]:
    """The files of the stack that an OME-TIFF file or a companion is part of, in the order of its planes.

    Empty for a file that is a slide of its own, or cannot be read.
    """
    try:
        if path.name.lower().endswith(COMPANION_SUFFIXES):
            spread = Spread(path)
        else:
            description = description_of(path)
            if description is None or ("FileName" not in description and "BinaryOnly" not in description):
                return ()
            spread = Spread(path)
        images = spread.images()
        files = spread.files(images[0]) if images else []
    except (SlideError, OSError):
        return ()
    return files if len(files) > 1 or (files and files[0] != path) else ()
