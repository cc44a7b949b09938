"""The states of a picture, and their words and colours on cards, in tables and in the gallery."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class State(enum.Enum):
    """The state of a picture that the site needs; the values are part of the JSON output."""

    CACHED = "cached"
    MISSING = "missing"
    """Would be submitted, and paid for."""
    IN_FLIGHT = "in flight"
    """Submitted by an earlier run; collecting it is free."""
    BROKEN = "broken"
    """In the store in part, or damaged; submitted again only on request."""
    UNKNOWN = "unknown"
    """Submitted with an unknown outcome; submitted again only on request."""
    OTHER_GATEWAY = "in flight elsewhere"
    """Submitted to another service than this run's; never submitted to this one."""
    LEASED = "in hand"
    """Another running process makes it; this run waits and uses the result."""

    @property
    def traits(self) -> Traits:
        return _TRAITS[self]


@dataclass(frozen=True)
class Traits:
    """What follows from a state."""

    card: str
    """The words in place of the picture, on the placeholder card and in the gallery."""
    gallery: str
    """The value of the gallery's `Status`."""
    colour: str
    """Of the state in the terminal's table, as rich names it."""
    is_runnable: bool = False
    """Whether a run submits or collects it."""
    is_free: bool = False
    """Whether a run gets it without paying."""
    needs_decision: bool = False
    """Whether the author has to decide before any run touches it."""


# A row that was cached gets a card only if its bytes turn out to be damaged.
_TRAITS = {
    State.CACHED: Traits("damaged", "used", "green"),
    State.MISSING: Traits("not generated yet", "missing", "yellow", is_runnable=True),
    State.IN_FLIGHT: Traits("being generated", "in flight", "cyan", is_runnable=True, is_free=True),
    State.LEASED: Traits("being generated", "in flight", "cyan", is_runnable=True, is_free=True),
    State.BROKEN: Traits("damaged in the store", "broken", "red", needs_decision=True),
    State.UNKNOWN: Traits("outcome unknown", "unknown", "red", needs_decision=True),
    State.OTHER_GATEWAY: Traits("submitted to another service", "in flight", "red", needs_decision=True),
}
RUNNABLE = tuple(state for state in State if state.traits.is_runnable)
FREE = tuple(state for state in State if state.traits.is_free)
NEED_DECISION = tuple(state for state in State if state.traits.needs_decision)

NEW = "new"
"""Missing, and like no stored picture."""
CHANGED = "changed"
"""Missing, and an edit of a stored picture."""
OUTDATED = "outdated"
"""Stored: what an edited block showed before."""
CANDIDATE = "candidate"
"""Stored: may replace another picture."""
ORPHANED = "orphaned"
"""Stored, and used by no page."""
DRAFT = "draft"
"""Used only by pages that a development server shows and a build leaves out."""
UNNEEDED = "unneeded"
"""Not stored, and no reference of a missing picture."""

_COLOURS = {
    NEW: State.MISSING.traits.colour,
    CHANGED: State.MISSING.traits.colour,
    OUTDATED: "dim",
    ORPHANED: "dim",
    CANDIDATE: "magenta",
    **{state.value: state.traits.colour for state in State},
}


def colour_of(words: str) -> str:
    """Return the table's colour for a state as text, `changed (prompt)`."""
    return _COLOURS[words.partition(" (")[0]]
