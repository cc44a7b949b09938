"""What the API answers, and what each answer is taken to mean."""

from __future__ import annotations

import datetime as dt
import json
from email.utils import format_datetime

import pytest
from hypothesis import strategies as st

from mkdocs_gptimage.errors import (
    AccessError,
    BalanceError,
    BusyError,
    GatewayError,
    InProgressError,
    RejectedError,
    UnknownOutcomeError,
)
from mkdocs_gptimage.service import protocol, refusals
from mkdocs_gptimage.service.pictures import Image
from mkdocs_gptimage.service.protocol import Accepted, Phase, Task
from mkdocs_gptimage.spec.model import ImageSpec

LINK = "https://img.example/a.png?sig=1"
ID = "task_01KPQ7J7DWB7QZ3WCEK3YVPBRA"
RUNNING = {"id": ID, "status": "processing"}
DEEP = b"[" * 100_000 + b"]" * 100_000
DEEP_OBJECT = b'{"data":' * 100_000 + b"1" + b"}" * 100_000

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([ID, LINK, "failed"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                [
                    "data",
                    "tasks",
                    "result",
                    "results",
                    "images",
                    "url",
                    "b64_json",
                    "id",
                    "task_id",
                    "status",
                    "error",
                    "code",
                    "message",
                    "cost",
                    ID,
                ]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=20,
)


def body(value):
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    ("spec", "urls", "expected"),
    [
        (ImageSpec("a"), [], {"size": "1:1", "resolution": "1k"}),
        (ImageSpec("a", size=None), ["https://x/y.png"], {"resolution": "1k", "image_urls": ["https://x/y.png"]}),
        (ImageSpec("a", size="3840x2160", resolution="4k"), [], {"size": "3840x2160", "resolution": "4k"}),
        (ImageSpec("a", variant="2"), [], {"size": "1:1", "resolution": "1k"}),
        (ImageSpec("a", official_fallback=True), [], {"size": "1:1", "resolution": "1k", "official_fallback": True}),
    ],
)
def test_request(spec, urls, expected):
    """A request holds the documented fields, and those that are not set are absent."""
    assert json.loads(b"".join(protocol.encode_request(spec, list(urls)))) == {
        "model": "gpt-image-2",
        "prompt": "a",
        "n": 1,
        **expected,
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ({"code": 200, "data": [{"status": "submitted", "task_id": ID}]}, Accepted(ID)),
        ({"code": 200, "data": {"task_id": ID}}, Accepted(ID)),
        ({"data": {"id": ID, "status": "pending"}}, Accepted(ID)),
        ({"task_id": ID}, Accepted(ID)),
        ({"id": ID, "status": "queued", "progress": 0}, Accepted(ID)),
        ({"id": ID, "created": 1}, Accepted(ID)),
        ({"code": 402, "data": [{"task_id": ID}]}, Accepted(ID)),
        ({"created": 1, "data": [{"url": LINK}]}, Image(url=LINK)),
        ({"created": 1, "data": [{"url": [LINK]}]}, Image(url=LINK)),
        ({"created": 1, "data": [{"b64_json": "AAAA"}]}, Image(base64="AAAA")),
        ({"id": "img-1", "created": 1, "data": [{"url": LINK}]}, Image(url=LINK)),
        ({"data": [{"task_id": ID, "url": LINK}]}, Accepted(ID)),
        ({"id": "img_1", "status": "completed", "data": [{"b64_json": "AAAA"}]}, Image(base64="AAAA")),
        ({"data": {"id": "img_1", "status": "success", "url": LINK}}, Image(url=LINK)),
    ],
)
def test_accepted_submits(answer, expected):
    """A task id is a task, a link or base64 is a picture, and an answer's own id beside a picture is neither."""
    assert protocol.submitted(body(answer)) == expected


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"code": 402, "message": "balance"}, BalanceError),
        ({"code": "401", "message": "key"}, AccessError),
        ({"code": 429, "message": "slow"}, BusyError),
        ({"code": 400, "message": "size"}, RejectedError),
        ({"code": 500, "message": "boom"}, RejectedError),
        ({"code": 504, "message": "boom"}, UnknownOutcomeError),
        ({"code": 200, "data": []}, UnknownOutcomeError),
        ({"code": 200, "data": [{"task_id": ""}]}, UnknownOutcomeError),
        ({"data": [{"task_id": "../../etc/passwd"}]}, UnknownOutcomeError),
        ({"data": [{"task_id": ".."}]}, UnknownOutcomeError),
        ({"data": [{"url": f"https://img.example/{'x' * 1_000_000}"}]}, UnknownOutcomeError),
        ({"images": [f"https://img.example/{'x' * 1_000_000}"]}, UnknownOutcomeError),
        ({"code": 402, "data": [{"task_id": 7.5}]}, UnknownOutcomeError),
        ({"code": 400, "data": [{"task_id": "../x"}]}, UnknownOutcomeError),
        ({"code": 400, "task_id": 7.5}, UnknownOutcomeError),
        ({"code": 400, "data": {"result": {"url": 3}}}, UnknownOutcomeError),
        ({"code": 400, "data": None}, RejectedError),
        ({"code": 400, "data": []}, RejectedError),
        ({"code": 400, "data": {}}, RejectedError),
        ({"id": "req_1", "error": {"message": "no"}}, UnknownOutcomeError),
        ([], UnknownOutcomeError),
        (None, UnknownOutcomeError),
        ("text", UnknownOutcomeError),
    ],
)
def test_answers_without_a_task(answer, error):
    """HTTP 200 with a refusal inside is that refusal; anything else that holds no task is an unknown outcome."""
    with pytest.raises(GatewayError) as caught:
        protocol.submitted(body(answer))

    assert type(caught.value) is error


@pytest.mark.parametrize("data", [b"", b"<html>", b"\xff\xfe", b'{"data": [', DEEP, DEEP_OBJECT, b"9" * 5000])
def test_unreadable_answers(data):
    """A body that cannot be read is an unknown outcome of a submit, and an error of a poll that says there was one."""
    for read in (
        protocol.submitted,
        lambda each: protocol.task(each, ID),
        lambda each: protocol.tasks(each, [ID]) or protocol.task(each, ID),
    ):
        with pytest.raises(GatewayError) as caught:
            read(data)

        assert caught.value.status == 200
    with pytest.raises(UnknownOutcomeError):
        protocol.submitted(data)


@pytest.mark.parametrize(
    ("word", "phase"),
    [
        ("submitted", Phase.QUEUED),
        ("pending", Phase.QUEUED),
        ("queued", Phase.QUEUED),
        ("processing", Phase.RUNNING),
        ("in_progress", Phase.RUNNING),
        ("IN_PROGRESS", Phase.RUNNING),
        ("polishing", Phase.RUNNING),
        ("expired", Phase.RUNNING),
        ("", Phase.RUNNING),
        (None, Phase.RUNNING),
        (3, Phase.RUNNING),
        ("completed", Phase.READY),
        ("Completed", Phase.READY),
        ("failed", Phase.FAILED),
        ("cancelled", Phase.FAILED),
        ("error", Phase.FAILED),
    ],
)
def test_status_words(word, phase):
    """Every known word has its phase, and a word never seen before means not finished."""
    answer = {"data": {"id": ID, "status": word, "result": {"images": [{"url": [LINK]}]}}}

    assert protocol.task(body(answer), ID).phase is phase


@pytest.mark.parametrize(
    "result",
    [
        {"result": {"images": [{"url": [LINK], "expires_at": 1}]}},
        {"result": {"images": [{"url": LINK}]}},
        {"result": {"images": [LINK]}},
        {"result": {"images": {"url": LINK}}},
        {"result": {"data": [{"url": LINK}]}},
        {"result": [{"url": LINK}]},
        {"result": {"url": LINK}},
        {"images": [{"url": ["", LINK]}]},
        {"url": LINK},
    ],
)
@pytest.mark.parametrize("wrap", [lambda t: {"code": 200, "data": t}, lambda t: {"data": [t]}, lambda t: t])
def test_where_the_picture_is(result, wrap):
    """The link is found in a list or as text, wherever gateways put it."""
    found = protocol.task(body(wrap({"id": ID, "status": "completed", "cost": "0.014", **result})), ID)

    assert found == Task(Phase.READY, Image(url=LINK), cost_usd=0.014)


def test_completed_without_a_picture_is_empty():
    """A task that is complete but has no link yet is neither ready nor failed."""
    assert protocol.task(body({"data": {"status": "completed", "result": {"images": []}}}), ID).phase is Phase.EMPTY


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"error": {"message": "not\nallowed", "code": 1}}, "not allowed"),
        ({"error": "no"}, "no"),
        ({"message": "why"}, "why"),
        ({"error": {"code": "moderation_blocked"}}, "moderation_blocked"),
        ({}, "'failed', without a reason"),
        ({"error": "\x1b[31mred\x07"}, "[31mred"),
        ({"error": "x" * 1000}, "x" * 299 + "…"),
    ],
)
def test_words_of_a_failure(fields, words):
    """A failed task speaks the service's words, on one line, printable and not too long."""
    assert protocol.task(body({"data": {"id": ID, "status": "failed", **fields}}), ID).message == words


@pytest.mark.parametrize("cost", [None, "free", -1, True, float("nan"), 10**400, [], "nan", "inf"])
def test_costs_that_are_none(cost):
    """A cost that is not a sensible number is ignored."""
    answer = {"data": {"status": "completed", "url": LINK, "cost": cost}}

    assert protocol.task(body(answer), ID).cost_usd is None


@pytest.mark.parametrize("answer", [{"status": "error", "message": "x"}, {"status": "failed"}, {"code": 200}, [], 1])
def test_polls_without_a_task(answer):
    """An answer around no task is an error of the poll, also when it says `error` itself."""
    with pytest.raises(GatewayError, match="holds no task"):
        protocol.task(body(answer), ID)


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "req_9", "status": "error", "message": "upstream busy"},
        {"data": {"id": "other", "status": "completed", "url": LINK}},
        {"status": "success", "data": [{"task_id": "other", "status": "completed", "url": LINK}]},
        {"status": "success", "data": {"id": "other", "result": {"url": LINK}}},
    ],
)
def test_a_poll_never_takes_the_task_of_another(answer):
    """What a poll says of an id that was not asked for is not said of our task."""
    with pytest.raises(GatewayError, match="holds no task"):
        protocol.task(body(answer), ID)


@pytest.mark.parametrize(
    "answer",
    [
        {"id": "req_9", "data": {"task_id": ID, "status": "processing"}},
        {"data": {"id": "row_7", "task_id": ID, "status": "processing"}},
        {"data": [{"id": "other", "status": "failed"}, RUNNING]},
        {"data": {"id": 7, "status": "processing"}},
        {"id": "req_9", "data": {"status": "processing"}},
    ],
)
def test_a_poll_finds_its_own_task(answer):
    """The task that was asked for is found beside other ids, and one without any id is taken to be it."""
    assert protocol.task(body(answer), ID) == Task(Phase.RUNNING)


@pytest.mark.parametrize(
    "answer",
    [
        {"data": [RUNNING, {"id": "other", "status": "failed"}]},
        {"data": [{"task_id": ID, "id": 7, "status": "processing"}]},
        {"data": {ID: {"status": "processing"}}},
        {"data": {"tasks": [RUNNING]}},
        {"data": {"tasks": {ID: RUNNING}}},
        {"tasks": [RUNNING]},
        {"results": [{"task_id": ID, "data": {"status": "processing"}}]},
        {"data": [{"code": 200, "data": RUNNING}]},
        {ID: RUNNING},
        [RUNNING],
        {"code": 200, "message": "ok", "data": [None, 1, {}, {"id": 5}, RUNNING]},
        {"data": [{"task_id": ID, "status": "processing", "data": {"id": "upstream", "status": "failed"}}]},
    ],
)
def test_batch_shapes(answer):
    """A list, a mapping and either of them under other names give the tasks that were asked for."""
    assert protocol.tasks(body(answer), [ID, "missing"]) == {ID: Task(Phase.RUNNING)}


@pytest.mark.parametrize("answer", [{}, [], None, 3, {"data": None}, {"data": [{"id": ID}]}, {"data": {ID: "ready"}}])
def test_batch_answers_without_tasks(answer):
    """What a batch answer does not say of a task is missing, not an error."""
    assert protocol.tasks(body(answer), [ID]) == {}


@pytest.mark.parametrize(
    ("status", "code", "message", "error"),
    [
        (401, "invalid_api_key", "bad key", AccessError),
        (402, 402, "balance", BalanceError),
        (404, 404, "path", RejectedError),
        (429, "rate_limited", "slow", BusyError),
        (500, "server_error", "build_request_failed: size", RejectedError),
        (500, "build_request_failed", "size", RejectedError),
        (500, 500, "boom", UnknownOutcomeError),
        (500, 500, "not build_request_failed", UnknownOutcomeError),
        (503, "idempotency_unavailable", "later", BusyError),
        (503, 503, "overloaded", UnknownOutcomeError),
        (499, None, "", UnknownOutcomeError),
        (409, "idempotency_in_progress", "wait", InProgressError),
        (409, "idempotency_result_indeterminate", "stop", UnknownOutcomeError),
        (301, None, "", RejectedError),
        (302, None, "", UnknownOutcomeError),
    ],
)
@pytest.mark.parametrize("shape", ["error", "flat"])
def test_what_an_error_proves(status, code, message, error, shape):
    """Only answers that prove that nothing was accepted are rejections."""
    described = {"code": code, "message": message}
    answer = {"error": {**described, "type": "t", "request_id": "r"}} if shape == "error" else described
    found = refusals.failure(status, body(answer), {"retry-after": "7"})

    assert type(found) is error
    assert found.status == status
    assert message in str(found)
    assert isinstance(found, RejectedError) is not isinstance(found, UnknownOutcomeError)


@pytest.mark.parametrize(
    "data",
    [
        b"build_reque\x12st_failed: size",
        body({"error": {"message": "build_request\u202e_failed: size"}}),
        body({"message": ["build_request_failed"]}),
        body({"error": {"message": "x", "type": "build_request_failed"}}),
    ],
)
def test_a_proof_is_taken_literally(data):
    """What only reads like a proof once it is made fit to be shown is none."""
    assert type(refusals.failure(500, data, {})) is UnknownOutcomeError


@pytest.mark.parametrize("status", [429, 500, 404])
@pytest.mark.parametrize("data", [b"", b"<html><h1>Bad</h1>", b"\xff", DEEP, b"[]", b"null", b'{"error": [1]}'])
def test_errors_without_words(status, data):
    """An error whose body says nothing readable still tells its status."""
    assert str(refusals.failure(status, data, {})).startswith(f"HTTP {status}")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("7", 7),
        ("1.5", 1.5),
        ("-3", 0),
        ("99999", 99999),
        ("soon", None),
        ("nan", None),
        ("inf", refusals.LONGEST_WAIT),
        ("Mon, 01 Jan 2001 00:00:00 GMT", 0),
        ("Mon, 99 Foo 2001", None),
        (f"Mon, 01 Jan {'9' * 20} 00:00:00 GMT", None),
        (f"Mon, 01 Jan 2001 00:00:00 +{'9' * 20}", None),
    ],
)
def test_retry_after(value, seconds):
    """Retry-After is a number of seconds, a date or nothing usable, and never longer than a year."""
    assert refusals.retry_after(value) == seconds


@pytest.mark.parametrize("zone", [dt.UTC, None])
def test_retry_after_date(zone):
    """A date in Retry-After is relative to now."""
    moment = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=60)

    assert refusals.retry_after(format_datetime(moment.replace(tzinfo=zone))) == pytest.approx(60, abs=2)


@pytest.mark.parametrize("depth", [50, 400, 900])
def test_objects_inside_each_other_end(depth):
    """Objects that are nested deeper than any service nests them are passed over."""
    nested = b'{"result":' * depth + b'{"url":"x"}' + b"}" * depth

    assert protocol.task(b'{"status":"completed","data":' + nested + b"}", ID).phase is Phase.RUNNING


@pytest.mark.parametrize("status", [400, 402, 404, 422, 429, 500, 503])
def test_a_refusal_that_names_a_task_proves_nothing(status):
    """An answer such as "too many requests, queued as task 7" is never followed by the same submit again."""
    for body in ({"task_id": ID}, {"data": {"task_id": ID}}, {"data": [{"task_id": ID, "status": "submitted"}]}):
        error = refusals.failure(status, json.dumps({"error": {"message": "busy"}, **body}).encode(), {})
        assert type(error) is UnknownOutcomeError
        assert error.status == status


@pytest.mark.parametrize("body", [{"code": 429, "task": {"key": ID}}, {"code": 402, "tasks": [ID]}])
def test_a_refusal_in_an_answer_that_speaks_of_work_proves_nothing(body):
    """A code of refusal beside a task of a shape that cannot be read is an unknown outcome."""
    with pytest.raises(UnknownOutcomeError):
        protocol.submitted(json.dumps(body).encode())


def test_an_error_in_a_batch_is_asked_for_alone():
    """A lookup that failed is no task that failed: it is left out, so that the task is asked for on its own."""
    tasks = [{"task_id": ID, "status": "error", "message": "rate limited"}, {"task_id": "b", "status": "failed"}]
    assert list(protocol.tasks(json.dumps({"data": tasks}).encode(), [ID, "b"])) == ["b"]
