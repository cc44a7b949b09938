"""How long to wait, as numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkdocs_gptimage.generate import retry


@pytest.mark.parametrize(
    ("attempt", "retry_after", "jitter", "seconds"),
    [
        (1, None, 1.0, 1.0),
        (1, None, 0.0, 0.5),
        (2, None, 1.0, 2.0),
        (4, None, 0.5, 6.0),
        (7, None, 1.0, 60.0),
        (50, None, 1.0, 60.0),
        (1, 7.0, 0.0, 7.0),
        (6, 7.0, 0.5, 7.5),
        (1, 0.0, 0.25, 0.25),
    ],
)
def test_delay(attempt, retry_after, jitter, seconds):
    """What the service asks for is kept in full; else the wait doubles from a second to a minute."""
    assert retry.delay(attempt, retry_after, jitter) == seconds


@given(st.integers(1, 1000), st.none() | st.floats(0, 600), st.floats(0, 1))
def test_delay_is_bounded(attempt, retry_after, jitter):
    """No wait is shorter than what was asked for, nor longer than ten minutes and a second."""
    seconds = retry.delay(attempt, retry_after, jitter)

    assert (retry_after or 0) <= seconds <= 601


@pytest.mark.parametrize(
    ("denials", "is_denied"),
    [
        ([], False),
        ([0, 1, 2, 3, 4], False),
        ([0, 100, 120], False),
        ([0, 30, 60, 90, 119], False),
        ([0, 30, 60, 90, 120], True),
    ],
)
def test_a_task_is_lost_when_that_was_said_several_times_over_some_minutes(denials, is_denied):
    """Neither many polls in a moment nor a few over a long time prove that the service has lost a task."""
    assert retry.is_denied(denials) is is_denied
