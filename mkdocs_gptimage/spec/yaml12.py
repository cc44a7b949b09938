"""The YAML of a block: YAML 1.2 scalars, no duplicate keys, no surprises.

PyYAML resolves scalars by YAML 1.1, where an unquoted `16:9` is the number 969 and `no` is false. Its parser is used
for the structure, by events, and scalars are resolved here by the core schema of YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator


try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


MAX_DEPTH = 16
"""Levels of lists and mappings; a spec has two."""
MAX_VALUES = 2000
"""Values in one block, aliases written out; a spec has some twenty."""
MAX_REPEATED = 30_000_000
"""Characters that aliases repeat: the data of the largest reference image once more."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}\Z")
_OCTAL = re.compile(r"0o[0-7]{1,400}\Z")
_HEXADECIMAL = re.compile(r"0x[0-9a-fA-F]{1,400}\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_SPECIAL_FLOAT = re.compile(r"([-+]?)\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_LINE_END = re.compile(r"\r\n|\r|\n")
# Line ends in YAML 1.1 and for PyYAML, but not in YAML 1.2, nor in an editor.
_SEPARATOR = re.compile("[\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_HALF_A_CHARACTER = "broken text: half of a character (a lone surrogate)"
_HINTS = {
    "an invisible line separator is in the text: retype it": _SEPARATOR,
    "tabs cannot indent: use spaces": re.compile(r"^ *\t"),
    "a value with ': ' in it needs quotes": re.compile(r"^\w+: +[^\s'\"].*: "),
    "a space is missing behind the colon": re.compile(r"^\w+:[^\s]"),
    "all fields begin in the first column": re.compile(r"^ +\w+:"),
    "a quote inside quotes is written twice": re.compile(r"^\w+: +'.*\w'\w"),
}
_STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
# libyaml reads a line ahead, and has a limit of its own there.
_LIMIT_OF_LIBYAML = "maximum nesting depth"


class YamlError(ValueError):
    """The text is not YAML that we read; `line` counts from 0 in the text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Document:
    """A block as plain values: dict, list, str, int, float, bool, None."""

    value: Any
    lines: dict[str, int] = field(default_factory=dict)
    """Top-level key → line in the text, counted from 0."""
    inner: dict[str, dict[str, int]] = field(default_factory=dict, compare=False)
    """Top-level key → the lines of the keys of its mapping, if it is written out there."""


def read(text: str, most: int = MAX_VALUES) -> Document:
    """Read one YAML document of at most so many values; raise `YamlError` for anything that is not one, plainly."""
    lines = _Lines(text)
    try:
        return _Builder(yaml.parse(text, Loader=_Loader), lines, most).document()
    except yaml.MarkedYAMLError as error:
        # For libyaml, the text ends on a line of its own.
        line = min(lines.of(error.problem_mark or error.context_mark), len(_LINE_END.findall(text)))
        if _LIMIT_OF_LIBYAML in (error.problem or ""):
            raise YamlError(_TOO_DEEP, line) from None
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise YamlError(f"broken YAML: {problem}{_hint(text, line)}", line) from None
    except (UnicodeEncodeError, yaml.reader.ReaderError) as error:
        half = _SURROGATE.search(text)
        if half:
            raise YamlError(_HALF_A_CHARACTER, text.count("\n", 0, half.start())) from None
        character = getattr(error, "character", None)
        line = text.count("\n", 0, max(text.find(chr(character)), 0)) if isinstance(character, int) else 0
        raise YamlError("broken YAML: a control character, which YAML does not allow", line) from None


def _hint(text: str, line: int) -> str:
    """What authors get wrong most often, by the look of the line that the parser stopped at, or the one before."""
    lines = text.split("\n")
    nearby = lines[max(line - 1, 0) : line + 1]
    for hint, pattern in _HINTS.items():
        if any(pattern.search(each) for each in nearby):
            return f"; {hint}"
    return ""


def scalar(text: str) -> Any:
    """Resolve a plain scalar by the core schema of YAML 1.2."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _INTEGER.match(text):
        return int(text)
    if _OCTAL.match(text):
        return int(text, 0)
    if _HEXADECIMAL.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        return float(text)
    special = _SPECIAL_FLOAT.match(text)
    if special:
        return float(text.replace(".", "", 1))
    return text


class _Lines:
    """Where PyYAML's marks are, in lines as editors count them."""

    def __init__(self, text: str) -> None:
        self._separators = [found.start() for found in _SEPARATOR.finditer(text)]

    def of(self, mark: Any) -> int:
        return mark.line - bisect.bisect_left(self._separators, mark.index) if mark else 0


class _Builder:
    """Events → values, with bounded depth and a bounded number of values."""

    def __init__(self, events: Iterator[yaml.Event], lines: _Lines, most: int) -> None:
        self._events = events
        self._most = most
        self._line_of = lines.of
        self._anchors: dict[str, Any] = {}
        self._weights: dict[str, tuple[int, int]] = {}
        """Values and characters that an alias stands for."""
        self._count = 0
        self._characters = 0
        self._repeated = 0
        self._lines: dict[str, int] = {}
        self._inner: dict[str, dict[str, int]] = {}
        self._top = ""
        """The top-level key whose value is read."""

    def document(self) -> Document:
        value: Any = None
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise YamlError("more than one YAML document in a block", self._line_of(event.start_mark))
                value = self._value(next(self._events), 0)
        return Document(value, self._lines, self._inner)

    def _value(self, event: yaml.Event, depth: int) -> Any:
        line = self._line_of(event.start_mark)
        before = self._count, self._characters
        self._spend(1, line)
        if depth > MAX_DEPTH:
            raise YamlError(_TOO_DEEP, line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, line)
        value = self._build(event, depth)
        anchor = getattr(event, "anchor", None)
        if anchor:
            self._anchors[anchor] = value
            self._weights[anchor] = self._count - before[0], self._characters - before[1]
        return value

    def _build(self, event: yaml.Event, depth: int) -> Any:
        tag = getattr(event, "tag", None)
        if tag not in _STRING_TAGS and not (isinstance(event, yaml.CollectionStartEvent) and event.implicit):
            raise YamlError(f"the tag '{tag}' is not supported", self._line_of(event.start_mark))
        if isinstance(event, yaml.ScalarEvent):
            if _SURROGATE.search(event.value):
                raise YamlError(_HALF_A_CHARACTER, self._line_of(event.start_mark))
            self._characters += len(event.value)
            return scalar(event.value) if event.implicit[0] and tag is None else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(depth)
        return self._mapping(depth)

    def _alias(self, event: yaml.AliasEvent, line: int) -> Any:
        if event.anchor not in self._weights:
            raise YamlError(f"the alias '*{event.anchor}' stands for nothing", line)
        values, characters = self._weights[event.anchor]
        self._spend(values, line)
        self._characters += characters
        self._repeated += characters
        if self._repeated > MAX_REPEATED:
            raise YamlError(f"aliases repeat more than {MAX_REPEATED:,} characters", line)
        return self._anchors[event.anchor]

    def _spend(self, values: int, line: int) -> None:
        self._count += values
        if self._count > self._most:
            raise YamlError(f"more than {self._most} values, aliases written out", line)

    def _sequence(self, depth: int) -> list[Any]:
        values = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, depth + 1))
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = self._line_of(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlError("a key must be a word", line)
            key = event.value
            self._spend(1, line)
            if key in values:
                raise YamlError(f"the key '{key}' is given twice", line)
            if depth == 0:
                self._lines[key], self._top = line, key
            elif depth == 1:
                self._inner.setdefault(self._top, {})[key] = line
            values[key] = self._value(next(self._events), depth + 1)
        return values
