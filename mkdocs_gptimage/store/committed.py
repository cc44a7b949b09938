"""Finds pictures that git has and the working tree lacks: to draw them again would be paid for twice."""

from __future__ import annotations

import itertools
import re
import time
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mkdocs_gptimage.git import lock_of, repository_root, run_git, why_unreadable
from mkdocs_gptimage.spec.digest import Digest
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_RECORD = re.compile(r"(?:.*/)?(?P<digest>[0-9a-f]{64})\.json")
_LINE = re.compile(r"(?P<mode>\d{6}) [0-9a-f]+ \d\t(?P<path>.*)", re.DOTALL)
_SUBMODULE = "160000"
_LOCK_SECONDS = 2.0
"""So long a git command may work that only looks; one that checks out files brings pictures."""
_LOOK_AGAIN = 0.1
_MOST_STASHES = 100


@dataclass(frozen=True)
class Committed:
    """Pictures that need not be drawn again."""

    digests: tuple[Digest, ...]
    """Those that git has; empty if it is unknown which."""
    reason: str
    """Where they are, after `3 pictures of the store`."""
    remedy: str
    """The command that brings them."""


def find_committed(missing: Collection[Digest], store: Path, project: Path) -> Committed | None:
    """Return which of the missing pictures git's index has, here or in another folder, or else a stash; None if none.

    Also None without git, and outside of a repository. Where git is at work, or may not read the repository, it is
    unknown which it has.
    """
    existing = next(folder for folder in (store, *store.parents) if folder.is_dir())
    try:
        # A store in a submodule is of another repository than the project.
        homes = {folder: repository_root(folder) for folder in (existing, project)}
        roots = dict.fromkeys(filter(None, homes.values()))
        refused = (_refused(folder) for folder, root in homes.items() if root is None)
        unknown = [*refused, *map(_at_work, roots)]
        if any(unknown):
            return next(filter(None, unknown))
        found = (_find(missing, store.resolve(), root, project) for root in roots)
        stashed = (_stashed(missing, root) for root in roots)
        return next(filter(None, itertools.chain(found, stashed)), None)
    except ValueError:
        return None


def _refused(folder: Path) -> Committed | None:
    """What is known of a repository that git does not read because of its owner."""
    why = why_unreadable(folder)
    if not why:
        return None
    remedy = f"Have git read it, with 'git config --global --add safe.directory {folder}' for example"
    return Committed((), f"lies in a repository that may have the pictures, and that git does not read ({why})", remedy)


def _at_work(root: Path) -> Committed | None:
    """What is known of a work tree whose files git is changing, once it does so for longer than a look takes."""
    until = time.monotonic() + _LOCK_SECONDS
    while (lock := lock_of(root)) is not None:
        if time.monotonic() > until:
            remedy = f"Build again when it has ended; if none runs, delete '{lock}'"
            return Committed((), "may lack pictures that a git command is just bringing", remedy)
        time.sleep(_LOOK_AGAIN)
    return None


def _find(missing: Collection[Digest], folder: Path, root: Path, project: Path) -> Committed | None:
    index = dict(_index(root))
    submodule = next((path for path in _submodules(index, root) if folder.is_relative_to(root / path)), None)
    if submodule is not None:
        return Committed(
            (),
            f"lies in the submodule {quote(submodule)}, which is not checked out",
            f"Bring it with 'git submodule update --init {submodule}'",
        )
    wanted = set(missing)
    found = {digest: path for path in index if (digest := _digest(path)) in wanted}
    if not found:
        return None
    here = {digest: path for digest, path in found.items() if (root / path).resolve().is_relative_to(folder)}
    return _restorable(here, root, folder, project) if here else _elsewhere(found, root)


def _stashed(missing: Collection[Digest], root: Path) -> Committed | None:
    """What the first stash has that put away any of the pictures, tracked by then or not."""
    commits = run_git(root, "rev-list", "--walk-reflogs", f"--max-count={_MOST_STASHES}", "refs/stash").stdout.split()
    for number, commit in enumerate(commits):
        added = ("diff-tree", "-r", "-z", "--name-only", "--no-renames", "--diff-filter=A")
        tracked = run_git(root, *added, f"{commit}^1", commit).stdout
        untracked = run_git(root, "ls-tree", "-r", "-z", "--name-only", f"{commit}^3").stdout  # empty without any
        found = {_digest(path) for path in f"{tracked}\0{untracked}".split("\0")}
        digests = tuple(digest for digest in missing if digest in found)
        if digests:
            name = f"stash@{{{number}}}"
            remedy = f"Bring them with 'git stash apply {name}'; if you do not want them, 'git stash drop {name}'"
            return Committed(digests, f"are in git's {name}", remedy)
    return None


def ignored_by(store: Path, project: Path) -> str:
    """Return the rule by which git ignores the pictures of a store, `.gitignore:3:gptimage/`; empty if it does not."""
    name = f"{'0' * 64}.png"
    try:
        found = run_git(project, "check-ignore", "-v", "--no-index", "--", str(store / name[:2] / name))
    except ValueError:
        return ""
    return found.stdout.partition("\t")[0] if found.returncode == 0 else ""


def _index(root: Path) -> Iterator[tuple[str, str]]:
    """Path in the repository → mode."""
    for line in run_git(root, "ls-files", "--stage", "-z").stdout.split("\0"):
        entry = _LINE.fullmatch(line)
        if entry and (entry["mode"] == _SUBMODULE or entry["path"].endswith(".json")):
            yield entry["path"], entry["mode"]


def _submodules(index: Mapping[str, str], root: Path) -> Iterator[str]:
    """The submodules that are not checked out."""
    for path, mode in index.items():
        if mode == _SUBMODULE and not (root / path / ".git").exists():
            yield path


def _digest(path: str) -> Digest | None:
    record = _RECORD.fullmatch(path)
    return Digest(record["digest"]) if record else None


def _restorable(here: Mapping[Digest, str], root: Path, folder: Path, project: Path) -> Committed:
    sparse = run_git(root, "config", "--get", "core.sparseCheckout").stdout.strip() == "true"
    inside = folder.relative_to(root).as_posix()
    shown = (
        folder.relative_to(project.resolve()).as_posix() if folder.is_relative_to(project.resolve()) else str(folder)
    )
    command = f"git sparse-checkout add {inside}" if sparse else f"git restore -- {shown}"
    remedy = f"Bring them with '{command}'; to have them drawn anew, use 'gptimage regenerate'"
    return Committed(tuple(here), "are in git's index and not in the working tree", remedy)


def _elsewhere(found: Mapping[Digest, str], root: Path) -> Committed:
    path = next(iter(found.values()))
    # The store is the folder above the two letters.
    other = PurePosixPath(path).parent.parent.as_posix()
    remedy = "Set the option 'store' to that folder, or copy its files"
    if not (root / path).exists():
        remedy += f", after 'git -C {root} restore -- {other}'"
    return Committed(tuple(found), f"are in the folder {quote(str(root / other))} of this repository", remedy)
