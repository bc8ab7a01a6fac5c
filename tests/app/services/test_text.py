"""A language is one file."""

from __future__ import annotations

from pathlib import Path

import pytest

from focusviewer.app.services.text import install_language, tr
from focusviewer.app.window import MainWindow

GERMAN = """<?xml version="1.0" encoding="utf-8"?><!DOCTYPE TS><TS version="2.1" language="de">
<context><name>FocusViewer</name>
<message><source>&amp;Open…</source><translation>Ö&amp;ffnen…</translation></message>
<message><source>Heatmap</source><translation>Fokuskarte</translation></message>
<message><source>&amp;Quit</source><translation type="unfinished">Schluss</translation></message>
</context></TS>"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "de.ts").write_text(GERMAN, encoding="utf-8")
    (tmp_path / "fr.ts").write_text("<TS><context>", encoding="utf-8")
    return tmp_path


@pytest.fixture
def german(qapp, folder: Path):
    language = install_language(qapp, ["de-CH", "en-US"], folder)
    assert language is not None
    yield language
    qapp.removeTranslator(language)


def test_a_file_in_the_folder_is_all_that_a_language_needs(german, window: MainWindow) -> None:
    assert window.menus.actions["file.open"].text() == "Ö&ffnen…"
    assert window.mapping.section.header.text() == "Fokuskarte"
    assert "Fokuskarte" not in window.refocusing.section.header.text()


def test_what_is_not_translated_or_not_finished_stays_english(german, window: MainWindow) -> None:
    assert tr("Never heard of") == "Never heard of"
    assert window.menus.actions["file.quit"].text() == "&Quit"
    assert tr("") == ""


def test_english_and_unknown_languages_install_nothing(qapp, folder: Path) -> None:
    assert install_language(qapp, ["en-GB", "de"], folder) is None
    assert install_language(qapp, ["xx"], folder) is None


def test_a_broken_file_is_passed_over(qapp, folder: Path, caplog) -> None:
    assert install_language(qapp, ["fr"], folder) is None
    assert "fr" in caplog.text
