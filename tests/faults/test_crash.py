"""Builds that are killed at any moment: nothing is paid twice, and nothing that is paid for is forgotten.

With `GPTIMAGE_CRASH_POINTS=all` every point is tried, otherwise a sample.
"""

from __future__ import annotations

import os
import shutil

import crash_moves
import crash_trials
import pytest
from crash_points import ALL, SAMPLE
from forkserver import start_forkserver

POINTS = ALL if os.environ.get("GPTIMAGE_CRASH_POINTS") == "all" else SAMPLE
MOVES = (
    ("accept", "pathlib:Path.replace>.png 1 after"),
    ("accept", "pathlib:Path.unlink>.json 1 after"),
    ("prune", "pathlib:Path.unlink>.json 1 after"),
    ("regenerate", "pathlib:Path.replace>.png 2 after"),
    ("regenerate", "pathlib:Path.unlink>.json 1 after"),
    ("store", "pathlib:Path.replace>.png 1 after"),
)
"""The moments between two moves; benchmarks/crash.py --moves tries all."""
LOST = next(point for point in ALL if point.name == "submit 8 done, keys ignored")


@pytest.fixture(scope="module")
def runner(tmp_path_factory):
    with crash_trials.trial_runner(tmp_path_factory.mktemp("crash")) as made:
        yield made


@pytest.fixture(scope="module")
def commands():
    with start_forkserver() as made:
        yield made


@pytest.fixture(scope="module")
def loss(runner):
    return runner.start(LOST, lambda root: shutil.rmtree(root / "gptimage/.journal"))


@pytest.fixture(scope="module")
def wiped(runner):
    return runner.start(LOST, lambda root: shutil.rmtree(root / ".cache"))


@pytest.fixture(scope="module")
def results(request, runner, loss, wiped):  # noqa: ARG001 - all trials begin together
    """The trials of all chosen points."""
    items = [item for item in request.session.items if item.path == request.path]
    points = [item.callspec.params["point"] for item in items if "point" in item.fixturenames]
    return {point: runner.start(point) for point in points}


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
def test_a_crash_costs_nothing(point, results):
    """What was accepted before a kill is stored by the next builds, or named, and is never paid for again."""
    found = results[point].result()

    assert found.problems == []
    assert (found.paid_twice, found.lost) == (0, 0)


def test_a_loss_is_found_out(loss):
    """Deleting the journal while pictures are in flight means that they are paid for twice and forgotten."""
    found = loss.result()

    assert found.paid_twice > 0
    assert found.lost > 0
    assert "the plan takes for not submitted" in found.problems[0]


@pytest.mark.parametrize(("move", "crash"), MOVES)
def test_a_kill_between_two_moves_loses_nothing(commands, tmp_path, move, crash):
    """A command that moves files of the store is completed when it is repeated, and what it left is pruned."""
    found = crash_moves.try_once(tmp_path, commands, move, crash)

    assert found is not None
    assert found.problems == []
    assert found.damaged == ("replace" in crash)


def test_a_cache_that_is_wiped_costs_nothing(wiped):
    """Deleting the cache between a kill and the next build loses nothing and pays for nothing."""
    found = wiped.result()

    assert found.problems == []
    assert (found.paid_twice, found.lost) == (0, 0)
