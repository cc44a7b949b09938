"""The budget of bytes for request bodies."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from mkdocs_gptimage.generate.byte_budget import ByteBudget


def test_no_more_is_out_than_there_is():
    """Takers wait for room; one that wants more than all of it goes alone, and all are served."""
    most, out = [], []

    async def take(budget, count):
        give_back = await budget.take(count)
        out.append(count)
        most.append(list(out))
        await anyio.lowlevel.checkpoint()
        out.remove(count)
        give_back()
        give_back()

    async def run():
        budget = ByteBudget(10)
        async with anyio.create_task_group() as group:
            for count in (4, 5, 6, 0, 25, 3, 10, 1):
                group.start_soon(take, budget, count)

    anyio.run(run)

    assert len(most) == 8
    assert all(sum(each) <= 10 or [count for count in each if count] == [25] for each in most)
