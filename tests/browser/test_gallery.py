"""The gallery in a real browser, opened from `file:`."""

from __future__ import annotations

import json
import shutil
import statistics
from pathlib import Path

import pytest
from galleries import CANDIDATES, CAT, EDITED, HOSTILE, data, written

from browser.figures import TWO_FRAMES
from mkdocs_gptimage.gallery.page import render_page

CARDS = "#pictures .open:visible"
LARGE = "#large-image"
OVERFLOW = "() => document.scrollingElement.scrollWidth - window.innerWidth"
FOCUSED = "() => document.activeElement.innerText"
LOADED = "#pictures img[src]"
AXE = """() => axe.run({resultTypes: ["violations"]}).then(({violations}) => violations.flatMap(
  ({id, nodes}) => nodes.map(node => [id, node.html.slice(0, 200), node.failureSummary])
))"""
# The script of the page and what it draws, without the time that other processes take.
FILTERED = """words => words.map(word => {
  const search = document.getElementById("search"), start = performance.now();
  search.value = word;
  search.dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();
  return performance.now() - start;
})"""
SCROLLED = """async () => {
  const gaps = [];
  let last = performance.now();
  for (let top = 0; top < document.scrollingElement.scrollHeight; top += 700) {
    scrollTo({top, behavior: "instant"});
    await new Promise(requestAnimationFrame);
    gaps.push(performance.now() - last);
    last = performance.now();
  }
  return gaps.sort((a, b) => a - b)[Math.floor(gaps.length / 2)];
}"""
NOT_THERE = "net::ERR_FILE_NOT_FOUND"
"""What a browser says of a large picture that was not sent along."""
MANY = 500
PAUSE = 200
"""Milliseconds after which people notice that they wait, with room for a machine that is busy with other tests."""


@pytest.fixture(scope="module")
def page_of_all(tmp_path_factory):
    """The gallery of a folder with pictures in every state."""
    return written(tmp_path_factory.mktemp("project"))


@pytest.fixture
def look(browser):
    """A function that opens a gallery in a new window, which must say nothing on its console."""
    contexts, said = [], []

    def open_gallery(path, *, width=1280, height=800, **options):
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text))
        page.goto(path.as_uri())
        return page

    yield open_gallery
    for context in contexts:
        context.close()
    assert [words for words in said if NOT_THERE not in words] == []


def prompts(page) -> list[str]:
    return page.locator(f"{CARDS} .prompt").all_text_contents()


def test_keyboard(look, page_of_all):
    """Without a mouse: `/` searches, arrows move, Enter opens large, arrows go on, Esc leads back to the card."""
    page = look(page_of_all)
    page.keyboard.press("/")
    assert page.evaluate("() => document.activeElement.id") == "search"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(FOCUSED).startswith("candidate 1")
    page.keyboard.press("Enter")
    page.locator("#large[open]").wait_for()
    assert page.locator("#position").inner_text() == "2 of 12"
    page.keyboard.press("ArrowRight")
    assert page.locator("#position").inner_text() == "3 of 12"
    page.keyboard.press("Escape")

    assert page.locator("#large[open]").count() == 0
    assert page.evaluate(FOCUSED).startswith("candidate 2")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    columns = len(page.locator("#pictures").evaluate("list => getComputedStyle(list).gridTemplateColumns").split())
    below = page.locator(CARDS).nth(columns)
    assert below.evaluate("card => card === document.activeElement")


def test_large_view_shows_the_stored_file(look, page_of_all):
    """The large view shows the stored picture, and the thumbnail where the page was sent without the store."""
    beside = look(page_of_all)
    beside.locator(CARDS).first.click()
    beside.wait_for_function("() => document.querySelector('#large-image').naturalWidth === 610")
    (folder := page_of_all.parent / "sent" / "far" / "away").mkdir(parents=True)
    sent = look(Path(shutil.copy(page_of_all, folder)))
    with sent.expect_event("requestfailed"):
        sent.locator(CARDS).first.click()

    assert sent.locator(LARGE).evaluate("image => image.decode().then(() => image.naturalWidth)") == 400


def test_filter_and_sort(look, page_of_all):
    """Words and states narrow what is shown, together; the order is that of pages, dates, costs or sizes."""
    page = look(page_of_all)
    everything = prompts(page)
    page.get_by_role("button", name="candidate 2", exact=True).click()
    assert prompts(page) == [CAT.prompt] * 2
    page.get_by_role("searchbox").fill("nothing at all")
    assert page.get_by_text("Nothing matches.").is_visible()
    page.get_by_role("button", name="Show all").click()
    assert prompts(page) == everything
    page.get_by_role("searchbox").fill(f"CAT {CANDIDATES[0].digest[:12]}")
    assert prompts(page) == [CAT.prompt]
    assert page.locator("#count").inner_text() == "1 of 12 pictures, $0.01 spent"
    page.get_by_role("searchbox").fill("docs/index.md:4")
    assert prompts(page) == [HOSTILE]
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Sort by").select_option("cost")
    assert prompts(page)[0] == "A green hill"
    page.get_by_label("Sort by").select_option("date")
    assert prompts(page)[0] == "A balloon"
    page.get_by_label("Sort by").select_option("page")
    assert prompts(page) == everything


def test_candidates(look, page_of_all):
    """A candidate stands beside its picture, with the command that accepts it to copy, and both can be compared."""
    page = look(page_of_all, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy the command that accepts candidate 2").click()
    page.get_by_text("Copied").wait_for()

    command = f"gptimage regenerate --accept {CANDIDATES[1].digest[:12]}"
    assert page.evaluate("() => navigator.clipboard.readText()") == command
    page.locator(CARDS).first.click()
    page.locator("#large-family").get_by_role("button", name="candidate 2").click()
    assert page.locator("#large-accept code").inner_text().split() == command.split()
    page.locator("#large-family").get_by_role("button", name="now").click()
    assert page.locator("#large-accept").is_hidden()


def test_hostile_texts(look, page_of_all):
    """A hostile prompt is shown letter by letter, runs nothing and loads nothing."""
    page = look(page_of_all)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.reload()
    page.locator(CARDS).nth(3).click()
    page.evaluate(TWO_FRAMES)

    assert page.locator("#large-prompt").text_content() == HOSTILE
    assert page.evaluate("() => window.pwned") is None
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}


def test_a_link_to_a_picture(look, page_of_all):
    """The address while a picture is large leads back to it."""
    page = look(page_of_all)
    page.locator(CARDS).first.click()
    address = page.url
    page.goto("about:blank")
    page.goto(address)

    assert address.endswith(f"#{CAT.digest[:12]}")
    assert page.locator("#large[open] #large-prompt").inner_text() == CAT.prompt


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessible(look, page_of_all, scheme, width):
    """axe-core finds nothing to mend, in the list and in the large view, and nothing is wider than a phone."""
    from axe_playwright_python.base import AXE_SCRIPT

    page = look(page_of_all, width=width, color_scheme=scheme)
    page.evaluate(AXE_SCRIPT)
    listed = page.evaluate(AXE)
    overflow = page.evaluate(OVERFLOW)
    page.locator(CARDS).nth(1).click()
    page.evaluate(TWO_FRAMES)
    large = page.evaluate(AXE)

    assert (listed, large) == ([], [])
    assert overflow <= 0


def test_many_pictures(look, page_of_all, tmp_path):
    """500 pictures are filtered and scrolled without a pause, and only those near the window are loaded."""
    (one, *_) = data(page_of_all.read_text("utf-8"))["pictures"]
    many = [
        {**json.loads(json.dumps(one)), "digest": f"{number:064x}", "prompt": f"Picture {number} of a cat"}
        for number in range(MANY)
    ]
    path = tmp_path / "many.html"
    path.write_text(render_page("Many", many), encoding="utf-8")
    page = look(path)
    page.locator(LOADED).first.wait_for()
    loaded = page.locator(LOADED).count()
    times = page.evaluate(FILTERED, ["p", "pi", "12", "", "cat 499", "none", ""])
    between_frames = page.evaluate(SCROLLED)

    assert page.locator(CARDS).count() == MANY
    assert 0 < loaded < 60
    assert statistics.median(times) < PAUSE
    assert between_frames < PAUSE


def test_published(opened, web):
    """The gallery of a site loads small files of the site's own as they come into view, and leads to the pages."""
    page = opened("modern/assets/gptimage/gallery/", width=1440)
    page.wait_for_function("() => document.querySelector('#pictures img').naturalWidth === 480")
    small = set(web.pictures)
    page.locator(CARDS).first.click()
    page.wait_for_function("() => document.querySelector('#large-image').naturalWidth === 960")
    page.get_by_role("link", name="docs/index.md").click()

    assert all(name.endswith("-480.webp") for name in small)
    assert page.url.endswith("/modern/")


def test_blocks_with_problems_are_shown(look, tmp_path):
    """Where blocks have problems, the gallery says that their pictures are not listed, and why."""
    path = tmp_path / "page.html"
    path.write_text(render_page("Pictures", [], ["docs/a.md:3: size: '1' is not a size"]), encoding="utf-8")
    page = look(path)
    page.get_by_text("1 block with problems").click()

    assert page.get_by_text("docs/a.md:3: size: '1' is not a size").is_visible()
    assert page.get_by_text("This site has no pictures yet.").is_visible()


def test_missing_pictures_keep_their_shape(look, page_of_all):
    """A picture that is not there yet is a frame that says so, with what it would cost."""
    page = look(page_of_all)
    card = page.locator(".card", has_text=EDITED.prompt).first

    assert card.locator(".blank").inner_text() == "not generated yet"
    assert card.locator(".facts").inner_text() == "1:1 · 1k · costs $0.25"
