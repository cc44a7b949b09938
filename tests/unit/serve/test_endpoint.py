"""The button that spends money: it works for the pages of the server, and every other way to press it fails."""

from __future__ import annotations

import http.client
import json
import logging
import socketserver
import threading
import time
import wsgiref.simple_server
from contextlib import contextmanager

import harness
import pytest
import scripted_service as gateways
from scripted_service import accepts

from mkdocs_gptimage.addresses import is_loopback
from mkdocs_gptimage.serve.background import BackgroundGenerator
from mkdocs_gptimage.serve.endpoint import HEADER, Endpoint

PATH = "/docs/assets/gptimage/serve/"


class Server(socketserver.ThreadingMixIn, wsgiref.simple_server.WSGIServer):
    """As MkDocs' own is built."""

    daemon_threads = True


class Quiet(wsgiref.simple_server.WSGIRequestHandler):
    def log_message(self, *_):
        """Say nothing."""


@contextmanager
def listening(site, generator):
    server = Server(("127.0.0.1", 0), Quiet)
    server.set_app(Endpoint(site, generator, PATH, server.server_port))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def the_site(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"the site: " + environ["PATH_INFO"].encode()]


@pytest.fixture
def service():
    with gateways.serving() as made:
        made.submit = lambda _: accepts("t1")
        yield made


@pytest.fixture
def site(tmp_path, service):
    return harness.Site(harness.settings(tmp_path, service.base_url, api={"first_poll": 0.05}), harness.catalog("a"))


@pytest.fixture
def generator(site):
    made = BackgroundGenerator(harness.ENVIRONMENT, logging.getLogger("test"))
    made.update("", site.pictures, site.plan(), site.settings, ())
    yield made
    made.close()


@pytest.fixture
def port(generator):
    with listening(the_site, generator) as found:
        yield found


def send(port, token, digest, **changes):
    """Send what the page's script sends, but for some changes; a header that is None is left out."""
    changes = {name.replace("_", "-"): value for name, value in changes.items()}
    method, path = changes.pop("method", "POST"), changes.pop("path", f"{PATH}generate")
    body = changes.pop("body", json.dumps({"digests": [digest]}))
    headers = {
        "Host": f"127.0.0.1:{port}",
        "Origin": f"http://{changes.get('Host') or f'127.0.0.1:{port}'}",
        "Sec-Fetch-Site": "same-origin",
        "Content-Type": "application/json",
        HEADER: token,
        **changes,
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers.items():
        if value is not None:
            connection.putheader(name, value.format(port=port))
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body.encode())
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer, read


def submits(service):
    return [request for request in service.requests if request.kind == "submit"]


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "[::1]:{port}", "LocalHost:{port}"])
def test_the_page_of_the_server_can_ask(port, service, site, generator, host):
    """What the script of a page sends is done, whatever this machine is called in the address bar."""
    (digest,) = site.digests
    answer, body = send(port, generator.token, digest, Host=host, Origin=f"http://{host.lower()}")
    until = time.monotonic() + 20
    while not submits(service) and time.monotonic() < until:
        time.sleep(0.02)

    assert answer.status == 200
    assert json.loads(body)["states"][digest]["phase"] in ("queued", "running", "ready")
    assert len(submits(service)) == 1


ATTACKS = {
    "a page of another site": {"Origin": "https://evil.example"},
    "a page of another port": {"Origin": "http://127.0.0.1:1"},
    "a page from a file": {"Origin": "null"},
    "no origin": {"Origin": None},
    "a page that hides where it is": {"Sec_Fetch_Site": "cross-site"},
    "a page of another server on this machine": {"Sec_Fetch_Site": "same-site"},
    "a name that was made to mean this machine": {"Host": "evil.example:{port}"},
    "the same with the right origin": {"Host": "evil.example:{port}", "Origin": "http://127.0.0.1:{port}"},
    "another port of this machine": {"Host": "127.0.0.1:1"},
    "no host": {"Host": None},
    "a token of another server": {"X-Gpt-Image-Token": "A" * 43},
    "an empty token": {"X-Gpt-Image-Token": ""},
    "no token": {"X-Gpt-Image-Token": None},
    "a token of other letters": {"X-Gpt-Image-Token": "\u00e9"},
}


@pytest.mark.parametrize("name", ATTACKS)
def test_requests_from_elsewhere_are_refused(port, service, site, generator, name):
    """A request that does not come from a page of this server is refused before its body is read."""
    answer, body = send(port, generator.token, site.digests[0], **ATTACKS[name])

    assert answer.status == 403
    assert json.loads(body)["problem"]
    assert generator.states(site.digests) == {}
    assert submits(service) == []


ODDITIES = {
    "a link": ({"method": "GET"}, 405),
    "a question of what is allowed": ({"method": "OPTIONS"}, 405),
    "a form": ({"Content_Type": "application/x-www-form-urlencoded"}, 415),
    "a form in disguise": ({"Content_Type": "text/plain"}, 415),
    "no type": ({"Content_Type": None}, 415),
    "another place": ({"path": f"{PATH}pay"}, 404),
    "no JSON": ({"body": "{"}, 400),
    "deep JSON": ({"body": "[" * 100_000}, 400),
    "a list": ({"body": "[]"}, 400),
    "no digests": ({"body": "{}"}, 400),
    "digests of another kind": ({"body": '{"digests": [1]}'}, 400),
    "a path for a digest": ({"body": '{"digests": ["../../../../etc/passwd"]}'}, 400),
    "too many digests": ({"body": json.dumps({"digests": ["0" * 64] * 2_001})}, 400),
    "a picture of another site": ({"body": json.dumps({"digests": ["0" * 64]})}, 404),
    "a large body": ({"body": " " * 300_000}, 413),
}


@pytest.mark.parametrize("name", ODDITIES)
def test_only_what_makes_sense_is_done(port, service, site, generator, name):
    """A request of the right page that is not well formed, or not of this site, is refused with its reason."""
    changes, status = ODDITIES[name]
    answer, body = send(port, generator.token, site.digests[0], **changes)

    assert answer.status == status
    assert json.loads(body)["problem"]
    assert submits(service) == []


def test_answers_are_for_this_site_only(port, site, generator):
    """No header lets a page of another origin read an answer, and nothing is kept."""
    answer, _ = send(port, generator.token, site.digests[0], path=f"{PATH}states")

    assert answer.status == 200
    assert answer.getheader("Access-Control-Allow-Origin") is None
    assert answer.getheader("Cache-Control") == "no-store"


@pytest.mark.parametrize("path", ["/", "/docs/", "/docs/assets/gptimage/cards.js", "/docs/assets/gptimage/serve"])
def test_everything_else_is_the_sites(port, site, path):
    """Requests for the site pass through, from any sender."""
    answer, body = send(port, "", site.digests[0], path=path, Origin="https://evil.example", method="GET")

    assert (answer.status, body) == (200, f"the site: {path}".encode())


def test_only_this_machine_is_answered(generator, site):
    """A client at another address is refused, also where the server listens to it."""
    said = []
    answer = Endpoint(the_site, generator, PATH, 8000)(
        {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": f"{PATH}generate",
            "REMOTE_ADDR": "192.0.2.7",
            "HTTP_HOST": "127.0.0.1:8000",
            "HTTP_ORIGIN": "http://127.0.0.1:8000",
            "HTTP_X_GPT_IMAGE_TOKEN": generator.token,
        },
        lambda status, _: said.append(status),
    )

    assert said == ["403 Forbidden"]
    assert json.loads(b"".join(answer)) == {"problem": "only for this machine"}
    assert generator.states(site.digests) == {}


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("127.3.2.1", True),
        ("localhost", True),
        ("::1", True),
        ("LOCALHOST.", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:192.168.1.2", False),
        ("0.0.0.0", False),
        ("192.168.1.2", False),
        ("::", False),
        ("localhost.evil.example", False),
        ("", False),
    ],
)
def test_loopback(host, is_ours):
    """Only addresses that no other machine can reach count as this machine's own."""
    assert is_loopback(host) == is_ours


def test_every_server_has_a_token_of_its_own():
    """A token is long, and that of one server is none for another."""
    tokens = {BackgroundGenerator({}, logging.getLogger("test")).token for _ in range(50)}

    assert len(tokens) == 50
    assert min(map(len, tokens)) >= 43
