"""The service's own words, made fit to be shown: one printable line of limited length."""

from __future__ import annotations

from typing import Any

_LONGEST_MESSAGE = 300


def words(value: Any) -> str:
    """The words of an error: a string, or the message of an object; on one line, shortened."""
    if isinstance(value, dict):
        value = value.get("message") or value.get("code") or ""
    text = " ".join(str(value).split()) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    text = "".join(character for character in text if character.isprintable())
    return text if len(text) <= _LONGEST_MESSAGE else text[: _LONGEST_MESSAGE - 1] + "…"


def excerpt(body: bytes) -> str:
    """The beginning of a body."""
    return words(body[: 4 * _LONGEST_MESSAGE].decode("utf-8", "replace")) or "an empty body"
