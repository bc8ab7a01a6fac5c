"""HTML from Jinja templates: every value is escaped, and a value that a template asks for must be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from focusviewer.core.files import resource_path

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = "templates"
"""Resource that holds a folder of templates for each kind of page."""


class Templates:
    """The templates of one kind of page.

    Jinja is imported when the first page is rendered: a window that writes no report does not wait for it.

    Parameters
    ----------
    folder : str
        Below ``resources/templates``.
    filters : mapping of str to callable, optional
        What these templates may call by name, beside Jinja's own filters and ``exact`` (:func:`exact`).
    spelling : callable, optional
        How a text becomes readable before it is escaped, e.g. with its control characters spelt out.
    """

    def __init__(
        self,
        folder: str,
        filters: Mapping[str, Callable[..., Any]] | None = None,
        spelling: Callable[[str], str] | None = None,
    ) -> None:
        self.folder, self._filters, self._spelling = folder, dict(filters or {}), spelling

    def render(self, name: str, **values: Any) -> Markup:
        """A template filled in, as HTML that other templates take in without escaping it again.

        Raises
        ------
        jinja2.UndefinedError
            If the template asks for a value that was not given.
        """
        return Markup(self._environment.get_template(name).render(values))

    def source(self, name: str) -> Markup:
        """A file beside the templates as it stands: a style sheet or a script of ours."""
        return Markup(resource_path(FOLDER, self.folder, name).read_text(encoding="utf-8"))

    @cached_property
    def _environment(self) -> Environment:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined

        environment = Environment(
            loader=FileSystemLoader(resource_path(FOLDER, self.folder)),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=self._spelt,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"exact": exact, **self._filters}
        return environment

    def _spelt(self, value: object) -> object:
        """What Jinja writes for a value; markup is finished and stays as it is."""
        if self._spelling is None or isinstance(value, Markup):
            return value
        return self._spelling(str(value))


def exact(value: object) -> Markup:
    """A text as the value of an attribute, to the letter: line ends, which HTML would change, as well."""
    text = escape(str(value))
    for sign, reference in (("\r", "&#13;"), ("\n", "&#10;"), ("\t", "&#9;")):
        text = text.replace(sign, Markup(reference))
    return text
