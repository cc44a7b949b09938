"""Finished pictures under `mkdocs serve`, in a real browser: drawn again, chosen, taken and taken back."""

from __future__ import annotations

import hashlib
import itertools
import os
import re

import pytest
import scripted_service as gateways
from scripted_service import Answer
from sites import block
from waits import until

from browser.conftest import ARGUMENTS
from browser.test_serving import KEY, PATIENCE, THEMES, served, site_for
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.store import Store

BOAT = ImageSpec("A boat")
SHOTS = os.environ.get("GPTIMAGE_SCREENSHOTS")


@pytest.fixture
def gateway():
    """A service that draws another picture every time."""
    sizes = itertools.count(400, 40)
    with gateways.serving() as made:
        made.download = lambda _: Answer(body=gateways.picture(size=(next(sizes), 300)))
        yield made


@pytest.fixture(scope="module")
def alone(browser, chromium):
    launched = browser.browser_type.launch(executable_path=chromium, args=[*ARGUMENTS])
    yield launched
    launched.close()


@pytest.fixture
def site(tmp_path, gateway):
    made = site_for(tmp_path, gateway.base_url)
    made.write({"index.md": "# Home\n\n" + block(prompt="A boat", alt="A boat", id="boat")})
    assert made.gptimage("generate", env=KEY).code == 0
    return made


def stored(site):
    return hashlib.sha256(Store(site.store).entry(BOAT.digest).path.read_bytes()).hexdigest()


def opened(alone, url, **options):
    context = alone.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
    context.set_default_timeout(PATIENCE * 1000)
    window = context.new_page()
    window.goto(url)
    return window


def picture(window, name):
    if SHOTS:
        window.screenshot(path=f"{SHOTS}/{name}.png")


def width_shown(window):
    return window.locator("#boat img.gpt-image__img").evaluate("image => image.decode().then(() => image.naturalWidth)")


@pytest.mark.parametrize(("theme", "width"), [("mkdocs", 1280), ("material", 390)])
def test_three_are_drawn_one_is_taken_and_taken_back(alone, site, gateway, theme, width):
    """By keyboard alone: three are paid for at one press, one replaces the picture, and Undo brings that back."""
    site.configure(
        theme=THEMES[theme],
        site_url="https://docs.example/project/",
        gptimage={
            "api": {"base_url": gateway.base_url, "first_poll": 0.2, "poll_interval": 0.2},
            "prices": {"1k": 0.01},
        },
    )
    old = stored(site)
    with served(site) as (url, _):
        window = opened(alone, url, viewport={"width": width, "height": 900})
        again = window.get_by_role("button", name=re.compile(r"Draw three · \$0\.03"))
        again.focus()
        picture(window, f"{theme}-{width}-tools")
        assert len(gateway.of("submit")) == 1
        window.keyboard.press("Enter")
        tiles = window.locator(".gpt-image-strip__tiles button img")
        until(lambda: tiles.count() == 3, PATIENCE)
        window.wait_for_timeout(300)
        picture(window, f"{theme}-{width}-strip")
        assert stored(site) == old

        window.get_by_role("button", name="Candidate 2, look at it large").focus()
        window.keyboard.press("Enter")
        window.locator("dialog img").evaluate("image => image.decode()")
        picture(window, f"{theme}-{width}-look")
        window.keyboard.press("Escape")
        assert window.evaluate("document.activeElement.getAttribute('aria-label')") == "Candidate 2, look at it large"
        window.keyboard.press("Enter")
        window.keyboard.press("Enter")
        window.get_by_role("button", name="Undo").wait_for()
        assert stored(site) != old
        until(lambda: width_shown(window) != 400, PATIENCE)
        window.locator("#boat img[src$='.webp']").wait_for()
        taken = window.locator("#boat img.gpt-image__img").get_attribute("src")
        picture(window, f"{theme}-{width}-taken")

        window.get_by_role("button", name="Undo").focus()
        window.keyboard.press("Enter")
        until(lambda: stored(site) == old, PATIENCE)
        until(lambda: window.locator(f"#boat img[src$='.webp']:not([src='{taken}'])").count() == 1, PATIENCE)
        window.get_by_role("button", name="Keep the old one").click()
        assert window.locator(".gpt-image-strip").is_hidden()
        window.get_by_role("button", name="3 candidates").wait_for()
        assert window.evaluate("document.documentElement.scrollWidth <= innerWidth")

    assert len(gateway.of("submit")) == 4


def test_what_the_command_line_replaces_is_shown(alone, site):
    """A picture that `gptimage regenerate` replaces meanwhile is shown by the open page, under another address."""
    with served(site) as (url, _):
        window = opened(alone, url)
        before = window.locator("#boat img").get_attribute("src")
        assert site.gptimage("regenerate", "boat", env=KEY).code == 0
        window.locator(f"#boat img[src$='.webp']:not([src='{before}'])").wait_for()
        assert width_shown(window) != 400
