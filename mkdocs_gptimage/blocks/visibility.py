"""What a reader of a page sees of its HTML: not comments, code or scripts."""

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
_ENDS = (("<!--", "-->"), *((f"<{tag}", f"</{tag}") for tag in _TAGS))


def visible_pieces(text: str, token: str) -> Iterator[tuple[str, bool]]:
    """Split HTML into (piece, whether a reader sees it).

    `token` is what is looked for, in lower case: a text that holds it in plain sight only is not split.
    """
    if _is_in_plain_sight(text.lower(), token):
        yield text, True
        return
    position = 0
    for hidden in _HIDDEN.finditer(text):
        yield text[position : hidden.start()], True
        yield hidden[0], False
        position = hidden.end()
    yield text[position:], True


def _is_in_plain_sight(text: str, token: str) -> bool:
    """Whether nothing that hides is open before any `token`; a False only means that the text has to be split."""
    seen, position = 0, text.find(token)
    while position >= 0:
        if any(text.rfind(opening, seen, position) > text.rfind(closing, seen, position) for opening, closing in _ENDS):
            return False
        seen, position = position, text.find(token, position + 1)
    return True
