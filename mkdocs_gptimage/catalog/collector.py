"""What pages ask for, in their order: by blocks, and by the ids of pictures; resolved when all of them are read."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from mkdocs_gptimage.catalog.ids import Declaration, IdResolver, NoPictureError
from mkdocs_gptimage.catalog.mention import use_of_mention
from mkdocs_gptimage.spec.model import ParsedBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mkdocs_gptimage.catalog.catalog import Catalog, Use
    from mkdocs_gptimage.catalog.mention import Mention
    from mkdocs_gptimage.spec.digest import Digest


class UseCollector:
    """Fills the catalog; a use that waits for the meaning of an id gets there when ids are resolved."""

    def __init__(self, catalog: Catalog, outside: Mapping[str, Declaration]) -> None:
        """`outside` are the pictures of specs files, by their ids."""
        self.uses: list[Use] = []
        """By their keys, seen by a reader or not."""
        self._catalog = catalog
        self._outside = outside
        self._declared = self._early = IdResolver([], outside)
        self._asked: list[int | Mention] = []
        """Keys of uses, and mentions."""
        self._resolved = 0
        """How many of them were there when ids were resolved last."""
        self._by_mentions: dict[Mention, Use] = {}
        """What pages ask for by showing pictures of specs files."""

    def note(self, use: Use) -> int:
        """Return the key of a use that may turn out to be seen by readers."""
        self.uses.append(use)
        return len(self.uses) - 1

    def collect(self, keys: Sequence[int]) -> None:
        """Take the uses of a page that a reader sees."""
        self._asked += keys
        for key in keys:
            if not self.uses[key].reading.wants:
                self._catalog.add(self.uses[key])

    def mention(self, mention: Mention) -> None:
        self._asked.append(mention)

    def resolve(self) -> None:
        """Find what ids stand for, and complete what was waiting for that; what cannot be done becomes a problem.

        Of a site in several languages, the pages of each are resolved by themselves.
        """
        asked = self._asked[self._resolved :]
        self._resolved = len(self._asked)
        keys = dict.fromkeys(each for each in asked if isinstance(each, int))
        declarations = {key: _declaration(self.uses[key]) for key in keys if self.uses[key].reading.spec is not None}
        self._declared = IdResolver(declarations.values(), self._outside)
        waiting = [key for key, each in declarations.items() if each.reading.wants]
        for key in waiting:
            use = self.uses[key]
            reading = self._declared.complete(declarations[key]) or ParsedBlock(None, use.presentation)
            self.uses[key] = replace(use, reading=reading)
        of_mentions = list(self._resolve_mentions(each for each in asked if not isinstance(each, int)))
        told = dict.fromkeys([*self._catalog.problems, *self._declared.problems, *of_mentions])
        self._catalog.problems[:] = told
        if waiting or self._by_mentions:
            found = [self.uses[each] if isinstance(each, int) else self._by_mentions.get(each) for each in self._asked]
            self._catalog.replace(use for use in found if use is not None)

    def _resolve_mentions(self, mentions: Iterable[Mention]) -> Iterator[str]:
        """Note what pages ask for by showing pictures of specs files; yield what is wrong with mentions."""
        for mention in dict.fromkeys(mentions):
            try:
                found = self._declared.of(mention.id, mention.page)
            except NoPictureError as error:
                yield f"{mention.where}: {error}"
                continue
            if found is not None and found[0] is self._outside.get(mention.id):
                self._by_mentions[mention] = use_of_mention(mention, *found)

    @property
    def mentions(self) -> dict[Digest, list[Mention]]:
        """Where pages show a picture by its id, by digest; once ids are resolved."""
        found: dict[Digest, list[Mention]] = {}
        for mention in dict.fromkeys(each for each in self._asked if not isinstance(each, int)):
            reading = self.reading_of(mention.id, mention.page)
            if reading is not None and reading.spec is not None:
                found.setdefault(reading.spec.digest, []).append(mention)
        return found

    def reading_of(self, name: str, page: str) -> ParsedBlock | None:
        """What a page means by an id, once ids are resolved."""
        with contextlib.suppress(NoPictureError):
            found = self._declared.of(name, page)
            return found[1] if found is not None else None
        return None

    def completed(self, reading: ParsedBlock, page: str, *, is_late: bool) -> ParsedBlock:
        """A reading with what it wants, as far as that is known; `is_late` when ids have been resolved.

        Before that, it is what specs files draw from each other.
        """
        if not reading.wants:
            return reading
        declared = self._declared if is_late else self._early
        return declared.complete(Declaration(None, page, reading, str)) or reading


def _declaration(use: Use) -> Declaration:
    return Declaration(use.presentation.id, use.source.name, use.reading, use.where)
