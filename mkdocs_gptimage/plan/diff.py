"""Compares requests: changed fields, and the stored picture that a new request most likely replaces."""

from __future__ import annotations

import difflib
import heapq
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mkdocs_gptimage.plan.orphans import Orphan
    from mkdocs_gptimage.spec.digest import Digest


FIELDS = ("prompt", "size", "resolution", "references", "variant", "model", "v")
"""The fields of a canonical form, in the order in which changes are listed."""
SIMILAR = 0.6
"""The minimum ratio for two prompts to count as wordings of the same picture."""
_WORD = re.compile(r"\w+")
_MANY_WORDS = 8
"""From this length, prompts are compared word by word, which takes a hundredth of the time."""
_LONGEST = 400
"""Characters of a shorter prompt that are compared."""
_MOST_COMPARED = 16
"""The most stored pictures to compare: those that share the most words with the new prompt."""


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the canonical fields in which two requests differ, `("prompt", "size")`."""
    return tuple(name for name in FIELDS if old.get(name) != new.get(name))


def find_replaced(requests: Mapping[Digest, Mapping[str, Any]], orphans: Sequence[Orphan]) -> dict[Digest, Orphan]:
    """Return the orphan that each request most likely replaces, by the request's digest; none when in doubt.

    An orphan matches if it has the same prompt, or a similar prompt and all other fields equal; among equals, the one
    made last. Candidates never match, and no orphan is replaced twice.
    """
    left = [orphan for orphan in orphans if orphan.candidate_of is None]
    found: dict[Digest, Orphan] = {}
    # Equal prompts first: a request with a similar prompt must not take their orphan.
    for match in (_of_same_prompt, _of_similar_prompt):
        for digest, request in requests.items():
            if left and digest not in found and (best := match(request, left)):
                found[digest] = best
                left.remove(best)
    return found


def _of_same_prompt(request: Mapping[str, Any], orphans: Sequence[Orphan]) -> Orphan | None:
    same = [orphan for orphan in orphans if orphan.request.get("prompt") == request["prompt"]]
    return _best([(-len(changed_fields(orphan.request, request)), orphan) for orphan in same])


def _of_similar_prompt(request: Mapping[str, Any], orphans: Sequence[Orphan]) -> Orphan | None:
    prompt, rest = str(request["prompt"]), _all_but_prompt(request)
    equal = [orphan for orphan in orphans if _all_but_prompt(orphan.request) == rest]
    scored = [(_similarity(_prompt(orphan), prompt), orphan) for orphan in _nearest(prompt, equal)]
    return _best([(ratio, orphan) for ratio, orphan in scored if ratio >= SIMILAR])


def _best(scored: Sequence[tuple[float, Orphan]]) -> Orphan | None:
    """Return the orphan with the highest score, among equals the one made last; None on a tie."""
    ranked = sorted(((score, orphan.entry.made.at) for score, orphan in scored), reverse=True)
    if not ranked or ranked[:1] == ranked[1:2]:
        return None
    return next(orphan for score, orphan in scored if (score, orphan.entry.made.at) == ranked[0])


def _all_but_prompt(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request without its prompt, and without the digests of parents, which change whenever the parent does."""
    rest = {name: value for name, value in request.items() if name != "prompt"}
    if isinstance(entries := rest.get("references"), list):
        rest["references"] = ["spec" if str(entry).startswith("spec:") else entry for entry in entries]
    return rest


def _prompt(orphan: Orphan) -> str:
    return str(orphan.request.get("prompt", ""))


def _nearest(prompt: str, orphans: Sequence[Orphan]) -> Sequence[Orphan]:
    if len(orphans) <= _MOST_COMPARED:
        return orphans
    words = set(_WORD.findall(prompt))
    return heapq.nlargest(
        _MOST_COMPARED, orphans, key=lambda orphan: len(words.intersection(_WORD.findall(_prompt(orphan))))
    )


def _similarity(one: str, other: str) -> float:
    """The similarity of two prompts, 0 to 1: by words if both are long, else by characters."""
    words = _WORD.findall(one), _WORD.findall(other)
    if min(map(len, words)) >= _MANY_WORDS:
        return difflib.SequenceMatcher(None, *words, autojunk=False).ratio()
    return difflib.SequenceMatcher(None, one[:_LONGEST], other[:_LONGEST], autojunk=False).ratio()
