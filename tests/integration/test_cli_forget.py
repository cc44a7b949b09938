"""`gptimage forget`: gives up what was submitted and never comes, by name."""

from __future__ import annotations

import pytest
import scripted_service as gateways
import sites
from scripted_service import says, task
from sites import block

KEY = {"APIMASTER_API_KEY": gateways.KEY}


@pytest.fixture
def site(service, tmp_path):
    """Two pictures in flight at a service that never finishes them."""
    made = sites.Site(tmp_path)
    made.configure(gptimage={"api": {"base_url": service.base_url, **sites.FAST, "timeout": 1}})
    made.write({"index.md": block(prompt="a", id="first"), "b.md": block(prompt="b")})
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    assert made.build(env=KEY).code == 1
    return made


def states(site):
    return sorted(line.split("\t")[1] for line in site.gptimage("list").out.splitlines())


@pytest.mark.parametrize("by", ["id", "digest", "host"])
def test_a_submission_is_given_up_by_name(site, by):
    """An id, the beginning of a digest, or the service itself names what is given up; the rest stays in flight."""
    digest = site.gptimage("list").out.splitlines()[0].split("\t")[0]
    name = {"id": "first", "digest": digest[:8], "host": "127.0.0.1"}[by]
    done = site.gptimage("forget", name, "--yes")

    assert done.code == 0
    assert "was submitted to" in done.err
    assert states(site) == (["missing", "missing"] if by == "host" else ["in flight", "missing"])


def test_nothing_is_given_up_without_consent(site):
    """Without a terminal, a command without --yes gives up nothing and says what it would cost."""
    done = site.gptimage("forget", "first")

    assert done.code == 2
    assert "pays again" in done.err
    assert states(site) == ["in flight", "in flight"]


def test_an_unknown_name_is_answered_with_the_known_ones(site):
    """Who misspells a name reads what waits for its picture, with page and line."""
    done = site.gptimage("forget", "fist", "--yes")

    assert done.code == 2
    assert "docs/index.md:1" in done.err


def test_what_is_given_up_is_paid_for_again(service, site):
    """A picture that was given up is missing, and the next build submits it."""
    site.gptimage("forget", "first", "--yes")
    service.batch = lambda request: says({"data": list(map(service.finished, request.json["task_ids"]))})
    service.requests.clear()
    assert site.build(env=KEY).code == 0

    assert [request.json["prompt"] for request in service.of("submit")] == ["a"]


def test_the_names_of_this_machine_are_one_service(service, site):
    """What was submitted to 127.0.0.1 is collected by a build that calls it localhost."""
    service.batch = lambda request: says({"data": list(map(service.finished, request.json["task_ids"]))})
    base_url = service.base_url.replace("127.0.0.1", "localhost")
    site.configure(gptimage={"api": {"base_url": base_url, **sites.FAST}})
    service.requests.clear()
    done = site.build(env=KEY)

    assert done.code == 0, done.err
    assert service.of("submit") == []
