"""Draws pictures in a few threads and keeps the newest ones in memory."""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.picture import draw

if TYPE_CHECKING:
    from mkdocs_gptimage.emulator.picture import PictureSpec

MOST_THREADS = 4
MOST_KEPT = 256
"""Pictures in memory. An older one is drawn again when it is downloaded: equal specs give equal bytes."""


class Studio:
    """Draws pictures in the background. Only the event loop calls it."""

    def __init__(self, picture: bytes | None = None) -> None:
        """With `picture`, an image file, nothing is drawn and every task yields that file."""
        self._picture = picture
        self._threads = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), "gptimage-emulator-draw")
        self._drawings: OrderedDict[PictureSpec, Future[bytes]] = OrderedDict()

    def start(self, spec: PictureSpec) -> None:
        """Start to draw a picture."""
        if self._picture is None:
            self._drawing(spec)

    def finished(self, spec: PictureSpec) -> bool:
        """Whether a picture that was started is drawn, or has failed."""
        drawing = self._drawings.get(spec)
        return drawing is None or drawing.done()

    def failed(self, spec: PictureSpec) -> bool:
        """Whether a finished picture could not be drawn."""
        drawing = self._drawings.get(spec)
        return drawing is not None and drawing.exception() is not None

    async def picture(self, spec: PictureSpec) -> bytes:
        """The image file of a picture."""
        if self._picture is not None:
            return self._picture
        return await asyncio.wrap_future(self._drawing(spec))

    def close(self) -> None:
        """Drop what is queued and wait for what is being drawn."""
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _drawing(self, spec: PictureSpec) -> Future[bytes]:
        if spec not in self._drawings:
            self._drawings[spec] = self._threads.submit(draw, spec)
            while len(self._drawings) > MOST_KEPT and next(iter(self._drawings.values())).done():
                self._drawings.popitem(last=False)
        return self._drawings[spec]
