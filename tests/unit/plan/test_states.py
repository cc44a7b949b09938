"""The table of states: what people read for each."""

from __future__ import annotations

import pytest

from mkdocs_gptimage.gallery.items import Status, status_words
from mkdocs_gptimage.plan import states
from mkdocs_gptimage.plan.states import State, colour_of


@pytest.mark.parametrize("state", State)
def test_each_state_has_words_and_a_status(state):
    """Every state has words for its card, a colour, and a status that the gallery knows."""
    assert state.traits.card
    assert colour_of(state.value) == state.traits.colour
    assert Status(state.traits.gallery)


def test_only_stored_pictures_are_called_damaged():
    """A card says `damaged` only for what is in the store, not for what another service makes."""
    assert {state for state in State if "damaged" in state.traits.card} == {State.CACHED, State.BROKEN}


def test_gallery_shows_the_words_of_the_cards():
    """The gallery says of a picture without an image what its card says; a stored one needs no words."""
    words = status_words()

    assert list(words) == [status.value for status in Status]
    assert words["used"] == ""
    for state in (State.MISSING, State.IN_FLIGHT, State.UNKNOWN, State.BROKEN):
        assert words[state.traits.gallery] == state.traits.card


def test_a_run_or_the_author_acts_on_all_but_stored_pictures():
    """What is not stored is either work for a run or a decision for the author, never both."""
    assert set(states.RUNNABLE).isdisjoint(states.NEED_DECISION)
    assert {*states.RUNNABLE, *states.NEED_DECISION} == set(State) - {State.CACHED}


@pytest.mark.parametrize(
    ("words", "colour"),
    [("new", "yellow"), ("changed (prompt, size)", "yellow"), ("orphaned", "dim"), ("candidate", "magenta")],
)
def test_states_of_status_have_their_colour(words, colour):
    """A state's colour does not depend on the fields in brackets behind it."""
    assert colour_of(words) == colour
