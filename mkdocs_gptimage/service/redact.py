"""The API key: its repr hides it, and it is taken out of every text, in whatever clothes a service repeats it."""

from __future__ import annotations

import base64
import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Iterator


HIDDEN = "***"
_HARMLESS = 3
"""So many first characters of the key give nothing away."""
_LONGEST_TOLD = 200
_SHORTEST_KEY = 12
"""Shorter ones are placeholders, such as the emulator's, and words that a link may hold by chance."""
_ALPHABETS = (None, b"-_")
_DEEPEST_QUOTING = 3
"""So often may a URL be percent-encoded inside another one."""


class Secret:
    """A text that must not be shown."""

    __slots__ = ("_forms", "_pattern", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._forms = sorted(set(_forms(text)), key=len, reverse=True)
        alternatives = "|".join(map(re.escape, self._forms))
        # Host names come back in lower case.
        self._pattern = re.compile(alternatives, re.IGNORECASE) if text else None

    def __repr__(self) -> str:
        return HIDDEN

    @property
    def bearer(self) -> str:
        """The value of the header Authorization."""
        return f"Bearer {self._text}"

    def is_in(self, text: str) -> bool:
        """Whether a text holds the secret, percent-encoded or in base64 as well; a placeholder is no secret."""
        return len(self._text) >= _SHORTEST_KEY and self.hide(text) != text

    def hide(self, text: str) -> str:
        """Return the text with `***` for the secret, and for what an ellipsis at the end left of it."""
        if self._pattern is None:
            return text
        text = self._pattern.sub(HIDDEN, text)
        if self._is_quoted_in(text):
            return HIDDEN
        return self._without_cut_off(text) if text.endswith("…") else text

    def told(self, error: Exception) -> str:
        """What a library says of an error, on one line; it may repeat what the service has sent."""
        said = "".join(filter(str.isprintable, " ".join(str(error).split())))
        # Hidden before it is cut: a part of the secret is as bad.
        said = self.hide(said)
        return said if len(said) <= _LONGEST_TOLD else f"{said[:_LONGEST_TOLD]}…"

    def _is_quoted_in(self, text: str) -> bool:
        """Whether a text holds it percent-encoded, however few of its characters are."""
        for _ in range(_DEEPEST_QUOTING):
            if self._pattern is None or "%" not in text:
                return False
            text = unquote(text)
            if self._pattern.search(text):
                return True
        return False

    def _without_cut_off(self, text: str) -> str:
        lowered = text[:-1].lower()
        for form in self._forms:
            for length in range(len(form) - 1, _HARMLESS, -1):
                if lowered.endswith(form[:length].lower()):
                    return f"{text[: -1 - length]}{HIDDEN}…"
        return text


def _forms(text: str) -> Iterator[str]:
    """The text as it is, as Python, JSON and URLs write it, and in base64."""
    yield text
    yield repr(text)[1:-1]
    yield text.replace("/", "\\/")
    yield quote(text, safe="")
    yield quote_plus(text)
    data = text.encode()
    for before in range(3):
        # The first and the last characters also depend on what stands around the secret.
        first, last = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        for alphabet in _ALPHABETS:
            encoded = base64.b64encode(bytes(before) + data, altchars=alphabet).decode()[first:last]
            if len(encoded) >= _SHORTEST_KEY:
                yield encoded


class LogFilter(logging.Filter):
    """Takes a secret out of what the libraries below us log: at DEBUG, they show the headers of every answer."""

    def __init__(self, secret: Secret) -> None:
        super().__init__()
        self._secret = secret

    def filter(self, record: logging.LogRecord) -> bool:
        said = record.getMessage()
        hidden = self._secret.hide(said)
        if hidden != said:
            record.msg, record.args = hidden, None
        return True
