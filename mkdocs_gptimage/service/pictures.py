"""Where the picture lies in an answer of the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_LONGEST_LINK = 8192
_DEEPEST = 6
"""Objects inside each other that are searched."""


@dataclass(frozen=True)
class Image:
    """Where the picture's bytes are: a link, or the bytes themselves in base64, as text or spooled to a file."""

    url: str | None = None
    base64: str | None = None
    spooled: IO[bytes] | None = None


def find_image(candidate: Mapping[str, Any], depth: int = 0) -> Image | None:
    """The first picture that an object points to: itself, or in `result`, `images`, `data`."""
    if depth > _DEEPEST:
        return None
    link = candidate.get("url")
    for each in link if isinstance(link, list) else [link]:
        if _is_link(each):
            return Image(url=each)
    encoded = candidate.get("b64_json")
    if isinstance(encoded, str) and encoded:
        return Image(base64=encoded)
    for key in ("result", "images", "data"):
        inner = candidate.get(key)
        for item in inner if isinstance(inner, list) else [inner]:
            if isinstance(item, dict):
                found = find_image(item, depth + 1)
                if found:
                    return found
            elif key != "data" and _is_link(item, begins=("http://", "https://")):
                return Image(url=item)
    return None


def _is_link(value: Any, begins: tuple[str, ...] = ("",)) -> bool:
    return isinstance(value, str) and value.startswith(begins) and 0 < len(value) <= _LONGEST_LINK
