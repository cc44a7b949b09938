"""Texts that nobody means well with, and the settings under which properties are tried with them."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

# The same examples every time: chance belongs into `benchmarks/fuzz.py`.
tried = settings(derandomize=True, deadline=None, max_examples=120)

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
texts = st.lists(st.sampled_from(PARTS) | st.text(max_size=6), max_size=10).map("".join)
"""Any text, half characters included."""

writable = texts.map(lambda text: text.encode("utf-8", "ignore").decode())
"""Any text that can stand in a file."""
