"""The table of faults × phases: what each costs, leaves, says, and makes of the next run."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import harness
import httpx
import pytest
import scripted_service as gateways
from faults.table import batch, cells, download, poll, submit
from faults.table import journal as journals
from faults.table import store as stores

TABLE = {
    "submit": submit.CELLS,
    "poll": poll.CELLS,
    "batch": batch.CELLS,
    "download": download.CELLS,
    "store": stores.CELLS,
    "journal": journals.CELLS,
}
ROWS = [pytest.param(cell, id=f"{phase}: {cell.fault}") for phase, group in TABLE.items() for cell in group]


@pytest.fixture(scope="module")
def service():
    with gateways.serving() as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """One set of certificates for all runs: loading it takes longer than all the rest."""
    context = httpx.create_ssl_context()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(httpx, "create_ssl_context", lambda **_: context)
        yield


@pytest.fixture
def folder():
    """A folder in memory where there is such: the journal waits for the disk more than for anything else."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def world(request, service, folder):
    cell = request.node.callspec.params["cell"]
    settings = harness.settings(folder, service.base_url, api={"max_requests": 1, **cell.api})
    with pytest.MonkeyPatch.context() as patch, harness.fast_production(patch, cell.speed):
        yield cells.World(service, harness.Site(settings, harness.catalog(*cell.prompts)), patch)


@pytest.mark.parametrize("cell", ROWS)
def test_a_fault_costs_leaves_and_says_what_the_table_says(cell, world):
    """Each fault is paid for, kept, reported and resumed by the next run as its row says, and never charged twice."""
    with pytest.MonkeyPatch.context() as world.patch:
        cell.happens(world)
        step, problems = world.run()
    asked = cells.requests(world.service.counts())
    charged = len(world.charges) - len(cell.prompts) + 1
    for mend in world.mends:
        mend()
    world.site.settings = dataclasses.replace(world.healthy, api=dataclasses.replace(world.healthy.api, timeout=LONG))
    state, submission = world.site.states()[-1], world.submission()
    world.open()
    again, later_problems = world.run()
    repeated = world.service.counts()

    assert (step, state, submission and submission.stage) == (cell.end.step, cell.end.state, cell.end.stage), problems
    assert (submission is None or not submission.run) == cell.end.is_let_go
    assert cells.pattern(cell.asked).fullmatch(asked), asked
    assert charged == cell.end.charged
    assert _says(cell, problems)
    assert _goes_on(cell, again, later_problems, repeated, world)
    assert len(world.charges) - cell.end.refunded <= len(cell.prompts)


LONG = dict.fromkeys(("1k", "2k", "4k"), 600.0)


def _says(cell, problems):
    """The problem's line, whole: where, how it ended, what was found, what to do."""
    if cell.end is cells.MADE or cell.end.step is cells.MADE.step:
        assert problems == []
        return True
    place = f"{cells.WHERE}:{3 * len(cell.prompts) - 2}: {cell.end.step.value}: " if cell.end.step else ""
    assert len(problems) == 1
    assert cells.pattern(f"{place}{cell.said}{cell.end.advice}").fullmatch(problems[0]), problems[0]
    return "\n" not in problems[0]


def _goes_on(cell, step, problems, counts, world):
    """The second run does what the row says, and no more."""
    if cell.end.then == "waits":
        return (step, counts) == (cell.end.step, {})
    if cell.end.then == "leaves":
        assert (step, counts) == (None, {})
        return "may be paid for already: " in problems[0] and problems[0].endswith(cells.RETRY)
    assert problems == []
    assert counts.get("submit", 0) == (cell.end.then == "submits")
    assert (counts == {}) == (cell.end.then == "uses")
    if cell.end.then != "uses":
        assert world.submission() is None
    return world.site.states()[-1].name == "CACHED"
