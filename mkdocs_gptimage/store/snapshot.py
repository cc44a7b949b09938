"""The store as one build sees it: each picture is read once and remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.store.entry import Damage, Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.store import Store


class StoreSnapshot:
    """A cache of `Store.get` by digest."""

    def __init__(self, store: Store, found: Mapping[Digest, Entry | Damage | None] | None = None) -> None:
        """`found` are initial results, for example of verified bytes."""
        self._store = store
        self._found = dict(found or {})

    def get(self, digest: Digest) -> Entry | Damage | None:
        """Return the stored picture, its damage, or None if it is not stored."""
        if digest not in self._found:
            self._found[digest] = self._store.get(digest)
        return self._found[digest]

    def entry(self, digest: Digest) -> Entry | None:
        """Return the stored picture; None if it is missing or damaged."""
        found = self.get(digest)
        return found if isinstance(found, Entry) else None

    def forget(self) -> None:
        """Clear the cache, after pictures were stored."""
        self._found.clear()
