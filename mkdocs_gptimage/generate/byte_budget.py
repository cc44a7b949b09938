"""Bounds the memory of request bodies that exist at a time: with reference images, each may have hundreds of MB."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable


class ByteBudget:
    """A number of bytes to share; a request for more than all of them is granted when nothing else is out."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._taken = 0
        self._changed = anyio.Event()

    async def take(self, count: int) -> Callable[[], None]:
        """Wait until `count` bytes are free and take them; return what gives them back, at its first call."""
        while self._taken and self._taken + count > self._total:
            await self._changed.wait()
        self._taken += count
        left = [count]

        def give_back() -> None:
            if left:
                self._taken -= left.pop()
                self._changed.set()
                self._changed = anyio.Event()

        return give_back
