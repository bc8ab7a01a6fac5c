from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import jinja2
import pytest

from focusviewer.core import templates
from focusviewer.core.templates import Templates, exact

HOSTILE = "<b title=\"x\" id='y'>&\r\n\t\u202e"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of templates that stands for the shipped ones."""
    monkeypatch.setattr(templates, "resource_path", lambda *parts: tmp_path.joinpath(*parts[2:]))
    return tmp_path


def spelt_out(text: str) -> str:
    return text.replace("\u202e", "\\u202e")


def test_every_value_is_escaped_and_what_was_rendered_is_not_escaped_again(written: Path) -> None:
    (written / "inner.html").write_text("<i>{{ value }}</i>")
    (written / "outer.html").write_text("{{ part }}{{ value }}")
    made = Templates("any")
    part = made.render("inner.html", value=HOSTILE)
    text = made.render("outer.html", part=part, value="<u>")
    assert text.startswith("<i>&lt;b title=&#34;x&#34; id=&#39;y&#39;&gt;&amp;") and text.endswith("&lt;u&gt;")


def test_texts_are_spelt_out_but_attributes_hold_them_to_the_letter(written: Path) -> None:
    (written / "a.html").write_text('<p data-a="{{ value | exact }}">{{ value }}</p>')
    text = Templates("any", spelling=spelt_out).render("a.html", value="\u202e\r\n\t\"'")
    assert text.startswith('<p data-a="\u202e&#13;&#10;&#9;&#34;&#39;">\\u202e')
    assert exact(Path("/a\n<b>")) == "/a&#10;&lt;b&gt;"


def test_a_value_that_is_missing_is_an_error(written: Path) -> None:
    (written / "a.html").write_text("{{ nothing }}")
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        Templates("any").render("a.html")


def test_sources_and_filters_come_as_they_are(written: Path) -> None:
    (written / "a.css").write_text("p > b { color: red; }")
    (written / "a.html").write_text("{{ style }} {{ 2 | twice }}")
    made = Templates("any", {"twice": lambda value: 2 * value})
    assert made.render("a.html", style=made.source("a.css")) == "p > b { color: red; } 4"


@pytest.mark.parametrize("module", ["app.printing", "qc.reports.page", "evaluation.report.page"])
def test_jinja_is_imported_when_a_page_is_rendered(module: str) -> None:
    code = f"import focusviewer.{module}, sys; sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
