"""Built sites as a browser sees them: every figure, what it points to, and whether that is there."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASSETS = "assets/gptimage"
NOT_FOUND = "404.html"
# What stands in a page for a while only: markers, and the ids of pictures in place of their addresses.
_UNFINISHED = re.compile(rb"data-gptimage|[\"'=(]gpt-image:")
_MEDIA_TYPES = {"webp": "image/webp", "avif": "image/avif", "png": "image/png", "jpg": "image/jpeg"}

Attributes = dict[str, str]


@dataclass
class Figure:
    """One `<figure class="gpt-image">` of a page, or one of our pictures that stands by itself."""

    attributes: Attributes
    images: list[Attributes] = field(default_factory=list)
    sources: list[Attributes] = field(default_factory=list)
    links: list[Attributes] = field(default_factory=list)
    """Those around the picture, not those in the caption."""
    caption: str = ""

    @property
    def image(self) -> Attributes:
        """The picture; where there are two, the one for light pages."""
        return self.images[0]

    @property
    def urls(self) -> list[str]:
        """All that the browser may ask for."""
        named = [image["src"] for image in self.images] + [link["href"] for link in self.links if "href" in link]
        return named + [url for url, _ in self.candidates]

    @property
    def candidates(self) -> list[tuple[str, int]]:
        """(URL, width in pixels) of each `srcset`."""
        return [each for element in (*self.images, *self.sources) for each in candidates(element.get("srcset", ""))]


def candidates(srcset: str) -> list[tuple[str, int]]:
    """The (URL, width in pixels) that a `srcset` offers."""
    pairs = [candidate.split() for candidate in srcset.split(", ") if candidate]
    return [(url, int(width.removesuffix("w"))) for url, width in pairs]


@dataclass(frozen=True)
class Page:
    """One HTML file of a site."""

    path: str
    """Below the site's folder."""
    figures: list[Figure]
    single: list[Figure]
    """Our pictures outside of figures."""
    stylesheets: list[str]
    """URLs."""


class _Reader(HTMLParser):
    """Finds figures; what plugins do to the markup is what is tested, so nothing else is expected of it."""

    _VOID = frozenset({"img", "source", "link", "meta", "br", "hr", "input", "path", "base", "wbr", "col", "area"})

    def __init__(self) -> None:
        super().__init__()
        self.figures: list[Figure] = []
        self.stylesheets: list[str] = []
        self.single: list[Figure] = []
        self._open: list[tuple[str, Attributes]] = []
        self._sources: list[Attributes] = []
        self._figure: Figure | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "link" and given.get("rel") == "stylesheet":
            self.stylesheets.append(given["href"])
        if tag == "figure" and "gpt-image" in given.get("class", "").split():
            self._figure = Figure(given)
            self.figures.append(self._figure)
        elif self._figure is not None and not self._is_within("figcaption"):
            lists = {"img": self._figure.images, "source": self._figure.sources, "a": self._figure.links}
            lists.get(tag, []).append(given)
        elif tag == "source":
            self._sources.append(given)
        elif tag == "img" and ASSETS in given.get("src", ""):
            around = [attributes for name, attributes in self._open if name == "a"]
            self.single.append(Figure({}, [given], self._sources if self._is_within("picture") else [], around))
        if tag == "picture":
            self._sources = []
        if tag not in self._VOID:
            self._open.append((tag, given))

    def handle_endtag(self, tag: str) -> None:
        if self._is_within(tag):
            while self._open.pop()[0] != tag:
                pass
        if tag == "figure":
            self._figure = None

    def handle_data(self, data: str) -> None:
        if self._figure is not None and self._is_within("figcaption"):
            self._figure.caption += data

    def _is_within(self, tag: str) -> bool:
        return any(name == tag for name, _ in self._open)


def read(site: Path, path: str) -> Page:
    reader = _Reader()
    reader.feed((site / path).read_text("utf-8"))
    reader.close()
    return Page(path, reader.figures, reader.single, reader.stylesheets)


def pages(site: Path) -> Iterator[Page]:
    for path in sorted(site.rglob("*.html")):
        yield read(site, path.relative_to(site).as_posix())


def checked(site: Path, base: str = "/") -> dict[str, list[Figure]]:
    """Return the figures of all pages that have some, once all of them are seen to be whole.

    `base` is the path of `site_url`. Fails where a figure lacks its size, where it points to nothing or to something
    else than it says, where something unfinished is left anywhere, and where a published file is used by no page.
    """
    unshown = {path.relative_to(site).as_posix() for path in (site / ASSETS).rglob("*") if path.is_file()}
    found = {}
    for page in pages(site):
        unshown -= {resolve(site, page, url, base) for url in page.stylesheets if ASSETS in url}
        for figure in (*page.figures, *page.single):
            unshown -= _files(site, page, figure, base)
        if page.figures:
            found[page.path] = page.figures
    texts = [path for path in site.rglob("*") if path.suffix in {".html", ".json", ".xml", ".js", ".css"}]
    unfinished = [path for path in texts if _UNFINISHED.search(path.read_bytes())]
    assert not unfinished, f"not finished: {unfinished}"
    assert not unshown, f"published, and used by no page: {unshown}"
    return found


def _files(site: Path, page: Page, figure: Figure, base: str) -> set[str]:
    where = f"{page.path}: {figure}"
    for image in figure.images:
        _check_size(site, page, image, base, where)
    fragments = [urlsplit(image["src"]).fragment for image in figure.images]
    assert fragments in ([""], ["only-light", "only-dark"]), where
    assert page.path != NOT_FOUND or all(url.startswith("/") for url in figure.urls), f"{where} is for one depth only"
    for element in (*figure.images, *figure.sources):
        assert ("srcset" in element) == ("sizes" in element), where
        for url, said in candidates(element.get("srcset", "")):
            width, _, kind = facts(site / resolve(site, page, url, base))
            assert said == width, (where, url)
            assert element.get("type", _MEDIA_TYPES[kind]) == _MEDIA_TYPES[kind], (where, url)
    return {resolve(site, page, url, base) for url in figure.urls}


def _check_size(site: Path, page: Page, image: Attributes, base: str, where: str) -> None:
    assert {"src", "width", "height", "alt"} <= image.keys(), where
    width, height, _ = facts(site / resolve(site, page, image["src"], base))
    assert abs(int(image["width"]) / int(image["height"]) - width / height) < 0.02, where


def resolve(site: Path, page: Page, url: str, base: str = "/") -> str:
    """Return the file that a URL of a page leads to, below the site's folder; fails where there is none."""
    parts = urlsplit(url)
    assert not parts.scheme, f"{page.path}: {url} leads out of the site"
    assert not parts.netloc, f"{page.path}: {url} leads out of the site"
    if parts.path.startswith("/"):
        assert parts.path.startswith(base), f"{page.path}: {url} leads out of the site"
        target = site / unquote(parts.path[len(base) :])
    else:
        target = (site / page.path).parent / unquote(parts.path)
    target = target.resolve()
    assert target.is_relative_to(site.resolve()), f"{page.path}: {url} leads out of the site"
    assert target.is_file(), f"{page.path}: {url} leads nowhere"
    return target.relative_to(site.resolve()).as_posix()


@functools.cache
def facts(path: Path) -> tuple[int, int, str]:
    """The (width, height, ending) of a picture by its bytes."""
    with Image.open(path) as image:
        return image.width, image.height, {"jpeg": "jpg"}.get(str(image.format).lower(), str(image.format).lower())
