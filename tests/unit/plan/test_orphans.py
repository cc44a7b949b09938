"""What the store holds and no page asks for."""

from __future__ import annotations

import dataclasses

import pytest
from factories import put

from mkdocs_gptimage.plan.orphans import candidate_variant, find_orphans, parse_candidate
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.store import Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "gptimage")


def test_orphans_are_what_no_page_needs(store):
    """All that is stored and not needed is found, by digest, with what it was asked for as."""
    used, *rest = [ImageSpec(prompt) for prompt in ("used", "old", "older")]
    for spec in (used, *rest):
        put(store, spec)

    found = find_orphans(store, {used.digest})

    assert [(each.digest, each.request) for each in found] == sorted((spec.digest, spec.canonical) for spec in rest)
    assert all(each.candidate_of is None for each in found)


def test_damaged_pictures_are_no_orphans(store):
    """Files that are no whole picture are left to those who look for damage."""
    entry = put(store, ImageSpec("half"))
    entry.path.unlink()
    put(store, ImageSpec("planted")).path.with_suffix(".json").write_text("{}", encoding="utf-8")

    assert find_orphans(store, ()) == []
    assert len(store.digests()) == 2


def test_a_store_that_is_not_there_has_no_orphans(store):
    """A site without pictures has no folder for them."""
    assert find_orphans(store, ()) == []


def test_candidates_name_the_picture_they_may_replace(store):
    """A candidate is known by its variant, which leads back to its number and its picture."""
    spec = ImageSpec("a cat")
    drawn = dataclasses.replace(spec, variant=candidate_variant(2, spec.digest))
    put(store, drawn)

    found = find_orphans(store, {spec.digest})

    assert [each.candidate_of for each in found] == [spec.digest]
    assert parse_candidate(drawn.canonical) == (2, spec.digest)


@pytest.mark.parametrize("variant", ["candidate", "candidate 0 of " + "a" * 64, "candidate 1 of aa", 7, None])
def test_other_variants_are_no_candidates(variant):
    """Only the very form that this package writes makes a candidate."""
    assert parse_candidate({} if variant is None else {"variant": variant}) is None
