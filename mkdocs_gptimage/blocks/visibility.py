"""Splits HTML into what a reader sees and what is hidden: comments, code, scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


_TAGS = ("pre", "code", "script", "style", "textarea", "template")
_HIDDEN = re.compile(
    rf"<!--.*?(?:-->|\Z)|<(?P<tag>{'|'.join(_TAGS)})(?=[\s/>])[^>]*>.*?(?:</(?P=tag)\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_DELIMITERS = (("<!--", "-->"), *((f"<{tag}", f"</{tag}>") for tag in _TAGS))


def visible_pieces(text: str, token: str) -> Iterator[tuple[str, bool]]:
    """Split HTML into (piece, whether a reader sees it).

    The caller searches for `token`, in lower case: a text without hidden occurrences of it is one piece.
    """
    if _is_never_hidden(text.lower(), token):
        yield text, True
        return
    position = 0
    for hidden in _HIDDEN.finditer(text):
        yield text[position : hidden.start()], True
        yield hidden[0], False
        position = hidden.end()
    yield text[position:], True


def _is_never_hidden(text: str, token: str) -> bool:
    """Whether no hidden element is open at any `token`; a wrong False only costs a split."""
    previous, position = 0, text.find(token)
    while position >= 0:
        if any(
            text.rfind(opening, previous, position) > text.rfind(closing, previous, position)
            for opening, closing in _DELIMITERS
        ):
            return False
        previous, position = position, text.find(token, position + 1)
    return True
