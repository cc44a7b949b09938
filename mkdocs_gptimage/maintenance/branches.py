"""What the pages of another git branch ask for: read in a worktree of its own, by a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mkdocs_gptimage.spec.digest import Digest


# Modules beside the site are not ours, as when `gptimage` is started by its name.
_LIST = "import sys; sys.path[:1] = []; from mkdocs_gptimage.cli import main; main()"


def asked_for(ref: str, config_file: Path, *, may_lack_it: bool = False) -> set[Digest]:
    """Return the digests of all pictures that the site and its drafts ask for in a branch, tag or commit.

    Parents are included. A branch that has no such file asks for nothing when it `may_lack_it`.

    Raises `ConfigurationError` when that cannot be known: nothing may be deleted then.
    """
    folder = config_file.resolve().parent
    try:
        root = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
        commit = _git(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
        with _worktree(root, commit) as tree:
            there = tree / config_file.resolve().relative_to(root.resolve())
            return set() if may_lack_it and not there.exists() else _asked_for(there)
    except FileNotFoundError:
        raise ConfigurationError(f"--since {ref}: there is no 'git' to read it with; nothing was deleted") from None
    except (OSError, ValueError) as error:
        reason = str(error) or "it is not a branch, a tag or a commit"
        raise ConfigurationError(f"--since {ref}: cannot be read: {reason}; nothing was deleted") from None


def _asked_for(config_file: Path) -> set[Digest]:
    if not config_file.is_file():
        raise ValueError(f"it has no {config_file.name} where this branch has it")
    command = [sys.executable, "-c", _LIST, "list", "--json", "-f", config_file.name]
    done = subprocess.run(  # noqa: S603 - this Python
        command, cwd=config_file.parent, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode and not done.stdout:
        raise ValueError(_last_line(done.stderr))
    told = json.loads(done.stdout)
    if told["problems"]:
        raise ValueError(told["problems"][0])
    if told["warnings"]:
        raise ValueError(f"its pages may lack some of their text: {told['warnings'][0]}")
    return {picture["digest"] for picture in told["pictures"] if picture["pages"]}


@contextmanager
def _worktree(root: Path, commit: str) -> Iterator[Path]:
    """A worktree in a temporary folder, gone when the context ends; no hook of the repository runs."""
    with tempfile.TemporaryDirectory(prefix="gptimage-") as folder:
        tree = Path(folder) / "tree"
        try:
            quiet = ("-c", f"core.hooksPath={os.devnull}")
            _git(root, *quiet, "worktree", "add", "--quiet", "--detach", "--force", str(tree), commit)
            yield tree
        finally:
            subprocess.run(  # noqa: S603 - as below
                ["git", "worktree", "remove", "--force", str(tree)],  # noqa: S607
                cwd=root,
                env=_environment(),
                capture_output=True,
                check=False,
            )


def _git(folder: Path, *arguments: str) -> str:
    """Run git, as found on the user's path; raise `ValueError` with what it says."""
    done = subprocess.run(  # noqa: S603 - a list, and refs only behind --end-of-options
        ["git", *arguments],  # noqa: S607
        cwd=folder,
        env=_environment(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise ValueError(_last_line(done.stderr))
    return done.stdout


def _environment() -> dict[str, str]:
    """Without what a git hook passes on, which would lead to its own repository and index."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}


def _last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
