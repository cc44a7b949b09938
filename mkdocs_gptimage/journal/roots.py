"""Roots of a store: each configuration that uses it says which pictures it needs on which branch, and when it said so.

A root is one small JSON file in the store's journal folder. Untrusted input: a file that is no root is reported.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import hashlib
import json
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import PART, atomic_write, read_regular_file, sweep_unfinished
from mkdocs_gptimage.git import BRANCHES, head_of
from mkdocs_gptimage.owned_folder import JOURNAL, folder_fault, make_subfolder, own_files
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.spec.digest import Digest, is_digest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


FOLDER = "roots"
DAY = 24 * 3600.0
_VERSION = 1
_MAX_BYTES = 8 * 1024 * 1024
"""A hundred thousand pictures. More is not written: a planted file takes 25 times its size in memory."""
_FILE = re.compile(r"[0-9a-f]{16}\.json")
"""The name of a root."""
_BRANCH = re.compile(rf"|[0-9a-f]{{40,64}}|{BRANCHES}[^\x00-\x20\x7f]{{1,1000}}")
"""What git has checked out, as far as it can be given back to git."""
_TIME = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Root:
    """What one configuration needs of a store, as it is on one branch of its repository."""

    configuration: Path
    """Its file, absolute."""
    branch: str
    """What was checked out, as `git.head_of`; empty without git, and in roots of earlier versions."""
    digests: frozenset[Digest]
    at: float
    """When it said so, in seconds since the epoch."""
    file: Path

    @property
    def branch_name(self) -> str:
        """What was checked out, for messages; empty as above."""
        if self.branch.startswith(BRANCHES):
            return f"the branch '{self.branch.removeprefix(BRANCHES)}'"
        return self.branch and f"the commit {self.branch[:12]}"

    @property
    def age(self) -> float:
        """Days since it was written; negative after a clock was set back."""
        return (time.time() - self.at) / DAY


@dataclass(frozen=True)
class Roots:
    """The roots of one store."""

    roots: tuple[Root, ...] = ()
    unreadable: tuple[Path, ...] = ()
    """Files that are no roots, or cannot be read."""


def leave_root(store: Path, configuration: Path, digests: Collection[Digest], *, is_whole: bool) -> None:
    """Write down in a store which of its pictures a configuration needs.

    Without `is_whole`, pages may be unread, and what the configuration needed before is kept. A store that is not there
    or cannot be written to is left alone, and so is a root of the same digests that is younger than a day.
    """
    if not store.is_dir():
        return
    name, branch = _name(store, configuration), head_of(configuration.parent)
    file = _file(store, name, branch)
    with contextlib.suppress(OSError, ConfigurationError):
        known = _read(file, store)
        needed = frozenset(digests) if is_whole or known is None else known.digests.union(digests)
        if (known is None and not needed) or (known and known.digests == needed and 0 <= known.age < 1):
            return
        record = {
            "v": _VERSION,
            "configuration": name,
            "branch": branch,
            "at": dt.datetime.now(dt.UTC).strftime(_TIME),
            "digests": sorted(needed),
        }
        sweep_unfinished(own_files(make_subfolder(file.parent.parent, FOLDER), PART))
        atomic_write(file, f"{json.dumps(record, indent=1)}\n".encode())


def read_roots(store: Path) -> Roots:
    """Return the roots of a store."""
    journal = store / JOURNAL
    files = [] if folder_fault(journal) else own_files(journal / FOLDER, _FILE)
    found = {file: _read(file, store) for file in files}
    roots = tuple(root for root in found.values() if root is not None)
    return Roots(roots, tuple(file for file, root in found.items() if root is None))


def drop_roots(roots: Iterable[Root]) -> None:
    """Delete roots; one that cannot be deleted is met again by the next command."""
    for root in roots:
        with contextlib.suppress(OSError):
            root.file.unlink()


def _name(store: Path, configuration: Path) -> str:
    """The name of a configuration in a root: relative to the folder of the store where it lies in there."""
    home = store.resolve().parent
    return (configuration.relative_to(home) if configuration.is_relative_to(home) else configuration).as_posix()


def _file(store: Path, name: str, branch: str) -> Path:
    key = f"{name}\n{branch}" if branch else name
    return store / JOURNAL / FOLDER / f"{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"


def _read(file: Path, store: Path) -> Root | None:
    """Read a root; None for a file that is missing or no root."""
    try:
        data = read_regular_file(file, _MAX_BYTES)
        return _root(json.loads(data), file, store) if len(data) <= _MAX_BYTES else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise_if_lacking(error, f"'{file}' cannot be read")
        return None


def _root(record: Any, file: Path, store: Path) -> Root:
    digests = frozenset(Digest(each) for each in record["digests"] if is_digest(each))
    moment = dt.datetime.strptime(record["at"], _TIME).replace(tzinfo=dt.UTC)
    name, branch = record["configuration"], record.get("branch", "")
    is_whole = record["v"] == _VERSION and len(digests) == len(record["digests"])
    if not is_whole or "\0" in name or not _BRANCH.fullmatch(branch):
        raise ValueError("not a root")
    return Root(store.resolve().parent / Path(name), branch, digests, moment.timestamp(), file)
