"""Material's instant navigation and the lightbox, with figures, in a real browser."""

from __future__ import annotations

from browser.figures import IMAGES, images, see_all, wait_for

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
