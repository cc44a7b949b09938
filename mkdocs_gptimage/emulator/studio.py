"""Where pictures are drawn: a few threads, and a cache that is bounded in bytes.

A picture that fell out of the cache is drawn again when somebody downloads it: the same subject, the same bytes.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.picture import draw

if TYPE_CHECKING:
    from mkdocs_gptimage.emulator.picture import PictureSpec

CACHE_BYTES = 384 * 1024 * 1024
MOST_THREADS = 4


class Studio:
    """Draws subjects in the background. Only the event loop calls it."""

    def __init__(self, picture: bytes | None = None, cache_bytes: int = CACHE_BYTES) -> None:
        """With `picture`, an image file, nothing is drawn: every subject looks like that."""
        self._picture = picture
        self._threads = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), "gptimage-emulator-draw")
        self._lock = threading.Lock()
        self._room = cache_bytes
        self._cache: OrderedDict[PictureSpec, bytes] = OrderedDict()
        self._running: dict[PictureSpec, Future[bytes]] = {}
        self._failed: set[PictureSpec] = set()
        self._drawn: set[PictureSpec] = set()

    def start(self, subject: PictureSpec) -> None:
        """Draw a subject unless it was drawn or is being drawn."""
        if self._picture is None and subject not in self._drawn and subject not in self._running:
            self._submit(subject)

    def finished(self, subject: PictureSpec) -> bool:
        """Whether a subject that was started is drawn, or could not be."""
        return self._picture is not None or subject in self._drawn or subject in self._failed

    def failed(self, subject: PictureSpec) -> bool:
        return subject in self._failed

    async def picture(self, subject: PictureSpec) -> bytes:
        """The image file of a subject."""
        if self._picture is not None:
            return self._picture
        with self._lock:
            content = self._cache.get(subject)
            if content is not None:
                self._cache.move_to_end(subject)
                return content
            running = self._running.get(subject)
        return await asyncio.wrap_future(running or self._submit(subject))

    def close(self) -> None:
        """Forget what waits and wait for what is being drawn."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _submit(self, subject: PictureSpec) -> Future[bytes]:
        with self._lock:
            future = self._threads.submit(draw, subject)
            self._running[subject] = future
        future.add_done_callback(lambda done: self._keep(subject, done))
        return future

    def _keep(self, subject: PictureSpec, done: Future[bytes]) -> None:
        with self._lock:
            self._running.pop(subject, None)
            if done.cancelled():
                return
            if done.exception() is not None:
                self._failed.add(subject)
                return
            self._drawn.add(subject)
            self._cache[subject] = done.result()
            self._room -= len(done.result())
            while self._room < 0 and len(self._cache) > 1:
                _, oldest = self._cache.popitem(last=False)
                self._room += len(oldest)
