"""What is refused before memory or time goes into it: files that announce more than any slide has."""

from __future__ import annotations

MAX_PLANES = 10_000
"""Focal planes of one stack."""

MAX_XML_BYTES = 32 << 20
"""Length of an OME-XML document; parsing takes about ten times as much memory."""

MAX_FILES_LOOKED_AT = 20_000
"""Files of one folder whose first bytes are looked at, to find the parts of a slide."""
