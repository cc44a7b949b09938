"""Services that answer a submit with the picture itself, and services that ask for much patience."""

from __future__ import annotations

import logging

import harness
import pytest
from harness import Site, catalog, steps
from scripted_service import Answer, accepts, fails, says

from mkdocs_gptimage.plan.states import State

FIRST = "/v1/images/generations"
TWIN = f"{FIRST}/async"
PROMPTS = ("a", "b", "c")


@pytest.fixture
def make_site(service, tmp_path):
    def make(*prompts, **api):
        return Site(
            harness.settings(tmp_path, service.base_url, api={"max_requests": 1, **api}), catalog(*prompts or PROMPTS)
        )

    return make


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    with harness.fast_production(monkeypatch):
        yield


def by_path(service, **answers):
    """Answer submits by the address that they go to; pictures come in the answer where nothing else is said."""
    numbers = iter(range(100))

    def submit(request):
        answer = answers.get("twin" if request.path.partition("?")[0].endswith("/async") else "first")
        if answer is None:
            return says({"data": [{"url": f"{service.origin}/{next(numbers)}.png"}]})
        return answer if isinstance(answer, Answer) else answer()

    service.submit = submit
    return lambda: [request.path for request in service.of("submit")]


def accepting():
    numbers = iter(range(100))
    return lambda: accepts(f"task_{next(numbers)}")


def test_after_a_picture_the_rest_becomes_tasks(service, make_site, caplog):
    """After an answer that is the picture, the rest goes to the asynchronous address, and the run says so once."""
    paths = by_path(service, twin=accepting())
    with caplog.at_level(logging.INFO, "mkdocs.plugins.gptimage"):
        result = make_site().run()

    assert steps(result.outcomes) == ["STORED"] * 3
    assert paths() == [FIRST, TWIN, TWIN]
    assert (
        caplog.text.count("answered with the picture itself; the rest is submitted to /images/generations/async") == 1
    )


@pytest.mark.parametrize(
    "refusal",
    [*map(fails, (400, 401, 403, 404, 405, 410, 411, 415, 422)), says({"error": {"message": "Invalid URL"}})],
    ids=lambda answer: str(answer.status),
)
def test_where_there_are_no_tasks_the_configured_address_takes_the_rest(service, make_site, refusal):
    """A refusal proves that nothing was accepted: the same submit goes where the first went, and so do all others."""
    paths = by_path(service, twin=refusal)
    site = make_site()
    result = site.run()
    keys = [request.headers["idempotency-key"] for request in service.of("submit")]

    assert steps(result.outcomes) == ["STORED"] * 3
    assert paths() == [FIRST, TWIN, FIRST, FIRST]
    assert keys[1] == keys[2]
    assert len(set(keys)) == 3
    assert site.submissions() == {}


@pytest.mark.parametrize(
    ("answer", "after"),
    [
        (Answer(vanish=True), FIRST),
        (fails(500), FIRST),
        (Answer(body=b"<html>"), FIRST),
        (Answer(204), FIRST),
        (Answer(302), FIRST),
        (Answer(421), FIRST),
        (fails(408), TWIN),
    ],
    ids=str,
)
def test_what_the_asynchronous_address_may_have_accepted_is_unknown(service, make_site, answer, after):
    """An answer that proves nothing is not followed by the same submit elsewhere."""
    paths = by_path(service, twin=answer)
    site = make_site()
    site.run()

    assert paths() == [FIRST, TWIN, after]
    assert site.states()[:2] == [State.CACHED, State.UNKNOWN]


def test_two_synchronous_addresses_take_turns_only_once(service, make_site):
    """Where the asynchronous address answers with pictures as well, it is as good as the other."""
    paths = by_path(service)
    result = make_site().run()

    assert steps(result.outcomes) == ["STORED"] * 3
    assert paths() == [FIRST, TWIN, TWIN]


@pytest.mark.parametrize(
    ("configured", "twin"),
    [("/draw", "/draw/async"), ("/draw/?a=b", "/draw/async?a=b"), ("/draw/async", "/draw/async")],
)
def test_the_asynchronous_address_is_below_the_configured_one(service, make_site, configured, twin):
    """It is relative to `submit_path`, whose query stays; one that is asynchronous already has no other."""
    service.submit = lambda _: says({"data": [{"url": f"{service.origin}/{len(service.of('submit'))}.png"}]})
    make_site("a", "b", submit_path=configured).run()

    assert [request.path for request in service.of("submit")] == [f"/v1{configured}", f"/v1{twin}"]


def test_a_service_that_is_closed_for_a_day_ends_the_run(service, make_site):
    """A Retry-After of a day is told at once with its end; what was accepted is collected first, in seconds."""
    service.submit = [accepts("task_1"), fails(429, "daily limit", retry_after="86400")]
    site = make_site()
    result = site.run()
    told = [str(problem) for problem in result.problems]

    assert steps(result.outcomes).count("STORED") == 1
    assert len(service.of("submit")) == 2
    assert site.states() == [State.CACHED, State.MISSING, State.MISSING]
    assert all("the service asks to wait 24 h, until 20" in each and "daily limit" in each for each in told)
