"""A picture on its way from submit to store, and the events that report its progress."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.generate.retry import OLD_SECONDS
from mkdocs_gptimage.spec.digest import Digest, is_digest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from mkdocs_gptimage.catalog.catalog import Picture
    from mkdocs_gptimage.generate.step import Step
    from mkdocs_gptimage.journal.submission import Submission
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.store.store import Store


@dataclass(frozen=True)
class Event:
    """One change of state, for progress reports."""

    step: Step
    where: str
    """The page and line that ask for the picture."""
    digest: Digest
    text: str = ""


@dataclass(frozen=True)
class Watcher:
    """Follows a run from another thread, and may cancel it."""

    tell: Callable[[Event], None]
    is_cancelled: Callable[[], bool]
    """Asked several times a second; once it is true, the run ends as after Ctrl-C."""


@dataclass(frozen=True)
class Outcome:
    """What became of one picture in one run."""

    step: Step
    digest: Digest
    where: str
    """The page and line that ask for it."""
    entry: Entry | None = None
    """The stored picture."""
    problem: str = ""
    """Why there is none."""


@dataclass
class Job:
    """A picture that this run works on."""

    digest: Digest
    request: Mapping[str, Any]
    """The canonical form of what is asked for."""
    where: str
    """The page and line that ask for it; known before anything is paid, as reading the page may fail later."""
    spec: ImageSpec | None = None
    """None for one that no page asks for any more: it is collected, never submitted."""
    submission: Submission | None = None
    parents: Mapping[Digest, str] = field(default_factory=dict)
    """Digests of the pictures that it is drawn from, and the page and line that ask for them."""
    parent_hashes: frozenset[str] = frozenset()
    """Of the bytes of those pictures, `sha256:HEX`."""
    since: float = 0.0
    """When it was submitted, in seconds of the run's monotonic clock."""
    is_running: bool = False
    denials: list[float] = field(default_factory=list)
    """When polls, one after the other, said that the service does not know the task; monotonic clock."""
    said: str = ""
    """The last thing the service said when a poll failed."""
    word: str = ""
    """The last word and message of its task, when it is an unknown word, or it has ended without a picture."""
    empty_since: float | None = None
    """Since when the service says that it has ended, and gives no picture; monotonic clock."""

    def advice_after(self, now: float) -> str:
        """How to give up a picture that is waited for since long ago; `now` as `since`."""
        return f"; 'gptimage forget {self.digest.short}' gives it up" if now - self.since > OLD_SECONDS else ""

    @property
    def references(self) -> frozenset[str]:
        """Its reference images, as in the canonical form: links, and `sha256:HEX` of bytes."""
        references = self.request.get("references")
        listed = references if isinstance(references, list) else []
        return self.parent_hashes | {each for each in listed if isinstance(each, str)}

    def note_parents(self, store: Store) -> None:
        """Look up the bytes of the pictures that it is drawn from: a service may repeat them in its answers."""
        digests = (each.partition(":")[2] for each in self.references if each.startswith("spec:"))
        parents = (store.entry(Digest(digest)) for digest in digests if is_digest(digest))
        self.parent_hashes = frozenset(f"sha256:{parent.image.sha256}" for parent in parents if parent is not None)

    @property
    def resolution(self) -> str:
        return str(self.request["resolution"])


def job_of(picture: Picture, submission: Submission | None = None) -> Job:
    """Return the job for a picture of the catalog, with what the journal has of it."""
    spec = picture.spec
    parents = {parent.spec.digest: parent.where for parent in picture.parents}
    return Job(spec.digest, spec.canonical, picture.where, spec, submission, parents)


def unclaimed_job(submission: Submission) -> Job:
    """Return the job for a picture that is paid for, but that no page asks for any more."""
    return Job(submission.digest, submission.request, submission.where, submission=submission)


async def _sleep(seconds: float) -> None:
    import anyio  # noqa: PLC0415 - only when something is missing

    await anyio.sleep(seconds)


@dataclass(frozen=True)
class Clock:
    """Time and chance, passed in so that tests need not wait for them."""

    now: Callable[[], float] = time.time
    """Seconds since the epoch: for the journal and records. It may jump, so nothing is timed by it."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds since any moment, for all that is timed in a run."""
    sleep: Callable[[float], Awaitable[None]] = _sleep
    jitter: Callable[[], float] = field(default=random.random)
    """0 to 1."""
