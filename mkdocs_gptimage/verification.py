"""Every byte of many stored pictures, on all cores: hashing lets other threads run."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from .store import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .store import Damage, Store


def verify(store: Store, digests: Iterable[str]) -> dict[str, Entry | Damage | None]:
    """Return what the store has for each digest, its bytes compared with its record."""
    # Folders are listed here, in one thread: what is known of them is kept in the store's object.
    found = {digest: store.look(digest) for digest in digests}
    whole = [entry for entry in found.values() if isinstance(entry, Entry)]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for entry, compared in zip(whole, pool.map(store.compare, whole), strict=True):
            found[entry.digest] = compared
    return found
