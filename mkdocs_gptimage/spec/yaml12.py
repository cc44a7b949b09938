"""A reader of one YAML document by YAML 1.2, which also returns the line of each key.

PyYAML resolves scalars by YAML 1.1, where an unquoted `16:9` is the number 969 and `no` is false. It parses the text
into events here, and `scalar` follows the core schema of YAML 1.2.2, section 10.3.2.
"""

from __future__ import annotations

import bisect
import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.reader import Reader, ReaderError

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be installed without libyaml

MAX_DEPTH = 16
"""Levels of lists and mappings; a spec has two."""
MAX_VALUES = 2000
"""Keys and values in one block, with aliases expanded; a spec has some twenty."""
MAX_REPEATED = 30_000_000
"""Characters that aliases may repeat: enough for one copy of the largest reference image."""

_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# Integers are bounded because Python refuses to convert thousands of digits.
_DECIMAL = re.compile(r"[-+]?[0-9]{1,400}")
_OCTAL_OR_HEXADECIMAL = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LINE_END = re.compile(r"\r\n|\r|\n")
# Line ends in YAML 1.1 and for PyYAML, but not in YAML 1.2, nor in an editor.
_SEPARATOR = re.compile("[\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
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
_LONE_SURROGATE = "broken text: half of a character (a lone surrogate)"
_CONTROL_CHARACTER = "broken YAML: a control character, which YAML does not allow"


class YamlError(ValueError):
    """The text is not one document of plain values; `line` counts from 0."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Document:
    """A document as plain values: dict with text keys, list, str, int, float, bool, None."""

    value: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    """Top-level key → its line, counted from 0."""
    inner: dict[str, dict[str, int]] = field(default_factory=dict, compare=False)
    """Top-level key → the lines of the keys in its value, where that is a mapping and no alias."""


def read(text: str, most: int = MAX_VALUES) -> Document:
    """Read one document of at most `most` keys and values; raise `YamlError` for any other text."""
    builder = _DocumentBuilder(text, most)
    try:
        return builder.read()
    except yaml.MarkedYAMLError as error:
        # libyaml puts the end of the text on a line of its own.
        line = min(builder.line_of(error.problem_mark or error.context_mark), len(_LINE_END.findall(text)))
        problem = " ".join(filter(None, (error.context, error.problem)))
        # libyaml reads a line ahead, so it may reach its own limit first.
        deep = "maximum nesting depth" in problem
        raise YamlError(_TOO_DEEP if deep else f"broken YAML: {problem}{_hint(text, line)}", line) from None
    except (UnicodeEncodeError, ReaderError):
        surrogate = _SURROGATE.search(text)
        found = surrogate or Reader.NON_PRINTABLE.search(text)
        line = text.count("\n", 0, found.start()) if found else 0
        raise YamlError(_LONE_SURROGATE if surrogate else _CONTROL_CHARACTER, line) from None


def _hint(text: str, line: int) -> str:
    """Name a common mistake on this line, where the parser stopped, or on the one before."""
    nearby = text.split("\n")[max(line - 1, 0) : line + 1]
    return next((f"; {hint}" for hint, pattern in _HINTS.items() if any(map(pattern.search, nearby))), "")


def scalar(text: str) -> Any:
    """Resolve a plain scalar by the core schema."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if text[0] not in "+-.0123456789":
        return text
    if _DECIMAL.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEXADECIMAL.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return float(text.replace(".", "", 1)) if _SPECIAL_FLOAT.fullmatch(text) else text


class _DocumentBuilder:
    """Builds values from parser events, and stops where a bound is exceeded."""

    def __init__(self, text: str, most: int) -> None:
        self._events = yaml.parse(text, Loader=_Loader)
        self._separators = [found.start() for found in _SEPARATOR.finditer(text)]
        self._document = Document()
        self._anchors: dict[str, tuple[Any, int, int]] = {}
        """Anchor → its value, and the numbers of values and characters in it."""
        self._values, self._most = 0, most
        self._characters, self._longest = 0, len(text) + MAX_REPEATED

    def read(self) -> Document:
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._error("more than one YAML document in a block", event)
                self._document.value = self._value(next(self._events), 0)
        return self._document

    def line_of(self, mark: Any) -> int:
        """Return the line of a parser's mark as editors count lines."""
        return mark.line - bisect.bisect_left(self._separators, mark.index) if mark else 0

    def _error(self, message: str, event: yaml.Event) -> YamlError:
        return YamlError(message, self.line_of(event.start_mark))

    def _count(self, event: yaml.Event, values: int, characters: int = 0) -> None:
        self._values += values
        self._characters += characters
        if self._values > self._most:
            raise self._error(f"more than {self._most} values, aliases written out", event)
        if self._characters > self._longest:
            raise self._error(f"aliases repeat more than {MAX_REPEATED:,} characters", event)

    def _value(self, event: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise self._error(_TOO_DEEP, event)
        values, characters = self._values, self._characters
        self._count(event, 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event)
        if event.tag not in _STRING_TAGS and not (isinstance(event, yaml.CollectionStartEvent) and event.implicit):
            raise self._error(f"the tag '{event.tag}' is not supported", event)
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        else:
            value = self._sequence(depth) if isinstance(event, yaml.SequenceStartEvent) else self._mapping(depth)
        if event.anchor:
            self._anchors[event.anchor] = value, self._values - values, self._characters - characters
        return value

    def _alias(self, event: yaml.AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            raise self._error(f"the alias '*{event.anchor}' stands for nothing", event)
        value, values, characters = self._anchors[event.anchor]
        self._count(event, values, characters)
        return value

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        self._require_whole_characters(event)
        self._count(event, 0, len(event.value))
        return scalar(event.value) if event.implicit[0] and event.tag is None else event.value

    def _require_whole_characters(self, event: yaml.ScalarEvent) -> None:
        if _SURROGATE.search(event.value):
            raise self._error(_LONE_SURROGATE, event)

    def _sequence(self, depth: int) -> list[Any]:
        values = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, depth + 1))
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._error("a key must be a word", event)
            self._require_whole_characters(event)
            if event.value in values:
                raise self._error(f"the key '{event.value}' is given twice", event)
            self._count(event, 1)
            self._place(event, depth)
            values[event.value] = self._value(next(self._events), depth + 1)
        return values

    def _place(self, key: yaml.ScalarEvent, depth: int) -> None:
        if depth == 0:
            self._document.lines[key.value] = self.line_of(key.start_mark)
        elif depth == 1:
            top = next(reversed(self._document.lines), "")
            self._document.inner.setdefault(top, {})[key.value] = self.line_of(key.start_mark)
