"""Whatever bytes a service answers with: a value or a named error, and never a refusal without a proof."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from properties.hostile import texts, tried

from mkdocs_gptimage.errors import GatewayError, RejectedError, UnknownOutcomeError
from mkdocs_gptimage.service import protocol, refusals
from mkdocs_gptimage.service.pictures import Image
from mkdocs_gptimage.service.protocol import Accepted, Phase, Task

ID = "task_01KPQ7J7DWB7QZ3WCEK3YVPBRA"
LINK = "https://img.example/a.png"
NAMES = (
    *("data", "tasks", "result", "results", "images", "url", "b64_json", "id", "task_id", "status", "error"),
    *("code", "message", "msg", "cost", "type", ID),
)
REFUSALS = (400, 401, 402, 403, 404, 422, 429)
"""The statuses that prove, by the service's documentation, that nothing was accepted."""
NOT_EVEN_READ = (301, 307, 308, 405, 406, 410, 411, 413, 414, 415, 417, 426, 428, 431, 451)
"""The statuses that prove it by HTTP: the server wants another address, method, size or kind of request."""

odd = st.sampled_from(
    [
        *("failed", "error", "completed", "submitted", ID, LINK, "../", "..", ".", "a/../b", "%2e%2e", "a\0b", ""),
        *(True, False, None, 0, -1, 7, 402, "402", 402.0, 1e400, -1e400, float("nan"), 10**30, "1e400", "9" * 5000),
        *("build_request_failed: x", "idempotency_unavailable", "idempotency_in_progress", "\ud800", "x" * 10_000),
    ]
)
answers = st.recursive(
    odd | texts | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=5),
    max_leaves=15,
)
bodies = st.one_of(
    answers.map(lambda value: json.dumps(value).encode()),
    answers.map(lambda value: json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")),
    answers.map(lambda value: json.dumps(value).encode()[:-1]),
    st.binary(max_size=80),
    texts.map(lambda text: text.encode("utf-8", "replace")),
)
DEEP = [
    b"[" * 100_000,
    b"[" * 100_000 + b"]" * 100_000,
    b'{"data":' * 100_000 + b"1" + b"}" * 100_000,
    b'{"error":' * 100_000 + b'"x"' + b"}" * 100_000,
    b'{"status":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"code":' + b"[" * 900 + b"]" * 900 + b"}",
    b'{"id":' + b"9" * 100_000 + b"}",
    b'{"cost":' + b"9" * 4000 + b', "status": "completed", "url": "https://img.example/a.png"}',
    b'{"data":{"images":["https://img.example/' + b"x" * 1_000_000 + b'"]}}',
]


def said_of(read, *given_to_it):
    """What a reader makes of an answer."""
    try:
        return read(*given_to_it)
    except GatewayError as error:
        return error


def is_fit_to_show(words: str) -> bool:
    """Whether words fit on one line, are not endless, and steer neither a terminal nor the direction of text."""
    return words.isprintable() and len(words) <= 400


def check(data: bytes) -> None:
    readings = {
        (Accepted, Image): [said_of(protocol.submitted, data)],
        (Task,): [said_of(protocol.task, data, ID), *wire_tasks(data)],
    }
    for kinds, found_ones in readings.items():
        for found in found_ones:
            assert isinstance(found, (*kinds, GatewayError))
            check_value(found)


def wire_tasks(data: bytes):
    found = said_of(protocol.tasks, data, [ID])
    return found.values() if isinstance(found, dict) else [found]


def check_value(found) -> None:
    if isinstance(found, GatewayError):
        assert is_fit_to_show(str(found))
    elif isinstance(found, Accepted):
        assert re.fullmatch(r"[A-Za-z0-9_.:~-]{1,200}", found.task_id)
        assert found.task_id.strip(".")
    elif isinstance(found, Image):
        assert (found.url is None) is not (found.base64 is None)
        assert len(found.url or "") <= 8192
    else:
        assert is_fit_to_show(found.message)
        assert (found.image is not None) is (found.phase is Phase.READY)
        assert found.cost_usd is None or 0 <= found.cost_usd < 1e12


@given(data=bodies)
@tried
def test_any_answer_is_a_value_or_a_named_error(data):
    """Any bytes are a value in its bounds or a `GatewayError` whose words can be shown."""
    check(data)


@pytest.mark.parametrize("data", DEEP, ids=lambda data: repr(data[:12]))
@pytest.mark.parametrize("status", [200, 400, 500])
def test_deep_and_endless_answers(data, status):
    """Nesting and digits without end are read like any other answer."""
    check(data)
    found = refusals.failure(status, data, {})

    assert is_fit_to_show(str(found))
    assert isinstance(found, UnknownOutcomeError) is (status != 400)


@given(data=bodies)
@tried
def test_a_submit_with_a_2xx_is_refused_only_in_so_many_words(data):
    """A 2xx is a refusal only if it says an error and holds nothing that could be a task or a picture."""
    found = said_of(protocol.submitted, data)

    if isinstance(found, RejectedError):
        answer = json.loads(data)
        assert {"code", "error", "status"} & answer.keys()
        assert not any(answer.get(name) for name in ("data", "id", "task_id", "images", "url", "result"))


@given(code=st.sampled_from(REFUSALS), spelled=st.sampled_from([int, float, str]), rest=answers)
@tried
def test_a_refusal_that_comes_with_data_proves_nothing(code, spelled, rest):
    """A code of refusal beside data is never believed."""
    body = json.dumps({"code": spelled(code), "message": "no", "data": [rest]}).encode()

    assert not isinstance(said_of(protocol.submitted, body), RejectedError)


@given(status=st.integers(300, 599) | st.sampled_from([409, 500, 503]), data=bodies)
@example(status=409, data=b'{"error": {"code": "idempotency_result_indeterminate"}}')
@example(status=409, data=b'{"error": {"code": "idempotency_key_reused"}}')
@example(status=409, data=b'{"error": {"code": "build_request_failed"}}')
@example(status=500, data=b'{"error": {"code": "idempotency_unavailable"}}')
@example(status=503, data=b'{"error": {"code": "build_request_failed", "message": "build_request_failed"}}')
@example(status=502, data=b"build_request_failed")
@example(status=500, data=b'{"error": {"message": "not build_request_failed"}}')
@tried
def test_an_error_is_a_refusal_only_with_a_proof(status, data):
    """An error proves that nothing was accepted by its status, or by the two codes that say so; nothing else does."""
    found = refusals.failure(status, data, {})
    text = data.decode("utf-8", "replace")

    assert isinstance(found, RejectedError) is not isinstance(found, UnknownOutcomeError)
    assert found.status == status
    assert is_fit_to_show(str(found))
    assert isinstance(found, RejectedError) or status not in (*REFUSALS, *NOT_EVEN_READ)
    if isinstance(found, RejectedError) and status not in (*REFUSALS, *NOT_EVEN_READ):
        assert (status == 500 and "build_request_failed" in text) or (
            status == 503 and "idempotency_unavailable" in text
        )


@given(
    status=st.sampled_from([408, 409, 425, 500, 502, 503, 504, 520, 524, 599]),
    words=texts.filter(lambda text: "build_request_failed" not in text and "idempotency_" not in text),
    shape=st.sampled_from(["error", "flat", "text"]),
)
@tried
def test_no_other_words_prove_a_refusal(status, words, shape):
    """Whatever else a service says with a status that leaves it open, the outcome stays unknown."""
    said = {"code": words, "message": words, "type": words}
    body = {"error": json.dumps({"error": said}), "flat": json.dumps(said), "text": words}[shape]

    assert isinstance(refusals.failure(status, body.encode("utf-8", "replace"), {}), UnknownOutcomeError)


@given(words=texts, name=st.sampled_from(["code", "message", "type", "msg"]), status=st.sampled_from([400, 409, 500]))
@example(words="\x1b[31m" + "x" * 10_000, name="code", status=400)
@example(words="\u202e\n", name="code", status=500)
@tried
def test_words_of_an_error_can_be_shown(words, name, status):
    """Whichever part of an error holds them, its words come out as one printable line of a sensible length."""
    for body in ({"error": {name: words}}, {name: words}):
        assert is_fit_to_show(str(refusals.failure(status, json.dumps(body).encode(), {})))


@given(words=texts, wraps=st.sampled_from(["error", "message"]))
@tried
def test_a_failed_task_speaks_one_printable_line(words, wraps):
    """A failed task's words are one line without control characters and without marks of direction."""
    body = json.dumps({"data": {"id": ID, "status": "failed", wraps: words}}).encode()

    found = protocol.task(body, ID)

    assert found.phase is Phase.FAILED
    assert is_fit_to_show(found.message)
    assert found.message


@given(
    value=st.none()
    | texts
    | st.floats().map(str)
    | st.from_regex(r"\A(Mon, )?[0-9]{1,3} (Jan|Foo) [0-9]{1,22} [0-9]{1,3}:[0-9]{2}:[0-9]{2} ([+-][0-9]{1,22}|GMT)\Z")
)
@example(value="Mon, 01 Jan 2001 00:00:00 -0000")
@example(value="9" * 5000)
@tried
def test_any_retry_after_is_seconds_or_nothing(value):
    """Whatever stands in Retry-After, it is a wait of at most a year, or nothing."""
    found = refusals.retry_after(value)

    assert found is None or 0 <= found <= refusals.LONGEST_WAIT
