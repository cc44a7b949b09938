"""Other stores of the same project: what is in flight or stored in one of them is not paid for again.

A picture comes to another store when the option `store` changes, when its block moves to a configuration with a store
of its own, or in another work tree of the repository.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
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
    from collections.abc import Callable, Collection, Iterable, Iterator

    from mkdocs_gptimage.configurations import FoundConfigurations
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest


_NOTE = "stores.json"
_MAX_NOTE_BYTES = 64 * 1024
_MOST_NOTED = 32
_LISTED_SECONDS = 1.0
"""So long a list of work trees counts as new: a run in one that was made since has not read its pages yet."""
_MOST_ABOVE = 3
"""Folders above the project that are looked into for a store of the same name."""
_PICTURES = re.compile(r"[0-9a-f]{2}")
"""The name of a folder in a store."""


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

    @property
    def is_pending(self) -> bool:
        """Whether that run is about to submit it, or waits for the answer."""
        return not self.submission.has_target and self.is_leased

    def forbids(self, known: Submission | None) -> bool:
        """Whether it keeps a run from submitting the picture, or from repeating a `known` submit of unknown outcome.

        The other store may know of that very submit as well.
        """
        is_same = known is not None and known.idempotency_key == self.submission.idempotency_key
        return self.submission.is_collectable or self.is_pending or not is_same


def find_other_stores(settings: Settings) -> list[OtherStore]:
    """Return the stores with a journal in the project and its repository, those of other configurations included.

    Stores elsewhere are known by the note that runs leave in the cache.
    """
    if settings.api.emulated:
        return []
    configurations = find_configurations(settings.project, settings.store.resolve())
    folders = _others([*_found_by_search(settings, configurations), *_found_quickly(settings)], settings)
    with_journal = filter(_has_journal, folders)
    return [OtherStore(folder, _is_former(folder, settings, configurations)) for folder in with_journal]


def watch_other_stores(settings: Settings) -> Callable[[Digest], FoundSubmission | Path | None]:
    """Return a function that tells what other stores have of a picture at the time it is called.

    That is a submission, or the folder of a store that has the picture. It raises `ConfigurationError` for a journal
    that cannot be read.
    """
    if settings.api.emulated:
        return lambda _: None
    searched = _found_by_search(settings, find_configurations(settings.project, settings.store.resolve()))
    of_work_trees = list(_in_other_work_trees(settings))
    listed_at = time.monotonic()

    def look(digest: Digest) -> FoundSubmission | Path | None:
        nonlocal of_work_trees, listed_at
        if time.monotonic() - listed_at > _LISTED_SECONDS:
            of_work_trees, listed_at = list(_in_other_work_trees(settings)), time.monotonic()
        found: list[FoundSubmission | Path] = []
        for folder in _others([*searched, *_noted(settings.cache), *of_work_trees], settings):
            # In this order: a run stores a picture before it forgets it.
            submission = read_submissions(folder / JOURNAL).get(digest) if _has_journal(folder) else None
            if submission is not None and submission.base_url != EMULATOR:
                found.append(FoundSubmission(submission, OtherStore(folder, is_former=False)))
            elif _has_picture(folder, digest):
                found.append(folder)
        return min(found, key=_rank, default=None)

    return look


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
    """Return the other store that has each of these pictures, for those that one has, with a journal or without."""
    if settings.api.emulated:
        return {}
    found: dict[Digest, Path] = {}
    searched = _found_by_search(settings, find_configurations(settings.project, settings.store.resolve()))
    for folder in _others([*searched, *_found_quickly(settings)], settings):
        found.update({each: folder for each in digests if each not in found and _has_picture(folder, each)})
    return found


def _has_picture(folder: Path, digest: Digest) -> bool:
    """Whether a store has a picture, damaged or not, that was paid for."""
    found = Store(folder).get(digest)
    return found.made.gateway != EMULATOR if isinstance(found, Entry) else found is not None


def _rank(found: FoundSubmission | Path) -> int:
    """What is best to go on with comes first."""
    if isinstance(found, Path):
        return 2
    return 0 if found.submission.is_collectable else 1 if found.is_pending else 3


def _others(folders: Iterable[Path], settings: Settings) -> list[Path]:
    """Those of the folders that are there, and not the site's own store."""
    known = dict.fromkeys(Path(os.path.realpath(folder)) for folder in folders)
    return [folder for folder in known if folder.is_dir() and not _is_same(folder, settings.store)]


def _found_by_search(settings: Settings, configurations: FoundConfigurations) -> list[Path]:
    """Folders that may be stores, now or later, as far as configurations and the folders of the repository tell."""
    top = repository_root(settings.project) or settings.project
    # A site that was moved into a subfolder has left its store behind.
    above = [folder / settings.store.name for folder in settings.project.parents[:_MOST_ABOVE]]
    return [*(site.store for site in configurations.sites), *_stores_below(top), *above]


def _stores_below(top: Path) -> Iterator[Path]:
    for folder, names in walk_folders(top):
        if JOURNAL in names or any(map(_PICTURES.fullmatch, names)):
            yield folder


def _found_quickly(settings: Settings) -> list[Path]:
    """Folders that may be stores, of which a run that has just begun may have added one."""
    return [*_noted(settings.cache), *_in_other_work_trees(settings)]


def _noted(cache: Path) -> list[Path]:
    """The stores in the cache's note; none if it cannot be read."""
    try:
        noted = json.loads(read_regular_file(cache / _NOTE, _MAX_NOTE_BYTES))
    except (OSError, ValueError, RecursionError):
        return []
    is_ours = isinstance(noted, list) and len(noted) <= _MOST_NOTED
    return [Path(each) for each in noted if isinstance(each, str) and "\0" not in each] if is_ours else []


def _in_other_work_trees(settings: Settings) -> Iterator[Path]:
    """The folders that are to other work trees of the repository what the store is to this one."""
    store, root = settings.store.resolve(), repository_root(settings.project)
    if root is None or not store.is_relative_to(root):
        return
    with contextlib.suppress(GitUnavailableError):
        for tree in work_trees(root):
            yield tree / store.relative_to(root)


def _has_journal(store: Path) -> bool:
    """Whether a folder is a store with a journal that this plugin made, or may be one that another user made."""
    try:
        stat_regular_file(store / JOURNAL / MARKER)
        stat_regular_file(store / JOURNAL / FOLDER / DATABASE)
    except PermissionError:
        return True
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
