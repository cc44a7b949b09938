"""Collects image uses page by page; resolves `gpt-image:ID` once all pages are read."""

from __future__ import annotations

import contextlib
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from mkdocs_gptimage.catalog.catalog import Catalog, Use
from mkdocs_gptimage.catalog.ids import Declaration, IdResolver, UnresolvedIdError
from mkdocs_gptimage.catalog.location import Location, without_white_space
from mkdocs_gptimage.catalog.mention import Mention, use_of_mention
from mkdocs_gptimage.spec.model import BY_ID, ParsedBlock

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mkdocs_gptimage.blocks.fence import Block
    from mkdocs_gptimage.catalog.location import Source
    from mkdocs_gptimage.catalog.spec_files import SpecFiles
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.text import Problem


class UseCollector:
    """Fills a catalog with the uses that readers see; those with pending references enter it in `resolve`."""

    def __init__(self, spec_files: SpecFiles) -> None:
        self.catalog = Catalog(problems=list(spec_files.problems))
        self.spec_files = spec_files
        self.uses: list[Use] = []
        """By key, visible or not."""
        self._resolver = self._spec_file_resolver = IdResolver([], spec_files.specs)
        self._collected: list[int | Mention] = []
        """Keys of visible uses, and mentions, in the order of the pages."""
        self._resolved_count = 0
        """The number of them that the last `resolve` covered."""
        self._uses_by_mention: dict[Mention, Use] = {}
        """The uses of pictures of spec files."""
        self._ordinals: Counter[tuple[Source, str]] = Counter()
        self._first_keys: set[int] = set()
        """Keys of the first visible use of each page."""

    def add(self, source: Source, block: Block, parsed: ParsedBlock, *, is_late: bool) -> int:
        """Register a block of a page and return its key, for `collect`.

        Late blocks, such as those of a blog's excerpts, come after `resolve` and may refer to any id; the references of
        others are resolved at once only if all of them are in spec files.
        """
        text = without_white_space(block.body)
        ordinal = self._ordinals[source, text]
        self._ordinals[source, text] += 1
        resolver = self._resolver if is_late else self._spec_file_resolver
        self.uses.append(Use(source, block, ordinal, _completed(parsed, source.name, resolver)))
        return len(self.uses) - 1

    def collect(self, keys: Sequence[int]) -> list[Use]:
        """Add the visible uses of a page to the catalog, in their order; return them."""
        self._collected += keys
        self._first_keys.update(keys[:1])
        uses = [self.uses[key] for key in keys]
        for use in uses:
            if not use.parsed.pending_references:
                self.catalog.add(use)
        return uses

    def is_first_of_page(self, key: int) -> bool:
        """Whether no visible use of the same page comes before this one."""
        return key in self._first_keys

    def mention(self, name: str, source: Source) -> Mention:
        """Note that a page shows a picture by its id."""
        mention = Mention(source.name, name, source)
        self._collected.append(mention)
        return mention

    def resolve(self) -> None:
        """Resolve the ids of all pages since the last call, and add what depended on them to the catalog.

        Sites in several languages call it once per language: an id means the picture of the same language.
        """
        collected = self._collected[self._resolved_count :]
        self._resolved_count = len(self._collected)
        keys = dict.fromkeys(each for each in collected if isinstance(each, int))
        has_pending = self._complete_uses([key for key in keys if self.uses[key].parsed.spec is not None])
        of_mentions = list(self._resolve_mentions(each for each in collected if isinstance(each, Mention)))
        self.catalog.problems[:] = dict.fromkeys([*self.catalog.problems, *self._resolver.problems, *of_mentions])
        if has_pending or self._uses_by_mention:
            uses = [
                self.uses[each] if isinstance(each, int) else self._uses_by_mention.get(each)
                for each in self._collected
            ]
            self.catalog.replace(use for use in uses if use is not None)

    def _complete_uses(self, keys: Sequence[int]) -> bool:
        """Replace uses by completed ones; return whether any had pending references."""
        declarations = {key: _declaration(self.uses[key]) for key in keys}
        self._resolver = IdResolver(declarations.values(), self.spec_files.specs)
        pending = {key: each for key, each in declarations.items() if each.parsed.pending_references}
        for key, declaration in pending.items():
            parsed = self._resolver.complete(declaration) or ParsedBlock(None, declaration.parsed.presentation)
            self.uses[key] = replace(self.uses[key], parsed=parsed)
        return bool(pending)

    def _resolve_mentions(self, mentions: Iterable[Mention]) -> Iterator[Problem]:
        """Note the uses of spec files' pictures; yield a problem for each id that cannot be resolved."""
        for mention in dict.fromkeys(mentions):
            try:
                found = self._resolver.find(mention.id, mention.page)
            except UnresolvedIdError as error:
                yield mention.location.problem(str(error))
                continue
            if found is not None and found[0] is self.spec_files.specs.get(mention.id):
                self._uses_by_mention[mention] = use_of_mention(mention, *found)

    @property
    def mentions(self) -> dict[Digest, list[Mention]]:
        """The mentions of each picture, by digest; complete after `resolve`."""
        by_digest: dict[Digest, list[Mention]] = {}
        for mention in dict.fromkeys(each for each in self._collected if isinstance(each, Mention)):
            spec = self.spec_of(mention.id, mention.page)
            if spec is not None:
                by_digest.setdefault(spec.digest, []).append(mention)
        return by_digest

    def find(self, name: str, page: str) -> ParsedBlock | None:
        """Return the block that an id means on a page, after `resolve`; None where it means none or several."""
        with contextlib.suppress(UnresolvedIdError):
            found = self._resolver.find(name, page)
            return found[1] if found is not None else None
        return None

    def why_unresolved(self, name: str, page: str) -> str:
        """Return why an id means no picture on a page, after `resolve`."""
        try:
            self._resolver.find(name, page)
        except UnresolvedIdError as error:
            return str(error)
        return f"{BY_ID}{name} is the id of a block with problems"

    def spec_of(self, name: str, page: str) -> ImageSpec | None:
        """Return the picture that an id means on a page, as `find` does."""
        parsed = self.find(name, page)
        return None if parsed is None else parsed.spec


def _completed(parsed: ParsedBlock, page: str, resolver: IdResolver) -> ParsedBlock:
    """Resolve the pending references of a block if the resolver has all of them."""
    if not parsed.pending_references:
        return parsed
    return resolver.complete(Declaration(None, page, parsed, lambda _: Location(page))) or parsed


def _declaration(use: Use) -> Declaration:
    return Declaration(use.presentation.id, use.source.name, use.parsed, use.location)
