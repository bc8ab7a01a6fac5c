"""Texts of the window in the user's language: one file of Qt Linguist for each language, in resources/languages."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from PySide6.QtCore import QCoreApplication, QLocale, QTranslator

from focusviewer.core.files import resource_path

log = logging.getLogger(__name__)

CONTEXT = "FocusViewer"


def tr(text: str) -> str:
    """A text in the language of the window; unchanged where there is no translation."""
    return QCoreApplication.translate(CONTEXT, text) if text else text


class Language(QTranslator):
    """The translations of one ``.ts`` file.

    Raises
    ------
    ValueError
        If the file is not of that format.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._texts: dict[tuple[str, str], str] = {}
        try:
            root = ElementTree.fromstring(path.read_bytes())
        except ElementTree.ParseError as error:
            raise ValueError(f"{path} is no Qt Linguist file: {error}") from error
        for context in root.iter("context"):
            name = context.findtext("name", "")
            for message in context.iter("message"):
                translation = message.find("translation")
                if translation is not None and translation.text and translation.get("type") != "unfinished":
                    self._texts[name, message.findtext("source", "")] = translation.text

    def isEmpty(self) -> bool:
        """Whether it translates nothing."""
        return not self._texts

    def translate(self, context: str, source: str, disambiguation: str | None = None, n: int = -1) -> str | None:
        """The translation of a text; None where there is none, so that the next translator is asked."""
        return self._texts.get((context, source))


def install_language(
    app: QCoreApplication, wanted: Sequence[str] | None = None, folder: Path | None = None
) -> Language | None:
    """Use the first of the wanted languages that there is a file for; English needs none.

    Parameters
    ----------
    wanted : sequence of str, optional
        Names such as ``de-CH`` or ``de``, the most wanted first; by default the system's.
    folder : Path, optional
        Where the files are; by default resources/languages.
    """
    folder = resource_path("languages") if folder is None else folder
    for name in QLocale.system().uiLanguages() if wanted is None else wanted:
        code = name.replace("-", "_")
        if code.partition("_")[0] == "en":
            return None
        files = (folder / f"{code}.ts", folder / f"{code.partition('_')[0]}.ts")
        path = next((path for path in files if path.is_file()), None)
        if path is None:
            continue
        try:
            language = Language(path)
        except (OSError, ValueError) as error:
            log.warning("the language %s cannot be used: %s", code, error)
            continue
        language.setParent(app)
        app.installTranslator(language)
        return language
    return None
