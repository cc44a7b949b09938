"""The key, and other people's credentials: in no log, no error, no file, and sent to the API alone."""

from __future__ import annotations

import contextlib
import json
import logging
import traceback
from dataclasses import replace
from urllib.parse import quote, urlsplit

import anyio
import harness
import pytest
import scripted_service as gateways
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scripted_service import KEY, Answer, accepts, fails, picture, says, task
from sites import FAST, Site, block

from mkdocs_gptimage.errors import ConfigurationError, GptImageError
from mkdocs_gptimage.generate.run import run_plan
from mkdocs_gptimage.service import transport
from mkdocs_gptimage.service.client import Client
from mkdocs_gptimage.service.redact import Secret
from mkdocs_gptimage.service.upload import Upload
from mkdocs_gptimage.settings import Api

FORMS = [KEY, KEY.upper(), quote(KEY, safe="").replace("-", "%2D"), KEY[:8]]
ECHO = {"X-Your-Request": f"Authorization: Bearer {KEY}"}


@pytest.fixture
def images():
    """A host of its own for pictures: that of the API, on another port."""
    with gateways.serving() as server:
        yield server


def leaks(text):
    """The forms of the key that a text holds."""
    return [form for form in FORMS if form in text]


SHOW_ALL = """
import logging
logging.basicConfig(level=logging.DEBUG, format="%(name)s %(message)s")
"""


def echoing(service, images):
    """Have a service repeat the key wherever it can; the prompt selects what it does."""
    links = {
        "stored": f"{service.origin}/own.png",
        "elsewhere": f"{images.origin}/a.png",
        "plain link": f"{images.origin}/a.png?key={KEY}",
        "quoted link": f"{images.origin}/a.png?key={''.join(f'%{ord(each):02x}' for each in KEY)}",
        "host": f"http://{KEY}.example/a.png",
        "scheme": f"{KEY}:a.png",
        "redirect": f"{images.origin}/redirect",
    }
    finished = {prompt: task(prompt.replace(" ", "-"), "completed", link) for prompt, link in links.items()}
    finished["failed"] = task("failed", "failed", error={"message": f"no account for {KEY}"})
    answers = {
        "refused": fails(400, f"bad request of {KEY} and {'x' * 270} {KEY}", **ECHO),
        "no json": Answer(body=f"<b>{KEY}</b>".encode(), headers=ECHO),
        "task id": accepts(KEY),
        "picture": says({"data": [{"url": links["plain link"]}]}),
        "no http": Answer(raw=lambda: [f"HTTP/1.1 {KEY}\r\n\r\n".encode()]),
    }

    def submit(request):
        prompt = request.json["prompt"]
        return answers.get(prompt) or says({"task_id": finished[prompt]["id"], "status": "submitted"}, **ECHO)

    def batch(request):
        return says([each for each in finished.values() if each["id"] in request.json["task_ids"]], **ECHO)

    service.submit, service.batch = submit, batch
    service.download = Answer(body=picture(), headers=ECHO)
    location = {"Location": f"{service.origin}/{KEY}.png"}
    images.download = lambda request: (
        Answer(302, headers=location) if request.path == "/redirect" else Answer(body=picture())
    )
    # An unknown outcome is followed by an accepted submit: after three in a row nothing more is sent.
    return [
        prompt for pair in zip([*finished], [*answers, *[""] * 9], strict=False) for prompt in reversed(pair) if prompt
    ]


@pytest.mark.parametrize("command", ["build", "generate"])
def test_the_key_is_in_nothing_that_is_said_or_written(service, images, tmp_path, command):
    """With every logger at DEBUG and a service that repeats the key, no output and no file holds it, in any form."""
    prompts = echoing(service, images)
    (tmp_path / "startup").mkdir()
    (tmp_path / "startup" / "sitecustomize.py").write_text(SHOW_ALL)
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": service.base_url, "max_requests": 1, **FAST}})
    site.write({"index.md": "\n".join(block(prompt=prompt) for prompt in prompts)})
    env = {"APIMASTER_API_KEY": KEY, "PYTHONPATH": str(tmp_path / "startup"), "PYTHONASYNCIODEBUG": "1"}
    done = site.build("-v", env=env) if command == "build" else site.gptimage("generate", env=env)
    said = done.out + done.err
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    sent = [request for request in service.requests + images.requests if request.kind == "download"]

    assert done.code == 1
    assert len(list(site.store.rglob("*.png"))) == 2, said
    assert len(service.of("submit")) == len(prompts), said
    assert "httpcore.http11 receive_response_headers.complete" in said
    assert said.count("holds the API key") >= 6
    assert "Traceback" not in said
    assert leaks(said) == []
    assert {path for path in written if leaks(path.read_bytes().decode("latin-1"))} == set()
    assert any("journal" in path.parts for path in written)
    assert [request for request in sent if leaks(repr(request)) or "authorization" in request.headers] == []
    assert {request.headers["authorization"] for request in service.of("submit")} == {f"Bearer {KEY}"}


@pytest.mark.parametrize("shown", range(4, len(KEY)))
def test_a_part_of_the_key_is_not_shown_either(service, shown):
    """A message that is shortened in the middle of the key shows nothing of it but how keys begin."""
    words = f"{'x' * (299 - shown)}{KEY} is not known"
    service.submit = fails(400, words)
    service.poll = says(task("t", "failed", error={"message": words}))
    with pytest.raises(GptImageError) as caught:
        call(service.base_url, USES["submit"])
    failed = call(service.base_url, USES["poll"])

    for said in (str(caught.value), failed.message):
        assert said.endswith("x***…")


def call(base_url, use):
    async def run():
        async with Client(base_url, Api(base_url), Secret(KEY)) as client:
            return await use(client)

    return anyio.run(run)


USES = {
    "submit": lambda client: client.submit(Upload([b'{"prompt": "a cat"}']), "k", 1.0),
    "poll": lambda client: client.poll("t"),
    "poll_many": lambda client: client.poll_many({"t": ()}),
}
REPEATING = {
    "an error": fails(400, f"{KEY} is wrong", **ECHO),
    "no json": Answer(body=f"<{KEY}>".encode()),
    "no http": Answer(raw=lambda: [f"{KEY} HTTP\r\n\r\n".encode()]),
    "a broken header": Answer(raw=lambda: [f"HTTP/1.1 200 OK\r\n{KEY}\r\n\r\n".encode()]),
    "a redirect": Answer(302, headers={"Location": f"http://{KEY}:x/"}),
    "nothing": Answer(vanish=True),
}


def everything(error):
    """All that an error, and what led to it, would show, with the variables of every function."""
    seen, shown = [error], []
    for each in seen:
        seen += [cause for cause in (each.__cause__, each.__context__) if cause is not None and cause not in seen]
        shown += [str(each), repr(each), repr(each.args), repr(vars(each))]
        shown += traceback.TracebackException.from_exception(each, capture_locals=True).format()
    return "\n".join(shown)


@pytest.mark.parametrize("fault", REPEATING)
@pytest.mark.parametrize("use", USES)
def test_the_key_is_in_no_error_nor_behind_it(service, use, fault):
    """An error of the service holds the key nowhere: not in what caused it, nor in the variables on its way."""
    service.submit = service.poll = service.batch = REPEATING[fault]
    with pytest.raises(GptImageError) as caught:
        call(service.base_url, USES[use])

    assert leaks(everything(caught.value)) == []


@pytest.mark.parametrize(
    "place",
    [
        "mkdocs_gptimage.service.protocol.submitted",
        "mkdocs_gptimage.service.body.Body.receive",
        "httpx.AsyncClient.send",
        "httpcore._async.http11.AsyncHTTP11Connection._receive_response_headers",
    ],
)
def test_the_key_is_in_no_crash(service, monkeypatch, place):
    """When something breaks unexpectedly, its traceback does not hold the key, even with all variables."""

    def explode(*_, **__):
        raise RuntimeError("boom")

    monkeypatch.setattr(place, explode)
    with pytest.raises(RuntimeError, match="boom") as caught:
        call(service.base_url, USES["submit"])

    assert leaks(everything(caught.value)) == []


def test_the_key_is_in_no_repr():
    """Nothing that a client consists of shows the key."""
    client = Client("http://127.0.0.1:1/v1", Api("http://127.0.0.1:1/v1"), Secret(KEY))

    assert leaks(repr(client) + repr(vars(client)) + repr([vars(each) for each in client._transport._clients])) == []


def test_logs_are_as_before_after_a_run(service):
    """What keeps the key out of the libraries' logs goes with the run."""
    call(service.base_url, USES["submit"])

    assert [logging.getLogger(name).filters for name in transport._LOGGERS] == [[]] * len(transport._LOGGERS)


@pytest.mark.parametrize("end", ["\nmay-see", "\r\nX: may-see", "\x07", "é", "ключ"])
def test_a_key_that_is_none_is_refused_unseen(service, tmp_path, end):
    """A key that no header can carry is refused before anything is sent, and not shown."""
    site = harness.Site(harness.settings(tmp_path, service.base_url), harness.catalog("a cat"))
    environment = {"APIMASTER_API_KEY": f"sk-secret{end}"}
    with pytest.raises(ConfigurationError, match="APIMASTER_API_KEY") as caught:
        run_plan(site.plan(), replace(site.workspace, environment=environment))

    assert "sk-secret" not in str(caught.value)
    assert service.requests == []


NETRC = "".join(
    f"machine {host} login user password hunter2\n" for host in ("127.0.0.1", "api.example", "images.example")
)


@pytest.mark.parametrize("is_proxied", [False, True])
def test_credentials_of_the_environment_stay_at_home(service, tmp_path, monkeypatch, is_proxied):
    """Proxies of the environment are used; passwords of .netrc are never sent, least of all to the image host."""
    (tmp_path / ".netrc").write_text(NETRC)
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    if is_proxied:
        monkeypatch.setenv("HTTP_PROXY", service.origin)
    base_url, image = (
        ("http://api.example/v1", "http://images.example/a.png")
        if is_proxied
        else (service.base_url, f"{service.origin}/a.png")
    )
    call(base_url, USES["submit"])
    call(base_url, lambda client: client.download(image, tmp_path / "part"))
    submit, download = service.requests

    assert (tmp_path / "part").read_bytes() == picture()
    assert submit.headers["authorization"] == f"Bearer {KEY}"
    assert "authorization" not in download.headers
    assert [request.path.startswith("http://") for request in service.requests] == [is_proxied] * 2


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "localhost", "LocalHost.", "[::1]", "[::ffff:127.0.0.1]"])
def test_what_is_on_this_machine_is_called_directly(service, images, tmp_path, monkeypatch, host):
    """Whatever the spelling of a loopback address, no proxy gets a submit, and the key with it, or a download."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, images.origin)
    port = urlsplit(service.origin).port
    with contextlib.suppress(GptImageError):  # the service listens on 127.0.0.1 alone
        call(f"http://{host}:{port}/v1", USES["submit"])
    with contextlib.suppress(GptImageError):
        call(service.base_url, lambda client: client.download(f"http://{host}:{port}/a.png", tmp_path / "part"))

    assert images.requests == []


def test_the_emulator_knows_no_environment(tmp_path):
    """The built-in emulator draws whatever the environment says of proxies and certificates."""
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": "emulator", **FAST}})
    site.write({"index.md": block(prompt="a cat")})
    proxy = "http://user:hunter2@proxy:port"
    env = {"HTTP_PROXY": proxy, "ALL_PROXY": proxy, "NO_PROXY": "fe80::/10", "SSL_CERT_FILE": "/nowhere.pem"}
    built = site.build("--strict", env=env)

    assert built.code == 0, built.err
    assert len(list(site.store.rglob("*.png"))) == 1


def test_an_unreadable_exception_ends_a_build_in_one_line(service, tmp_path):
    """A build and a command name the entry, without a traceback, and nothing is submitted."""
    site = Site(tmp_path)
    site.configure(gptimage={"api": {"base_url": service.base_url, **FAST}})
    site.write({"index.md": block(prompt="a cat")})
    env = {"APIMASTER_API_KEY": KEY, "NO_PROXY": "fe80::/10,user:hunter2@[::1]:80"}
    done = [site.build(env=env), site.gptimage("generate", env=env)]

    assert [each.code for each in done] == [1, 2]
    for each in done:
        assert "NO_PROXY: cannot read 'fe80::/10', '[::1]:80', nothing was submitted" in each.err
        assert "Traceback" not in each.err
        assert "hunter2" not in each.err
    assert service.requests == []


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HTTPS_PROXY", "ftp://user:hunter2@proxy", "HTTPS_PROXY"),
        ("HTTP_PROXY", "http://user:hunter2@proxy:port", "HTTP_PROXY"),
        ("ALL_PROXY", "socks5://user:hunter2@proxy", "socksio"),
        ("SSL_CERT_FILE", "/nowhere.pem", "No such file"),
    ],
)
def test_an_environment_that_cannot_be_used_is_named(monkeypatch, name, value, said):
    """A proxy or a certificate that is none is the user's to mend: one line, without the proxy's password."""
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match=said) as caught:
        call("http://127.0.0.1:1/v1", USES["poll"])

    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=60)
ENCODINGS = {
    "as it is": str,
    "upper case": str.upper,
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON, as PHP writes it": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "percent": lambda text: quote(text, safe=""),
    "percent, all of it": lambda text: "".join(f"%{ord(each):02X}" for each in text),
    "percent, twice": lambda text: quote(quote(text, safe=""), safe=""),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
@settings(max_examples=25)
@given(key=KEYS, around=st.tuples(*[st.text(st.characters(min_codepoint=97, max_codepoint=122), max_size=4)] * 2))
@example(key="sk-proj-A/b+c='d\\e", around=("", ""))
def test_an_encoded_key_is_redacted(encoding, key, around):
    """Whatever a key is made of and whatever stands around it, it is redacted as JSON and URLs write it."""
    text = f"see {ENCODINGS[encoding](key.join(around))} there"
    hidden = Secret(key).hide(text)

    assert Secret(key).is_in(text)
    assert "***" in hidden
    assert ENCODINGS[encoding](key)[4:-4] not in hidden


@pytest.mark.parametrize("text", ["the image link of emulator", "100 % sure", "%zz%41", "…", ""])
def test_what_holds_no_key_is_left_alone(text):
    """A text without the key stays as it is, and a placeholder is no reason to refuse a link."""
    assert Secret(KEY).hide(text) == text
    assert not Secret("emulator").is_in(text)
    assert not Secret("").is_in(text)
