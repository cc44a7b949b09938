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
"""Of a canonical form, in the order in which changes are listed."""
SIMILAR = 0.6
"""The least ratio of two prompts that are taken for two wordings of the same picture."""
_WORD = re.compile(r"\w+")
_MANY_WORDS = 8
"""Prompts of so many words are compared word by word, which takes a hundredth of the time."""
_LONGEST = 400
"""Characters of a prompt that are compared one by one."""
_MOST_COMPARED = 16
"""Of more stored pictures than that, those that share the most words with the new prompt."""


def changed_fields(old: Mapping[str, Any], new: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the canonical fields in which two requests differ, `("prompt", "size")`."""
    return tuple(name for name in FIELDS if old.get(name) != new.get(name))


def find_replaced(requests: Mapping[Digest, Mapping[str, Any]], orphans: Sequence[Orphan]) -> dict[Digest, Orphan]:
    """Return the orphan that each of several requests most likely replaces, by their digests; none when in doubt.

    That is one with the same prompt, of which other fields were changed, or one of which only the prompt was changed,
    and not beyond recognition. Among equals it is the one that was made last. Candidates replace nothing, and no orphan
    is replaced twice.
    """
    left = [orphan for orphan in orphans if orphan.candidate_of is None]
    found: dict[Digest, Orphan] = {}
    # The surer kind first: a similar prompt must not take what belongs to the same one.
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
    """Return the orphan with the highest score, among equals the one made last; None when that is not a single one."""
    ranked = sorted(((score, orphan.entry.made.at) for score, orphan in scored), reverse=True)
    if not ranked or ranked[:1] == ranked[1:2]:
        return None
    return next(orphan for score, orphan in scored if (score, orphan.entry.made.at) == ranked[0])


def _all_but_prompt(request: Mapping[str, Any]) -> dict[str, Any]:
    """What else a picture was asked for with; a reference that is another picture changes whenever that one does."""
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
    """The ratio of what two prompts share, 0 to 1: of their words when both are long, else of their characters."""
    words = _WORD.findall(one), _WORD.findall(other)
    if min(map(len, words)) >= _MANY_WORDS:
        return difflib.SequenceMatcher(None, *words, autojunk=False).ratio()
    return difflib.SequenceMatcher(None, one[:_LONGEST], other[:_LONGEST], autojunk=False).ratio()
