"""Runs the user's git for questions about a repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from mkdocs_gptimage.resources import raise_if_lacking

BRANCHES = "refs/heads/"
"""What the whole name of a branch begins with."""
_MAY_READ = "safe.directory"
# A folder that comes with a clone may look like a repository without a work tree, and its settings name a program that
# git runs when it lists files.
_HARMLESS = ("-c", "core.fsmonitor=false", "-c", "safe.bareRepository=explicit")


class GitUnavailableError(ValueError):
    """Git cannot be started."""


def run_git(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run git, as found on the PATH, in a folder; raise `GitUnavailableError` when it cannot be started.

    Raises `ResourceError` when that is for a lack of memory, files or processes.
    """
    try:
        return subprocess.run(  # noqa: S603 - a list, and refs only behind --end-of-options
            ["git", *_HARMLESS, *arguments],  # noqa: S607 - the user's own git
            cwd=folder,
            env=_environment(),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise_if_lacking(error, "git cannot be started")
        raise GitUnavailableError(f"git cannot be started ({error.strerror or error})") from None


def _environment() -> dict[str, str]:
    """Variables for git: without keys, and without the repository and the index that a git hook passes on."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") and not name.endswith("_API_KEY")
    }


def repository_root(folder: Path) -> Path | None:
    """Return the top folder of the work tree around a folder; None outside of one, or without git."""
    try:
        found = run_git(folder, "rev-parse", "--show-toplevel")
    except GitUnavailableError:
        return None
    return Path(found.stdout.removesuffix("\n")).resolve() if found.returncode == 0 and found.stdout else None


def why_unreadable(folder: Path) -> str:
    """Return why git reads nothing of a repository that is there: it belongs to another user; empty when it does."""
    try:
        found = run_git(folder, "rev-parse", "--show-toplevel")
    except GitUnavailableError:
        return ""
    # The command that git proposes is in no language.
    is_refused = found.returncode != 0 and _MAY_READ in found.stderr
    return found.stderr.strip().partition("\n")[0].removeprefix("fatal: ") if is_refused else ""


def lock_of(root: Path) -> Path | None:
    """Return the lock of a work tree's index, which is there while a command such as `git switch` changes files."""
    found = run_git(root, "rev-parse", "--git-path", "index.lock")
    lock = root / found.stdout.removesuffix("\n")
    return lock if found.returncode == 0 and found.stdout and lock.exists() else None


def listed_files(root: Path, *patterns: str) -> list[Path]:
    """Return the files of a work tree that fit, those of submodules and new ones included, without ignored ones."""
    tracked = run_git(root, "ls-files", "-z", "--cached", "--recurse-submodules", "--", *patterns)
    new = run_git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *patterns)
    names = f"{tracked.stdout}\0{new.stdout}".split("\0")
    return [root / name for name in dict.fromkeys(names) if name]


def work_trees(root: Path) -> list[Path]:
    """Return the top folders of all work trees of a repository."""
    listed = run_git(root, "worktree", "list", "--porcelain", "-z").stdout.split("\0")
    return [Path(line.removeprefix("worktree ")) for line in listed if line.startswith("worktree ")]


def head_of(folder: Path) -> str:
    """Return what is checked out: a branch as `refs/heads/…`, or the commit of a detached HEAD; empty without git."""
    try:
        branch = run_git(folder, "symbolic-ref", "--quiet", "HEAD")
        is_detached = branch.returncode == 1
        found = run_git(folder, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") if is_detached else branch
    except GitUnavailableError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


def has_branch(folder: Path, branch: str) -> bool | None:
    """Whether the repository around a folder has a branch, given as `refs/heads/…`; None where that is not known."""
    try:
        found = run_git(folder, "show-ref", "--verify", "--quiet", "--", branch)
    except GitUnavailableError:
        return None
    return {0: True, 1: False}.get(found.returncode)
