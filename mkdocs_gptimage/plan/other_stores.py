"""Other stores of the same project: what is in flight or stored in one of them is not paid for again.

A picture comes to another store when the option `store` changes, when its block moves to a configuration with a store
of its own, or in another work tree of the repository.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.configurations import find_configurations, walk_folders
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import atomic_write, read_regular_file, stat_regular_file
from mkdocs_gptimage.git import GitUnavailableError, repository_root, work_trees
from mkdocs_gptimage.journal.journal import DATABASE, FOLDER, read_submissions
from mkdocs_gptimage.journal.lease import is_held
from mkdocs_gptimage.journal.roots import read_roots
from mkdocs_gptimage.owned_folder import JOURNAL, MARKER, PARTS, make_subfolder
from mkdocs_gptimage.settings import EMULATOR
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from mkdocs_gptimage.configurations import FoundConfigurations
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


_NOTE = "stores.json"
_MAX_NOTE_BYTES = 64 * 1024
_MOST_NOTED = 32


@dataclass(frozen=True)
class OtherStore:
    """A store that this site does not use now, and whose journal may hold pictures of this site."""

    folder: Path
    is_former: bool
    """Whether only this site has used it: all that is in flight there is this site's."""

    @property
    def journal(self) -> Path:
        return self.folder / JOURNAL


@dataclass(frozen=True)
class FoundSubmission:
    """A submission in the journal of another store."""

    submission: Submission
    store: OtherStore

    @property
    def is_leased(self) -> bool:
        """Whether a run that is alive works on it."""
        return is_held(self.store.journal, self.submission.run)


def find_other_stores(settings: Settings) -> list[OtherStore]:
    """Return the stores with a journal in the project and its repository, those of other configurations included.

    Stores elsewhere are known by the note that runs leave in the cache.
    """
    if settings.api.emulated:
        return []
    configurations = find_configurations(settings.project, settings.store.resolve())
    folders = {
        os.path.realpath(folder): None
        for folder in (
            *_noted(settings.cache),
            *(site.store for site in configurations.sites),
            *_stores_below(repository_root(settings.project) or settings.project),
            *_in_other_work_trees(settings),
        )
    }
    others = [folder for folder in map(Path, folders) if _has_journal(folder) and not _is_same(folder, settings.store)]
    return [OtherStore(folder, _is_former(folder, settings, configurations)) for folder in others]


def note_store(settings: Settings) -> None:
    """Write into the cache that the site uses its store, so that a later one finds what is in flight there."""
    known = _noted(settings.cache)
    store = settings.store.resolve()
    if settings.api.emulated or store in known:
        return
    text = json.dumps([os.fspath(folder) for folder in [*known, store][-_MOST_NOTED:]], indent=1)
    with contextlib.suppress(OSError, ConfigurationError):
        parts = make_subfolder(settings.cache, PARTS)
        atomic_write(settings.cache / _NOTE, f"{text}\n".encode(), staging=parts)


def read_other_stores(settings: Settings, asks_for: Callable[[Submission], bool]) -> dict[Digest, FoundSubmission]:
    """Return what other stores have in flight for a site, by digest: what it asks for, and all of its former stores.

    Raises `ConfigurationError` for a journal that cannot be read.
    """
    found: dict[Digest, FoundSubmission] = {}
    for store in find_other_stores(settings):
        for digest, submission in read_submissions(store.journal).items():
            each = FoundSubmission(submission, store)
            is_ours = store.is_former or asks_for(submission)
            # The built-in emulator forgets its tasks when a build ends, and nothing was paid for them.
            if is_ours and submission.base_url != EMULATOR and (digest not in found or submission.is_collectable):
                found[digest] = each
    return found


def stored_elsewhere(digests: Collection[Digest], settings: Settings) -> dict[Digest, Path]:
    """Return the other store that has each of these pictures, for those that one has."""
    found: dict[Digest, Path] = {}
    for other in find_other_stores(settings):
        store = Store(other.folder)
        for digest in digests:
            entry = store.get(digest)
            if isinstance(entry, Entry) and entry.made.gateway != EMULATOR:
                found.setdefault(digest, other.folder)
    return found


def _noted(cache: Path) -> list[Path]:
    """The stores in the cache's note; none if it cannot be read."""
    try:
        noted = json.loads(read_regular_file(cache / _NOTE, _MAX_NOTE_BYTES))
    except (OSError, ValueError, RecursionError):
        return []
    is_ours = isinstance(noted, list) and len(noted) <= _MOST_NOTED
    return [Path(each) for each in noted if isinstance(each, str) and "\0" not in each] if is_ours else []


def _stores_below(top: Path) -> Iterator[Path]:
    for folder, names in walk_folders(top):
        if JOURNAL in names:
            yield folder


def _in_other_work_trees(settings: Settings) -> Iterator[Path]:
    """The folders that are to other work trees of the repository what the store is to this one."""
    store, root = settings.store.resolve(), repository_root(settings.project)
    if root is None or not store.is_relative_to(root):
        return
    with contextlib.suppress(GitUnavailableError):
        for tree in work_trees(root):
            yield tree / store.relative_to(root)


def _has_journal(store: Path) -> bool:
    """Whether a folder is a store with a journal that this plugin made."""
    try:
        stat_regular_file(store / JOURNAL / MARKER)
        stat_regular_file(store / JOURNAL / FOLDER / DATABASE)
    except (OSError, ValueError):
        return False
    return True


def _is_same(folder: Path, store: Path) -> bool:
    try:
        return folder.samefile(store)
    except OSError:  # the store is not there yet
        return folder == store.resolve()


def _is_former(folder: Path, settings: Settings, found: FoundConfigurations) -> bool:
    users = {root.configuration for root in read_roots(folder).roots}
    return users == {settings.origin} and not found.unreadable and all(site.store != folder for site in found.sites)
