"""A site whose pages were read, independent of the site generator."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mkdocs_gptimage.catalog.catalog import Catalog, Picture
    from mkdocs_gptimage.catalog.mention import Mention
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.snapshot import StoreSnapshot
    from mkdocs_gptimage.store.store import Store
    from mkdocs_gptimage.text import Problem


@dataclass(frozen=True)
class Site:
    """A site whose pages were read: its settings, its store, and what its pages ask for."""

    settings: Settings
    store: Store
    snapshot: StoreSnapshot
    catalog: Catalog
    mentions: Mapping[Digest, Sequence[Mention]]
    """Where pages show a picture by its id, by digest."""
    problems: Sequence[Problem]
    """The problems of all blocks, those of drafts included."""
    drafts: Mapping[Digest, Picture] = field(default_factory=dict)
    """Pictures that only drafts ask for, by digest: pages that a development server shows and a build leaves out."""
    warnings: Sequence[str] = ()
    """Warnings that MkDocs and other plugins logged meanwhile: a page may lack some of its text."""
    stored: frozenset[Digest] = frozenset()
    """The digests that the store had before the pages were read; what is stored later may be of a later page."""

    @property
    def needed(self) -> set[Digest]:
        """The digests of all pictures that a page or a draft asks for, parents included."""
        return {*self.catalog.pictures, *self.drafts}
