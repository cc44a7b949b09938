"""The ids of a site and the pictures that they stand for; pictures that are drawn from those are completed here."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.spec.model import BY_ID, reference_to
from mkdocs_gptimage.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mkdocs_gptimage.spec.model import ImageSpec, ParsedBlock


LONGEST_CHAIN = 50
"""Pictures in a row of which each is drawn from the next."""


class NoPictureError(ValueError):
    """An id that stands for no picture, or for several; its text says why."""


@dataclass(frozen=True, eq=False)
class Declaration:
    """A picture of a valid block, or of a specs file."""

    id: str | None
    page: str
    """The name of the file that it stands in, as messages show it."""
    reading: ParsedBlock
    where: Callable[[int], str]
    """Line of the reading, or -1 for that of its beginning → `docs/a.md:7`."""


class IdResolver:
    """What ids stand for, when all pages are read; `problems` is a line for each picture that cannot be completed."""

    def __init__(self, of_pages: Iterable[Declaration], outside: Mapping[str, Declaration]) -> None:
        """`outside` are the pictures of specs files, by their ids; those that are not valid have been told."""
        self.problems: list[str] = []
        self._declarations: dict[str, dict[str, Declaration]] = {}
        self._completed: dict[Declaration, ParsedBlock | None] = {}
        self._path: list[Declaration] = []
        self._outside = outside
        for one in of_pages:
            if one.id is None:
                continue
            self._declarations.setdefault(one.id, {})[one.page] = one
            if one.id in outside:
                self.problems.append(_declared_twice(one, outside[one.id]))
        for name, one in outside.items():
            self._declarations.setdefault(name, {one.page: one})
        for one in outside.values():
            self.complete(one)

    def of(self, name: str, page: str) -> tuple[Declaration, ParsedBlock] | None:
        """Return what a page means by an id: its own, else the only one that there is.

        None stands for a picture that cannot be completed, which has been told. Raises `NoPictureError`.
        """
        declarations = self._declarations.get(name, {})
        candidates = [declarations[page]] if page in declarations else list(declarations.values())
        found = {
            reading.spec.digest: (one, reading)
            for one in candidates
            if (reading := self.complete(one)) is not None and reading.spec is not None
        }
        if not candidates or len(found) > 1:
            raise NoPictureError(self._why_not(name))
        return next(iter(found.values()), None)

    def complete(self, one: Declaration) -> ParsedBlock | None:
        """Return the reading with the pictures that it is drawn from; None, and a problem, when that cannot be done."""
        if one.reading.wants and one in self._path:
            circle = [*self._path[self._path.index(one) :], one]
            names = " → ".join(quote(each.id or "").strip("'") for each in circle)
            raise NoPictureError(f"{BY_ID}{one.id} is drawn from itself: {names}")
        if one not in self._completed:
            self._completed[one] = self._complete(one) if one.reading.wants else one.reading
        return self._completed[one]

    def _complete(self, one: Declaration) -> ParsedBlock | None:
        parents: dict[str, ImageSpec] = {}
        self._path.append(one)
        for want in one.reading.wants:
            try:
                found = self._parent(want.id, one.page)
            except NoPictureError as error:
                self.problems.append(f"{one.where(want.line)}: {want.field}: {error}")
                continue
            if found is not None:
                parents[want.id] = found
        self._path.pop()
        return _with_parents(one.reading, parents) if all(want.id in parents for want in one.reading.wants) else None

    def _parent(self, name: str, page: str) -> ImageSpec | None:
        if len(self._path) > LONGEST_CHAIN:
            raise NoPictureError(f"{BY_ID}{name} stands behind more than {LONGEST_CHAIN} pictures in a row")
        found = self.of(name, page)
        return None if found is None else found[1].spec

    def _why_not(self, name: str) -> str:
        shown = f"{BY_ID}{quote(name)[1:-1]}"
        declarations = self._declarations.get(name)
        if declarations:
            pages = " and ".join(sorted(declarations))
            return f"{shown} is declared for different pictures on {pages}; give them ids of their own"
        best = nearest(name, list(self._declarations)) if self._declarations else None
        where = "of a block on any page, or of a specs file" if self._outside else "of a block on any page"
        advice = f"did you mean '{best}'?" if best else f"expected the id {where}"
        return f"{shown} is not the id of a block; {advice}"


def _declared_twice(one: Declaration, other: Declaration) -> str:
    return f"{one.where(-1)}: id: '{one.id}' is declared at {other.where(-1)} as well; give one of them another id"


def _with_parents(reading: ParsedBlock, parents: Mapping[str, ImageSpec]) -> ParsedBlock:
    assert reading.spec is not None
    references = tuple(
        each if each.wanted is None else reference_to(parents[each.wanted]) for each in reading.spec.references
    )
    light = dataclasses.replace(reading.spec, references=references)
    dark = None if reading.dark is None else dataclasses.replace(reading.dark, references=(reference_to(light),))
    return dataclasses.replace(reading, spec=light, dark=dark, wants=())
