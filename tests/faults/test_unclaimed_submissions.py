"""What was accepted is collected, whatever happened to the page that asked for it, and to the others."""

from __future__ import annotations

import dataclasses

import harness
import pytest
from harness import Site, catalog
from scripted_service import KEY, accepts, fails, says, task
from sites import FAST
from sites import Site as RealSite

from mkdocs_gptimage.errors import BudgetError
from mkdocs_gptimage.generate.run import run_plan
from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.settings import Budget
from mkdocs_gptimage.store.entry import Entry


@pytest.fixture
def service(service):
    """Its tasks are t0, t1, and so on."""
    numbers = iter(range(99))
    service.submit = lambda _: accepts(f"t{next(numbers)}")
    return service


@pytest.fixture
def make_site(service, tmp_path):
    def make(*prompts, **changes):
        return Site(harness.settings(tmp_path, service.base_url, **changes), catalog(*prompts))

    return make


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    with harness.fast_production(monkeypatch):
        yield


def left_in_flight(service, site):
    """Run a site until its tasks are past their deadlines, and leave them to the next run."""
    hurried = dataclasses.replace(site.settings.api, timeout=dict.fromkeys(site.settings.api.timeout, 5.0))
    site = Site(dataclasses.replace(site.settings, api=hurried), site.pictures)
    finish = service.batch
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    site.generate()
    service.batch = finish
    service.requests.clear()


def test_a_picture_that_no_page_asks_for_any_more_is_collected(service, make_site):
    """A prompt that was edited while its picture was in flight is paid for once more, and the first picture is kept."""
    before = make_site("an owl")
    left_in_flight(service, before)
    after = make_site("an owl at night")
    result = after.run()

    assert result.problems == []
    assert service.counts()["submit"] == 1
    assert service.of("submit")[0].json["prompt"] == "an owl at night"
    assert isinstance(after.store.verify(before.digests[0]), Entry)
    assert isinstance(after.store.verify(after.digests[0]), Entry)
    assert after.submissions() == {}


def test_generate_collects_unclaimed_pictures_when_nothing_is_missing(service, tmp_path):
    """`gptimage generate` also collects what is in flight on a site where no picture is missing."""
    site = RealSite(tmp_path)
    site.write({"index.md": "```gpt-image\nprompt: an owl\n```\n"})
    site.configure(gptimage={"api": {"base_url": service.base_url, "timeout": 1, **FAST}})
    finish = service.batch
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    first = site.gptimage("generate", env={"APIMASTER_API_KEY": KEY})
    service.batch = finish
    site.write({"index.md": "No picture.\n"})
    planned, keyless = site.gptimage("plan"), site.gptimage("generate")
    collected = site.gptimage("generate", env={"APIMASTER_API_KEY": KEY})

    assert first.code == 1
    assert "1 more is in flight that no page asks for: 'gptimage generate' collects it for free" in planned.out
    assert (planned.code, keyless.code, collected.code) == (0, 0, 0)
    assert "docs/index.md:1: stored" in collected.err
    assert len(list(site.store.rglob("*.png"))) == 1
    assert len(service.of("submit")) == 1


def test_an_unclaimed_picture_that_fails_does_not_fail_the_run(service, make_site):
    """A failed picture that no page asks for is dropped from the journal, and the run succeeds."""
    left_in_flight(service, make_site("an owl"))
    service.batch = lambda request: says(
        {
            "data": [
                task(each, "failed", error="nothing to see") if each == "t0" else service.finished(each)
                for each in request.json["task_ids"]
            ]
        }
    )
    after = make_site("a fox")
    result = after.run()

    assert result.problems == []
    assert after.submissions() == {}


def test_what_is_stored_already_is_only_forgotten(service, make_site):
    """A run that died between the store and the journal leaves a row that is removed without a request."""
    site = make_site("an owl")
    left_in_flight(service, site)
    submissions = site.submissions()
    site.run()
    with open_journal(site.settings.journal) as journal:
        for submission in submissions.values():
            journal.write(submission)
    service.requests.clear()
    make_site("a fox").run()

    assert [request.json["prompt"] for request in service.of("submit")] == ["a fox"]
    assert len(service.of("download")) == 1
    assert site.submissions() == {}


def test_a_row_whose_request_is_another_is_left_alone(service, make_site):
    """An unclaimed picture is only kept under the digest of its request: a row that disagrees with itself stays."""
    site = make_site("an owl")
    left_in_flight(service, site)
    (submission,) = site.submissions().values()
    with open_journal(site.settings.journal) as journal:
        journal.write(dataclasses.replace(submission, request={**submission.request, "prompt": "a fox"}))
    after = make_site("a hare")
    after.run()

    assert [request.path for request in service.of("download")] == ["/images/t1.png"]
    assert list(after.submissions()) == site.digests


def test_in_flight_work_is_collected_although_the_rest_is_over_budget(service, make_site):
    """A plan over budget submits nothing, and still collects what is paid for."""
    site = make_site("an owl")
    left_in_flight(service, site)
    greedy = make_site("an owl", "a fox", "a hare", budget=Budget(images=1))
    with pytest.raises(BudgetError, match="2 pictures are missing"):
        greedy.run()

    assert service.of("submit") == []
    assert isinstance(greedy.store.verify(site.digests[0]), Entry)


def test_pictures_of_another_run_do_not_count_against_the_budget(service, make_site):
    """A run waits for what another makes without counting it as its own."""
    site = make_site("an owl", "a fox", budget=Budget(images=1))
    left_in_flight(service, make_site("an owl"))
    plan = site.plan()

    assert [row.state.value for row in plan.rows] == ["in flight", "missing"]
    assert run_plan(plan, site.workspace).problems == []


def test_an_unclaimed_task_that_was_denied_is_asked_for_again(service, make_site):
    """A service that did not know a task for a while gives its picture later, also when no page asks for it then."""
    before, finish, ask = make_site("an owl"), service.batch, service.poll
    service.batch = service.poll = fails(404)
    before.run()
    (denied,) = before.submissions().values()
    service.batch, service.poll = finish, ask
    result = make_site("a fox").run()

    assert denied.is_denied
    assert result.problems == []
    assert isinstance(before.store.verify(before.digests[0]), Entry)
    assert [request.json["prompt"] for request in service.of("submit")] == ["an owl", "a fox"]
    assert before.submissions() == {}
