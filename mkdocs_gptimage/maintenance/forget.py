"""Gives up submissions: deletes them from the journal, so that their pictures count as missing again."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mkdocs_gptimage.catalog.selection import complete_digest
from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.journal.lease import is_held, process_of
from mkdocs_gptimage.text import quote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from mkdocs_gptimage.catalog.catalog import Catalog
    from mkdocs_gptimage.journal.journal import Journal
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.spec.digest import Digest


def select_submissions(
    names: Iterable[str], submissions: Mapping[Digest, Submission], catalog: Catalog
) -> list[Submission]:
    """Return the submissions that ids, beginnings of digests, and hosts or addresses of services name.

    Raises `ConfigurationError` with a line for each name that means none, or several digests.
    """
    chosen: dict[Digest, Submission] = {}
    problems = []
    for name in names:
        found = [submission for submission in submissions.values() if _is_named(name, submission, submissions, catalog)]
        if not found:
            problems.append(f"{quote(name)}: {_expected(submissions)}")
        chosen.update((submission.digest, submission) for submission in found)
    if problems:
        raise ConfigurationError("\n".join(problems))
    return list(chosen.values())


def forget(submissions: Iterable[Submission], journal: Journal, home: Path) -> None:
    """Delete submissions from the journal, whose folder is `home`.

    Raises `ConfigurationError`, and deletes none, if another run works on one.
    """
    chosen = list(submissions)
    for submission in chosen:
        if is_held(home, submission.run):
            raise ConfigurationError(
                f"the picture {submission.digest.short} is being made by process {process_of(submission.run)}; end it "
                "first, nothing was given up"
            )
    for submission in chosen:
        journal.forget(submission)


def _is_named(name: str, submission: Submission, submissions: Mapping[Digest, Submission], catalog: Catalog) -> bool:
    if complete_digest(name, submissions) == submission.digest:
        return True
    if submission.base_url and name.rstrip("/") in (submission.base_url, urlsplit(submission.base_url).hostname):
        return True
    picture = catalog.pictures.get(submission.digest)
    return picture is not None and any(use.presentation.id == name for use in picture.shown_by)


def _expected(submissions: Mapping[Digest, Submission]) -> str:
    if not submissions:
        return "nothing that was submitted waits for its picture"
    known = ", ".join(f"{each.digest.short} ({each.where or 'page unknown'})" for each in submissions.values())
    return f"expected an id or a digest of a picture that was submitted and is not stored, or its service: {known}"
