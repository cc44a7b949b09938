"""What was asked of the emulator so far."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Stats:
    """Counters since the start. The only mutable record: the event loop alone writes it."""

    submits: int = 0
    """Requests to make a picture, whatever the answer."""
    accepted: int = 0
    """Tasks that were made: what a real service would send a bill for."""
    replayed: int = 0
    """Submits answered with the task of an earlier one, by their Idempotency-Key."""
    polls: int = 0
    batch_polls: int = 0
    downloads: int = 0
    downloads_with_key: int = 0
    """Downloads that sent an Authorization header, which the host of the pictures must never see."""
    unauthorized: int = 0
    peak_in_flight: int = 0
    """The most tasks that were unfinished at a time."""
    peak_submits: int = 0
    """The most submits that were being answered at a time."""
    peak_downloads: int = 0
    open_submits: int = 0
    open_downloads: int = 0

    @contextmanager
    def submitting(self) -> Iterator[None]:
        self.submits += 1
        self.open_submits += 1
        self.peak_submits = max(self.peak_submits, self.open_submits)
        try:
            yield
        finally:
            self.open_submits -= 1

    @contextmanager
    def downloading(self) -> Iterator[None]:
        self.downloads += 1
        self.open_downloads += 1
        self.peak_downloads = max(self.peak_downloads, self.open_downloads)
        try:
            yield
        finally:
            self.open_downloads -= 1
