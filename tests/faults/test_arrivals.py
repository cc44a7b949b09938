"""A picture that comes into the store between the plan and its turn, as by `git pull`, is not paid for again."""

from __future__ import annotations

import harness
import pytest
from harness import Site, catalog, steps
from scripted_service import Answer

from mkdocs_gptimage.plan.plan import with_unknown_as_missing
from mkdocs_gptimage.store.store import Store

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"


@pytest.fixture
def make_site(service, tmp_path):
    return lambda name: Site(harness.settings(tmp_path / name, service.base_url), catalog("an owl"))


@pytest.fixture
def arrive(service, make_site):
    """Put the files of the picture, as another has made it, into a site's store."""
    other = make_site("other")
    other.generate()
    service.requests.clear()

    def put(site, *, picture=None):
        for digest in site.digests:
            path = other.store.entry(digest).path
            shard = site.settings.store / path.parent.name
            shard.mkdir(parents=True, exist_ok=True)
            (shard / f"{digest}.json").write_bytes(path.with_suffix(".json").read_bytes())
            if picture != b"":
                (shard / path.name).write_bytes(picture or path.read_bytes())

    return put


def test_a_whole_picture_is_used(service, make_site, arrive):
    """A picture that arrives before its turn is used."""
    site = make_site("site")
    plan = site.plan()
    arrive(site)

    assert steps(site.generate(plan)) == ["STORED"]
    assert service.of("submit") == []


@pytest.mark.parametrize(
    ("picture", "said"), [(POINTER, "fetch it with 'git lfs pull'"), (b"", "has no"), (b"cut", "has 3 bytes")]
)
def test_a_picture_that_is_not_whole_is_named(service, make_site, arrive, picture, said):
    """A pointer, or a half of a pair, is not drawn over, and nothing is left in flight."""
    site = make_site("site")
    plan = site.plan()
    arrive(site, picture=picture)
    (outcome,) = site.generate(plan)

    assert outcome.step.name == "SKIPPED"
    assert said in outcome.problem
    assert service.of("submit") == []
    assert site.submissions() == {}


@pytest.mark.parametrize("is_whole", [True, False])
def test_a_retry_looks_first(service, make_site, arrive, is_whole):
    """A submit of unknown outcome is not repeated when its picture is there, and stays unknown when it is not whole."""
    site, normal = make_site("site"), service.submit
    service.submit = Answer(vanish=True)
    site.generate()
    service.submit = normal
    service.requests.clear()
    plan = with_unknown_as_missing(site.plan(), {})
    arrive(site, picture=None if is_whole else POINTER)
    ended = steps(site.generate(plan))

    assert ended == ["STORED" if is_whole else "UNKNOWN"]
    assert service.of("submit") == []
    assert len(site.submissions()) == (0 if is_whole else 1)
    assert (Store(site.settings.store).entry(site.digests[0]) is not None) == is_whole
