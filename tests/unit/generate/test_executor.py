"""The whole way of the money: what is submitted, what is collected, what is never paid for twice."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import harness
import pytest
from harness import Site, catalog, steps
from scripted_service import KEY, Answer, accepts, encoded, fails, picture, says, task

from mkdocs_gptimage.errors import BudgetError, ConfigurationError
from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.generate.run import run_plan
from mkdocs_gptimage.journal.journal import open_journal
from mkdocs_gptimage.journal.submission import Stage, Submission
from mkdocs_gptimage.owned_folder import PARTS, claim_folder, make_subfolder
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.settings import Budget
from mkdocs_gptimage.spec.model import ImageSpec

DOWNLOAD, PART = f"{'0' * 64}-{'0' * 16}", f".{'0' * 28}.part"
"""Names of unfinished files."""


@pytest.fixture
def make_site(service, tmp_path):
    def make(*prompts, api=None, **changes):
        return Site(harness.settings(tmp_path, service.base_url, api=api, **changes), catalog(*prompts))

    return make


@pytest.fixture(autouse=True)
def _fast(monkeypatch):
    with harness.fast_production(monkeypatch):
        yield


def test_what_is_missing_is_made_and_recorded_to_the_letter(service, make_site):
    """A picture lands in the store as the service gave it, with a record that says what it is and cost."""
    service.batch = lambda _: says(
        {"data": [task("task_1", "completed", f"{service.origin}/a.png?sig=1", cost=0.0085, progress=100)]}
    )
    site = make_site("a cat")
    outcomes = site.generate()
    digest = site.digests[0]
    folder = site.settings.store / digest[:2]
    record = json.loads((folder / f"{digest}.json").read_text())

    assert steps(outcomes) == ["STORED"]
    assert (folder / f"{digest}.png").read_bytes() == picture()
    assert site.files() == [f"{digest}.json", f"{digest}.png"]
    assert list(record) == ["image", "made", "request", "v"]
    assert record["request"] == site.pictures.pictures[digest].spec.canonical
    assert (record["image"]["width"], record["image"]["height"], record["image"]["format"]) == (32, 18, "png")
    assert record["made"]["gateway"] == "127.0.0.1"
    assert record["made"]["task_id"] == "task_1"
    assert record["made"]["cost_usd"] == 0.0085
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["made"]["at"])
    assert site.submissions() == {}


def test_the_request_holds_the_documented_fields(service, make_site):
    """A submit is a JSON object with the documented fields, the key and an idempotency key."""
    make_site(ImageSpec("a cat", size="16:9", resolution="2k")).generate()
    submit = service.of("submit")[0]

    assert submit.path == "/v1/images/generations"
    assert submit.json == {"model": "gpt-image-2", "prompt": "a cat", "n": 1, "size": "16:9", "resolution": "2k"}
    assert submit.headers["authorization"] == f"Bearer {KEY}"
    assert re.fullmatch(r"[0-9a-f-]{36}", submit.headers["idempotency-key"])


def test_submits_are_bounded(service, make_site):
    """No more submits are under way at a time than the site allows."""
    numbers = iter(range(100))
    service.submit = lambda _: accepts(f"task_{next(numbers)}", wait=0.05)
    outcomes = make_site(*map(str, range(12)), api={"max_requests": 3}).generate()

    assert set(steps(outcomes)) == {"STORED"}
    assert service.most_submits == 3


def test_everything_in_flight_is_polled_in_batches(service, make_site):
    """230 tasks are asked for in three requests, each of at most 100, and none one by one."""
    site = make_site(*map(str, range(230)), api={"max_requests": 16, "first_poll": 0})
    with open_journal(site.settings.journal) as opened:
        for number, digest in enumerate(site.digests):
            opened.write(Submission(digest, Stage.ACCEPTED, service.base_url, "k", time.time(), f"task_{number}"))
    outcomes = site.generate()

    assert set(steps(outcomes)) == {"STORED"}
    assert sorted(len(request.json["task_ids"]) for request in service.of("batch")) == [30, 100, 100]
    assert service.counts() == {"batch": 3, "download": 230}


def test_one_poll_per_interval(service, make_site):
    """While tasks run, one request per interval asks for all of them, after the first wait."""
    polls = []

    def batch(request):
        polls.append(time.monotonic() - start)
        ids = request.json["task_ids"]
        done = len(polls) >= 5
        return says({"data": [service.finished(each) if done else task(each, "processing") for each in ids]})

    service.batch = batch
    start = time.monotonic()
    make_site(*map(str, range(6)), api={"first_poll": 20, "poll_interval": 10, "max_requests": 6}).generate()

    assert service.counts()["batch"] in (5, 6)
    # A busy machine may deliver one late, none early.
    assert all(when >= (20 + 10 * number) / harness.SPEED for number, when in enumerate(polls))


def test_tasks_that_a_batch_leaves_out_are_polled_one_by_one(service, make_site):
    """Only what is missing from a batch answer is asked for alone."""
    service.batch = lambda request: says(
        {"data": {each: service.finished(each) for each in request.json["task_ids"] if each != "task_1"}}
    )
    outcomes = make_site("a", "b", "c", api={"first_poll": 10, "poll_interval": 20}).generate()

    assert steps(outcomes) == ["STORED"] * 3
    assert [request.path for request in service.of("poll")] == ["/v1/tasks/task_1"]
    assert service.counts()["submit"] == 3


def test_submits_wait_together_when_one_is_asked_to(service, make_site):
    """After a 429 no submit leaves before Retry-After is over, and the retry carries the same idempotency key."""
    moments = []
    answers = iter([fails(429, retry_after="20"), *(accepts(f"t{number}") for number in range(9))])

    def submit(_):
        moments.append(time.monotonic())
        return next(answers)

    service.submit = submit
    outcomes = make_site("a", "b", "c", "d", api={"max_requests": 1}).generate()
    keys = [request.headers["idempotency-key"] for request in service.of("submit")]

    assert set(steps(outcomes)) == {"STORED"}
    assert moments[1] - moments[0] >= 20 / harness.SPEED
    assert keys[0] == keys[1]
    assert len(set(keys)) == 4


def test_the_time_of_a_submit_is_when_it_left(service, make_site):
    """Waiting for Retry-After does not use up the time that the picture may take."""
    service.submit = [fails(429, retry_after="60"), accepts("t1")]
    outcome = make_site("a", api={"timeout": dict.fromkeys(("1k", "2k", "4k"), 40)}).generate()[0]

    assert outcome.step.name == "STORED"
    assert outcome.entry.made.seconds < 40


def test_a_service_that_stays_busy_ends_the_run(service, make_site):
    """A submit is tried six times; then nothing more is submitted, and nothing is left in the journal."""
    service.submit = fails(429, "slow down", retry_after="1")
    site = make_site("a", "b", "c", api={"max_requests": 1})
    outcomes = site.generate()

    assert set(steps(outcomes)) == {"SKIPPED"}
    assert len(service.of("submit")) == 6
    assert site.states() == [State.MISSING] * 3


def test_a_refused_key_frees_those_who_wait(service, make_site):
    """Submits that wait for a Retry-After of ten minutes give up as soon as the key turns out to be wrong."""
    bad_key = says({"error": {"message": "bad key"}}, 401, wait=0.3)
    answers = iter([accepts("t1"), fails(429, retry_after="600"), bad_key])
    service.submit = lambda _: next(answers)
    start = time.monotonic()
    outcomes = make_site("a", "b", "c", api={"max_requests": 2}).generate()

    assert steps(outcomes) == ["STORED", "SKIPPED", "SKIPPED"]
    assert time.monotonic() - start < 4
    assert len(service.of("submit")) == 3


def test_an_empty_account_collects_what_was_accepted(service, make_site):
    """A 402 stops the submits, and every picture that was accepted before is collected."""
    service.submit = [accepts("t1"), accepts("t2"), fails(402, "insufficient balance")]
    outcomes = make_site("a", "b", "c", "d", api={"max_requests": 1}).generate()

    assert steps(outcomes) == ["STORED", "STORED", "SKIPPED", "SKIPPED"]
    assert len(service.of("submit")) == 3
    assert "insufficient balance" in outcomes[2].problem


def test_a_submit_in_progress_is_asked_again_with_its_key(service, make_site):
    """While the service works on the same submit, it is asked again with the same key and stays in the journal."""
    in_journal = []
    site = make_site("a")

    def submit(_):
        in_journal.extend(submission.stage for submission in site.submissions().values())
        return accepts("t1") if len(in_journal) > 1 else fails(409, code="idempotency_in_progress", retry_after="1")

    service.submit = submit
    outcomes = site.generate()
    keys = {request.headers["idempotency-key"] for request in service.of("submit")}

    assert steps(outcomes) == ["STORED"]
    assert len(keys) == 1
    assert in_journal == [Stage.INTENT, Stage.INTENT]


@pytest.mark.parametrize(
    "answer", [fails(402, "no balance"), fails(401, "bad key"), fails(400, "bad"), fails(429, retry_after="0")]
)
def test_a_refusal_after_a_submit_in_progress_proves_nothing(service, make_site, answer):
    """Once a submit may have been accepted, no later refusal of it makes it one that can be paid for again."""
    service.submit = [fails(409, code="idempotency_in_progress", retry_after="0"), answer]
    site = make_site("a")
    outcomes = site.generate()
    submits = len(service.of("submit"))
    site.run()

    assert steps(outcomes) == ["UNKNOWN"]
    assert "idempotency_in_progress" in outcomes[0].problem or "409" in outcomes[0].problem
    assert site.states() == [State.UNKNOWN]
    assert len(service.of("submit")) == submits


def test_a_run_that_stops_during_a_submit_in_progress_leaves_it_unknown(service, make_site):
    """A submit that waits to be asked again when the account turns out empty has an unknown outcome."""
    waiting = fails(409, code="idempotency_in_progress", retry_after="600")
    empty = says({"error": {"message": "no balance"}}, 402, wait=0.3)
    answers = iter([accepts("t1"), waiting, empty])
    service.submit = lambda _: next(answers)
    site = make_site("a", "b", "c", api={"max_requests": 2})
    outcomes = site.generate()

    assert sorted(steps(outcomes)) == ["SKIPPED", "STORED", "UNKNOWN"]
    assert sorted(state.name for state in site.states()) == ["CACHED", "MISSING", "UNKNOWN"]


@pytest.mark.parametrize("status", [402, 400])
def test_a_refused_retry_leaves_the_outcome_unknown(service, make_site, status):
    """A retry that is refused leaves every picture as it was, and a build without the flag submits none of them."""
    service.submit = Answer(vanish=True)
    site = make_site("a", "b", api={"max_requests": 1})
    site.run()
    before = site.submissions()
    service.submit = fails(status, "no")
    retried = site.run(retry_unknown=True)
    submits = len(service.of("submit"))
    site.run()

    assert site.submissions() == before
    assert steps(retried.outcomes) == ["UNKNOWN"] * 2
    assert len(service.of("submit")) == submits


def test_two_retries_at_a_time_pay_once(service, make_site):
    """Of two runs that retry the same picture, one submits it again."""
    service.submit = Answer(vanish=True)
    site = make_site("a")
    site.run()
    service.requests.clear()
    service.submit = accepts("t1", wait=0.3)
    plan = site.plan()
    again = {"retry_unknown": True}
    threads = [threading.Thread(target=run_plan, args=(plan, site.workspace), kwargs=again) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(service.of("submit")) == 1


def test_what_another_service_has_is_not_retried(service, make_site):
    """A task that was accepted by another service keeps its id, and is not paid for again here, also on request."""
    site = make_site("a")
    in_journal(site, service, "t1", base_url="https://other/v1")
    before = site.submissions()
    result = site.run(retry_unknown=True)

    assert service.requests == []
    assert site.submissions() == before
    assert "https://other/v1" in str(result.problems[0])
    assert "--retry-unknown" not in str(result.problems[0])


def test_an_error_in_our_own_code_leaves_the_intent(service, make_site, monkeypatch):
    """When something unforeseen happens while a submit is out, its picture is not submitted again on its own."""

    def explode(_):
        raise LookupError

    monkeypatch.setattr("mkdocs_gptimage.service.protocol.submitted", explode)
    site = make_site("a")
    with pytest.raises(BaseException, match="unhandled errors"):
        site.generate()

    assert site.states() == [State.UNKNOWN]
    assert len(service.of("submit")) == 1


def test_a_run_that_breaks_after_the_accept_is_continued_without_paying(service, make_site):
    """When a watcher raises, the answers to all submits that have left are kept for the next run."""
    numbers = iter(range(9))
    service.submit = lambda _: accepts(f"t{next(numbers)}", wait=0.2 * (len(service.of("submit")) - 1))

    def report(event):
        if event.text.endswith("t1"):
            raise LookupError(event)

    site = make_site("a", "b", "c", api={"max_requests": 3})
    service.batch = processing
    with pytest.raises(BaseException, match="unhandled errors"):
        site.generate(report=report)
    states = site.states()
    service.batch = lambda request: says({"data": list(map(service.finished, request.json["task_ids"]))})
    outcomes = site.generate()

    assert states == [State.IN_FLIGHT] * 3
    assert steps(outcomes) == ["STORED"] * 3
    assert len(service.of("submit")) == 3


def processing(request):
    """Every task is still being worked on."""
    return says({"data": [task(each, "processing") for each in request.json["task_ids"]]})


KILLED = """
import os, sys
sys.path.insert(0, {tests!r})
import harness
from pathlib import Path
site = harness.Site(harness.settings(Path({root!r}), {url!r}, api={{"max_requests": 2}}), harness.catalog(*{prompts!r}))
site.generate(report={report})
"""


def process(site, report):
    script = KILLED.format(
        tests=str(Path(harness.__file__).parent),
        root=str(site.settings.project),
        url=site.settings.api.base_url,
        prompts=[picture.spec.prompt for picture in site.pictures.pictures.values()],
        report=report,
    )
    return subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)


def test_ctrl_c_waits_for_the_answers_to_what_has_left(service, make_site):
    """An interrupted run still learns the task ids of submits under way, starts no others, and ends."""
    site = make_site("a", "b", "c", "d")
    arrived = threading.Event()
    numbers = iter(range(9))

    def submit(_):
        number = next(numbers)
        if number == 2:
            arrived.set()
        return accepts(f"t{number}", wait=0.7 if number else 0.0)

    service.submit, service.batch = submit, processing
    with process(site, "lambda event: None") as interrupted:
        arrived.wait(20)
        time.sleep(0.2)
        interrupted.send_signal(signal.SIGINT)
        _, said = interrupted.communicate(timeout=20)

    assert "KeyboardInterrupt" in said
    assert site.states() == [*[State.IN_FLIGHT] * 3, State.MISSING]
    assert len(service.of("submit")) == 3


def in_journal(site, service, *task_ids, **changes):
    """Write submissions of an earlier run for the site's pictures."""
    with open_journal(site.settings.journal) as opened:
        for digest, task_id in zip(site.digests, task_ids, strict=True):
            fields = {"submitted_at": time.time() - 3600, "base_url": service.base_url, **changes}
            opened.write(Submission(digest, Stage.ACCEPTED, idempotency_key="k", task_id=task_id, **fields))


def test_a_task_that_the_service_lost_becomes_unknown(service, make_site):
    """A task that is not known for two minutes is believed lost, also past its deadline; later runs ask once more."""
    service.batch, service.poll = fails(404), fails(404, "task not found")
    site = make_site("a")
    in_journal(site, service, "gone")
    outcomes = site.generate()

    assert steps(outcomes) == ["UNKNOWN"]
    assert len(service.of("poll")) >= retry.DENIALS
    assert site.states() == [State.UNKNOWN]
    service.requests.clear()
    assert len(site.run().problems) == 1
    assert service.counts() == {"batch": 1, "poll": 1}


def test_the_deadline_bounds_the_wait_for_a_task_that_may_be_lost(service, make_site):
    """A task that was not known once, and of which nothing is heard after that, does not keep a run from ending."""
    answers = iter([fails(404, "task not found")])
    service.batch, service.poll = fails(404), lambda _: next(answers, fails(500, "boom"))
    site = make_site("a")
    in_journal(site, service, "t1")
    outcomes = site.generate(clock=harness.fast_clock(1000))

    assert steps(outcomes) == ["WAITING"]
    assert "not finished" in outcomes[0].problem
    assert site.states() == [State.IN_FLIGHT]


def test_a_page_that_vanishes_during_a_run_stops_nothing(service, make_site):
    """Where a picture is asked for is known before anything is paid, and the page is not read again."""
    site = make_site("a")
    picture_ = next(iter(site.pictures.pictures.values()))
    reads = []

    def text():
        reads.append(len(service.requests))
        raise FileNotFoundError("docs/index.md")

    object.__setattr__(picture_.uses[0].source, "text", text)
    outcomes = site.generate()

    assert steps(outcomes) == ["STORED"]
    assert reads == [0]


def test_a_task_of_another_key_does_not_hold_up_the_others(service, make_site):
    """A 403 to the poll of one task leaves another one, which still runs, to be polled until it is finished."""

    def poll(request):
        if request.path.endswith("foreign"):
            return fails(403, "not yours")
        return says(service.finished("mine") if len(service.of("poll")) > 4 else task("mine", "processing"))

    service.batch, service.poll = fails(403), poll
    site = make_site("a", "b")
    in_journal(site, service, "foreign", "mine", submitted_at=time.time())
    outcomes = site.generate()

    assert steps(outcomes) == ["WAITING", "STORED"]
    assert site.states() == [State.IN_FLIGHT, State.CACHED]


def test_a_submission_from_the_future_is_collected_now(service, make_site):
    """A clock that was set back does not make a run wait for the moment of the submit."""
    site = make_site("a")
    in_journal(site, service, "t1", submitted_at=time.time() + 86400 * 30)
    start = time.monotonic()
    outcomes = site.generate()

    assert steps(outcomes) == ["STORED"]
    assert time.monotonic() - start < 5


def test_leftovers_that_vanish_while_they_are_looked_at_are_no_error(make_site):
    """Two runs may tidy up at the same time: what the other one removed first is not missed."""
    site = make_site("a")
    make_subfolder(site.settings.cache, PARTS)
    for name in (f".cache/parts/{DOWNLOAD}", f"gptimage/00/{PART}"):
        path = site.settings.project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to("gone")

    assert site.run().problems == []


@pytest.mark.parametrize("kind", ["url", "b64_json", "data uri"])
def test_synchronous_answers_are_pictures(service, make_site, kind):
    """A service that answers the submit with a picture is taken at its word."""
    data = {
        "url": {"url": f"{service.origin}/a.png"},
        "b64_json": {"b64_json": encoded(picture("WEBP"))},
        "data uri": {"b64_json": f"data:image/jpeg;base64,{encoded(picture('JPEG'))}"},
    }[kind]
    service.submit = says({"created": 1, "data": [data]})
    site = make_site("a")
    outcomes = site.generate()

    assert steps(outcomes) == ["STORED"]
    assert outcomes[0].entry.made.task_id is None
    assert outcomes[0].entry.image.format == {"url": "png", "b64_json": "webp", "data uri": "jpg"}[kind]
    assert site.submissions() == {}


def test_bytes_that_are_no_picture_are_not_stored(service, make_site):
    """What does not decode leaves nothing in the store, and is downloaded again by every run, without paying."""
    service.download = Answer(body=picture()[:-30])
    site = make_site("a")
    first, second = site.generate(), site.generate()
    files = site.files()
    service.download = Answer(body=picture())
    third = site.run(retry_unknown=True)

    assert (steps(first), steps(second)) == (["WAITING"], ["WAITING"])
    assert files == []
    assert third.problems == []
    assert len(service.of("submit")) == 1


def test_every_picture_of_a_plan_gets_an_outcome(service, make_site):
    """Whatever happens to single pictures, each that was to be made is accounted for once."""
    answers = [accepts("t1"), fails(400, "bad"), Answer(vanish=True), accepts("t2"), fails(422), fails(500)]
    service.submit = [*answers, accepts("t3")]
    site = make_site(*"abcdefg", api={"max_requests": 1})
    outcomes = site.generate()

    assert steps(outcomes) == ["STORED", "FAILED", "UNKNOWN", "STORED", "FAILED", "UNKNOWN", "STORED"]


def test_the_budget_counts_what_is_retried(service, make_site):
    """Pictures that are submitted again on request count against the budget."""
    service.submit = Answer(vanish=True)
    site = make_site("a", "b")
    site.run()
    site.settings = harness.settings(site.settings.project, service.base_url, budget=Budget(images=1))
    with pytest.raises(BudgetError):
        site.run(retry_unknown=True)

    assert len(service.of("submit")) == 2
    assert site.states() == [State.UNKNOWN] * 2


NAMES = ["gptimage", ".cache", ".cache/parts", "gptimage/.journal", "gptimage/.journal/journal"]


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_cannot_be_written_submits_nothing(service, make_site, name):
    """A file where the store or the cache should be is reported before anything is paid."""
    site = make_site("a")
    path = site.settings.project / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.parent.name in (".cache", ".journal"):
        claim_folder(path.parent)
    path.write_text("in the way")
    with pytest.raises(ConfigurationError, match="nothing was submitted"):
        site.run()

    assert service.requests == []


@pytest.mark.parametrize("key", ["", "  "])
def test_without_a_key_nothing_is_submitted(service, make_site, key):
    """The variable that should hold the key is named."""
    site = make_site("a")
    with pytest.raises(ConfigurationError, match="APIMASTER_API_KEY"):
        run_plan(site.plan(), replace(site.workspace, environment={"APIMASTER_API_KEY": key}))

    assert service.requests == []


def test_half_a_pair_in_flight_is_collected_for_free(service, make_site):
    """Damage in the store whose task is known is repaired without a submit."""
    site = make_site("a")
    in_journal(site, service, "t1")
    folder = site.settings.store / site.digests[0][:2]
    folder.mkdir(parents=True)
    (folder / f"{site.digests[0]}.png").write_bytes(b"half")
    outcomes = site.generate()

    assert steps(outcomes) == ["STORED"]
    assert service.of("submit") == []


def test_old_parts_are_cleaned_up(make_site):
    """What killed runs left of downloads and records is removed by a later run, what is recent is not."""
    site = make_site("a")
    parts, folder = make_subfolder(site.settings.cache, PARTS), site.settings.store / "00"
    folder.mkdir(parents=True)
    old = [parts / DOWNLOAD, folder / PART]
    recent = [path.with_name(path.name.replace("0", "1")) for path in old]
    for path in (*old, *recent):
        path.write_text("part")
    for path in old:
        os.utime(path, (0, 0))
    site.run()

    assert [path.exists() for path in (*old, *recent)] == [False, False, True, True]


def test_what_an_emulator_left_does_not_block(service, make_site):
    """A site that changes from the emulator to a real service makes its pictures there."""
    site = make_site("a")
    with open_journal(site.settings.journal) as opened:
        opened.write(Submission(site.digests[0], Stage.ACCEPTED, "emulator", "k", 0.0, "t1"))
    result = site.run()

    assert result.problems == []
    assert len(service.of("submit")) == 1
