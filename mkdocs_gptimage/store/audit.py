"""Reviews a whole store: compares all bytes with their records, and finds files that belong to no picture."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mkdocs_gptimage.spec.digest import Digest
from mkdocs_gptimage.store.conflict import commands_for, conflicting_records
from mkdocs_gptimage.store.entry import Damage, Entry, Leftover
from mkdocs_gptimage.store.layout import is_in_place, misplaced_reason, part_files, picture_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from mkdocs_gptimage.store.store import Store


_READERS = 8
"""Pictures in memory at a time."""
_EQUAL = "has the conflict markers of a merge; both sides are the same picture, so it is used"
_UNFINISHED = "is being written, or was left by a run that was killed; delete it when no build runs"


def verify_all(store: Store, digests: Iterable[Digest]) -> dict[Digest, Entry | Damage | None]:
    """Return the picture, its damage or None for each digest, the bytes compared with the record."""
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - slow to import, and no build verifies

    # Lookups share cached folder listings, so they stay in one thread.
    found = {digest: store.get(digest) for digest in digests}
    entries = [entry for entry in found.values() if isinstance(entry, Entry)]
    with ThreadPoolExecutor(min(_READERS, os.cpu_count() or 1)) as pool:
        for entry, compared in zip(entries, pool.map(store.compare, entries), strict=True):
            found[entry.digest] = compared
    return found


def find_leftovers(store: Store, used: Collection[Digest]) -> list[Leftover]:
    """Return the files that belong to no picture; damage of `used` digests is reported elsewhere and left out."""
    found = [Leftover(part, _UNFINISHED) for part in part_files(store.root)]
    conflicts = (record for record in conflicting_records(store.root) if store.entry(Digest(record.stem)) is not None)
    found.extend(Leftover(record, f"{_EQUAL}. {commands_for(record)}") for record in conflicts)
    reported = {digest for digest in used if store.entry(digest) is None}
    for path, digest in picture_files(store.root):
        if digest in reported:
            continue
        if not is_in_place(path, digest, store.root):
            found.append(Leftover(path, misplaced_reason(path, digest, store.root)))
        elif digest not in used and isinstance(damage := store.get(digest), Damage):
            reported.add(digest)
            found.append(Leftover(path, f"{damage.reason}; no page asks for it: restore or delete its files"))
    return found
