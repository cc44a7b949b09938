"""Parses spec files: YAML files outside pages that map an id to the fields of a block."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from mkdocs_gptimage.catalog.ids import Declaration
from mkdocs_gptimage.catalog.location import Location
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.spec import yaml12
from mkdocs_gptimage.spec.model import ParsedBlock, Presentation
from mkdocs_gptimage.spec.parse import parse_fields, unmet_requirements
from mkdocs_gptimage.spec.schema import block_schema
from mkdocs_gptimage.text import Problem, encoding_fault, quote, shortened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from mkdocs_gptimage.spec.model import Reference, SiteDefaults
    from mkdocs_gptimage.spec.yaml12 import Document


MAX_VALUES = 100_000
"""Values in one file, aliases expanded."""
_SCHEMA = "$schema"
_LONGEST_MESSAGE = 300


class Resolve(Protocol):
    """Turns an entry of `image_urls` in a file of a folder into a reference, or raises `UnusableReferenceError`."""

    def __call__(self, entry: str, folder: Path) -> Reference: ...


@dataclass(frozen=True)
class SpecFiles:
    """The spec files of a site and what they declare."""

    files: tuple[Path, ...] = ()
    specs: Mapping[str, Declaration] = field(default_factory=dict)
    """By id; a declaration with problems has no spec."""
    problems: tuple[Problem, ...] = ()
    """In the order of the files."""
    unmatched: tuple[str, ...] = ()
    """The patterns that match no file."""


def read_spec_files(
    project: Path,
    patterns: Iterable[str],
    site_defaults: SiteDefaults,
    resolve: Resolve,
    *,
    require_alt: bool = False,
) -> SpecFiles:
    """Read the files below the project that match the patterns; with `require_alt`, every spec needs an `alt`."""
    matches = {pattern: [path for path in project.glob(pattern) if path.is_file()] for pattern in patterns}
    files = sorted({path for paths in matches.values() for path in paths})
    parser = _SpecFileParser(site_defaults, require_alt=require_alt)
    for path in files:
        parser.parse_file(path, path.relative_to(project).as_posix(), functools.partial(resolve, folder=path.parent))
    unmatched = tuple(pattern for pattern, paths in matches.items() if not paths)
    return SpecFiles(tuple(files), parser.specs, tuple(parser.problems), unmatched)


@dataclass(frozen=True)
class _Entry:
    """One id of a file with its fields."""

    file: str
    id: str
    fields: Any
    start: int
    """The line of the id, counted from 0."""
    lines: Mapping[str, int]
    """Those of the fields."""

    def location(self, line: int = -1) -> Location:
        """The location of a line of the file, counted from 0; -1 is that of the id."""
        return Location(self.file, (self.start if line < 0 else line) + 1)

    def line_of(self, field: str) -> int:
        return self.lines.get(field, self.start)


class _SpecFileParser:
    def __init__(self, site_defaults: SiteDefaults, *, require_alt: bool) -> None:
        self.specs: dict[str, Declaration] = {}
        self.problems: list[Problem] = []
        self._first_locations: dict[str, Location] = {}
        """Where each id is declared first, valid or not."""
        self._site_defaults = site_defaults
        self._require_alt = require_alt

    def parse_file(self, path: Path, name: str, resolve: Callable[[str], Reference]) -> None:
        document = self._read(path, name)
        if document is None or document.value is None:
            return
        if not isinstance(document.value, dict):
            self.problems.append(Problem("expected ids, each with the fields of a block below it", name, 1))
            return
        for key, fields in document.value.items():
            if key != _SCHEMA:
                entry = _Entry(name, key, fields, document.lines[key], document.inner.get(key, {}))
                self._parse_entry(entry, resolve)

    def _read(self, path: Path, name: str) -> Document | None:
        """Return the document in a file; None, and a problem, for one that cannot be read."""
        try:
            data = path.read_bytes()
            fault = encoding_fault(data)
            if not fault:
                return yaml12.read(data.decode("utf-8-sig"), most=MAX_VALUES)
            self.problems.append(Problem(fault, name))
        except yaml12.YamlError as error:
            self.problems.append(Problem(shortened(str(error), _LONGEST_MESSAGE), name, error.line + 1))
        except OSError as error:
            raise_if_lacking(error, f"{name} cannot be read")
            self.problems.append(Problem(f"cannot be read: {error.strerror}", name))
        return None

    def _parse_entry(self, entry: _Entry, resolve: Callable[[str], Reference]) -> None:
        start, fields = entry.start, entry.fields
        first = self._first_locations.setdefault(entry.id, entry.location())
        problems = [(start, message) for message in _id_problems(entry, first)]
        parsed = ParsedBlock(None, Presentation())
        if not isinstance(fields, dict):
            found = "is empty" if fields is None else f"{quote(fields)} is no spec"
            problems.append((start, f"{_plain(entry.id)}: {found}, expected the fields of a block"))
        elif "id" in fields:
            message = f"id: is '{_plain(entry.id)}' already, as the key; remove the line"
            problems.append((entry.line_of("id"), message))
        elif not problems:
            parsed = parse_fields({**fields, "id": entry.id}, entry.line_of, self._site_defaults, resolve)
            problems += parsed.problems
            problems += [(start, message) for message in unmet_requirements(parsed, alt=self._require_alt)]
        if problems:
            parsed = ParsedBlock(None, parsed.presentation)
        self.specs.setdefault(entry.id, Declaration(entry.id, entry.file, parsed, entry.location))
        self.problems += [entry.location(line).problem(message) for line, message in problems]


def _plain(key: str) -> str:
    """A key as messages show it, without quotes."""
    return quote(key)[1:-1]


def _id_problems(entry: _Entry, first: Location) -> Iterable[str]:
    if not re.search(block_schema()["properties"]["id"]["pattern"], entry.id):
        yield f"{quote(entry.id)} is not an id; a letter comes first, then letters, digits, '-', '_', '.' or ':'"
    if first != entry.location():
        yield f"'{_plain(entry.id)}' is declared at {first} as well; give one of them another id"
