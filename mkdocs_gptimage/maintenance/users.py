"""Which other configurations use a store: their pictures are kept, and those that cannot be known are named."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mkdocs_gptimage.configurations import find_configurations
from mkdocs_gptimage.git import BRANCHES, has_branch, head_of
from mkdocs_gptimage.journal.roots import read_roots
from mkdocs_gptimage.spec.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from mkdocs_gptimage.configurations import FoundConfigurations
    from mkdocs_gptimage.journal.roots import Root
    from mkdocs_gptimage.settings import Settings


_ROOT_DAYS = 180
"""How long a configuration counts as known after it said what it needs, and a deleted branch keeps pictures."""
_GONE_DAYS = 30
"""How long a root keeps pictures of a configuration that is not there any more, which may be on a disk that is not
mounted, and those of a commit that was checked out without a branch."""


@dataclass(frozen=True)
class StoreUsers:
    """What the other users of a store need."""

    needed: frozenset[Digest]
    """The digests that their roots name."""
    branches: Mapping[Digest, str]
    """Those that only another branch needs, and its name for messages."""
    stale: tuple[Root, ...]
    """Roots that count no more, of configurations and branches that are not there."""
    since: float
    """When the first of them said so, in seconds since the epoch: they may need what was stored later."""
    doubt: str
    """Why pictures of another configuration may not be known, and what to do; empty when nothing suggests it."""


def find_users(settings: Settings, read: Collection[Path]) -> StoreUsers:
    """Find the users of a site's store beside the configurations in `read`, whose pages were read just now.

    A configuration is another user for each branch that it was built on: a picture that only another branch needs, and
    that was never committed, is nowhere else.
    """
    roots = read_roots(settings.store)
    heads = {root.configuration: head_of(_existing(root.configuration)) for root in roots.roots}

    def is_elsewhere(root: Root) -> bool:
        return root.branch != heads[root.configuration]

    others = [root for root in roots.roots if root.configuration not in read or is_elsewhere(root)]
    stale = tuple(root for root in others if root.age > _days_kept(root, is_elsewhere=is_elsewhere(root)))
    living = [root for root in others if root not in stale]
    here = frozenset[Digest]().union(*(root.digests for root in living if not is_elsewhere(root)))
    branches = {digest: root.branch_name for root in living if root.branch for digest in root.digests - here}
    fresh = {root.configuration for root in living if root.age <= _ROOT_DAYS}
    # Of other branches, what came later than the last build came by git, which has it.
    said = {root.configuration: root.at for root in sorted(living, key=lambda root: root.at)}
    since = min((at for path, at in said.items() if path not in read and path.exists()), default=math.inf)
    found = find_configurations(settings.project, settings.store.resolve(), [root.configuration for root in living])
    doubt = _silence(settings, found, {*read, *fresh}) or _unreadable(found, {*read, *fresh}, roots.unreadable)
    if not doubt and found.unsearched is not None and len(read) == 1:
        doubt = (
            f"the store lies outside the project, and '{found.unsearched}' is too large to be searched for other "
            "configurations that use it; give --also FILE for each"
        )
    needed = here.union(*(root.digests for root in living))
    return StoreUsers(needed, branches, stale, since, doubt)


def _days_kept(root: Root, *, is_elsewhere: bool) -> float:
    """How many days a root keeps pictures after it was written."""
    if is_elsewhere and root.branch.startswith(BRANCHES):
        is_there = has_branch(_existing(root.configuration), root.branch)
        if is_there is not None:
            return math.inf if is_there else _ROOT_DAYS
    return _GONE_DAYS if is_elsewhere or not root.configuration.exists() else math.inf


def _existing(configuration: Path) -> Path:
    """The folder of a configuration, or the next one above that is there."""
    return next(folder for folder in configuration.parents if folder.is_dir())


def _silence(settings: Settings, found: FoundConfigurations, known: Collection[Path]) -> str:
    """Name the configurations that use the store and have left no root in it for a long time."""
    store = settings.store.resolve()
    silent = [site.path for site in found.sites if site.store == store and site.path not in known]
    if not silent:
        return ""
    names = sorted(map(_shown, silent))
    use, have, it = ("uses", "has", "it") if len(names) == 1 else ("use", "have", "each of them")
    return (
        f"{', '.join(names)} {use} the same store and {have} not said in the last {_ROOT_DAYS} days which pictures to "
        f"keep; build {it} once, or give {' '.join(f'--also {name}' for name in names)}"
    )


def _unreadable(found: FoundConfigurations, known: Collection[Path], roots: Collection[Path]) -> str:
    """Name a file that may be a configuration or a root, and cannot be read."""
    for path, reason in found.unreadable.items():
        if path not in known:
            return f"{_shown(path)} may use the same store: {reason}; mend it first"
    for path in roots:
        return (
            f"{_shown(path)} should say which pictures another configuration needs, and cannot be read; "
            "delete it, and build all sites that use the store once"
        )
    return ""


def _shown(path: Path) -> str:
    """A path as `--also` takes it here."""
    try:
        return os.path.relpath(path)
    except ValueError:  # on another drive
        return os.fspath(path)
