"""How pictures arrive in a real browser: which file, when, and without moving anything."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from browser.built import DARK, TEN
from browser.figures import average, colours, images, scroll_to, see_all, wait_for

WATCH = """
window.shifts = [];
window.watch = new PerformanceObserver(list => window.shifts.push(...list.getEntries()));
window.watch.observe({type: "layout-shift", buffered: true});
"""
# Not what moves inside the bar of MkDocs' own theme: its icons come with a font.
SHIFTS = """() => [...window.shifts, ...window.watch.takeRecords()]
  .filter(shift => shift.sources.some(({node}) => !node?.parentElement?.closest(".navbar")))
  .map(shift => shift.value)"""
TO_THE_END = "() => window.scrollTo({top: document.body.scrollHeight, behavior: 'instant'})"


def shifts_of_slow_loading(opened, web, path, width):
    """The layout shifts of a page whose pictures come one by one, each when a reader is looking at its place."""
    web.hold()
    page = opened(path, width=width, prepare=lambda page: page.add_init_script(WATCH))
    for index in range(TEN):
        scroll_to(page, index)
        assert len(web.held()) == 1
        web.let_go()
        wait_for(page, index)
    page.evaluate(TO_THE_END)
    scroll_to(page, TEN - 1)
    return page.evaluate(SHIFTS)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("site", ["plain", "material"])
def test_nothing_moves(opened, web, site, width):
    """While ten slow pictures arrive where a reader is looking, nothing on the page moves."""
    shifts = shifts_of_slow_loading(opened, web, f"{site}/ten/", width)

    assert sum(shifts) == 0


def test_movement_is_noticed(opened, web):
    """The same page without the pictures' sizes moves, and the browser says so."""
    text = (web.root / "plain/ten/index.html").read_text(encoding="utf-8")
    changed = web.root / "plain/ten-without-sizes/index.html"
    changed.parent.mkdir(exist_ok=True)
    changed.write_text(re.sub(r' (width|height)="\d+"', "", text), encoding="utf-8")

    shifts = shifts_of_slow_loading(opened, web, "plain/ten-without-sizes/", 1280)

    assert sum(shifts) > 0


@pytest.mark.parametrize("scale", [1, 2])
@pytest.mark.parametrize("width", [400, 800, 1600])
@pytest.mark.parametrize("site", ["plain", "material"])
def test_right_candidate(opened, site, width, scale):
    """The browser takes the smallest file that is as wide as the picture's place, to a hundredth, or the widest."""
    page = opened(f"{site}/", width=width, height=300, device_scale_factor=scale)

    seen = see_all(page)

    assert len(seen) == 3
    assert [image.candidates[image.shown] for image in seen] == [smallest(image, scale) for image in seen]


@pytest.mark.parametrize("width", [1000, 1600])
def test_right_candidate_of_bounded_figures(opened, width):
    """A figure whose block says how wide it is at most takes no larger file than its column shows."""
    page = opened("material/guide/elsewhere/", width=width, height=300)

    seen = see_all(page)

    assert len(seen) == 3
    assert [image.candidates[image.shown] for image in seen] == [smallest(image, 1) for image in seen]


def smallest(image, scale):
    """The width of the smallest file that is as wide as the image's place, to a hundredth, or of the widest."""
    wide_enough = [each for each in image.candidates.values() if each >= image.inner * scale * 0.99]
    return min(wide_enough, default=max(image.candidates.values()))


def test_best_format(opened):
    """Where avif is offered before webp, the browser takes avif, in the same place and of the same size."""
    modern = see_all(opened("modern/"))

    assert [PurePosixPath(image.shown).suffix for image in modern] == [".avif"] * 3
    assert [image.attributes for image in modern] == [("2048", "1152"), ("1024", "1024"), ("1536", "512")]
    assert [(image.width, image.height) for image in modern] == [
        (image.width, image.height) for image in images(opened("plain/"))
    ]


@pytest.mark.parametrize("site", ["material", "modern"])
def test_only_what_is_near(opened, web, site):
    """Of pictures that are far apart, the browser asks for the first at once, and for others when they come near."""
    requests = []

    def prepare(page):
        session = page.context.new_cdp_session(page)
        session.on("Network.requestWillBeSent", lambda event: requests.append(event["request"]))
        session.send("Network.enable")

    page = opened(f"{site}/", prepare=prepare)
    page.wait_for_load_state("load")
    at_once = list(web.pictures)
    seen = see_all(page)

    assert at_once == [seen[0].shown]
    assert web.pictures == [image.shown for image in seen]
    assert [image.loading for image in seen] == ["eager", "lazy", "lazy"]
    assert [each["initialPriority"] for each in requests if each["url"].endswith(at_once[0])] == ["High"]


@pytest.mark.parametrize("site", ["material", "modern"])
def test_without_javascript(opened, site):
    """Without JavaScript, figures are complete: pictures, captions and the label."""
    page = opened(f"{site}/", java_script_enabled=False)
    page.wait_for_load_state("load")

    assert [image.is_there for image in images(page)] == [True] * 3
    captions, labels = (page.locator(part).filter(visible=True) for part in ("figcaption", ".gpt-image__label"))
    assert captions.all_inner_texts() == ["The harbour, seen from a boat", "The beach"]
    assert labels.all_inner_texts() == ["AI-generated image"] * 3


@pytest.mark.parametrize("site", ["material", "modern"])
def test_colour_stands_in(opened, web, site):
    """Until a picture is there, its place has the picture's colour."""
    web.hold()
    page = opened(f"{site}/")
    web.held()
    before = colours(page)
    web.let_go()
    wait_for(page, 0)
    after = colours(page)

    expected = tuple(map(int, re.findall(r"\d+", images(page)[0].colour)))
    assert before == {expected}
    assert len(after) > 10
    assert all(abs(mean - value) < 12 for mean, value in zip(average(after), expected, strict=True))


def test_dark_colour_stands_in(opened, web):
    """Until a dark twin is there, its place has the twin's colour, not that of the bright picture."""
    web.hold()
    page = opened("plain/night/", color_scheme="dark")
    web.held()

    assert average(colours(page))[0] <= DARK + 50
