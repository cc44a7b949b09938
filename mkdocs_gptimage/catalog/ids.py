"""Resolves the ids of a site to pictures, and completes pictures whose references are given by id."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.spec.model import BY_ID, reference_to
from mkdocs_gptimage.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mkdocs_gptimage.catalog.location import Location
    from mkdocs_gptimage.spec.model import ImageSpec, ParsedBlock
    from mkdocs_gptimage.text import Problem


LONGEST_CHAIN = 50
"""The most pictures in a row, each with the next one as a reference."""


class UnresolvedIdError(ValueError):
    """An id that no picture has, or several have; the message says why."""


@dataclass(frozen=True, eq=False)
class Declaration:
    """A picture that a valid block or a spec file describes."""

    id: str | None
    page: str
    """The file that declares it, as messages show it."""
    parsed: ParsedBlock
    location: Callable[[int], Location]
    """Line, as the parsed block counts lines, or -1 for the beginning → its location."""


class IdResolver:
    """Maps ids to pictures once all pages are read; `problems` lists the pictures that cannot be completed."""

    def __init__(self, of_pages: Iterable[Declaration], of_spec_files: Mapping[str, Declaration]) -> None:
        """`of_spec_files` are by id; the problems of those without a spec are reported elsewhere."""
        self.problems: list[Problem] = []
        self._declarations: dict[str, dict[str, Declaration]] = {}
        """By id and by file."""
        self._completed: dict[Declaration, ParsedBlock | None] = {}
        self._path: list[Declaration] = []
        """The declarations that are being completed, each a reference of the one before it."""
        self._of_spec_files = of_spec_files
        for declaration in of_pages:
            if declaration.id is None:
                continue
            self._declarations.setdefault(declaration.id, {})[declaration.page] = declaration
            if declaration.id in of_spec_files:
                self.problems.append(_declared_twice(declaration, of_spec_files[declaration.id]))
        for name, declaration in of_spec_files.items():
            self._declarations.setdefault(name, {declaration.page: declaration})
        for declaration in of_spec_files.values():
            self.complete(declaration)

    def find(self, name: str, page: str) -> tuple[Declaration, ParsedBlock] | None:
        """Return what an id means on a page: the page's own picture, else the only one with this id.

        None for a picture that cannot be completed, which is among the problems. Raises `UnresolvedIdError`.
        """
        declarations = self._declarations.get(name, {})
        candidates = [declarations[page]] if page in declarations else list(declarations.values())
        found = {
            parsed.spec.digest: (declaration, parsed)
            for declaration in candidates
            if (parsed := self.complete(declaration)) is not None and parsed.spec is not None
        }
        if not candidates or len(found) > 1:
            raise UnresolvedIdError(self._reason(name))
        return next(iter(found.values()), None)

    def complete(self, declaration: Declaration) -> ParsedBlock | None:
        """Return the block with its pending references resolved; None, and a problem, when that is impossible."""
        is_pending = bool(declaration.parsed.pending_references)
        if is_pending and declaration in self._path:
            cycle = [*self._path[self._path.index(declaration) :], declaration]
            names = " → ".join(quote(each.id or "").strip("'") for each in cycle)
            raise UnresolvedIdError(f"{BY_ID}{declaration.id} is drawn from itself: {names}")
        if declaration not in self._completed:
            self._completed[declaration] = self._complete(declaration) if is_pending else declaration.parsed
        return self._completed[declaration]

    def _complete(self, declaration: Declaration) -> ParsedBlock | None:
        parents: dict[str, ImageSpec] = {}
        pending = declaration.parsed.pending_references
        self._path.append(declaration)
        for reference in pending:
            try:
                parent = self._parent(reference.id, declaration.page)
            except UnresolvedIdError as error:
                self.problems.append(declaration.location(reference.line).problem(f"{reference.field}: {error}"))
                continue
            if parent is not None:
                parents[reference.id] = parent
        self._path.pop()
        return _with_parents(declaration.parsed, parents) if all(each.id in parents for each in pending) else None

    def _parent(self, name: str, page: str) -> ImageSpec | None:
        if len(self._path) > LONGEST_CHAIN:
            raise UnresolvedIdError(f"{BY_ID}{name} ends a chain of more than {LONGEST_CHAIN} pictures")
        found = self.find(name, page)
        return None if found is None else found[1].spec

    def _reason(self, name: str) -> str:
        """Why an id cannot be resolved."""
        shown = f"{BY_ID}{quote(name)[1:-1]}"
        declarations = self._declarations.get(name)
        if declarations:
            pages = " and ".join(sorted(declarations))
            return f"{shown} is declared for different pictures on {pages}; give them ids of their own"
        best = nearest(name, list(self._declarations)) if self._declarations else None
        expected = "of a block on any page, or of a specs file" if self._of_spec_files else "of a block on any page"
        advice = f"did you mean '{best}'?" if best else f"expected the id {expected}"
        return f"{shown} is not the id of a block; {advice}"


def _declared_twice(declaration: Declaration, other: Declaration) -> Problem:
    return declaration.location(-1).problem(
        f"id: '{declaration.id}' is declared at {other.location(-1)} as well; give one of them another id"
    )


def _with_parents(parsed: ParsedBlock, parents: Mapping[str, ImageSpec]) -> ParsedBlock:
    """Return a block whose pending references are replaced by pictures, by id; its twin follows."""
    assert parsed.spec is not None
    references = tuple(
        each if each.wanted is None else reference_to(parents[each.wanted]) for each in parsed.spec.references
    )
    light = dataclasses.replace(parsed.spec, references=references)
    dark = None if parsed.dark is None else dataclasses.replace(parsed.dark, references=(reference_to(light),))
    return dataclasses.replace(parsed, spec=light, dark=dark, pending_references=())
