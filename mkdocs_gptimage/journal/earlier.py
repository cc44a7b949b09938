"""The journal that earlier versions kept in the cache folder: submissions move from it to the journal of their store.

A submission is written to its new place before it leaves the old one, so a kill between the two leaves it in both, and
the next run finds that out by its idempotency key.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal.journal import DATABASE, FOLDER, RESERVE, connect, read_submissions
from mkdocs_gptimage.journal.lease import held_leases, process_of, remove_leases
from mkdocs_gptimage.owned_folder import folder_fault

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.spec.digest import Digest


def require_no_earlier_run(cache: Path) -> None:
    """Raise `ConfigurationError` while an earlier version builds in this cache: it knows nothing of the new journal."""
    held = held_leases(cache)
    if held:
        raise ConfigurationError(
            f"an earlier version of the plugin is building here (process {process_of(held[0])}); wait until it has "
            "ended; nothing was submitted"
        )


def move_submissions(cache: Path, digests: Collection[Digest], journal: Journal) -> int:
    """Move the submissions of these pictures to a journal; return how many were moved.

    One whose picture has another submission there stays. Raises `ConfigurationError`.
    """
    with connect(cache) as earlier:
        return sum(_move(digest, earlier, journal) for digest in digests)


def _move(digest: Digest, earlier: Journal, journal: Journal) -> bool:
    with earlier.exclusively():
        submission = earlier.read(digest)
        if submission is None:
            return False
        is_new = journal.claim(submission)
        if is_new or _is_same(journal.read(digest), submission):
            earlier.forget(submission)
        return is_new


def _is_same(known: Submission | None, submission: Submission) -> bool:
    return known is not None and known.idempotency_key == submission.idempotency_key


def forget_submissions(cache: Path, submissions: Collection[Submission]) -> None:
    """Remove submissions whose pictures are stored; raise `ConfigurationError`."""
    with connect(cache) as earlier:
        for submission in submissions:
            earlier.forget(submission)


def remove_if_empty(cache: Path) -> None:
    """Delete an earlier journal that holds nothing more, where the cache is one that this plugin made."""
    with contextlib.suppress(OSError, ConfigurationError):
        if folder_fault(cache) or read_submissions(cache) or held_leases(cache):
            return
        for name in (RESERVE, *(f"{DATABASE}{ending}" for ending in ("-wal", "-shm", ""))):
            (cache / FOLDER / name).unlink(missing_ok=True)
        (cache / FOLDER).rmdir()
        remove_leases(cache)
