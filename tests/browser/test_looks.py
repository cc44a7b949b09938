"""How figures look in a real browser: on small screens, on paper, before they are made, and to those who cannot see."""

from __future__ import annotations

import pytest

from browser.built import BRIGHT, DARK
from browser.figures import average, colours, images

PAGES = ["", "guide/elsewhere/"]
OVERFLOW = "() => document.scrollingElement.scrollWidth - window.innerWidth"
BRIGHTNESS = """() => {
  const colour = getComputedStyle(document.body).backgroundColor;
  return Math.max(...colour.match(/[0-9.]+/g).slice(0, 3).map(Number));
}"""
AXE = """() => axe.run(
  {include: [["figure.gpt-image"]]}, {resultTypes: ["violations", "incomplete", "passes"]}
).then(({violations, passes}) => ({
  violations: violations.flatMap(({id, nodes}) => nodes.map(node => [id, node.html, node.failureSummary])),
  passes: passes.map(({id}) => id),
}))"""


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("site", ["plain", "material", "modern", "cards"])
def test_fits_small_screens(opened, site, page):
    """At 320 pixels, no figure makes a page scroll sideways."""
    opened_page = opened(f"{site}/{page}", width=320)
    opened_page.wait_for_load_state("load")

    assert opened_page.evaluate(OVERFLOW) <= 0
    assert all(0 < image.width <= 320 for image in images(opened_page))


@pytest.mark.parametrize(("scheme", "brightness"), [("light", BRIGHT), ("dark", DARK)])
@pytest.mark.parametrize("site", ["plain", "modern"])
def test_twin_of_the_scheme(opened, web, site, scheme, brightness):
    """Of a picture and its dark twin, a reader sees the one that the system asks for, and loads no other."""
    page = opened(f"{site}/night/", color_scheme=scheme)
    page.wait_for_load_state("load")
    red, _, _ = average(colours(page))

    assert brightness <= red <= brightness + 50
    assert web.pictures == [image.shown for image in images(page)]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("site", ["plain", "material"])
def test_accessible(opened, site, scheme):
    """axe-core finds nothing to mend in figures, in light and in dark."""
    from axe_playwright_python.base import AXE_SCRIPT

    page = opened(f"{site}/guide/elsewhere/", color_scheme=scheme)
    page.wait_for_load_state("load")
    page.evaluate(AXE_SCRIPT)
    found = page.evaluate(AXE)

    assert found["violations"] == []
    assert {"image-alt", "color-contrast", "link-name"} <= set(found["passes"])
    assert (page.evaluate(BRIGHTNESS) < 100) == (scheme == "dark")


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("page", PAGES)
def test_card_keeps_the_place(opened, page, width):
    """The card of a missing picture takes the place that the picture will take."""
    before, after = (images(opened(f"{site}/{page}", width=width)) for site in ("cards", "plain"))

    assert len(before) == 3
    assert [(image.width, image.height) for image in before] == [(image.width, image.height) for image in after]
    assert [image.attributes for image in before] == [image.attributes for image in after]


@pytest.mark.parametrize("site", ["material", "modern"])
def test_printed(opened, site):
    """On paper, a page has all of its pictures, also those that were never scrolled into view."""
    page = opened(f"{site}/")
    printed = page.pdf(print_background=False)

    assert printed.count(b"/Subtype /Image") == 3


def test_printed_once(opened):
    """On paper, a picture with a dark twin is there once, whatever the palette."""
    page = opened("material/night/", color_scheme="dark")
    page.get_by_title("Leave dark mode").wait_for()
    printed = page.pdf(print_background=False)

    assert printed.count(b"/Subtype /Image") == 1
