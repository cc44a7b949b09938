"""The git commands that mend a record with conflict markers: two branches drew pictures for the same request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import read_regular_file
from mkdocs_gptimage.git import GitUnavailableError, run_git
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.store.layout import is_in_place, picture_files
from mkdocs_gptimage.store.record import MAX_RECORD_BYTES, has_conflict

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def commands_for(record: Path) -> str:
    """Return what to do about the conflict markers of a record, as a sentence."""
    store, names = record.parent.parent, f'"{record.parent.name}/{record.stem}.*"'
    git = f'git -C "{store}"'
    if _is_unmerged(record):
        return (
            f"Keep one of the two pictures, with its record: '{git} checkout --ours -- {names}' (or --theirs), then "
            f"'{git} add -- {names}'"
        )
    return (
        f"The markers were committed. Take both files from a commit before, which '{git} log --oneline -- {names}' "
        f"lists: '{git} checkout COMMIT -- {names}'"
    )


def conflicting_records(root: Path) -> Iterator[Path]:
    """Yield the records of a store that have conflict markers."""
    for path, digest in picture_files(root):
        if path.suffix == ".json" and is_in_place(path, digest, root):
            try:
                if has_conflict(read_regular_file(path, MAX_RECORD_BYTES)):
                    yield path
            except OSError as error:  # reported as damage
                raise_if_lacking(error, f"the record '{path}' cannot be read")


def _is_unmerged(record: Path) -> bool:
    """Whether git waits for a decision about a file; also where it cannot be asked."""
    try:
        found = run_git(record.parent, "ls-files", "--unmerged", "--", record.name)
    except GitUnavailableError:
        return True
    return found.returncode != 0 or bool(found.stdout)
