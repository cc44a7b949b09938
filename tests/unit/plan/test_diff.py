"""What was edited, and which stored picture a new one replaces."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pytest

from mkdocs_gptimage.plan.diff import changed_fields, find_replaced
from mkdocs_gptimage.plan.orphans import Orphan, candidate_variant
from mkdocs_gptimage.spec.model import ImageSpec, Reference, reference_to
from mkdocs_gptimage.store.entry import Entry
from mkdocs_gptimage.store.record import ImageFacts, Provenance

CAT = ImageSpec("An orange cat on a windowsill", size="16:9")
FACTS = ImageFacts("0" * 64, 1, 1, 1, "png")


def orphan(spec, at="2026-11-23T21:16:57Z"):
    entry = Entry(spec.digest, Path(f"{spec.digest}.png"), FACTS, Provenance(at, "api.example", None, 1.0, None))
    return Orphan(entry, spec.canonical)


def previous_digest(request, orphans):
    """The stored picture that one new picture replaces."""
    return find_replaced({"new": request}, orphans).get("new")


def edited(**fields):
    return dataclasses.replace(CAT, **fields)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ()),
        ({"prompt": "A dog"}, ("prompt",)),
        ({"size": None, "references": (Reference("sha256:0", None),)}, ("size", "references")),
        ({"variant": "2", "resolution": "2k", "prompt": "A dog"}, ("prompt", "resolution", "variant")),
    ],
)
def test_changed_fields(fields, expected):
    """The fields that differ are named, in the order in which an author thinks of them."""
    assert changed_fields(CAT.canonical, edited(**fields).canonical) == expected


@pytest.mark.parametrize(
    "new",
    [
        edited(size="1:1"),
        edited(resolution="4k", variant="b", size="3:2"),
        edited(prompt="A red cat on a windowsill"),
        edited(prompt="An orange cat on a windowsill at sunset, watercolor"),
    ],
)
def test_an_edited_picture_replaces_one(new):
    """Other fields of the same prompt, or another wording with all else equal, lead to the picture before."""
    unrelated = ImageSpec("A map of the harbour", size="16:9")

    assert previous_digest(new.canonical, [orphan(unrelated), orphan(CAT)]).digest == CAT.digest


@pytest.mark.parametrize(
    "new",
    [
        edited(prompt="A map of the harbour"),
        edited(prompt="An orange cat on a windowsill at sunset", size="1:1"),
    ],
)
def test_another_picture_has_none(new):
    """A new prompt, or a new wording beside another size, may be anything."""
    assert previous_digest(new.canonical, [orphan(CAT)]) is None


def test_the_last_one_made_is_replaced():
    """Of several that are as near, the last one made was shown; of two made at the same moment, neither is."""
    first, last = orphan(edited(variant="1"), "2026-01-01T00:00:00Z"), orphan(edited(variant="2"))

    assert previous_digest(CAT.canonical, [last, first]) is last
    assert previous_digest(CAT.canonical, [orphan(edited(variant="1")), last]) is None


def test_candidates_replace_nothing_on_their_own():
    """A candidate waits for a decision, and replaces no picture."""
    drawn = orphan(edited(variant=candidate_variant(1, CAT.digest)))

    assert previous_digest(CAT.canonical, [drawn]) is None


def test_a_dark_twin_follows_its_picture():
    """The reference of a twin changes with the light picture, which does not hide the twin that was."""
    new = edited(prompt="A red cat on a windowsill")
    twins = [
        dataclasses.replace(each, prompt=f"{each.prompt}\n\nby night", references=(reference_to(each),))
        for each in (CAT, new)
    ]
    old = [orphan(CAT), orphan(twins[0])]

    found = find_replaced({each.digest: each.canonical for each in (new, twins[1])}, old)

    assert {digest: each.digest for digest, each in found.items()} == {
        new.digest: CAT.digest,
        twins[1].digest: twins[0].digest,
    }


def test_an_orphan_is_replaced_by_one_picture_only():
    """Two new pictures do not replace the same one, and the surer match has it."""
    similar, same = edited(prompt="A red cat on a windowsill"), edited(size="1:1")

    found = find_replaced({each.digest: each.canonical for each in (similar, same)}, [orphan(CAT)])

    assert list(found) == [same.digest]


def test_a_site_that_is_restyled_at_once():
    """A thousand edited pictures are matched to the thousand that they replace within seconds."""
    subjects = [
        f"Scene {n} with {n * 7} boats and {n * 13} birds over hill {n % 17}, seen from afar" for n in range(1000)
    ]
    old = [orphan(ImageSpec(f"{subject}, as a black ink drawing")) for subject in subjects]
    new = {spec.digest: spec for spec in (ImageSpec(f"{subject}, in watercolor") for subject in subjects)}
    begun = time.process_time()

    found = find_replaced({digest: spec.canonical for digest, spec in new.items()}, old)

    assert time.process_time() - begun < 20
    right = sum(found[digest].request["prompt"].partition(",")[0] in spec.prompt for digest, spec in new.items())
    assert right > 900
