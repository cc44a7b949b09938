"""The word that somebody probably meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 60


def nearest(found: str, options: Iterable[str]) -> str | None:
    """Return the option that takes the fewest edits to reach; among equals, the one with the longest shared beginning.

    None when the nearest option shares too little to be a guess worth making.
    """
    word = found.strip().lower()
    if not word or len(word) > _LONGEST:
        return None

    def distance(option: str) -> tuple[int, int]:
        shared = next((i for i, (a, b) in enumerate(zip(word, option, strict=False)) if a != b), len(option))
        return _edits(word, option), -shared

    ranked = sorted((distance(option), option) for option in options)
    (edits, _), best = ranked[0]
    return best if edits <= max(1, len(word) // 2) else None


def _edits(one: str, other: str) -> int:
    """Levenshtein's distance: insertions, deletions and substitutions from one word to the other."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        previous, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (a != b))
    return row[-1]
