"""The API key: hidden in its own repr, and redacted from other texts, percent-encoded and JSON forms included."""

from __future__ import annotations

import json
import logging
import re
from urllib.parse import quote, unquote

HIDDEN = "***"
_HARMLESS = 3
"""The first characters of a key that may be shown: many keys begin alike."""
_LONGEST_DESCRIPTION = 200
_SHORTEST_KEY = 12
"""Shorter ones are placeholders, such as the emulator's, and words that a link may hold by chance."""


class Secret:
    """A text that must not be shown."""

    __slots__ = ("_pattern", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        longest_first = sorted(_encodings(text), key=len, reverse=True)
        # Host names come back in lower case.
        self._pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE) if text else None

    def __repr__(self) -> str:
        return HIDDEN

    @property
    def bearer(self) -> str:
        """The value of the header Authorization."""
        return f"Bearer {self._text}"

    def is_in(self, text: str) -> bool:
        """Return whether a text holds the key in any form that `hide` redacts; a placeholder is no key."""
        return len(self._text) >= _SHORTEST_KEY and self.hide(text) != text

    def hide(self, text: str) -> str:
        """Return the text with `***` for the key, or for all of it when other characters of the key are encoded too."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(HIDDEN, text)
        return HIDDEN if self._pattern.search(unquote(text)) else self._without_cut_off(text)

    def describe(self, error: Exception) -> str:
        """Return an error's message, which may repeat what the service has sent, on one line of limited length."""
        message = "".join(filter(str.isprintable, " ".join(str(error).split())))
        message = self.hide(message)  # before it is cut: a part of the key must not be shown either
        return message if len(message) <= _LONGEST_DESCRIPTION else f"{message[:_LONGEST_DESCRIPTION]}…"

    def _without_cut_off(self, text: str) -> str:
        """Redact the beginning of the key before a final ellipsis: messages of a service arrive here shortened."""
        for length in range(len(self._text) - 1, _HARMLESS, -1):
            if text.endswith(f"{self._text[:length]}…"):
                return f"{text[: -length - 1]}{HIDDEN}…"
        return text


def _encodings(text: str) -> set[str]:
    """The text as it is, in JSON with and without escaped slashes, and as a part of a URL."""
    in_json = json.dumps(text)[1:-1]
    return {text, in_json, in_json.replace("/", "\\/"), quote(text, safe="")}


class LogFilter(logging.Filter):
    """Redacts a key from what httpx and httpcore log: at DEBUG, they show the headers of every answer."""

    def __init__(self, secret: Secret) -> None:
        super().__init__()
        self._secret = secret

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        hidden = self._secret.hide(message)
        if hidden != message:
            record.msg, record.args = hidden, None
        return True
