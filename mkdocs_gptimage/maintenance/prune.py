"""Finds and deletes unused pictures of the store and unused files of the cache."""

from __future__ import annotations

import contextlib
import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import PART, stat_regular_file
from mkdocs_gptimage.owned_folder import DOWNLOAD, PARTS, own_files
from mkdocs_gptimage.publish.link import CARD, PLACEHOLDERS
from mkdocs_gptimage.publish.manifest import MANIFEST, WEB, WEB_FILE, read_manifest
from mkdocs_gptimage.spec.digest import SHORT_LENGTH, Digest
from mkdocs_gptimage.store.entry import Damage, DamageKind, Entry
from mkdocs_gptimage.store.layout import entry_path, part_files, picture_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

    from mkdocs_gptimage.catalog.catalog import Catalog
    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.store.store import Store


_SETTLED_SECONDS = 3600
"""A younger picture or file may belong to a running build, or to a page that is being written."""


@dataclass(frozen=True)
class Pruning:
    """The pictures and files that can be deleted."""

    orphans: Sequence[Orphan]
    young: Sequence[Orphan]
    """Orphans stored less than an hour ago, perhaps for a page not saved yet; these stay."""
    files: Sequence[Path]
    """Of the cache."""
    later: Sequence[Orphan] = ()
    """Orphans stored since another configuration said what it needs; these stay."""
    unfinished: Sequence[Path] = ()
    """Of the store and the cache: what killed runs left half-written or half-deleted, older than an hour."""

    @property
    def stored_bytes(self) -> int:
        return sum(orphan.entry.image.bytes for orphan in self.orphans)


def find_prunable(  # noqa: PLR0913 - three of them are the site's
    orphans: Iterable[Orphan],
    kept: Collection[Digest],
    catalog: Catalog,
    store: Store,
    cache: Path,
    *,
    since: float = math.inf,
) -> Pruning:
    """Return what can be deleted.

    `kept` are the digests that drafts, other branches and other configurations need; what was stored after `since`, in
    seconds since the epoch, may be among them and is not known yet.
    """
    unneeded = [orphan for orphan in orphans if orphan.digest not in kept]
    ages = {orphan.digest: _age(orphan.entry.path.with_suffix(".json")) for orphan in unneeded}
    young = [orphan for orphan in unneeded if ages[orphan.digest] <= _SETTLED_SECONDS]
    settled = [orphan for orphan in unneeded if ages[orphan.digest] > _SETTLED_SECONDS]
    known = time.time() - since
    gone = [orphan for orphan in settled if ages[orphan.digest] >= known]
    later = [orphan for orphan in settled if ages[orphan.digest] < known]
    used = {*catalog.pictures, *kept}
    entries = [entry for digest in used if isinstance(entry := store.get(digest), Entry)]
    unfinished = [*_settled(part_files(store.root)), *_halves(store, used), *_unfinished(cache)]
    files = [path for path in (*_versions(entries, cache), *_cards(used, cache)) if path not in unfinished]
    return Pruning(gone, young, files, later, unfinished)


def apply_pruning(pruning: Pruning, store: Store) -> None:
    """Delete the orphans and the files; raise `ConfigurationError` if that fails."""
    for orphan in pruning.orphans:
        store.remove(orphan.digest)
    for path in (*pruning.files, *pruning.unfinished):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigurationError(f"'{path}' cannot be deleted: {error.strerror or error}") from error


def _versions(entries: Iterable[Entry], cache: Path) -> Iterator[Path]:
    """Manifests of unused pictures, and files that no manifest of a used picture lists."""
    named = set()
    for entry in entries:
        named.add(f"{entry.digest}.json")
        manifest = read_manifest(cache, entry)
        named.update(file.name for file in (manifest.files if manifest else {}).values())
    found = [*own_files(cache / WEB, MANIFEST), *own_files(cache / WEB, WEB_FILE)]
    yield from _settled(path for path in sorted(found) if path.name not in named)


def _cards(used: Iterable[Digest], cache: Path) -> Iterator[Path]:
    """Cards of unused pictures; their names end with the short digest."""
    short_digests = {digest.short for digest in used}
    cards = own_files(cache / PLACEHOLDERS, CARD)
    yield from _settled(path for path in cards if path.stem[-SHORT_LENGTH:] not in short_digests)


def _halves(store: Store, used: Collection[Digest]) -> Iterator[Path]:
    """Records of unused pictures that no image is left of: a run was killed as it deleted them.

    An image without a record may be anybody's: other programs keep files by their digests as well.
    """
    files: dict[Digest, list[Path]] = {}
    for path, digest in picture_files(store.root):
        files.setdefault(digest, []).append(path)
    for digest, paths in files.items():
        is_lone_record = digest not in used and paths == [entry_path(store.root, digest, "json")]
        damage = store.get(digest) if is_lone_record else None
        if isinstance(damage, Damage) and damage.kind is DamageKind.INCOMPLETE and _is_settled(paths[0]):
            yield paths[0]


def _unfinished(cache: Path) -> Iterator[Path]:
    folders = (cache, *(cache / name for name in (PARTS, WEB, PLACEHOLDERS, "serve")))
    yield from _settled(path for folder in folders for name in (PART, DOWNLOAD) for path in own_files(folder, name))


def _settled(paths: Iterable[Path]) -> Iterator[Path]:
    return filter(_is_settled, paths)


def _is_settled(path: Path) -> bool:
    return _age(path) > _SETTLED_SECONDS


def _age(path: Path) -> float:
    """Seconds since a file was written; 0 for one that cannot be looked up."""
    with contextlib.suppress(OSError):
        return time.time() - stat_regular_file(path).st_mtime
    return 0.0
