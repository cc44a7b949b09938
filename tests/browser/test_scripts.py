"""Material's instant navigation and the lightbox, with figures, in a real browser."""

from __future__ import annotations

import pytest

from browser.built import BRIGHT, DARK
from browser.figures import IMAGES, average, colours, images, see_all, wait_for

# In the order of the images in a figure.
BRIGHTNESS = {"light": BRIGHT, "dark": DARK}
LIGHTBOX = ".glightbox-container .gslide.current img"


def test_lightbox(opened, web):
    """A click on a figure opens the lightbox with the widest file."""
    page = opened("material/")
    wait_for(page, 0)
    (small, *_) = images(page)
    widest = max(small.candidates, key=small.candidates.get)
    asked = list(web.pictures)
    page.locator(IMAGES).first.click()
    large = page.locator(LIGHTBOX)
    large.wait_for()
    page.wait_for_function("image => image.complete", arg=large.element_handle())

    assert asked == [small.shown]
    assert small.shown != widest
    assert large.get_attribute("src").endswith(f"/{widest}")
    assert large.evaluate("image => image.naturalWidth") == small.candidates[widest]


@pytest.mark.parametrize("modes", [("light", "dark"), ("dark", "light")])
def test_palette_swaps_twins(opened, modes):
    """A reader of Material sees the picture that fits the palette, and the other one after changing it."""
    page = opened("material/night/", color_scheme=modes[0])
    for mode in modes:
        lowest = BRIGHTNESS[mode]
        page.get_by_title(f"Leave {mode} mode").wait_for()
        wait_for(page, list(BRIGHTNESS).index(mode))

        assert lowest <= average(colours(page))[0] <= lowest + 50
        page.get_by_title(f"Leave {mode} mode").click()


def test_instant_navigation(opened):
    """Another page that is shown without reloading shows its figures, files, widths and all."""
    page = opened("material/")
    wait_for(page, 0)
    page.evaluate("() => { window.stays = true; }")
    page.get_by_role("article").get_by_role("link", name="Elsewhere").click()
    page.wait_for_url("**/guide/elsewhere/")
    page.get_by_role("heading", name="Elsewhere").wait_for()
    seen = see_all(page)

    assert page.evaluate("() => window.stays") is True
    assert [image.attributes for image in seen] == [("1536", "512"), ("1024", "1024"), ("2048", "1152")]
    assert page.locator(IMAGES).nth(1).evaluate("image => image.closest('a').href").endswith(".jpg")
