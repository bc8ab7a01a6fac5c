"""File dialogs; none of them blocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QDialog, QFileDialog, QInputDialog, QMessageBox, QWidget

from focusviewer.slides.files.suffixes import COMPANION_SUFFIXES, VIEWED_SUFFIXES
from focusviewer.slides.marks.picture_file import WRITTEN_SUFFIXES

PICTURES = "PNG picture (*.png);;TIFF picture (*.tif *.tiff);;JPEG picture (*.jpg *.jpeg)"
ANIMATIONS = "WebP moving picture (*.webp);;GIF moving picture (*.gif)"
PYRAMIDS = "Pyramidal OME-TIFF (*.ome.tif)"
MAPS = "Focus map (*.npy)"

Chosen = Callable[[Path], None]


def open_dialog(dialog: QDialog) -> None:
    """Show a dialog over its window; it deletes itself when closed."""
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.open()


def choose_slides(parent: QWidget, folder: str, chosen: Callable[[list[Path]], None]) -> None:
    """Let the user choose files."""
    _choose_files(parent, "Open slides", folder, chosen)


def choose_pair(parent: QWidget, folder: str, chosen: Callable[[list[Path]], None]) -> None:
    """Let the user choose two files of one field: in focus, and out of focus."""
    _choose_files(parent, "Choose two files of one field: in focus, and out of focus", folder, chosen)


def _choose_files(parent: QWidget, title: str, folder: str, chosen: Callable[[list[Path]], None]) -> None:
    # Scanners and archives write names in capitals as well, and some systems' dialogs mind.
    names = sorted({*VIEWED_SUFFIXES, *COMPANION_SUFFIXES})
    patterns = " ".join(f"*{name} *{name.upper()}" for name in names)
    filters = f"Slides and images ({patterns});;All files (*)"
    dialog = QFileDialog(parent, title, folder, filters)
    dialog.setFileMode(QFileDialog.FileMode.ExistingFiles)
    dialog.filesSelected.connect(lambda names: chosen([Path(name) for name in names]))
    open_dialog(dialog)


def choose_folder(parent: QWidget, folder: str, chosen: Callable[[list[Path]], None]) -> None:
    """Let the user choose a folder: a stack of plane images, or slides."""
    dialog = QFileDialog(parent, "Open a folder of focal planes or slides", folder)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    dialog.filesSelected.connect(lambda names: chosen([Path(name) for name in names]))
    open_dialog(dialog)


def choose_worklist(parent: QWidget, folder: str, chosen: Callable[[list[Path]], None]) -> None:
    """Let the user choose a worklist."""
    dialog = QFileDialog(parent, "Open a worklist", folder, "Worklists (*.sqlite);;All files (*)")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: chosen([Path(name)]))
    open_dialog(dialog)


def choose_rules(parent: QWidget, folder: str, chosen: Callable[[Path], None]) -> None:
    """Let the user choose a file of rules for verdicts."""
    dialog = QFileDialog(parent, "Load rules", folder, "Rules (*.toml);;All files (*)")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: chosen(Path(name)))
    open_dialog(dialog)


def ask_reader(parent: QWidget, name: str, chosen: Callable[[str], None]) -> None:
    """Ask who gives verdicts; an empty answer changes nothing."""
    dialog = QInputDialog(parent)
    dialog.setWindowTitle("Reader")
    dialog.setLabelText("Your name, as it stands beside your verdicts:")
    dialog.setTextValue(name)
    dialog.textValueSelected.connect(lambda text: chosen(text.strip()[:60]) if text.strip() else None)
    open_dialog(dialog)


def choose_order(parent: QWidget, name: str, orders: Mapping[int, str], chosen: Callable[[int], None]) -> None:
    """Ask which of several orders the planes of a folder have; ``orders`` maps what is handed on to what is shown."""
    dialog = QInputDialog(parent)
    dialog.setWindowTitle(f"Order of the planes of {name}")  # not into the label, which would show tags in it as such
    dialog.setLabelText("The names of the planes allow several orders. Which is right?")
    dialog.setComboBoxItems(list(orders.values()))
    dialog.setComboBoxEditable(False)
    places = {text: place for place, text in orders.items()}
    dialog.textValueSelected.connect(lambda text: chosen(places[text]))
    open_dialog(dialog)


def confirm_close(parent: QWidget, titles: list[str], chosen: Callable[[], None]) -> None:
    """Ask whether to close although files are still being written."""
    dialog = QMessageBox(parent)
    dialog.setIcon(QMessageBox.Icon.Question)
    dialog.setWindowTitle("Close")
    dialog.setTextFormat(Qt.TextFormat.PlainText)
    dialog.setText(f"Still at work: {', '.join(titles)}.")
    dialog.setInformativeText("What is not written to the end is lost.")
    stop = dialog.addButton("Stop and close", QMessageBox.ButtonRole.DestructiveRole)
    dialog.setDefaultButton(dialog.addButton("Go on", QMessageBox.ButtonRole.RejectRole))
    stop.clicked.connect(chosen)
    open_dialog(dialog)


def confirm_link(parent: QWidget, paths: list[str], chosen: Callable[[], None]) -> None:
    """Ask whether to open what a link names."""
    dialog = QMessageBox(parent)
    dialog.setIcon(QMessageBox.Icon.Question)
    dialog.setWindowTitle("Open a link")
    dialog.setTextFormat(Qt.TextFormat.PlainText)
    shown = "\n".join("".join(sign if sign.isprintable() else " " for sign in path) for path in paths)
    dialog.setText(f"A link wants to open this, where you have opened nothing before:\n\n{shown}")
    dialog.setInformativeText("Open it only if you expected it. A path on another computer tells that one who you are.")
    agree = dialog.addButton("Open", QMessageBox.ButtonRole.AcceptRole)
    dialog.setDefaultButton(dialog.addButton("Do not open", QMessageBox.ButtonRole.RejectRole))
    agree.clicked.connect(chosen)
    open_dialog(dialog)


def choose_picture(parent: QWidget, title: str, folder: str, stem: str, chosen: Callable[[Path], None]) -> None:
    """Let the user choose where a picture is saved."""
    dialog = QFileDialog(parent, title, folder, PICTURES)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix("png")
    dialog.selectFile(f"{stem}.png")

    def follow(chosen_filter: str) -> None:
        suffix = next((kind for kind in ("tif", "jpg") if kind in chosen_filter), "png")
        dialog.setDefaultSuffix(suffix)
        for path in [Path(name) for name in dialog.selectedFiles()[:1]]:
            # only what names a type of picture is replaced: "case 12.3" has no suffix
            bare = path.stem if path.suffix.lower() in WRITTEN_SUFFIXES else path.name
            dialog.selectFile(f"{bare}.{suffix}")

    dialog.filterSelected.connect(follow)
    dialog.fileSelected.connect(lambda name: chosen(Path(name)))
    open_dialog(dialog)


def choose_target(
    parent: QWidget, title: str, folder: str, stem: str, filters: str, suffix: str, chosen: Chosen
) -> None:
    """Let the user choose where a file of other types than pictures is saved; ``suffix`` without its dot."""
    dialog = QFileDialog(parent, title, folder, filters)
    dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
    dialog.setDefaultSuffix(suffix)
    dialog.selectFile(f"{stem}.{suffix}")

    def follow(chosen_filter: str) -> None:
        wanted = chosen_filter.partition("(*.")[2].partition(")")[0].partition(" ")[0]
        dialog.setDefaultSuffix(wanted)
        for path in [Path(name) for name in dialog.selectedFiles()[:1]]:
            dialog.selectFile(f"{path.name.removesuffix(''.join(path.suffixes[-1:]))}.{wanted}")

    dialog.filterSelected.connect(follow)
    dialog.fileSelected.connect(lambda name: chosen(Path(name)))
    open_dialog(dialog)


def choose_map(parent: QWidget, folder: str, chosen: Chosen) -> None:
    """Let the user choose a painted focus map."""
    dialog = QFileDialog(parent, "Load a painted focus map", folder, f"{MAPS};;All files (*)")
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    dialog.fileSelected.connect(lambda name: chosen(Path(name)))
    open_dialog(dialog)
