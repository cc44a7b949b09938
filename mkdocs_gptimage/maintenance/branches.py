"""Lists the pictures that another git branch stores, by the names in its tree; checks nothing out and runs nothing."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.git import BRANCHES, GitUnavailableError, head_of, run_git
from mkdocs_gptimage.spec.digest import Digest

_PICTURE = re.compile(r"(?!\.journal/)(?:.*/)?(?P<digest>[0-9a-f]{64})\.(?:png|jpe?g|webp|json)", re.IGNORECASE)


def stored_at(ref: str, store: Path, project: Path) -> set[Digest]:
    """Return the digests of the pictures that a branch, tag or commit of the project's repository has in its store.

    Raises `ConfigurationError` if they cannot be determined, or there are none: nothing may be deleted then.
    """
    try:
        return _stored_at(ref, store.resolve(), project)
    except ValueError as error:
        raise ConfigurationError(f"--since {ref}: {error}; nothing was deleted") from None


def stored_on_other_branches(store: Path, project: Path) -> set[Digest]:
    """Return the digests of the pictures that any branch but the current one has committed; none without git."""
    try:
        refs = run_git(project, "for-each-ref", "--format=%(refname)", "refs/heads", "refs/remotes")
    except GitUnavailableError:
        return set()
    listed = refs.stdout.splitlines()
    current = head_of(project).removeprefix(BRANCHES)
    others = [ref for ref in listed if ref.split("/", 2)[2] != current and ref.split("/", 3)[3:] != [current]]
    found: set[Digest] = set()
    for ref in others:
        with contextlib.suppress(ValueError):  # stores none
            found |= _stored_at(ref, store.resolve(), project)
    return found


def _stored_at(ref: str, store: Path, project: Path) -> set[Digest]:
    inside = run_git(project, "rev-parse", "--show-toplevel")
    if inside.returncode:
        raise ValueError(f"git finds no repository at '{project}' ({inside.stderr.strip().partition(chr(10))[0]})")
    root = Path(inside.stdout.removesuffix("\n")).resolve()
    if not store.is_relative_to(root):
        raise ValueError(f"the store '{store}' lies outside the git repository '{root}'")
    commit = run_git(root, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").stdout.strip()
    if not commit:
        raise ValueError("not a branch, tag or commit of this repository; fetch it first if this clone is shallow")
    folder = store.relative_to(root).as_posix()
    # From the root of the repository, a folder that a commit lacks lists nothing.
    names = run_git(root, "ls-tree", "-r", "-z", "--name-only", f"{commit}:{'' if folder == '.' else folder}").stdout
    digests = {Digest(picture["digest"].lower()) for picture in map(_PICTURE.fullmatch, names.split("\0")) if picture}
    if not digests:
        raise ValueError(f"no pictures are stored there in '{folder}'; if that is right, leave out --since {ref}")
    return digests
