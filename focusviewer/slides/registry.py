"""Which reader opens a file: the first by priority that recognises it and succeeds."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from focusviewer.core.errors import SlideError
from focusviewer.slides.base import DamagedError, Slide, UnsupportedError, UnsureError
from focusviewer.slides.files.limits import LimitError
from focusviewer.slides.files.suffixes import COMPANION_SUFFIXES, TIFF_MAGIC, TIFF_SUFFIXES
from focusviewer.slides.pyramid import with_pyramid
from focusviewer.slides.scale import ScaleStore, checked_mpp, mpp_of_magnification, with_step

_SMALLEST = 8


@dataclass(frozen=True)
class Reader:
    """A way to open files.

    Parameters
    ----------
    name : str
    priority : int
        Higher ones are asked first.
    supports : callable
        (path, first bytes) -> whether this reader may open it; looks, but does not parse.
    open : callable
        path -> Slide; raises UnsureError to leave the file to the next reader, SlideError when it cannot open it
        (others still try), DamagedError or LimitError when nobody should.
    """

    name: str
    priority: int
    supports: Callable[[Path, bytes], bool]
    open: Callable[[Path], Slide]


_readers: list[Reader] = []


def register(reader: Reader) -> None:
    """Add a reader; one of the same name is replaced."""
    _readers[:] = sorted([r for r in _readers if r.name != reader.name] + [reader], key=lambda r: -r.priority)


def readers() -> tuple[Reader, ...]:
    """All readers, the first asked first."""
    return tuple(_readers)


def open_slide(path: str | Path, *, mpp: float | None = None, magnification: float | None = None) -> Slide:
    """Open a slide, stack or picture; takes milliseconds and reads no pixels of large files.

    The pixel size is the one given here, else the one the user gave earlier for the same content, else the file's
    own if it is plausible, else unknown. A z step the user gave earlier is used likewise.

    Parameters
    ----------
    path : str or Path
        A file, or a folder of plane images or DICOM files.
    mpp : float, optional
        Microns per level-0 pixel.
    magnification : float, optional
        Objective power, from which a pixel size follows when ``mpp`` is not given.

    Raises
    ------
    SlideError
        If it cannot be opened; says what, why and what to do.
    UserError
        If ``mpp`` or ``magnification`` is implausible.
    """
    given = checked_mpp(mpp) if mpp is not None else None
    if given is None and magnification is not None:
        given = mpp_of_magnification(magnification)
    slide = with_pyramid(_open_any(Path(path)))
    try:
        width, height = slide.dimensions
        if min(width, height) < _SMALLEST:
            raise SlideError(f"Cannot open {slide.name}", f"the image is only {width} x {height} pixels", "")
        info = slide.info
        known = given or ScaleStore().get(info.fingerprint)
        if known is not None:
            info = replace(info, mpp=known)
        step = ScaleStore().get_step(info.fingerprint) if len(info.planes_um) > 1 else None
        if step is not None:
            info = with_step(info, step)
        if magnification is not None:
            info = replace(info, objective_power=float(magnification))
        slide.info = info
    except BaseException:
        slide.close()
        raise
    return slide


def _open_any(path: Path) -> Slide:
    head = _look(path)
    if path.is_dir():
        return _open_folder(path)
    return _open_file(path, head)


def _open_file(path: Path, head: bytes) -> Slide:
    problem: SlideError | None = None
    unread: UnsureError | None = None
    planes = 1
    for reader in _readers:
        if not reader.supports(path, head):
            continue
        try:
            slide = reader.open(path)
        except UnsureError as error:
            planes = max(planes, error.planes)
            if unread is None or isinstance(error, UnsupportedError):
                unread = error
        except (DamagedError, LimitError):
            raise
        except SlideError as error:
            problem = problem or error  # the reader with the highest priority knows the format best
        except Exception as error:  # a damaged file can upset any parser
            problem = problem or SlideError(
                f"Cannot open {path.name}",
                f"its structure makes no sense to the {reader.name} reader ({error or type(error).__name__})",
                "If other programs open it, export it anew with one of them; if none does, copy it from its source.",
            )
        else:
            if len(slide.planes_um) >= planes:
                return slide
            slide.close()  # it would show one plane of several and not say so
    raise _best_reason(path, head, problem, unread)


def _best_reason(path: Path, head: bytes, problem: SlideError | None, unread: UnsureError | None) -> SlideError:
    """Why no reader opens a file: the kind that cannot be decoded says most, then the first reader's problem."""
    from focusviewer.slides.readers.unknown import not_opened

    if isinstance(unread, UnsupportedError):
        return SlideError(
            f"Cannot open {path.name}",
            f"it is {unread}, which this program does not read",
            "Save it anew with JPEG, LZW or no compression, in gray or RGB.",
        )
    if problem is None and unread is not None:
        return SlideError(
            f"Cannot open {path.name}",
            f"it is of a kind this program does not read ({unread})",
            "Export it as OME-TIFF or pyramidal TIFF with the program that wrote it.",
        )
    return problem or not_opened(path, head)


def _look(path: Path) -> bytes:
    """First bytes of a file, after checking what can be checked without a reader."""
    shown = path.name or str(path)
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            next(path.iterdir(), None)  # we may lack the permission to look into a folder
            return b""
        if not stat.S_ISREG(status.st_mode):
            raise SlideError(f"Cannot open {shown}", "it is neither a file nor a folder", "Check the path.")
        with path.open("rb") as file:
            head = file.read(512)
    except FileNotFoundError as error:
        raise SlideError(f"Cannot open {path}", "there is no such file or folder", "Check the path.") from error
    except PermissionError as error:
        raise SlideError(f"Cannot open {shown}", "you are not allowed to read it", "Change its permissions.") from error
    except OSError as error:
        raise SlideError(f"Cannot open {shown}", error.strerror or str(error), "") from error
    if not head:
        raise SlideError(f"Cannot open {shown}", "the file is empty", "Copy it again from its source.")
    return head


def _open_folder(path: Path) -> Slide:
    """The one slide of a folder, in as many files as it has, or the stack that its pictures are the planes of.

    Raises
    ------
    SlideError
        If the folder holds several slides, or nothing that can be opened.
    """
    from focusviewer.slides.readers.contents import folder_contents
    from focusviewer.slides.readers.plane_folder import PlaneFolder, image_files

    contents, images = folder_contents(path), image_files(path)
    whole = [one for one in contents.slides if one in contents.parts or one not in images]
    planes = set(contents.slides) - set(whole)
    loose = [one for one in images if one.suffix.lower() in TIFF_SUFFIXES and one in planes]
    if len(whole) == 1 and not loose:  # pictures beside it are previews
        return _open_file(whole[0], _look(whole[0]))
    if whole:
        names = [str(one.relative_to(path)) for one in (*whole, *loose)]
        more = "" if len(names) <= 5 else f" and {len(names) - 5} more"
        raise SlideError(
            f"Cannot open {path.name}",
            f"the folder holds {len(names)} slides: {', '.join(names[:5])}{more}",
            "Open one of them.",
        )
    return PlaneFolder(path, lambda plane: _open_file(plane, _look(plane)))


def _tiff(path: Path) -> Slide:
    from focusviewer.slides.readers.tiff.ome_files import open_ome_files
    from focusviewer.slides.readers.tiff.ome_pages import SpreadError
    from focusviewer.slides.readers.tiff.reader import open_tiff

    try:
        return open_tiff(path)
    except SpreadError:
        return open_ome_files(path)


def _companion(path: Path) -> Slide:
    from focusviewer.slides.readers.tiff.ome_files import open_ome_files

    return open_ome_files(path)


def _companion_supports(path: Path, head: bytes) -> bool:
    is_xml = head.lstrip(b"\xef\xbb\xbf \r\n")[:1] == b"<" and b"<OME" in head
    return is_xml or path.name.lower().endswith(COMPANION_SUFFIXES)


def _openslide(path: Path) -> Slide:
    from focusviewer.slides.readers.openslide import open_slide_file

    return open_slide_file(path)


def _openslide_supports(path: Path, head: bytes) -> bool:
    from focusviewer.slides.readers.openslide import supports

    return supports(path)


def _picture_supports(path: Path, head: bytes) -> bool:
    from focusviewer.slides.readers.pictures import recognised

    return recognised(head)


def _picture(path: Path) -> Slide:
    from focusviewer.slides.readers.pictures import open_picture

    return open_picture(path)


register(Reader("tiff", 30, lambda path, head: head[:4] in TIFF_MAGIC, _tiff))


def _is_dicom(path: Path, head: bytes) -> bool:
    return head[128:132] == b"DICM"


def _dicom_stack(path: Path) -> Slide:
    from focusviewer.slides.readers.dicom.stack import open_dicom_stack

    return open_dicom_stack(path)


def _dicom(path: Path) -> Slide:
    from focusviewer.slides.readers.dicom.stack import open_dicom

    return open_dicom(path)


register(Reader("dicom-planes", 26, _is_dicom, _dicom_stack))
register(Reader("ome-companion", 25, _companion_supports, _companion))
register(Reader("openslide", 20, _openslide_supports, _openslide))
register(Reader("picture", 10, _picture_supports, _picture))
register(Reader("dicom", 5, _is_dicom, _dicom))
