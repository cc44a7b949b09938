"""`mkdocs serve` in a real browser: cards that offer pictures, pictures that appear, no payment from elsewhere."""

from __future__ import annotations

import contextlib
import html
import io
import json
import re
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.request import urlopen

import httpx
import pytest
import scripted_service as gateways
from PIL import Image
from scripted_service import accepts, says, task
from sites import Site, block, environment
from waits import until

from browser.conftest import ARGUMENTS
from mkdocs_gptimage import emulator

KEY = {"APIMASTER_API_KEY": "sk-for-the-tests"}
FAST = {"first_poll": 0.2, "poll_interval": 0.2}
THEMES = {
    "mkdocs": {"name": "mkdocs"},
    "material": {"name": "material", "font": False, "features": ["navigation.instant"]},
}
EVIL = "evil.example"
BUTTON = ".gpt-image-panel button"
PATIENCE = 30.0
"""Seconds after which a test that waits has failed."""
PICTURE = "figure img[src$='.webp']"


@pytest.fixture(scope="module")
def free_browser(browser, chromium):
    """A browser that reaches this machine, also under a name that another party has chosen for it."""
    rules = f"--host-resolver-rules=MAP {EVIL} 127.0.0.1, EXCLUDE 127.0.0.1, MAP * ~NOTFOUND"
    launched = browser.browser_type.launch(executable_path=chromium, args=[*ARGUMENTS, rules])
    yield launched
    launched.close()


@pytest.fixture
def window(free_browser):
    context = free_browser.new_context(viewport={"width": 1100, "height": 1000})
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def drawing():
    """The emulator, quick: it gives the same picture every time instead of drawing."""
    with emulator.serving(emulator.Settings(latency=(0.6, 0.8), picture=gateways.picture())) as base_url:
        yield base_url


@pytest.fixture
def gateway():
    with gateways.serving() as made:
        yield made


def site_for(root, base_url, theme="mkdocs", **options):
    site = Site(root)
    site.configure(
        theme=THEMES[theme],
        site_url="https://docs.example/project/",
        gptimage={"api": {"base_url": base_url, **FAST}, "prices": {"1k": 0.01}, **options},
    )
    return site


@contextlib.contextmanager
def served(site, port=None, env=KEY, path="project/", arguments=()):
    """A real `mkdocs serve`; gives its URL and its process."""
    port = port or gateways.unused_port()
    command = [sys.executable, "-m", "mkdocs", "serve", "-a", f"127.0.0.1:{port}", *arguments]
    process = subprocess.Popen(
        command, cwd=site.root, env=environment(env), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    said: list[str] = []
    reader = threading.Thread(target=lambda: said.extend(process.stdout), daemon=True)
    reader.start()
    url = f"http://127.0.0.1:{port}/{path}"
    try:
        until(lambda: answers(url), PATIENCE)
        yield url, process
    finally:
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        process.wait(20)
        reader.join(5)
        process.stdout.close()
        assert time.monotonic() - started < 5
        assert "Traceback" not in "".join(said)


def answers(url):
    with contextlib.suppress(OSError), urlopen(url, timeout=5):
        return True
    return False


def submits(base_url):
    return httpx.get(base_url.replace("/v1", "/stats")).json()["submits"]


@pytest.mark.parametrize("theme", THEMES)
def test_from_a_block_to_its_picture(window, tmp_path, drawing, theme):
    """A block becomes a card, at a click a picture, when it is edited an outdated one, and at a click a new one."""
    site = site_for(tmp_path, drawing, theme)
    site.write({"index.md": "# Home\n"})
    before = submits(drawing)
    with served(site) as (url, _):
        window.goto(url)
        site.write({"index.md": "# Home\n\n" + block(prompt=f"A boat, {theme}", alt="A boat", id="boat")})
        window.wait_for_selector(BUTTON)
        card = window.locator(".gpt-image-panel").inner_text()
        assert window.locator("#boat img").get_attribute("src").endswith(".svg")
        assert submits(drawing) == before

        window.click(BUTTON)
        window.wait_for_selector(PICTURE)
        first = window.locator(PICTURE).get_attribute("src")
        assert window.locator(".gpt-image-panel").count() == 0

        site.write({"index.md": "# Home\n\n" + block(prompt=f"A ship, {theme}", alt="A ship", id="boat")})
        window.wait_for_selector(".gpt-image-outdated")
        outdated = window.locator(".gpt-image-panel").inner_text()
        assert window.locator("#boat img").evaluate("image => image.complete && image.naturalWidth > 0")
        assert submits(drawing) == before + 1

        window.click(BUTTON)
        window.wait_for_selector(f"{PICTURE}:not(.gpt-image-outdated):not([src*='outdated'])")
        second = window.locator(PICTURE).get_attribute("src")

    assert "1:1 · 1k · $0.01" in card
    assert "Generate" in card
    assert f"A ship, {theme}" in outdated
    assert first != second
    assert submits(drawing) == before + 2


def test_all_of_a_page_at_once(window, tmp_path, drawing):
    """One button asks for everything that is missing on a page, a dark twin and what it is drawn from once each."""
    site = site_for(tmp_path, drawing)
    site.write({"index.md": block(prompt="One") + "\n" + block(prompt="Two", dark=True)})
    before = submits(drawing)
    with served(site) as (url, _):
        window.goto(url)
        window.wait_for_selector(".gpt-image-bar button")
        assert window.locator(".gpt-image-bar span").inner_text() == "3 missing"
        assert window.locator(".gpt-image-bar button").inner_text() == "Generate all (3, $0.03)"
        assert "With the picture that it is drawn from" in window.locator(".gpt-image-panel").nth(1).inner_text()
        window.click(".gpt-image-bar button")
        until(
            lambda: window.locator(PICTURE).count() == 2 and window.locator(".gpt-image-panel").count() == 0, PATIENCE
        )

    assert submits(drawing) == before + 3


def test_pictures_appear_in_place_and_the_site_is_rebuilt_once(window, tmp_path, gateway):
    """Each picture is on the open page when it is stored; the page is loaded anew once, where the reader was."""
    done = {"task_1"}

    def batch(request):
        ids = request.json["task_ids"]
        return says({"data": [gateway.finished(each) if each in done else task(each, "processing") for each in ids]})

    gateway.batch = batch
    site = site_for(tmp_path, gateway.base_url)
    words = "Words.\n\n" * 60
    site.write({"index.md": words + "\n".join(block(prompt=each, size="3:1") for each in ("One", "Two", "Three"))})
    with served(site) as (url, _):
        window.goto(url)
        window.click(".gpt-image-bar button")
        window.mouse.wheel(0, 500)
        until(lambda: window.evaluate("scrollY") > 400)
        window.evaluate("window.isSamePage = true")
        window.locator("figure img[src*='/serve/picture/']").wait_for()
        early = window.locator("figure img[src*='/serve/picture/']")
        assert early.evaluate("image => image.decode().then(() => image.naturalWidth)") == 32
        assert window.locator(".gpt-image-panel").count() == 2
        done |= {"task_2"}
        until(lambda: window.locator(".gpt-image-panel").count() == 1, PATIENCE)
        scroll, is_same = window.evaluate("[scrollY, window.isSamePage]")
        loads = []
        window.on("load", lambda _: loads.append("page"))
        done |= {"task_3"}
        until(lambda: window.locator(PICTURE).count() == 3, PATIENCE)
        window.wait_for_timeout(1500)

        assert is_same
        assert len(loads) == 1
        assert abs(window.evaluate("scrollY") - scroll) < 5


COLOURS = {"default": "dark", "slate": "light"}
"""A palette, and the preference of the system that it does not follow."""


@pytest.mark.parametrize("palette", COLOURS)
def test_cards_have_the_colours_of_the_page(window, tmp_path, gateway, palette):
    """Cards, placeholders and the bar follow the palette of the theme, not the system's preference."""
    site = Site(tmp_path)
    api = {"base_url": gateway.base_url, **FAST}
    site.configure(theme={**THEMES["material"], "palette": {"scheme": palette}}, gptimage={"api": api})
    site.write({"index.md": block(prompt="One") + "\n" + block(prompt="Two")})
    window.emulate_media(color_scheme=COLOURS[palette])
    with served(site, path="") as (url, _):
        window.goto(url)
        window.wait_for_selector(BUTTON)
        panel = window.locator(".gpt-image-panel").first.evaluate("each => getComputedStyle(each).backgroundColor")
        corner = window.locator("figure img").first.screenshot()

    is_dark = palette == "slate"
    assert (panel == "rgb(38, 36, 51)") == is_dark
    with Image.open(io.BytesIO(corner)) as picture:
        assert (picture.convert("L").getpixel((2, 2)) < 128) == is_dark


def test_twins_share_a_card(window, tmp_path, drawing):
    """Where a palette hides a picture or its twin, the card of both is there once, whichever is shown."""
    palette = [{"scheme": "default", "media": f"(prefers-color-scheme: {each})"} for each in ("light", "dark")]
    palette[1]["scheme"] = "slate"
    site = site_for(tmp_path, drawing, "material")
    site.configure(
        theme={**THEMES["material"], "palette": palette},
        gptimage={"api": {"base_url": drawing}, "prices": {"1k": 0.01}},
    )
    site.write({"index.md": "# Home\n\n" + block(prompt="A boat", dark=True)})
    with served(site, path="") as (url, _):
        window.emulate_media(color_scheme="dark")
        window.goto(url)
        window.wait_for_selector(BUTTON)

        assert window.locator("figure img").count() == 2
        assert window.locator(".gpt-image-panel").count() == 1
        assert window.locator(".gpt-image-panel__text").all_inner_texts() == [
            "1:1 · 1k · $0.01",
            "Dark · 1:1 · 1k · $0.02",
        ]


def test_killed_while_in_flight(window, tmp_path, gateway):
    """A server that is killed while a picture is in flight shows it when it is back, without a click or a payment."""
    finishes = gateway.batch
    gateway.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    site = site_for(tmp_path, gateway.base_url)
    site.write({"index.md": block(prompt="A boat")})
    port = gateways.unused_port()
    with served(site, port) as (url, process):
        window.goto(url)
        window.click(BUTTON)
        window.get_by_text("Being drawn", exact=True).wait_for()
        until(lambda: gateway.of("batch"), PATIENCE)
        process.kill()
    gateway.batch = finishes
    with served(site, port) as (url, _):
        window.goto(url)
        window.wait_for_selector(PICTURE)

    assert len(gateway.of("submit")) == 1


def test_a_refused_picture_says_why(window, tmp_path, gateway):
    """The service's words stand on the card, with a button to try again that says what that costs."""
    gateway.submit = [gateways.fails(400, "The prompt <b>shows</b> a brand", "moderation_blocked"), accepts("t")]
    site = site_for(tmp_path, gateway.base_url)
    site.write({"index.md": block(prompt="A boat")})
    with served(site) as (url, _):
        window.goto(url)
        window.click(BUTTON)
        window.get_by_role("button", name="Try again").wait_for()
        said = window.locator(".gpt-image-panel").inner_text()
        window.click(BUTTON)
        window.wait_for_selector(PICTURE)

    assert "The prompt <b>shows</b> a brand" in said
    assert "Nothing was paid for it. Trying again: $0.01" in said


def test_without_a_key(window, tmp_path, gateway):
    """Without a key there is no button, but the name of the variable to set."""
    site = site_for(tmp_path, gateway.base_url)
    site.write({"index.md": block(prompt="A boat")})
    with served(site, env={}) as (url, _):
        window.goto(url)
        window.get_by_text(re.compile("set APIMASTER_API_KEY")).wait_for()

        assert window.locator(BUTTON).count() == 0


def test_two_windows(free_browser, window, tmp_path, gateway):
    """Two windows show the same, and two clicks pay once."""
    finishes = gateway.batch
    gateway.batch = lambda request: says({"data": [task(each, "processing") for each in request.json["task_ids"]]})
    site = site_for(tmp_path, gateway.base_url)
    site.write({"index.md": block(prompt="A boat"), "other.md": block(prompt="A boat", caption="again")})
    context = free_browser.new_context()
    other = context.new_page()
    with served(site) as (url, _):
        window.goto(url)
        other.goto(f"{url}other/")
        other.wait_for_selector(BUTTON)
        window.click(BUTTON)
        other.get_by_text("Being drawn", exact=True).wait_for()
        assert other.locator(BUTTON).count() == 0
        gateway.batch = finishes
        window.wait_for_selector(PICTURE)
        other.wait_for_selector(PICTURE)
    context.close()

    assert len(gateway.of("submit")) == 1


def test_generate_under_serve_shows_cards_first(window, tmp_path, drawing):
    """With `on_missing: generate`, the server starts at once with cards, and the pictures come without a click."""
    site = site_for(tmp_path, drawing, on_missing="generate")
    site.write({"index.md": block(prompt="Automatic")})
    before = submits(drawing)
    with served(site) as (url, _):
        window.goto(url)
        assert window.locator("figure img").get_attribute("src").endswith(".svg")
        assert submits(drawing) == before
        window.wait_for_selector(PICTURE)

    assert submits(drawing) == before + 1


class _Attacker(BaseHTTPRequestHandler):
    """A page of another origin that tries what it can."""

    page = ""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(self.page.encode())

    def log_message(self, *_):
        """Say nothing."""


@contextlib.contextmanager
def attacking():
    """The attacker's server; gives its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Attacker)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


ATTACKS = """<!doctype html><title>waiting</title><body>
<form method=post target=hole enctype="text/plain"></form><iframe name=hole></iframe>
<script>
const target = "TARGET", site = "SITE", token = "TOKEN", digest = "DIGEST", body = JSON.stringify({digests: [digest]});
const json = {"Content-Type": "application/json"}, text = {"Content-Type": "text/plain"};
const add = (name, attributes) => {
  const element = Object.assign(document.createElement(name), attributes);
  document.body.append(element);
  return element;
};
const tries = [
  () => fetch(target, {method: "POST", headers: {...json, "X-Gpt-Image-Token": token}, body}),
  () => fetch(target, {method: "POST", mode: "no-cors", body}),
  () => fetch(target, {method: "POST", mode: "no-cors", credentials: "include", headers: text, body}),
  () => navigator.sendBeacon(target, new Blob([body], {type: "text/plain"})),
  () => fetch(site).then(answer => answer.text()).then(page => { window.stolen = page; }),
  () => {
    const form = document.forms[0];
    form.append(Object.assign(document.createElement("input"), {name: body.slice(0, -1) + ', "x": "', value: '"}'}));
    form.action = target;
    form.submit();
  },
  () => {
    const card = {digest, token, state: "missing", detail: "", pays: {}, ask: "", prompt: "", lacks: ""};
    add("img", {}).setAttribute("data-gpt-image-cards", JSON.stringify([card]));
    add("script", {src: site + "assets/gptimage/cards.js"});
    setTimeout(() => document.querySelector(".gpt-image-panel button").click(), 500);
  },
];
Promise.allSettled(tries.map(attempt => Promise.resolve().then(attempt)))
  .then(() => setTimeout(() => { document.title = "done"; }, 2000));
</script>"""


def test_a_page_of_another_site_cannot_pay(window, tmp_path, gateway):
    """A page that another server shows in the same browser gets no picture made, even if it knew token and digest."""
    site = site_for(tmp_path, gateway.base_url)
    site.write({"index.md": block(prompt="A boat")})
    with served(site) as (url, _):
        window.goto(url)
        window.wait_for_selector(BUTTON)
        card = window.locator("figure img").evaluate(
            "image => JSON.parse(image.getAttribute('data-gpt-image-cards'))[0]"
        )
        page = ATTACKS.replace("TARGET", f"{url}assets/gptimage/serve/generate").replace("SITE", url)
        _Attacker.page = page.replace("DIGEST", card["digest"]).replace("TOKEN", card["token"])
        with attacking() as port:
            window.goto(f"http://127.0.0.1:{port}/")
            window.wait_for_function("document.title === 'done'")
            stolen = window.evaluate("window.stolen")

    assert stolen is None
    assert gateway.requests == []


def test_a_name_that_means_this_machine_cannot_pay(window, tmp_path, gateway):
    """A page of the server itself, opened under a foreign host name, gets no picture made."""
    site = site_for(tmp_path, gateway.base_url)
    site.write({"index.md": block(prompt="A boat")})
    with served(site) as (url, _):
        window.goto(url.replace("127.0.0.1", EVIL))
        window.wait_for_selector(BUTTON, state="attached")
        window.locator(BUTTON).dispatch_event("click")
        window.get_by_text("not the host of this server", exact=True).wait_for(state="attached")

    assert gateway.requests == []


def test_a_frame_of_another_site_has_no_buttons(window, tmp_path, gateway):
    """A page that frames the site, perhaps under a button of its own, gets no click that spends money."""
    site = site_for(tmp_path, gateway.base_url)
    site.write({"index.md": block(prompt="A boat")})
    with served(site) as (url, _):
        _Attacker.page = f"<!doctype html><iframe src='{url}' width=900 height=900></iframe>"
        with attacking() as port:
            window.goto(f"http://{EVIL}:{port}/")
            frame = window.frame_locator("iframe")
            frame.locator("figure img").wait_for()
            window.wait_for_timeout(1500)
            framed = frame.locator(BUTTON).count()
        window.goto(url)
        window.wait_for_selector(BUTTON)

    assert framed == 0


def cards_of(url):
    """What the pages of a server say of the pictures that are missing."""
    with urlopen(url, timeout=20) as answer:
        found = re.findall('data-gpt-image-cards="([^"]*)"', answer.read().decode())
    return [card for each in found for card in json.loads(html.unescape(each))]


def test_a_strict_server_starts(tmp_path, gateway):
    """Neither missing pictures nor an unknown outcome keep a strict server from starting: the cards say them."""
    site = site_for(tmp_path, gateway.base_url)
    site.write({"index.md": block(prompt="A boat") + "\n" + block(prompt="A ship")})
    gateway.submit = [gateways.Answer(vanish=True), gateways.fails(402)]
    assert site.gptimage("generate", env=KEY).code == 1
    with served(site, arguments=["--strict"]) as (url, _):
        assert [card["state"] for card in cards_of(url)] == ["unknown", "missing"]


def test_a_damaged_picture_is_called_damaged(tmp_path, drawing):
    """A stored picture whose bytes are not those of its record has a card that says so, and no button that pays."""
    site = site_for(tmp_path, drawing)
    site.write({"index.md": block(prompt="A boat")})
    assert site.gptimage("generate", env=KEY).code == 0
    (picture,) = site.store.glob("*/*.png")
    picture.write_bytes(bytes(len(picture.read_bytes())))
    with served(site) as (url, _):
        (card,) = cards_of(url)

    assert (card["state"], "not those of its record" in card["detail"]) == ("broken", True)


def test_a_dirty_server_offers_nothing(tmp_path, drawing):
    """Where a rebuild reads a part of the pages, cards have no buttons."""
    site = site_for(tmp_path, drawing)
    site.write({"index.md": block(prompt="A boat")})
    with served(site, arguments=["--dirty"]) as (url, _):
        assert cards_of(url) == []


def test_a_draft_is_not_generated_automatically(tmp_path, drawing):
    """With `on_missing: generate`, a page that only the server shows waits for a click."""
    site = site_for(tmp_path, drawing, on_missing="generate")
    text = (tmp_path / "mkdocs.yml").read_text()
    (tmp_path / "mkdocs.yml").write_text(f"{text}draft_docs: |\n  draft.md\n")
    site.write({"index.md": block(prompt="Seen by all"), "draft.md": block(prompt="A draft")})
    before = submits(drawing)
    with served(site) as (url, _):
        until(lambda: cards_of(url) == [], PATIENCE)
        time.sleep(1)
        drafts = [card["prompt"] for card in cards_of(f"{url}draft/")]

    assert drafts == ["A draft"]
    assert submits(drawing) == before + 1


def test_cards_are_accessible(window, tmp_path, drawing):
    """Cards, their buttons and what they say pass axe's rules, in light and dark."""
    from axe_playwright_python.sync_playwright import Axe

    site = site_for(tmp_path, drawing, "material")
    site.write({"index.md": "# Home\n\n" + block(prompt="One", alt="one") + "\n" + block(prompt="Two", alt="two")})
    with served(site) as (url, _):
        for scheme in ("light", "dark"):
            window.emulate_media(color_scheme=scheme)
            window.goto(url)
            window.wait_for_selector(BUTTON)
            found = Axe().run(window, context=".gpt-image-panel")
            assert [each["id"] for each in found.response["violations"]] == []


BAD = {
    "prompt: A boat\nresolution: 3k": "resolution",
    "promt: A boat": "did you mean 'prompt'",
    "prompt: [a": "",
    "prompt: A boat\nimage_urls: [gpt-image:nothing]": "gpt-image:nothing",
}


@pytest.mark.parametrize("body", BAD)
def test_a_block_with_problems_is_a_card_and_the_rest_of_the_site_lives_on(window, tmp_path, drawing, body):
    """A typo shows what is wrong where the picture would be, from the first build on; mending it mends the page."""
    site = site_for(tmp_path, drawing)
    bad = f"# Home\n\n```gpt-image\n{body}\n```\n\n![A lost one](gpt-image:lost)\n"
    site.write({"index.md": bad, "other.md": "# Other\n"})
    with served(site, arguments=["--strict"]) as (url, _):
        window.goto(url)
        shown = window.locator(".gpt-image-problem").all_inner_texts()
        assert len(shown) == 2
        assert "docs/index.md:" in shown[0]
        assert BAD[body] in shown[0]
        assert "gpt-image:lost is not the id of a block" in shown[1]

        site.write({"other.md": "# Other\n\nWords.\n"})
        until(lambda: "Words." in urlopen(f"{url}other/").read().decode(), PATIENCE)

        site.write({"index.md": "# Home\n\n" + block(prompt="A boat", alt="A boat")})
        window.wait_for_selector(BUTTON)
        assert window.locator(".gpt-image-problem").count() == 0


def test_a_typo_does_not_forget_which_picture_its_block_showed(window, tmp_path, drawing):
    """A block that was broken for a while, its id included, is outdated afterwards, not empty."""
    site = site_for(tmp_path, drawing)
    one, two = (block(prompt=f"Boat {number}", alt="A boat", id=f"boat-{number}") for number in (1, 2))
    site.write({"index.md": f"# Home\n\n{one}\n{two}"})
    assert site.gptimage("generate", "--yes", env=KEY).code == 0
    with served(site) as (url, _):
        window.goto(url)
        assert window.locator(PICTURE).count() == 2
        site.write({"index.md": f"# Home\n\n```gpt-image\nid: [boat-1\n```\n\n{two}"})
        window.wait_for_selector(".gpt-image-problem")
        site.write({"index.md": f"# Home\n\n{one.replace('Boat 1', 'Ship 1')}\n{two}"})
        window.wait_for_selector("#boat-1 .gpt-image-outdated")
        assert window.locator(PICTURE).count() == 2
