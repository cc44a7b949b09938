"""Reader for a block's YAML: YAML 1.2 scalars, unique keys, bounded size, and the line of each key.

PyYAML parses the structure. Its own resolver follows YAML 1.1, where an unquoted `16:9` is the number 969 and `no` is
false; here, plain scalars are resolved by the core schema of YAML 1.2.2, section 10.3.2. The values are built from
PyYAML's events, because its composer refuses an anchor that is set twice, and forgets where aliases stand.
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
"""Values in one block, aliases written out; a spec has about twenty."""
MAX_REPEATED = 30_000_000
"""Characters that aliases repeat: enough to use the data of the largest reference image twice."""
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_DECIMAL = re.compile(r"[-+]?[0-9]{1,400}")
_OCTAL_OR_HEXADECIMAL = re.compile(r"0o[0-7]{1,400}|0x[0-9a-fA-F]{1,400}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LINE_END = re.compile(r"\r\n|\r|\n")
# Line ends in YAML 1.1 and for PyYAML, but not in YAML 1.2, nor in an editor.
_SEPARATOR = re.compile("[\x85\u2028\u2029]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_STRING_TAGS = (None, "!", "tag:yaml.org,2002:str")
_LONE_SURROGATE = "broken text: half of a character (a lone surrogate)"
_CONTROL_CHARACTER = "broken YAML: a control character, which YAML does not allow"
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"
# libyaml reads a line ahead, and has a limit of its own there.
_LIMIT_OF_LIBYAML = "maximum nesting depth"
_HINTS = {
    "an invisible line separator is in the text: retype it": _SEPARATOR,
    "tabs cannot indent: use spaces": re.compile(r"^ *\t"),
    "a value with ': ' in it needs quotes": re.compile(r"^\w+: +[^\s'\"].*: "),
    "a space is missing behind the colon": re.compile(r"^\w+:[^\s]"),
    "all fields begin in the first column": re.compile(r"^ +\w+:"),
    "a quote inside quotes is written twice": re.compile(r"^\w+: +'.*\w'\w"),
}


class YamlError(ValueError):
    """Text that cannot be read; `line` counts from 0 in the text."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class Document:
    """A YAML document as plain values: dict, list, str, int, float, bool, None."""

    value: Any
    lines: dict[str, int] = field(default_factory=dict)
    """Top-level key → line in the text, counted from 0."""
    inner: dict[str, dict[str, int]] = field(default_factory=dict, compare=False)
    """Top-level key → the lines of the keys of its mapping; aliases of a mapping have none."""


def read(text: str, most: int = MAX_VALUES) -> Document:
    """Read one YAML document of at most `most` values; raise `YamlError` for anything else."""
    builder = _Builder(text, most)
    try:
        return builder.document()
    except yaml.MarkedYAMLError as error:
        # For libyaml, the text ends on a line of its own.
        line = min(builder.line_of(error.problem_mark or error.context_mark), len(_LINE_END.findall(text)))
        if _LIMIT_OF_LIBYAML in (error.problem or ""):
            raise YamlError(_TOO_DEEP, line) from None
        problem = " ".join(filter(None, (error.context, error.problem)))
        raise YamlError(f"broken YAML: {problem}{_hint(text, line)}", line) from None
    except (UnicodeEncodeError, yaml.reader.ReaderError) as error:
        if surrogate := _SURROGATE.search(text):
            raise YamlError(_LONE_SURROGATE, text.count("\n", 0, surrogate.start())) from None
        character = getattr(error, "character", None)
        start = max(text.find(chr(character)), 0) if isinstance(character, int) else 0
        raise YamlError(_CONTROL_CHARACTER, text.count("\n", 0, start)) from None


def _hint(text: str, line: int) -> str:
    """Return advice about the commonest mistakes, by the looks of the line where parsing stopped, or the one before."""
    nearby = text.split("\n")[max(line - 1, 0) : line + 1]
    hint = next((hint for hint, pattern in _HINTS.items() if any(map(pattern.search, nearby))), None)
    return f"; {hint}" if hint else ""


def scalar(text: str) -> Any:
    """Resolve a plain scalar by the core schema of YAML 1.2."""
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
    return float(text.replace(".", "")) if _SPECIAL_FLOAT.fullmatch(text) else text


class _Builder:
    """Builds values from events; bounds their depth, their number, and what aliases repeat."""

    def __init__(self, text: str, most: int) -> None:
        self._events: Iterator[Any] = yaml.parse(text, Loader=_Loader)
        self._most = most
        self._separators = [found.start() for found in _SEPARATOR.finditer(text)]
        self._anchors: dict[str, Any] = {}
        self._values = self._repeated = 0
        self._document = Document(None)
        self._top = ""
        """The top-level key whose value is being read."""

    def line_of(self, mark: Any) -> int:
        """Return the line of one of PyYAML's marks, from 0, as editors count lines."""
        return mark.line - bisect.bisect_left(self._separators, mark.index) if mark else 0

    def document(self) -> Document:
        starts = (event for event in self._events if isinstance(event, yaml.DocumentStartEvent))
        for number, start in enumerate(starts):
            if number:
                raise YamlError("more than one YAML document in a block", self.line_of(start.start_mark))
            self._document.value = self._value(next(self._events), 0)
        return self._document

    def _value(self, event: Any, depth: int) -> Any:
        line = self.line_of(event.start_mark)
        self._spend(1, line)
        if depth > MAX_DEPTH:
            raise YamlError(_TOO_DEEP, line)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), line)
        is_scalar = isinstance(event, yaml.ScalarEvent)
        if event.tag not in _STRING_TAGS and (is_scalar or not event.implicit):
            raise YamlError(f"the tag '{event.tag}' is not supported", line)
        if is_scalar:
            text = _checked(event.value, line)
            value = scalar(text) if event.implicit[0] and event.tag is None else text
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._sequence(depth + 1)
        else:
            value = self._mapping(depth + 1)
        if event.anchor:
            self._anchors[event.anchor] = value
        return value

    def _sequence(self, depth: int) -> list[Any]:
        values = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            values.append(self._value(event, depth))
        return values

    def _mapping(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            line = self.line_of(event.start_mark)
            if not isinstance(event, yaml.ScalarEvent):
                raise YamlError("a key must be a word", line)
            key = _checked(event.value, line)
            self._spend(1, line)
            if key in values:
                raise YamlError(f"the key '{key}' is given twice", line)
            if depth == 1:
                self._document.lines[key], self._top = line, key
            elif depth == 2:
                self._document.inner.setdefault(self._top, {})[key] = line
            values[key] = self._value(next(self._events), depth)
        return values

    def _alias(self, name: str, line: int) -> Any:
        if name not in self._anchors:
            raise YamlError(f"the alias '*{name}' stands for nothing", line)
        parts = [*_parts(self._anchors[name])]
        self._spend(len(parts), line)
        self._repeated += sum(len(part) for part in parts if isinstance(part, str))
        if self._repeated > MAX_REPEATED:
            raise YamlError(f"aliases repeat more than {MAX_REPEATED:,} characters", line)
        return self._anchors[name]

    def _spend(self, values: int, line: int) -> None:
        self._values += values
        if self._values > self._most:
            raise YamlError(f"more than {self._most} values, aliases written out", line)


def _checked(text: str, line: int) -> str:
    """Return the text; raise `YamlError` for a surrogate, which PyYAML without libyaml takes from an escape."""
    if _SURROGATE.search(text):
        raise YamlError(_LONE_SURROGATE, line)
    return text


def _parts(value: Any) -> Iterator[Any]:
    """Yield a value, all keys and values inside of it, and theirs."""
    yield value
    if isinstance(value, dict):
        yield from value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _parts(inner)
