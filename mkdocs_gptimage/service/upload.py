"""The body of a submit, in pieces that are let go of as they are sent: with reference images it may have 340 MB."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterable


_STEP = 256 * 1024


class Upload:
    """A request body that can be sent once; `on_sent` is called when all of it has left."""

    def __init__(
        self,
        pieces: Iterable[bytes],
        on_sent: Callable[[], None] = lambda: None,
        references: Collection[str] = frozenset(),
    ) -> None:
        self._pieces = deque(pieces)
        self.references = references
        """The reference images in it: links, and `sha256:HEX` of bytes."""
        self._on_sent = on_sent
        self.size = sum(map(len, self._pieces))
        """Bytes."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self._pieces:
            piece = memoryview(self._pieces.popleft())
            for start in range(0, len(piece), _STEP):
                yield bytes(piece[start : start + _STEP])
        self._on_sent()
