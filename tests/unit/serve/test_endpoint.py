"""The button that spends money: it works for the pages of the server, and every other way to press it fails."""

from __future__ import annotations

import dataclasses
import http.client
import itertools
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
from factories import put
from scripted_service import accepts

from mkdocs_gptimage.addresses import is_loopback
from mkdocs_gptimage.plan.orphans import candidate_variant
from mkdocs_gptimage.serve.background import BackgroundGenerator
from mkdocs_gptimage.serve.endpoint import HEADER, Endpoint
from mkdocs_gptimage.spec.model import ImageSpec

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


@pytest.mark.parametrize(
    "attack", list(itertools.product(["generate", "candidates", "draw", "take"], ATTACKS)), ids=" by ".join
)
def test_requests_from_elsewhere_are_refused(port, service, site, generator, attack):
    """A request that does not come from a page of this server is refused before its body is read."""
    route, name = attack
    answer, body = send(port, generator.token, site.digests[0], **{"path": f"{PATH}{route}", **ATTACKS[name]})

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


def picture_of(port, digest, version, folder="picture", **changes):
    path = f"{PATH}{folder}/{digest}/{version}"
    request = {"method": "GET", "path": path, "body": "", "Origin": None, "Content_Type": None}
    return send(port, "", digest, **request, **changes)


def test_a_picture_that_has_just_been_stored_can_be_seen(port, site):
    """The pages of the server get the very bytes of what they wait for, as an image and nothing else."""
    (digest,) = site.digests
    before, _ = picture_of(port, digest, "0" * 12)
    assert site.run().problems == []
    answer, body = picture_of(port, digest, site.store.entry(digest).version)

    assert before.status == 404
    assert (answer.status, answer.getheader("Content-Type")) == (200, "image/png")
    assert body == gateways.picture()
    assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"


NOT_SEEN = {
    "a page of another site": ({"Sec_Fetch_Site": "cross-site"}, 403),
    "a page of another server on this machine": ({"Sec_Fetch_Site": "same-site"}, 403),
    "a name that was made to mean this machine": ({"Host": "evil.example:{port}"}, 403),
    "a path": ({"path": f"{PATH}picture/../../../../etc/passwd"}, 404),
    "a picture of another site": ({"path": f"{PATH}picture/{'0' * 64}/{'0' * 12}"}, 404),
    "another version": ({"path": f"{PATH}picture/{{digest}}/{'0' * 12}"}, 404),
    "no version": ({"path": f"{PATH}picture/{{digest}}"}, 404),
    "a small one of another site": ({"path": f"{PATH}thumbnail/{'0' * 64}/{'0' * 12}"}, 404),
    "a small one for a page of another site": (
        {"path": f"{PATH}thumbnail/{{digest}}/{{version}}", "Sec_Fetch_Site": "cross-site"},
        403,
    ),
    "another place": ({"path": f"{PATH}states"}, 405),
}


@pytest.mark.parametrize("name", NOT_SEEN)
def test_pictures_are_for_the_pages_of_the_server(port, site, name):
    """No page of elsewhere sees a picture, and no other file can be asked for."""
    assert site.run().problems == []
    changes, status = NOT_SEEN[name]
    (digest,) = site.digests
    path = changes.get("path", f"{PATH}picture/{{digest}}/{{version}}")
    path = path.format(digest=digest, version=site.store.entry(digest).version)
    request = {"method": "GET", "body": "", "Origin": None, **changes, "path": path}
    answer, _ = send(port, "", digest, **request)

    assert answer.status == status


@pytest.fixture
def stored(site, generator, service):
    """The picture of the site is stored; gives its digest."""
    assert site.run().problems == []
    generator.update("", site.pictures, site.plan(), site.settings, ())
    service.requests.clear()
    service.submit = lambda _: accepts("t2")
    return site.digests[0]


def ask(port, generator, route, **body):
    answer, read = send(port, generator.token, "", path=f"{PATH}{route}", body=json.dumps(body))
    return answer.status, json.loads(read)


def drawn(port, generator, digest):
    """Draw a candidate; return its state when it is there."""
    assert ask(port, generator, "draw", digests=[digest], count=1)[0] == 200
    until = time.monotonic() + 20
    while time.monotonic() < until:
        (found,) = ask(port, generator, "candidates", digests=[digest])[1]["states"][digest]["candidates"]
        if found["phase"] == "ready":
            return found
        time.sleep(0.05)
    raise AssertionError(found)


def test_two_clicks_draw_one_candidate(port, service, generator, stored):
    """A second request for what is being drawn already pays for nothing."""
    ask(port, generator, "draw", digests=[stored], count=1)
    drawn(port, generator, stored)

    assert len(submits(service)) == 1


def test_a_candidate_is_taken_and_taken_back(port, service, site, generator, stored):
    """A page sees a candidate, small and whole, takes it, and undoes that; each address shows one picture."""
    service.download = gateways.Answer(body=gateways.picture(size=(48, 48)))
    old = site.store.entry(stored)
    candidate = drawn(port, generator, stored)
    images = []
    for address in (candidate["picture"], candidate["thumbnail"]):
        folder, digest, version = address.split("/")
        images.append(picture_of(port, digest, version, folder))
    taken = ask(port, generator, "take", digests=[candidate["digest"]])[1]["states"][stored]
    gone, _ = picture_of(port, stored, old.version)
    back = ask(port, generator, "take", digests=[taken["previous"]])[1]["states"][stored]

    assert [answer.getheader("Content-Type") for answer, _ in images] == ["image/png", "image/webp"]
    assert images[0][1] == gateways.picture(size=(48, 48))
    assert taken["version"] not in (old.version, "")
    assert gone.status == 404
    assert (back["version"], back["previous"]) == (old.version, "")
    assert len(submits(service)) == 1


NOT_DRAWN = {
    "no number": ("draw", {"digests": ["{digest}"]}, 400),
    "none": ("draw", {"digests": ["{digest}"], "count": 0}, 400),
    "many": ("draw", {"digests": ["{digest}"], "count": 4}, 400),
    "a truth": ("draw", {"digests": ["{digest}"], "count": True}, 400),
    "several pictures": ("draw", {"digests": ["{digest}", "{digest}"], "count": 1}, 400),
    "a picture of another site": ("draw", {"digests": ["0" * 64], "count": 1}, 404),
    "no candidate": ("take", {"digests": ["{digest}"]}, 404),
    "an unknown candidate": ("take", {"digests": ["0" * 64]}, 404),
    "nothing": ("take", {"digests": []}, 400),
    "a path": ("take", {"digests": ["../../mkdocs.yml"]}, 400),
}


@pytest.mark.parametrize("name", NOT_DRAWN)
def test_only_pictures_of_the_site_are_drawn_and_taken(port, site, generator, stored, name):
    """What is no stored picture of the site, or no candidate for one, is neither paid for nor changed."""
    route, body, status = NOT_DRAWN[name]
    before = site.files()
    digests = [each.format(digest=stored) for each in body["digests"]]
    found, answered = ask(port, generator, route, **{**body, "digests": digests})

    assert found == status
    assert answered["problem"]
    assert site.files() == before
    assert generator.summary()["spent"] == ""
    assert site.submissions() == {}


def test_a_picture_that_is_not_stored_is_not_drawn_anew(port, service, site, generator):
    """What is missing is made by its card, once."""
    status, answered = ask(port, generator, "draw", digests=site.digests, count=3)

    assert status == 409
    assert "not in the store yet" in answered["problem"]
    assert submits(service) == []


@pytest.mark.usefixtures("stored")
def test_a_candidate_for_another_site_is_not_taken(port, site, generator):
    """A store may serve several sites: a candidate for a picture that this one does not show is left alone."""
    other = ImageSpec("b")
    candidate = dataclasses.replace(other, variant=candidate_variant(1, other.digest))
    for spec in (other, candidate):
        put(site.store, spec)
    version = site.store.entry(candidate.digest).version

    assert ask(port, generator, "take", digests=[candidate.digest])[0] == 404
    assert picture_of(port, candidate.digest, version)[0].status == 404
    assert ask(port, generator, "candidates", digests=[other.digest])[1]["states"] == {}


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
