"""Submits with an unknown outcome: reported, repeated only on request, and then with the same idempotency key."""

from __future__ import annotations

import dataclasses
import re
import time

import harness
import pytest
from harness import Site, catalog, steps
from scripted_service import Answer, accepts, fails, says, task

from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.plan.states import State


@pytest.fixture
def make_site(service, tmp_path):
    def make(*prompts, api=None):
        return Site(harness.settings(tmp_path, service.base_url, api=api), catalog(*prompts))

    return make


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    with harness.fast_production(monkeypatch):
        yield


def keys(service):
    return [request.headers["idempotency-key"] for request in service.of("submit")]


def test_a_retry_is_the_same_logical_generation(service, make_site):
    """A submit that is repeated on request carries the key of the first, so that a service that knows it pays once."""
    paid = {}

    def submit(request):
        key = request.headers["idempotency-key"]
        is_first = key not in paid
        paid.setdefault(key, f"t{len(paid)}")
        return Answer(vanish=True) if is_first else accepts(paid[key])

    service.submit = submit
    site = make_site("a cat")
    first, second, third = site.run(), site.run(), site.run(retry_unknown=True)

    assert [len(result.problems) for result in (first, second, third)] == [1, 1, 0]
    assert len(keys(service)) == 2
    assert len(paid) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (fails(409, code="idempotency_result_indeterminate"), None),
        (Answer(vanish=True), fails(409, code="idempotency_key_reused")),
    ],
    ids=["indeterminate", "reused"],
)
def test_a_key_that_stands_for_nothing_is_not_used_again(service, make_site, first, second):
    """After the service has said that a key gives nothing any more, the next retry is a new generation."""
    site = make_site("a cat")
    for answer in filter(None, (first, second)):
        service.submit = answer
        site.run(retry_unknown=True)
    before = keys(service)
    service.submit = accepts("t1")
    result = site.run(retry_unknown=True)

    assert len(set(before)) == 1
    assert keys(service)[-1] != before[0]
    assert result.problems == []


def lost(service, site):
    """Have the service accept a submit, and then deny that it knows the task."""
    service.batch = says({"data": []})
    service.poll = fails(404, "unknown task")
    return site.run()


def test_a_lost_task_is_asked_for_before_it_is_paid_for_again(service, make_site):
    """A retry on request asks once more, for free; a service that knows the task again is paid nothing."""
    site = make_site("a cat")
    first = lost(service, site)
    service.poll = lambda request: says({"data": service.finished(request.path.rpartition("/")[2])})
    service.batch = lambda request: says({"data": list(map(service.finished, request.json["task_ids"]))})
    result = site.run(retry_unknown=True)

    assert len(first.problems) == 1
    assert result.problems == []
    assert len(keys(service)) == 1


def test_a_lost_task_that_is_denied_again_is_repeated_with_its_key(service, make_site):
    """A retry on request of a task that the service denies once more carries the key of the first submit."""
    service.submit = [accepts("t1"), accepts("t2")]
    site = make_site("a cat")
    lost(service, site)
    service.batch = lambda request: says({"data": [service.finished("t2")] if "t2" in request.json["task_ids"] else []})
    result = site.run(retry_unknown=True)

    assert result.problems == []
    assert len(keys(service)) == 2
    assert len(set(keys(service))) == 1


def test_a_key_that_gives_the_lost_task_again_is_not_used_a_third_time(service, make_site):
    """A service that answers a retry with the very task that it does not know is sent another key the next time."""
    service.submit = accepts("t1")
    site = make_site("a cat")
    lost(service, site)
    site.run(retry_unknown=True)
    site.run(retry_unknown=True)
    first, second, third = keys(service)

    assert first == second
    assert third != first


@pytest.mark.parametrize("answer", [fails(500), fails(401), fails(403), fails(429), Answer(body=b"<html>")])
def test_a_lost_task_that_cannot_be_asked_for_is_not_paid_for_again(service, make_site, answer):
    """A retry on request pays for nothing while the service cannot say what became of the first submit."""
    site = make_site("a cat")
    lost(service, site)
    service.poll = answer
    result = site.run(retry_unknown=True)

    assert len(result.problems) == 1
    assert "not submitted again: it could not be asked for before" in str(result.problems[0])
    assert len(keys(service)) == 1


def test_an_unknown_outcome_is_named_with_page_line_and_time(service, make_site):
    """Both the run that does not know and every later one say where the block stands and when it was submitted."""
    service.submit = fails(500, "worker gone")
    site = make_site("a cat")
    lines = [str(site.run().problems[0]) for _ in range(2)]

    for line in lines:
        assert re.match(r"docs/index\.md:1: ", line)
        assert re.search(r"submitted \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: HTTP 500: worker gone", line)
    assert "gptimage generate --retry-unknown" in lines[1]


@pytest.mark.parametrize("answer", [fails(502), Answer(vanish=True), says({"ok": True})], ids=["502", "reset", "200"])
def test_a_broken_service_is_not_sent_the_whole_site(service, make_site, answer):
    """After three unknown outcomes and nothing accepted, nothing more is submitted, and nothing of the rest is lost."""
    service.submit = answer
    site = make_site(*map(str, range(20)), api={"max_requests": 8})
    outcomes = site.generate()

    assert len(service.of("submit")) == retry.UNKNOWN_IN_A_ROW
    assert steps(outcomes) == ["UNKNOWN"] * 3 + ["SKIPPED"] * 17
    assert "the last 3 submits had an unknown outcome" in outcomes[-1].problem
    assert site.states() == [State.UNKNOWN] * 3 + [State.MISSING] * 17


def test_an_accepted_submit_ends_the_row(service, make_site):
    """Unknown outcomes between accepted submits do not stop a run."""
    answers = [Answer(vanish=True), Answer(vanish=True), accepts("t1")] * 2
    service.submit = [*answers[:5], accepts("t2")]
    outcomes = make_site(*"abcdef", api={"max_requests": 1}).generate()

    assert steps(outcomes) == ["UNKNOWN", "UNKNOWN", "STORED"] * 2


@pytest.mark.parametrize("status", [401, 403, 402])
def test_a_key_that_is_wrong_is_found_out_with_one_request(service, make_site, status):
    """Of a site with many pictures and many requests at a time, the first refusal of key or account ends it."""
    service.submit = fails(status, "no")
    outcomes = make_site(*map(str, range(20)), api={"max_requests": 16}).generate()

    assert len(service.of("submit")) == 1
    assert set(steps(outcomes)) == {"SKIPPED"}


@pytest.mark.parametrize("jump", [-3600.0, 3600.0, -90_000.0, 90_000.0])
def test_a_clock_that_jumps_neither_ends_a_task_nor_stops_polling(service, make_site, jump):
    """A wall clock that is set back or forth after the submit changes neither polls nor deadlines of the run."""
    jumps = []
    service.submit = lambda _: jumps.append(jump) or accepts("t1")
    site = make_site("a cat")
    usual = harness.fast_clock()
    clock = dataclasses.replace(usual, now=lambda: usual.now() + sum(jumps))
    outcomes = site.generate(clock=clock)

    assert steps(outcomes) == ["STORED"]
    assert 0 <= outcomes[0].entry.made.seconds < 600


def test_a_task_that_never_ends_is_collected_when_it_does(service, make_site):
    """A task that is not finished after days stays in flight, and no retry pays for it again."""
    service.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    site = make_site("a cat")
    digest = site.digests[0]
    request = site.pictures.pictures[digest].spec.canonical
    submission = Submission(
        digest, Stage.ACCEPTED, service.base_url, "k", time.time() - 500_000, "t1", where="x", request=request
    )
    with open_journal(site.settings.journal) as journal:
        journal.write(submission)
    site.run(retry_unknown=True)
    states = site.states()
    service.batch = lambda request: says({"data": list(map(service.finished, request.json["task_ids"]))})
    collected = site.run()

    assert states == [State.IN_FLIGHT]
    assert keys(service) == []
    assert collected.problems == []
