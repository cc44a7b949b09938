"""What a reader of a page sees of its HTML: not comments, code or scripts."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

HIDDEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<(?P<tag>pre|code|script|style|textarea|template)\b[^>]*>.*?(?:</(?P=tag)\s*>|\Z)",
    re.DOTALL | re.IGNORECASE,
)


def visible(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Find a pattern in HTML, outside comments, `pre`, `code`, `script` and the like."""
    position = 0
    for hidden in HIDDEN.finditer(text):
        yield from pattern.finditer(text, position, hidden.start())
        position = hidden.end()
    yield from pattern.finditer(text, position)
