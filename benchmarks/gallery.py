"""What the gallery of 500 pictures costs: writing it, its bytes, and what a reader waits for in Chromium.

python benchmarks/gallery.py [--pictures 500]
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from mkdocs_gptimage.emulator.picture import PictureSpec, draw
from mkdocs_gptimage.gallery.items import gallery_items
from mkdocs_gptimage.gallery.page import write_gallery
from mkdocs_gptimage.plan.orphans import find_orphans
from mkdocs_gptimage.plan.plan import Plan
from mkdocs_gptimage.plan.status import SiteStatus
from mkdocs_gptimage.settings import Api, Budget, Settings
from mkdocs_gptimage.spec.model import ImageSpec
from mkdocs_gptimage.store.record import ImageFacts, Provenance
from mkdocs_gptimage.store.store import Store

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROUNDS = 5
SHAPES = ((1024, 1024), (1536, 864), (1024, 1536), (1536, 512))
SUBJECTS = ("cat on a windowsill", "harbour", "mountain lake", "city at night", "forest", "pattern", "silk ribbons")
SEARCHES = ("c", "cat", "harbour", "number 41", "nothing", "")
FILTER = """word => {
  const search = document.getElementById("search"), start = performance.now();
  search.value = word;
  search.dispatchEvent(new Event("input"));
  document.body.getBoundingClientRect();
  return performance.now() - start;
}"""
SORT = """order => {
  const sort = document.getElementById("sort"), start = performance.now();
  sort.value = order;
  sort.dispatchEvent(new Event("change"));
  document.body.getBoundingClientRect();
  return performance.now() - start;
}"""
SCROLL = """async () => {
  const gaps = [];
  let last = performance.now();
  for (let top = 0; top < document.scrollingElement.scrollHeight; top += 600) {
    scrollTo({top, behavior: "instant"});
    await new Promise(requestAnimationFrame);
    gaps.push(performance.now() - last);
    last = performance.now();
  }
  scrollTo({top: 0, behavior: "instant"});
  return gaps;
}"""


def fill(store: Store, count: int) -> None:
    """Store pictures that the emulator draws, each another one."""
    for number in range(count):
        spec = ImageSpec(f"A {SUBJECTS[number % len(SUBJECTS)]}, number {number}, watercolor on rough paper")
        width, height = SHAPES[number % len(SHAPES)]
        data = draw(PictureSpec(spec.prompt, width, height))
        part = store.root.parent / "part"
        part.write_bytes(data)
        facts = ImageFacts(hashlib.sha256(data).hexdigest(), len(data), width, height, "png")
        made = Provenance(f"2026-11-{1 + number % 28:02}T09:30:00Z", "images.example", f"task_{number}", 12.5, 0.0085)
        store.put(spec.canonical, spec.digest, part, facts, made)


def seconds(settings: Settings, target: Path) -> float:
    """Seconds from the store to the written page."""
    start = time.perf_counter()
    found = gallery_items(SiteStatus(Plan(()), find_orphans(Store(settings.store), ())))
    write_gallery(target, found, [], settings)
    return time.perf_counter() - start


def opened(page: Page, target: Path) -> float:
    """Milliseconds until the first pictures are there."""
    start = time.perf_counter()
    page.goto(target.as_uri())
    page.wait_for_function("() => [...document.images].some(image => image.src && image.complete)")
    return (time.perf_counter() - start) * 1000


def print_summary(name: str, values: list[float], unit: str) -> None:
    print(f"{name}: {statistics.median(values):.3g} {unit} (of {len(values)}: {min(values):.3g} to {max(values):.3g})")


def look(target: Path) -> None:
    """Print what a reader waits for."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        print_summary("opened", [opened(page, target) for _ in range(ROUNDS)], "ms")
        print_summary("filtered", [page.evaluate(FILTER, word) for _ in range(ROUNDS) for word in SEARCHES], "ms")
        print_summary("sorted", [page.evaluate(SORT, order) for _ in range(ROUNDS) for order in ("date", "page")], "ms")
        print_summary("between frames", [gap for _ in range(ROUNDS) for gap in page.evaluate(SCROLL)], "ms")
        browser.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=500)
    count = parser.parse_args().pictures
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        settings = _settings(root)
        fill(Store(settings.store), count)
        target = root / "gallery.html"
        print_summary(f"{count} pictures, no thumbnail made yet", [seconds(settings, target)], "s")
        print_summary("thumbnails in the cache", [seconds(settings, target) for _ in range(ROUNDS)], "s")
        print(f"the page: {target.stat().st_size / 1e6:.3g} MB")
        look(target)


def _settings(root: Path) -> Settings:
    common: dict[str, Any] = {"fence": "gpt-image", "require_alt": False, "defaults": {}, "prices": {}}
    return Settings(
        project=root,
        config_file="mkdocs.yml",
        docs=root / "docs",
        store=root / "gptimage",
        cache=root / ".cache",
        assets="assets/gptimage",
        api=Api("https://images.example/v1"),
        budget=Budget(),
        **common,
    )


if __name__ == "__main__":
    main()
