from __future__ import annotations

import base64
import io
import itertools
import re
import socket
import time
from dataclasses import replace

import httpx
import pytest
from PIL import Image, ImageChops, ImageStat

from mkdocs_gptimage.emulator import Settings, serving, studio

KEY = {"Authorization": "Bearer sk-test"}
FAST = Settings(latency=(0.05, 0.05))


def png(width: int = 64, height: int = 48) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 40, 40)).save(out, "PNG")
    return out.getvalue()


def data_uri(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def request_of(prompt: str = "hills", **fields: object) -> dict[str, object]:
    return {"model": "gpt-image-2", "prompt": prompt, "size": "16x16", **fields}


def submit(client: httpx.Client, prompt: str = "hills", **fields: object) -> str:
    answer = client.post("images/generations", json=request_of(prompt, **fields)).raise_for_status()
    return str(answer.json()["data"][0]["task_id"])


def finished(client: httpx.Client, task_id: str) -> dict[str, object]:
    for _ in range(1000):
        task = client.get(f"tasks/{task_id}").raise_for_status().json()["data"]
        if task["status"] in {"completed", "failed"}:
            return dict(task)
        time.sleep(0.01)
    raise AssertionError(task)


def client_of(base_url: str) -> httpx.Client:
    return httpx.Client(base_url=base_url, headers=KEY, timeout=10)


def server_stats(client: httpx.Client) -> dict[str, int]:
    return dict(client.get(str(client.base_url.copy_with(path="/stats"))).json())


@pytest.fixture(scope="module")
def client():
    with serving(FAST) as base_url, client_of(base_url) as client:
        yield client


def test_submit_answers_with_a_task_id(client):
    """A submit answers with a task in the documented shape and never with a picture."""
    answer = client.post("images/generations", json=request_of())

    assert answer.status_code == 200
    body = answer.json()
    task_id = body["data"][0]["task_id"]
    assert body == {"code": 200, "data": [{"status": "submitted", "task_id": task_id}]}
    assert re.fullmatch(r"task_[0-9A-HJKMNP-TV-Z]{26}", task_id)


def test_the_second_route_for_submits(client):
    """What is submitted to `/images/generations/async` is a task like any other, also when it is asked for by model."""
    answer = client.post("images/generations/async", json=request_of()).raise_for_status().json()
    task_id = answer["data"][0]["task_id"]
    finished(client, task_id)
    task = client.get(f"tasks/{task_id}", params={"model": "gpt-image-2"}).raise_for_status().json()["data"]

    assert answer == {"code": 200, "data": [{"status": "submitted", "task_id": task_id}]}
    assert task["status"] == "completed"


def test_the_models_are_listed(client):
    """The list of models names the only one there is."""
    answer = client.get("models").raise_for_status().json()

    assert (answer["object"], [model["id"] for model in answer["data"]]) == ("list", ["gpt-image-2"])


def test_a_synchronous_answer_holds_the_picture():
    """With `synchronous`, a submit is answered when its picture is ready; the other route still answers with a task."""
    with serving(replace(FAST, synchronous=True)) as base_url, client_of(base_url) as client:
        answer = client.post("images/generations", json=request_of()).raise_for_status().json()
        again = client.post("images/generations/async", json=request_of()).raise_for_status().json()
        refusals = [client.post("images/generations", json=request_of(prompt)) for prompt in ("[moderation]", "[fail]")]
        stats = server_stats(client)
        content = client.get(answer["data"][0]["url"]).raise_for_status().content

    assert list(answer) == ["created", "data"]
    assert Image.open(io.BytesIO(content)).size == (16, 16)
    assert list(again["data"][0]) == ["status", "task_id"]
    assert [refusal.status_code for refusal in refusals] == [400, 500]
    assert [refusal.json()["error"]["code"] for refusal in refusals] == ["moderation_blocked", "generation_failed"]
    assert stats["accepted"] == 4


def test_completed_task_has_the_documented_shape(client):
    """A completed task carries its times, its cost and a link in a list."""
    task = finished(client, submit(client, "shape"))

    image = task["result"]["images"][0]
    assert task["status"] == "completed"
    assert task["progress"] == 100
    assert task["cost"] == 0.0
    assert task["actual_time"] == pytest.approx(0.05)
    assert task["estimated_time"] == 1
    assert isinstance(task["created"], int)
    assert isinstance(task["completed"], int)
    assert isinstance(image["url"], list)
    assert time.time() < image["expires_at"] <= time.time() + 3601


def picture_of(client: httpx.Client, task_id: str) -> bytes:
    return httpx.get(finished(client, task_id)["result"]["images"][0]["url"][0]).raise_for_status().content


def difference(first: bytes, second: bytes) -> float:
    """Mean difference of all levels, of 255."""
    images = (Image.open(io.BytesIO(content)) for content in (first, second))
    return sum(ImageStat.Stat(ImageChops.difference(*images)).mean) / 3


def test_every_submit_gets_another_picture(client):
    """Four submits of one prompt, as for four candidates, yield four pictures that differ at first sight."""
    pictures = [picture_of(client, submit(client, "again", size="128x96")) for _ in range(4)]

    assert min(difference(a, b) for a, b in itertools.combinations(pictures, 2)) > 8


def test_every_run_gets_other_pictures():
    """An emulator that is started again, as for each build, draws another picture for the same prompt."""
    pictures = []
    for _ in range(2):
        with serving(FAST) as base_url, client_of(base_url) as client:
            pictures.append(picture_of(client, submit(client, "again", size="128x96")))

    assert difference(*pictures) > 1


def test_a_seed_makes_pictures_repeatable():
    """With a seed, the n-th task of a prompt yields the same bytes in every run."""
    runs = []
    for _ in range(2):
        with serving(replace(FAST, seed=7)) as base_url, client_of(base_url) as client:
            runs.append([picture_of(client, submit(client, prompt)) for prompt in ("a", "b", "a")])

    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 3


def test_a_picture_that_is_not_kept_is_drawn_again(monkeypatch):
    """A picture that made room for newer ones still downloads with the same bytes."""
    monkeypatch.setattr(studio, "MOST_KEPT", 1)
    with serving(FAST) as base_url, client_of(base_url) as client:
        first = submit(client, "first")
        before = picture_of(client, first)
        for number in range(3):
            picture_of(client, submit(client, f"other {number}"))

        assert picture_of(client, first) == before


def test_a_picture_that_cannot_be_drawn_fails_its_task(monkeypatch):
    """An error of the drawing is the failure of the task, not of the server."""
    monkeypatch.setattr(studio, "draw", lambda _: 1 / 0)
    with serving(FAST) as base_url, client_of(base_url) as client:
        task = finished(client, submit(client))

    assert (task["status"], task["error"]["code"]) == ("failed", "internal_error")


def test_link_needs_no_key(client):
    """A picture downloads from its link without a key, as a PNG of the size that was asked for."""
    task = finished(client, submit(client, "link", size="32x16"))
    answer = httpx.get(task["result"]["images"][0]["url"][0])

    assert answer.headers["content-type"] == "image/png"
    assert Image.open(io.BytesIO(answer.content)).size == (32, 16)


@pytest.mark.parametrize(
    "name", ["nothing.png", "..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "%00.png", "a/b.png"]
)
def test_unknown_file_is_404(client, name):
    """A name that was never handed out, or tries to leave the folder, is 404 in the service's error shape."""
    answer = client.get(str(client.base_url.copy_with(raw_path=f"/files/{name}".encode())))

    assert answer.status_code == 404
    assert set(answer.json()["error"]) == {"code", "message", "type", "param"}


def test_batch_lists_known_tasks(client):
    """A batch poll answers with a list of task objects and leaves out ids that it does not know."""
    ids = [submit(client, f"batch {number}") for number in range(3)]
    answer = client.post("tasks/batch", json={"task_ids": [ids[0], "task_UNKNOWN", *ids[1:]]})

    assert [task["id"] for task in answer.json()["data"]] == ids


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"task_ids": "a"}', b'{"task_ids": [1]}', b'{"task_ids": [' + b'"a",' * 100 + b'"a"]}'],
)
def test_batch_refuses_bad_bodies(client, body):
    """A batch poll without a list of at most 100 ids is 400."""
    assert client.post("tasks/batch", content=body).status_code == 400


@pytest.mark.parametrize(("method", "path"), [("GET", "tasks/task_NONE"), ("GET", "nowhere")])
def test_unknown_things_are_404(client, method, path):
    """Unknown tasks and paths are 404 in the service's error shape."""
    answer = client.request(method, path)

    assert answer.status_code == 404
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("param", "fields"),
    [
        ("model", {"model": "dall-e-3"}),
        ("model", {"model": None}),
        ("prompt", {"prompt": ""}),
        ("prompt", {"prompt": 7}),
        ("prompt", {"prompt": None}),
        ("n", {"n": 2}),
        ("n", {"n": "1"}),
        ("n", {"n": True}),
        ("n", {"n": None}),
        ("size", {"size": "16:10"}),
        ("size", {"size": 169}),
        ("size", {"size": None}),
        ("size", {"size": "3841x16"}),
        ("size", {"size": "3840x3840"}),
        ("size", {"size": "8x8"}),
        ("size", {"size": "\u0661\u0666x16"}),
        ("resolution", {"resolution": "8k"}),
        ("resolution", {"resolution": 2}),
        ("official_fallback", {"official_fallback": "false"}),
        ("image_urls", {"image_urls": "https://example.org/a.png"}),
        ("image_urls", {"image_urls": [1]}),
        ("image_urls", {"image_urls": ["https://example.org/a.png"] * 17}),
        ("image_urls[0]", {"image_urls": ["cat.png"]}),
        ("image_urls[0]", {"image_urls": ["file:///etc/passwd"]}),
        ("image_urls[0]", {"image_urls": ["http://["]}),
        ("image_urls[0]", {"image_urls": ["data:text/plain;base64,aGk="]}),
        ("image_urls[0]", {"image_urls": ["data:image/png;base64,!!!"]}),
        ("image_urls[0]", {"image_urls": ["data:image/png;base64,aGk="]}),
        ("image_urls[1]", {"image_urls": ["https://example.org/a.png", data_uri(png()[:60])]}),
        ("image_urls[0]", {"image_urls": [data_uri(b"\0" * (20 * 1024 * 1024 + 1))]}),
    ],
    ids=lambda value: value if isinstance(value, str) else repr(value)[:50],
)
def test_bad_field_is_400_with_its_name(client, param, fields):
    """A field with a wrong type or value is refused with 400, and the error names it."""
    answer = client.post("images/generations", json={"model": "gpt-image-2", "prompt": "x", **fields})

    error = answer.json()["error"]
    assert answer.status_code == 400
    assert error["param"] == param
    assert error["type"] == "invalid_request_error"
    assert error["message"].startswith(param)


@pytest.mark.parametrize("missing", ["model", "prompt"])
def test_missing_field_is_400(client, missing):
    """A request without one of the required fields is refused with 400."""
    body = {"model": "gpt-image-2", "prompt": "x"}
    del body[missing]

    assert client.post("images/generations", json=body).json()["error"]["param"] == missing


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff\xfe",
        b"[" * 50_000,
        b'{"model": "gpt-image-2", "prompt": "\\ud800"}',
        b'{"model": "gpt-image-2", "prompt": "x", "image_urls": ["https://example.org/\\ud800"]}',
    ],
)
def test_body_that_is_no_object_of_text_is_400(client, body):
    """A body that is not a JSON object, or whose text is not Unicode, is refused with 400."""
    assert client.post("images/generations", content=body).status_code == 400


def test_enormous_picture_in_a_small_file_is_400(client):
    """A reference of few bytes and very many pixels is refused before it is decoded."""
    out = io.BytesIO()
    Image.new("1", (9000, 9000)).save(out, "PNG")
    answer = client.post("images/generations", json=request_of(image_urls=[data_uri(out.getvalue())]))

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "image_too_large"


def test_announced_huge_body_is_refused_unread(client):
    """A body longer than the references may be together is refused by its Content-Length alone."""
    head = (
        "POST /v1/images/generations HTTP/1.1\r\nHost: emulator\r\nAuthorization: Bearer sk-test\r\n"
        f"Content-Length: {400 * 1024 * 1024}\r\n\r\n"
    )
    with socket.create_connection((client.base_url.host, client.base_url.port), timeout=5) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 1, "official_fallback": True, "resolution": "4k", "size": "3840x16"},
        {"size": "auto"},
        {"image_urls": []},
        {"image_urls": [data_uri(png()), "https://example.org/a.png"]},
        {"variant": "an unknown field"},
    ],
    ids=" ".join,
)
def test_good_fields_are_accepted(client, fields):
    """Every documented field is accepted, and unknown fields are ignored."""
    assert submit(client, "good", **fields)


@pytest.mark.parametrize("header", ["", "Bearer", "Basic sk-test", "sk-test"])
@pytest.mark.parametrize(
    "path", ["images/generations", "images/generations/async", "models", "tasks/batch", "tasks/task_NONE"]
)
def test_no_key_is_401(client, header, path):
    """Without a Bearer key every call of the API is 401."""
    method = "GET" if path in {"models", "tasks/task_NONE"} else "POST"
    answer = client.request(method, path, headers={"Authorization": header})

    assert answer.status_code == 401
    assert answer.json()["error"]["type"] == "authentication_error"


def test_wrong_key_is_401():
    """With a key set, exactly that key is accepted, and refusals are counted."""
    with serving(Settings(key="sk-right")) as base_url, client_of(base_url) as client:
        wrong = client.post("images/generations", json=request_of())
        right = client.post("images/generations", json=request_of(), headers={"Authorization": "Bearer sk-right"})

        assert (wrong.status_code, right.status_code) == (401, 200)
        assert server_stats(client)["unauthorized"] == 1


def test_balance_pays_for_so_many_pictures():
    """When the balance is used up a submit is 402, and a task that failed is paid back."""
    settings = Settings(balance=1, latency=(0.05, 0.05))
    with serving(settings) as base_url, client_of(base_url) as client:
        finished(client, submit(client, "[fail]"))
        afterwards = client.post("images/generations", json=request_of("paid"))
        refused = client.post("images/generations", json=request_of("too much"))

    assert afterwards.status_code == 200
    assert refused.status_code == 402
    assert refused.json()["error"]["code"] == "insufficient_balance"


def test_rate_limit_says_when_to_come_back():
    """More submits than the rate allows are 429 with Retry-After in whole seconds."""
    with serving(Settings(rate=(2, 30.0))) as base_url, client_of(base_url) as client:
        answers = [client.post("images/generations", json=request_of()) for _ in range(3)]

        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert 1 <= int(answers[2].headers["retry-after"]) <= 30


def test_idempotency_key_makes_one_task(client):
    """The same Idempotency-Key with the same body answers with the same task, which is counted once."""
    before = server_stats(client)
    key = {"Idempotency-Key": "k-1"}
    first, second = (client.post("images/generations", json=request_of(), headers=key).json() for _ in range(2))
    after = server_stats(client)

    assert first == second
    assert after["accepted"] - before["accepted"] == 1
    assert after["replayed"] - before["replayed"] == 1


def test_idempotency_key_with_another_body_is_409(client):
    """The same Idempotency-Key with another body is a client bug: 409."""
    key = {"Idempotency-Key": "k-2"}
    client.post("images/generations", json=request_of("one"), headers=key)
    answer = client.post("images/generations", json=request_of("other"), headers=key)

    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "idempotency_key_reused"


def test_idempotency_keys_belong_to_an_account(client):
    """The Idempotency-Key of one API key means nothing to another."""
    key = {"Idempotency-Key": "k-3"}
    mine = client.post("images/generations", json=request_of(), headers=key)
    theirs = client.post(
        "images/generations", json=request_of("other"), headers={**key, "Authorization": "Bearer sk-other"}
    )

    assert theirs.status_code == 200
    assert mine.json() != theirs.json()


@pytest.mark.parametrize(("mark", "code"), [("[moderation]", "moderation_blocked"), ("[fail]", "generation_failed")])
def test_marked_prompt_fails(client, mark, code):
    """A prompt that asks for it fails after its time, with an error and without a picture."""
    task = finished(client, submit(client, f"a cat {mark}"))

    assert task["status"] == "failed"
    assert task["error"]["code"] == code
    assert task["error"]["message"]
    assert "result" not in task


def test_marked_prompt_is_refused(client):
    """[402] is always refused, [429] only once."""
    codes = [
        client.post("images/generations", json=request_of(prompt)).status_code
        for prompt in ("a [402]", "a [402]", "a [429]", "a [429]", "b [429]")
    ]

    assert codes == [402, 402, 429, 200, 429]


def test_link_expires_and_a_poll_mends_it():
    """An expired link is 410, and a fresh poll gives a link that works."""
    settings = Settings(latency=(0, 0), link_seconds=0.3)
    with serving(settings) as base_url, client_of(base_url) as client:
        task_id = submit(client)
        old = finished(client, task_id)["result"]["images"][0]["url"][0]
        early = httpx.get(old)
        time.sleep(0.35)
        late = httpx.get(old)
        new = finished(client, task_id)["result"]["images"][0]["url"][0]
        mended = httpx.get(new)

        assert (early.status_code, late.status_code, mended.status_code) == (200, 410, 200)
        assert new != old
        assert mended.content == early.content


def test_given_picture_is_served_for_every_task():
    """With a picture set, every task yields exactly its bytes, under the media type of its content."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "JPEG")
    with (
        serving(Settings(latency=(0, 0), picture=out.getvalue())) as base_url,
        client_of(base_url) as client,
    ):
        url = finished(client, submit(client))["result"]["images"][0]["url"][0]
        answer = httpx.get(url)

        assert url.endswith(".jpg")
        assert answer.headers["content-type"] == "image/jpeg"
        assert answer.content == out.getvalue()
