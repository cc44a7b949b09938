"""The client on a real socket: who gets the key, what is followed, and what a broken connection proves."""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import json
import logging
import os
import socket
import tempfile
import time
import zlib

import anyio
import anyio.from_thread
import pytest
import scripted_service as gateways
from scripted_service import KEY, Answer, accepts, fails, picture, says

from mkdocs_gptimage.errors import (
    AccessError,
    BusyError,
    GatewayError,
    LinkError,
    PictureError,
    RejectedError,
    UnknownOutcomeError,
)
from mkdocs_gptimage.service import client as clients
from mkdocs_gptimage.service import download as downloading
from mkdocs_gptimage.service.client import Client
from mkdocs_gptimage.service.download import Downloaded
from mkdocs_gptimage.service.protocol import Accepted
from mkdocs_gptimage.service.redact import Secret
from mkdocs_gptimage.service.upload import Upload
from mkdocs_gptimage.settings import Api

BODY = {"model": "gpt-image-2", "prompt": "a cat"}


def upload(body):
    return Upload([json.dumps(body).encode()])


@pytest.fixture
def images():
    """A host of its own for pictures."""
    with gateways.serving() as server:
        yield server


def call(base_url, use, **api):
    """Run `await use(client)` with a client of its own."""

    async def run():
        async with Client(base_url, Api(base_url, **api), Secret(KEY)) as client:
            return await use(client)

    return anyio.run(run)


def submit(base_url, seconds=5.0, **api):
    return call(base_url, lambda client: client.submit(upload(BODY), "idempotent", seconds), **api)


@pytest.fixture
def download(service, tmp_path):
    """Download a link; the file is `tmp_path / "part"`."""
    return lambda link, base=service.base_url: call(base, lambda client: client.download(link, tmp_path / "part"))


def test_a_submit_is_sent_as_documented(service):
    """A submit is a POST of JSON with the key and the idempotency key, to the path that the site sets."""
    answer = submit(service.base_url, submit_path="/images/generations/async")
    request = service.requests[0]

    assert answer == Accepted("task_1")
    assert (request.method, request.path) == ("POST", "/v1/images/generations/async")
    assert request.json == BODY
    assert request.headers["content-type"] == "application/json"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.headers["idempotency-key"] == "idempotent"


def test_polls_carry_the_key(service):
    """Single and batch polls ask with the key, and a task id cannot leave its place in the path."""
    call(service.base_url, lambda client: client.poll("a/../b"))
    call(service.base_url, lambda client: client.poll_many({"a": (), "b": ()}))

    assert [request.path for request in service.requests] == ["/v1/tasks/a%2F..%2Fb", "/v1/tasks/batch"]
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in service.requests)
    assert service.requests[1].json == {"task_ids": ["a", "b"]}


@pytest.mark.parametrize("refusal", [401, 403])
def test_the_image_host_never_sees_the_key(service, images, download, refusal):
    """Another host gets no key, whatever it answers, nor does the API when another host leads there."""
    images.download = [Answer(refusal), Answer(302, headers={"Location": f"{service.origin}/own.png"})]
    service.download = Answer(refusal)
    for _ in range(2):
        with pytest.raises(LinkError, match=f"HTTP {refusal}"):
            download(f"{images.origin}/a.png")
    requests = images.requests + service.requests

    assert [request.path for request in requests] == ["/a.png", "/a.png", "/own.png"]
    assert not any(KEY in repr(request) or "authorization" in request.headers for request in requests)


@pytest.mark.parametrize("refusal", [401, 403])
def test_the_api_itself_gets_the_key_for_a_picture(service, images, download, tmp_path, refusal):
    """The API's own origin is asked once more with the key after it refused, and where it redirects to without."""
    refused = Answer(refusal)
    away = Answer(302, headers={"Location": f"{images.origin}/b.png"})
    service.download = [refused, away]
    found = download(f"{service.origin}/a.png")

    assert [request.headers.get("authorization") for request in service.requests] == [None, f"Bearer {KEY}"]
    assert ["authorization" in request.headers for request in images.requests] == [False]
    assert (tmp_path / "part").read_bytes() == picture()
    assert found == Downloaded(hashlib.sha256(picture()).hexdigest(), len(picture()))


@pytest.mark.parametrize(
    ("base_url", "link", "is_own"),
    [
        ("https://api.test/v1", "https://api.test/img/1.png", True),
        ("https://API.test:443/v1", "HTTPS://api.Test/1.png", True),
        ("https://api.test/v1", "http://api.test/1.png", False),
        ("https://api.test/v1", "https://api.test:8443/1.png", False),
        ("https://api.test/v1", "https://img.api.test/1.png", False),
        ("https://api.test/v1", "https://api.test.evil.test/1.png", False),
        ("https://api.test/v1", "https://api.test\\@evil.test/1.png", False),
        ("https://api.test/v1", "https://evil.test#@api.test/", False),
        ("https://api.test/v1", "https://evil.test?@api.test/", False),
    ],
)
def test_what_counts_as_the_api_itself(base_url, link, is_own):
    """Scheme, host and port, as the request is sent, are those of the API."""
    assert (downloading._origin(link) == downloading._origin(base_url)) is is_own


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_key_does_not_follow_a_redirect_of_the_api(service, images, status):
    """An API that redirects is not followed, neither by a submit nor by a poll."""
    redirect = Answer(status, headers={"Location": f"{images.origin}/v1/images/generations"})
    service.submit = service.poll = redirect
    with pytest.raises(GatewayError):
        submit(service.base_url)
    with pytest.raises(GatewayError):
        call(service.base_url, lambda client: client.poll("t"))

    assert images.requests == []


@pytest.mark.parametrize(
    "link",
    [
        "//host/a.png",
        "a.png",
        "",
        "http://",
        "http://[::1",
        " http://127.0.0.1/",
        "http://127.0.0.1:0/",
        "http://127.0.0.1:http/",
    ],
)
def test_links_that_are_not_followed(download, service, link):
    """Only links with a web address and a host are followed."""
    with pytest.raises(LinkError) as caught:
        download(link)

    assert not caught.value.expired
    assert service.requests == []


@pytest.mark.parametrize(("hops", "arrives"), [(3, True), (4, False)])
def test_redirects_end(download, service, hops, arrives):
    """Three redirects are followed, relative ones too, and no more."""
    service.download = [*[Answer(302, headers={"Location": "next.png"})] * hops, Answer(body=picture())]
    try:
        download(f"{service.origin}/images/a.png")
        has_arrived = True
    except LinkError as error:
        has_arrived = "more than 3 times" not in str(error)

    assert has_arrived is arrives
    assert len(service.requests) == 4
    assert service.requests[1].path == "/images/next.png"


@pytest.mark.parametrize("headers", [{}, {"Content-Length": "1000"}])
def test_a_picture_that_is_too_large_is_not_kept(download, service, tmp_path, monkeypatch, headers):
    """A download ends at the limit, and nothing of it is left."""
    monkeypatch.setattr(downloading, "MAX_PICTURE_BYTES", 100)
    service.download = Answer(body=bytes(1000), headers=headers)
    with pytest.raises(PictureError, match="larger than"):
        download(f"{service.origin}/a.png")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "link", ["http://a..b/", f"http://{'a' * 70}/", "http://\u2024/", "http://x/\n", "http://127.0.0.1:1/", "http://%/"]
)
def test_links_that_lead_nowhere(download, link):
    """A link that cannot be reached fails by name, however odd it is."""
    with pytest.raises((LinkError, GatewayError)):
        download(link)


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Answer(vanish=True), GatewayError),
        (Answer(headers={"Content-Length": "9"}, cut=9), GatewayError),
        (Answer(302, headers={"Location": "http://[::1"}), GatewayError),
        (Answer(302, headers={"Location": "http://127.0.0.1:99999/"}), LinkError),
    ],
)
def test_downloads_that_fail(download, service, tmp_path, answer, error):
    """A download that breaks off leaves no file, and says whether another try makes sense."""
    service.download = answer
    with pytest.raises((GatewayError, LinkError)) as caught:
        download(f"{service.origin}/a.png")

    assert type(caught.value) is error
    assert list(tmp_path.iterdir()) == []


def test_a_download_that_breaks_off_says_so(download, service, tmp_path):
    """What had come is there to be looked at, with the reason why there is no more."""
    service.download = Answer(body=picture(), cut=30)
    found = download(f"{service.origin}/a.png")

    assert "broke off (peer closed connection" in found.problem
    assert (tmp_path / "part").read_bytes() == picture()[:30]


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [("gzip", gzip.compress(picture())), ("deflate", zlib.compress(picture())), ("identity", picture())],
)
def test_compression_is_not_asked_for_and_understood(download, service, tmp_path, encoding, packed):
    """A host that compresses although it was asked not to is understood: some store their files that way."""
    service.download = Answer(body=packed, headers={"Content-Encoding": encoding})
    found = download(f"{service.origin}/a.png")

    assert (tmp_path / "part").read_bytes() == picture()
    assert found == Downloaded(hashlib.sha256(picture()).hexdigest(), len(picture()))
    assert service.requests[0].headers["accept-encoding"] == "identity"


def test_a_slow_host_is_waited_for(download, service, tmp_path):
    """Bytes that drip in are a picture all the same."""
    service.download = Answer(body=picture(size=(2, 2)), drip=0.002)
    download(f"{service.origin}/a.png")

    assert (tmp_path / "part").read_bytes() == picture(size=(2, 2))


@pytest.mark.parametrize("base_url", ["ftp://127.0.0.1/v1", "http://\x00/v1"])
def test_an_address_that_is_none_proves_that_nothing_was_accepted(base_url):
    """A submit that could not even be built is refused, not unknown."""
    with pytest.raises(RejectedError, match="is not an address"):
        submit(base_url)


@pytest.mark.parametrize("target", ["data:image/png;base64,AAAA", "http://[::1", "ftp://x/", "http://x:99999/"])
def test_a_redirect_to_nowhere_is_an_answer(service, target):
    """An odd redirect comes after the request has left, so it does not prove that nothing was accepted."""
    service.submit = Answer(303, headers={"Location": target})
    with pytest.raises(UnknownOutcomeError):
        submit(service.base_url)


@pytest.mark.parametrize("headers", [{"Content-Encoding": "gzip"}, {"Content-Encoding": "br"}])
def test_an_answer_in_a_broken_encoding_is_unknown(service, headers):
    """A body that says it is compressed and is not cannot be read."""
    service.submit = Answer(body=b"garbage", headers=headers)
    with pytest.raises(UnknownOutcomeError):
        submit(service.base_url)


def test_a_service_that_reads_too_slowly_is_left(monkeypatch):
    """A service that takes a request byte by byte is not waited for without end; what it has read is not known."""
    monkeypatch.setattr(clients, "_UPLOAD_SECONDS", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as listener, anyio.from_thread.start_blocking_portal() as portal:

        async def read_slowly():
            connection, _ = await asyncio.get_running_loop().sock_accept(listener)
            with connection:
                while True:
                    await asyncio.get_running_loop().sock_recv(connection, 1000)
                    await anyio.sleep(0.01)

        listener.setblocking(False)
        reading = portal.start_task_soon(read_slowly)
        body = {**BODY, "image_urls": ["x" * 40_000_000]}
        with pytest.raises(UnknownOutcomeError, match="in time"):
            call(
                f"http://127.0.0.1:{listener.getsockname()[1]}/v1", lambda client: client.submit(upload(body), "k", 5.0)
            )
        reading.cancel()


@pytest.mark.parametrize("room", [0, 1])
def test_a_picture_in_an_answer_that_cannot_be_kept_is_unknown(service, monkeypatch, room):
    """When the disk is full, a picture that came with the answer is lost, and paid for: an unknown outcome.

    There is room for no file, or for the answer and not for its picture.
    """
    left = [tempfile.TemporaryFile] * room

    def make(**options):
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return left.pop()(**options)

    monkeypatch.setattr(tempfile, "TemporaryFile", make)
    service.submit = says({"data": [{"b64_json": "A" * 100_000}]})
    with pytest.raises(UnknownOutcomeError, match="No space left"):
        submit(service.base_url)


def test_a_task_id_cannot_leave_its_place(service):
    """A task id of dots alone, which would name another path, is not asked for."""
    with pytest.raises(GatewayError, match="is no task id"):
        call(service.base_url, lambda client: client.poll(".."))

    assert service.requests == []


def test_a_poll_goes_through_while_submits_are_slow(service):
    """Polls have a connection left when all submits wait for their answers."""
    service.submit = accepts("t", wait=1.0)

    async def use(client):
        async with anyio.create_task_group() as group:
            for _ in range(8):
                group.start_soon(client.submit, upload(BODY), "k", 5.0)
            await anyio.sleep(0.2)
            start = time.monotonic()
            await client.poll("t")
            return time.monotonic() - start

    assert call(service.base_url, use, max_requests=8) < 0.5


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("all is well", "all is well"),
        ("the key secret-key", "the key ***"),
        ("the key secret-…", "the key ***…"),
        ("the key s…", "the key s…"),
        ("", ""),
    ],
)
def test_secrets_are_taken_out(text, expected):
    """A secret is replaced wherever it is, also where a text was cut in the middle of it."""
    assert Secret("secret-key").hide(text) == expected


def test_the_key_is_in_no_log(service, download, caplog):
    """At the lowest level, the libraries below us do not log the key, nor the password of an address."""
    caplog.set_level(logging.DEBUG)
    service.submit = [accepts("t"), fails(401)]
    submit(service.base_url)
    with pytest.raises(AccessError):
        submit(service.base_url)
    call(service.base_url, lambda client: client.poll("t"))
    download(f"{service.origin}/a.png")

    assert "httpcore" in {record.name.split(".")[0] for record in caplog.records}
    assert KEY not in caplog.text


def test_the_password_of_an_address_is_in_no_error():
    """An address that holds a user and password is reported without them."""
    port = gateways.unused_port()
    with pytest.raises(BusyError) as caught:
        submit(f"http://user:hunter2@127.0.0.1:{port}/v1")

    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "192.168.1.1",
        "0.0.0.0",
        "2130706433",
        "localhost",
        "inside.example",
    ],
)
def test_a_public_service_cannot_lead_into_a_private_network(monkeypatch, tmp_path, host):
    """A link to this machine or its network, by address or by a name that resolves to one, is not followed."""
    usual = anyio.getaddrinfo
    names = {"api.example": "93.184.215.14", "inside.example": "10.1.2.3"}

    async def resolve(name, *arguments, **options):
        return await usual(names.get(name, name), *arguments, **options)

    monkeypatch.setattr("mkdocs_gptimage.service.download.anyio.getaddrinfo", resolve)
    with pytest.raises(LinkError, match="private address"):
        call("https://api.example/v1", lambda client: client.download(f"https://{host}/a.png", tmp_path / "a"))


@pytest.mark.parametrize("address", ["93.184.215.14", ""])
def test_a_name_whose_address_changes_leads_nowhere(monkeypatch, images, tmp_path, address):
    """A name that is public, or unknown, when it is checked and leads here when it is connected to gets no request."""
    usual = anyio.getaddrinfo
    names = {"api.example": "93.184.215.14", "localhost": address}

    async def resolve(name, *arguments, **options):
        if not names.get(name, name):
            raise socket.gaierror
        return await usual(names.get(name, name), *arguments, **options)

    monkeypatch.setattr("mkdocs_gptimage.service.download.anyio.getaddrinfo", resolve)
    link = images.origin.replace("127.0.0.1", "localhost") + "/a.png"
    with pytest.raises(LinkError, match="private address, localhost"):
        call("http://api.example/v1", lambda client: client.download(link, tmp_path / "a"))

    assert images.requests == []


def test_a_proxy_on_a_private_address_is_used(monkeypatch, images, tmp_path):
    """A download goes through the proxy of the environment, which may have a private address where no link may lead."""

    async def resolve(*_, **__):
        raise socket.gaierror

    monkeypatch.setattr("mkdocs_gptimage.service.download.anyio.getaddrinfo", resolve)
    monkeypatch.setenv("HTTP_PROXY", images.origin)
    images.poll = images.download
    call("http://api.example/v1", lambda client: client.download("http://images.example/a.png", tmp_path / "a"))

    assert (tmp_path / "a").read_bytes() == picture()
