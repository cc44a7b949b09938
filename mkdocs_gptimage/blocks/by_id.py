"""Addresses that name a picture by id, `gpt-image:ID`, also as plugins for links rewrite them."""

from __future__ import annotations

import re
from urllib.parse import unquote

SCHEME = "gpt-image:"


def _encoded(character: str) -> str:
    """A pattern for a character and its percent-encodings."""
    digits = "".join(f"[{digit}{digit.lower()}]" for digit in f"{ord(character):02X}")
    return f"(?:{re.escape(character)}|%{digits})"


PREFIX = rf"(?:\.{{0,2}}/)*{''.join(map(_encoded, SCHEME))}"
"""A pattern for what precedes the id: plugins that take it for a file write `../gpt-image%3AID`."""
_ADDRESS = re.compile(PREFIX)


def id_of(address: str) -> str | None:
    """Return the id that an address names; None for any other address."""
    found = _ADDRESS.match(address)
    return unquote(address[found.end() :]) if found else None


def may_name_picture(html: str) -> bool:
    """Whether HTML holds anything that looks like the address of a picture by id."""
    return _ADDRESS.search(html) is not None
