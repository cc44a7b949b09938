"""Hostile texts, and the settings of the property tests that use them."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from hypothesis import settings
from hypothesis import strategies as st

# The same examples every time: chance belongs into `benchmarks/fuzz.py`.
tried = settings(derandomize=True, deadline=None, max_examples=80)

DIRECTIONS = "\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PARTS = (
    '"',
    "'",
    "<",
    ">",
    "&",
    "`",
    "\\",
    "=",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "*",
    "_",
    "!",
    "#",
    ":",
    "/",
    " ",
    "\n",
    "\t",
    "\r",
    "\0",
    "\x02",
    "\x03",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\x9b31m",
    "\ufdd0",
    "\u2028",
    "\ufeff",
    "\ufffe",
    "\U0001f408",
    "猫",
    "a\u0301",
    "../",
    "..",
    "C:\\",
    "-->",
    "]]>",
    "<!--",
    "</figure>",
    "</figcaption>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "[x](javascript:alert(1))",
    "![x](data:text/html,x)",
    "[x](&#106;avascript:alert(1))",
    "[x](JaVa\tScript:alert(1))",
    "<javascript:alert(1)>",
    "<x@example.com>",
    '{: onclick="alert(1)" HREF="javascript:alert(1)" }',
    '" onload="alert(1)',
    "&quot;",
    "&#x202e;",
    "&lt;b&gt;",
    "wzxhzdk:0",
    "klzzwxh:0000",
    *DIRECTIONS,
)
_VOID = {"img", "br"}
_INLINE = {"em", "strong", "code", "a", "img", "del", "sub", "span"}
_WORDS = {"alt", "class", "id", "title"}

texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=6), max_size=10).map("".join)
"""Any text, half characters included."""

writable = texts.map(lambda text: text.encode("utf-8", "ignore").decode())
"""Any text that can stand in a file."""


def quoted(text: str) -> str:
    """A text in YAML's double quotes, with an escape for all but letters and digits."""
    return '"' + "".join(c if c.isalnum() and c.isascii() else f"\\U{ord(c):08x}" for c in text) + '"'


# Left out by the rules of HTML, and for turning the direction of the text around it.
_LEFT_OUT = [*range(9), 11, 12, *range(14, 32), *range(127, 133), *range(134, 160), *range(0xFDD0, 0xFDF0)]
_LEFT_OUT += [plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)]
_TURNING = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
LEFT_OUT = frozenset(map(chr, [*_LEFT_OUT, *_TURNING, *range(0xD800, 0xE000)]))


def as_shown(text: str) -> str:
    """A text as a page shows it: on one line, without what is left out."""
    return " ".join("".join(character for character in text if character not in LEFT_OUT).split())


class Html(HTMLParser):
    """The elements of a piece of HTML, each closed in its order and nothing hidden between them, and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert tag in _VOID or self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def scheme(url: str) -> str:
    """The scheme of a link as browsers read it: controls and spaces around it, tabs and line ends in it are ignored."""
    read = re.sub("[\t\n\r]", "", url.strip("".join(map(chr, range(33)))))
    found = re.match(r"([A-Za-z][A-Za-z0-9+.-]*):", read)
    return found[1].lower() if found else ""


def assert_harmless(elements: list[tuple[str, dict[str, str]]]) -> None:
    """Check the elements that come out of a caption: inline ones, with attributes that run no code."""
    assert {tag for tag, _ in elements} <= _INLINE
    for _, attributes in elements:
        for name, value in attributes.items():
            assert not name.startswith("on")
            assert name != "srcdoc"
            assert name in _WORDS or scheme(value) not in ("javascript", "vbscript", "data")
