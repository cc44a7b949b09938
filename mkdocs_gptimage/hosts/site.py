"""A site whose pages were read, whichever site generator read them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mkdocs_gptimage.catalog.catalog import Catalog, Picture
    from mkdocs_gptimage.catalog.mention import Mention
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.store.entry import Damage, Entry
    from mkdocs_gptimage.store.store import Store


@dataclass(frozen=True)
class Site:
    """A site whose pages were read: its settings, its store, and what its pages ask for."""

    settings: Settings
    store: Store
    look: Callable[[str], Entry | Damage | None]
    """Finds a picture in the store by its digest; each is looked up once."""
    catalog: Catalog
    mentions: Mapping[str, Sequence[Mention]]
    """Where pages show a picture by its id, by digest."""
    problems: Sequence[str]
    """The problems of all blocks, those of drafts included."""
    drafts: Mapping[str, Picture] = field(default_factory=dict)
    """Pictures that only drafts ask for, by digest: pages that a development server shows and a build leaves out."""
    warnings: Sequence[str] = ()
    """Warnings that MkDocs and other plugins logged meanwhile: a page may lack some of its text."""
    stored: frozenset[str] = frozenset()
    """The digests that the store had before the pages were read; what is stored later may be of a later page."""

    @property
    def needed(self) -> set[str]:
        """The digests of all pictures that a page or a draft asks for, parents included."""
        return {*self.catalog.pictures, *self.drafts}
