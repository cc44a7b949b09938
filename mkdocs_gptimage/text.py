"""Text of messages: problems, quoting, shortening, the nearest spelling, and what a terminal may see."""

from __future__ import annotations

import codecs
import json
import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


_LONGEST_WORD = 60
_LONGEST_QUOTE = 60
_FEW = 4
_SAVE = "; save it as UTF-8"
_LINE_PARTS = "\t\n"
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")
# C0 and C1 controls with ESC and DEL, line and paragraph separators, marks that change the direction of text, and
# surrogates, which no encoding has.
_STEERING = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]",
)


@dataclass(frozen=True)
class Problem:
    """A problem for the author or the operator, with its location."""

    message: str
    """What was found, what was expected and what to do, on one line."""
    file: str = ""
    """Relative to the project, `docs/guide/cats.md`; empty if it is in no file."""
    line: int | None = None
    """Counts from 1; None for text that was included or made by a macro."""
    role: str = ""
    """The role of the picture there: `dark`, `reference`, `candidate 2`; empty for the one that the block describes."""

    def __str__(self) -> str:
        """The problem as one line: `docs/guide/cats.md:14 (dark): message`."""
        if not self.file:
            return self.message
        line = "" if self.line is None else f":{self.line}"
        return f"{escaped(self.file, keep='')}{line}{f' ({self.role})' if self.role else ''}: {self.message}"


def escaped(text: str, *, keep: str = _LINE_PARTS) -> str:
    r"""Return a text that cannot steer a terminal: controls and marks of direction as `\u001b`, except for `keep`.

    JSON means the same after that.
    """
    return _STEERING.sub(lambda found: found[0] if found[0] in keep else f"\\u{ord(found[0]):04x}", text)


def ascii_json(text: str) -> str:
    """Return JSON of the same meaning that is ASCII only."""
    return _BEYOND_ASCII.sub(lambda found: json.dumps(found[0])[1:-1], text)


def encoding_fault(data: bytes) -> str:
    """Return why the bytes of a file are no text in UTF-8, and what to do; empty if they are."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return f"is UTF-16{_SAVE}"
    if 0 in data:
        return f"line {data.count(10, 0, data.index(0)) + 1} holds a NUL byte, as UTF-16 does{_SAVE}"
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data.count(10, 0, error.start) + 1
        return f"is not UTF-8: line {line} holds the byte 0x{data[error.start]:02x}{_SAVE}"
    return ""


def plugin_log() -> logging.Logger:
    """Return the log of this plugin, below MkDocs'; its lines are escaped."""
    log = logging.getLogger("mkdocs.plugins.gptimage")
    log.addFilter(escape_record)  # added once
    return log


def escape_record(record: logging.LogRecord) -> bool:
    """Escape the message of a log record; a filter that lets everything pass."""
    record.msg, record.args = escaped(record.getMessage()), None
    return True


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: `1 picture`, `2 pictures`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def one_line_each(messages: Sequence[str]) -> str:
    """Join messages into one text, each on a single line."""
    return "\n".join(" ".join(message.split()) for message in messages)


def nearest(found: str, options: Iterable[str]) -> str | None:
    """Return the option that takes the fewest edits to reach; among equals, the one with the longest shared beginning.

    None if none is similar enough.
    """
    word = found.strip().lower()
    if not word or len(word) > _LONGEST_WORD:
        return None

    def distance(option: str) -> tuple[int, int]:
        shared = next((i for i, (a, b) in enumerate(zip(word, option, strict=False)) if a != b), len(option))
        return _edits(word, option), -shared

    ranked = sorted((distance(option), option) for option in options)
    (edits, _), best = ranked[0]
    return best if edits <= max(1, len(word) // 2) else None


def _edits(one: str, other: str) -> int:
    """The Levenshtein distance: insertions, deletions and substitutions from one word to the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]


def quote(value: Any, longest: int = _LONGEST_QUOTE) -> str:
    """A value as a message shows it: at most `longest` characters, on one line, in quotes when it is text."""
    text = shortened(str(value).lower() if isinstance(value, bool) else str(value), longest)
    return f"'{text}'" if isinstance(value, str) else text


def shortened(text: str, longest: int) -> str:
    """A printable text of at most `longest` characters."""
    text = printable(text)
    return text if len(text) <= longest else text[: longest - 1] + "…"


def printable(text: str) -> str:
    """A text on one line, with control characters replaced: they could steer a terminal."""
    folded = " ".join(text.split())
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in folded)


def did_you_mean(found: str, options: Iterable[str], *, otherwise: str = "expected") -> str:
    """The end of a message about an unknown word: the nearest of `options`, or all of them."""
    choices = list(options)
    best = nearest(found, choices) if len(choices) > 1 else None
    if not best:
        return f"; {otherwise} {', '.join(choices)}"
    return f"; did you mean '{best}'?" + (f" ({', '.join(choices)})" if len(choices) <= _FEW else "")
