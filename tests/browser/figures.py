"""What a page's figures look like to a browser."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import PIL.Image

if TYPE_CHECKING:
    from playwright.sync_api import Page

IMAGES = "figure.gpt-image img"
_DESCRIBE = """images => images.map(image => ({
  is_there: image.complete && image.naturalWidth > 0,
  width: image.getBoundingClientRect().width,
  height: image.getBoundingClientRect().height,
  inner: image.clientWidth,
  attributes: [image.getAttribute("width"), image.getAttribute("height")],
  shown: image.currentSrc.split("/").pop(),
  candidates: (image.srcset || "").split(", ").filter(Boolean).map(each => each.split("/").pop().split(" ")),
  loading: image.loading,
  colour: image.style.backgroundColor,
}))"""
_SCROLL = "(image) => image.closest('figure').scrollIntoView({block: 'start', behavior: 'instant'})"
TWO_FRAMES = "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
_COMPLETE = "image => image.complete && image.naturalWidth > 0"


@dataclass(frozen=True)
class Image:
    """The image of a figure."""

    is_there: bool
    width: float
    """CSS pixels of its box, as the height."""
    height: float
    inner: int
    """CSS pixels without borders."""
    attributes: tuple[str, str]
    """`width` and `height`"""
    shown: str
    """The name of the file that the browser chose; empty before it has."""
    candidates: dict[str, int]
    """Name → width in pixels, of its own srcset."""
    loading: str
    colour: str
    """Of the background, as CSS writes it."""


def images(page: Page) -> list[Image]:
    """The images of all figures of a page, in order."""
    found = page.locator(IMAGES).evaluate_all(_DESCRIBE)
    return [
        Image(
            **{
                **each,
                "attributes": tuple(each["attributes"]),
                "candidates": {name: int(width.removesuffix("w")) for name, width in each["candidates"]},
            }
        )
        for each in found
    ]


def scroll_to(page: Page, index: int) -> None:
    """Put a figure at the top of the window, and let the browser paint it."""
    page.locator(IMAGES).nth(index).evaluate(_SCROLL)
    page.evaluate(TWO_FRAMES)


def wait_for(page: Page, index: int) -> None:
    """Wait until a figure's image is there."""
    element = page.locator(IMAGES).nth(index).element_handle()
    page.wait_for_function(_COMPLETE, arg=element)


def colours(page: Page) -> set[tuple[int, ...]]:
    """The colours that a reader sees in the middle of the first image that is not hidden."""
    shot = page.locator(IMAGES).locator("visible=true").first.screenshot(animations="disabled")
    seen = PIL.Image.open(io.BytesIO(shot)).convert("RGB")
    middle = seen.crop((seen.width // 4, seen.height // 4, seen.width * 3 // 4, seen.height * 3 // 4))
    return {colour for _, colour in middle.getcolors(middle.width * middle.height)}


def average(found: set[tuple[int, ...]]) -> list[float]:
    """The mean of each channel."""
    return [sum(each) / len(found) for each in zip(*found, strict=True)]


def see_all(page: Page) -> list[Image]:
    """Scroll through a page, as a reader does who waits for every picture."""
    for index in range(page.locator(IMAGES).count()):
        scroll_to(page, index)
        wait_for(page, index)
    return images(page)
