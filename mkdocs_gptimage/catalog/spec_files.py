"""Specs outside pages: YAML files that map an id to the fields of a block."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mkdocs_gptimage.catalog.ids import Declaration
from mkdocs_gptimage.spec import yaml12
from mkdocs_gptimage.spec.model import ParsedBlock, Presentation
from mkdocs_gptimage.spec.parse import parse_fields, unmet_requirements
from mkdocs_gptimage.spec.schema import block_schema
from mkdocs_gptimage.text import quote, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mkdocs_gptimage.spec.model import Reference, SiteDefaults
    from mkdocs_gptimage.spec.yaml12 import Document


MAX_VALUES = 100_000
"""Values in one file, aliases written out."""
_SCHEMA = "$schema"
_LONGEST_MESSAGE = 300


class Resolve(Protocol):
    """Turns an entry of `image_urls` in a file of a folder into a reference, or raises `UnusableReferenceError`."""

    def __call__(self, entry: str, folder: Path) -> Reference: ...


@dataclass(frozen=True)
class SpecFiles:
    """What the files say."""

    files: tuple[Path, ...] = ()
    specs: Mapping[str, Declaration] = field(default_factory=dict)
    """By id; one with problems has no picture."""
    problems: tuple[str, ...] = ()
    """One line each: `images/cats.yml:14: size: '16:10' is not a size; did you mean '16:9'?`"""
    unmatched: tuple[str, ...] = ()
    """The patterns that no file fits."""


def read_spec_files(
    project: Path,
    patterns: Iterable[str],
    house: SiteDefaults,
    resolve: Resolve,
    *,
    require_alt: bool = False,
) -> SpecFiles:
    """Read the files below the project that fit the patterns; with `require_alt`, every spec needs an `alt`."""
    found = {pattern: [path for path in project.glob(pattern) if path.is_file()] for pattern in patterns}
    files = sorted({path for paths in found.values() for path in paths})
    reader = _SpecFileParser(house, require_alt=require_alt)
    for path in files:
        reader.read(path, path.relative_to(project).as_posix(), functools.partial(resolve, folder=path.parent))
    unmatched = tuple(pattern for pattern, paths in found.items() if not paths)
    return SpecFiles(tuple(files), reader.specs, tuple(reader.problems), unmatched)


class _SpecFileParser:
    def __init__(self, house: SiteDefaults, *, require_alt: bool) -> None:
        self.specs: dict[str, Declaration] = {}
        self.problems: list[str] = []
        self._places: dict[str, str] = {}
        """Where each id is declared first, valid or not."""
        self._house = house
        self._require_alt = require_alt

    def read(self, path: Path, name: str, resolve: Callable[[str], Reference]) -> None:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeError) as error:
            said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            self.problems.append(f"{name}: cannot be read: {said}")
            return
        try:
            document = yaml12.read(text, most=MAX_VALUES)
        except yaml12.YamlError as error:
            self.problems.append(f"{name}:{error.line + 1}: {shortened(str(error), _LONGEST_MESSAGE)}")
            return
        if not isinstance(document.value, dict):
            if document.value is not None:
                self.problems.append(f"{name}:1: expected ids, each with the fields of a block below it")
            return
        for key, fields in document.value.items():
            if key != _SCHEMA:
                self._read_one(key, fields, document, name, resolve)

    def _read_one(
        self, key: str, fields: Any, document: Document, name: str, resolve: Callable[[str], Reference]
    ) -> None:
        start, lines = document.lines[key], document.inner.get(key, {})
        where = f"{name}:{start + 1}"
        problems = [(start, said) for said in _wrong_id(key, self._places.setdefault(key, where), where)]
        reading = ParsedBlock(None, Presentation())
        if not isinstance(fields, dict):
            found = "is empty" if fields is None else f"{quote(fields)} is no spec"
            problems.append((start, f"{_plain(key)}: {found}, expected the fields of a block"))
        elif "id" in fields:
            problems.append((lines.get("id", start), f"id: is '{_plain(key)}' already, as the key; remove the line"))
        elif not problems:
            given = {**fields, "id": key}
            reading = parse_fields(given, lambda field: lines.get(field, start), self._house, resolve)
            problems += reading.problems
            problems += [(start, said) for said in unmet_requirements(reading, alt=self._require_alt)]
        if problems:
            reading = ParsedBlock(None, reading.presentation)
        self.specs.setdefault(key, _declaration(key, reading, name, start))
        self.problems += [f"{name}:{line + 1}: {said}" for line, said in problems]


def _plain(key: str) -> str:
    """A key as messages show it, without quotes."""
    return quote(key)[1:-1]


def _wrong_id(key: str, first: str, where: str) -> Iterable[str]:
    if not re.search(block_schema()["properties"]["id"]["pattern"], key):
        yield (f"{quote(key)} is not an id; a letter comes first, then letters, digits, '-', '_', '.' or ':'")
    if first != where:
        yield f"'{_plain(key)}' is declared at {first} as well; give one of them another id"


def _declaration(key: str, reading: ParsedBlock, name: str, start: int) -> Declaration:
    return Declaration(key, name, reading, lambda line: f"{name}:{(start if line < 0 else line) + 1}")
