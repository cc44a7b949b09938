"""Markers in a page's HTML: where figures and images wait for published files, and how these are filled in.

Every regular expression that searches a page for images is here.
"""

from __future__ import annotations

import html
import re
import secrets
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from mkdocs_gptimage.blocks.by_id import PREFIX
from mkdocs_gptimage.blocks.visibility import visible_pieces
from mkdocs_gptimage.figures.figure import attribute

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


# Python-Markdown escapes quotes and `>` in attributes.
_MENTION_IMAGE = re.compile(rf'<img\b[^>]*?\ssrc="{PREFIX}(?P<id>[^"]*)"[^>]*>')
"""An image that names a picture by id."""
_MENTION_LINK = re.compile(rf'(?<=\shref="){PREFIX}(?P<id>[^"]*)(?=")')
"""The address of a link that another plugin has put around such an image."""
_IMAGE = "<img"
_SRC = re.compile(r'\s+src="(?P<src>[^"]*)"')
_ATTRIBUTE = re.compile(r"\s([A-Za-z-]+)=")
_EMPTY_ALT = re.compile(r'\salt=""')


class MarkedImage(NamedTuple):
    """An `<img>` of a figure that has a marker for the attributes which are not known yet."""

    key: int
    is_dark: bool
    """Whether it is the image for dark pages."""
    before: str
    """Its attributes before the marker."""
    after: str
    """What follows the marker, `>` included."""

    @property
    def src(self) -> str:
        found = _SRC.search(self.before) or _SRC.search(self.after)
        return html.unescape(found["src"]) if found else ""


class FigureMarkers:
    """Writes and finds the markers of one build.

    A marker is an attribute with the key of a block's use and a random token, so that no page can forge one.
    """

    def __init__(self) -> None:
        self.token = secrets.token_hex(8)
        key = f'="{self.token}-(?P<key>[0-9]+)"'
        self._light = re.compile(f" data-gptimage{key}")
        self._any = re.compile(f" data-gptimage(?:-dark)?{key}")
        # No attribute of ours holds a `>`: it is escaped.
        self._empty = re.compile(f"(?<=<figure) data-gptimage{key}>(?=</figure>)")
        self._image = re.compile(f"<img\\b(?P<before>[^>]*?) data-gptimage(?P<dark>-dark)?{key}(?P<after>[^>]*>)")

    def write(self, key: int, *, is_dark: bool = False) -> str:
        """Return the marker for an image of a figure."""
        return f'data-gptimage{"-dark" if is_dark else ""}="{self.token}-{key}"'

    def visible_keys(self, content: str) -> list[int]:
        """Return the keys of the figures that a reader of the HTML sees, in their order."""
        if self.token not in content:
            return []
        return [
            int(match["key"])
            for piece, is_visible in visible_pieces(content, self.token)
            if is_visible
            for match in self._light.finditer(piece)
        ]

    def strip(self, content: str) -> str:
        """Remove all markers from HTML."""
        return self._any.sub("", content)

    def fill(self, content: str, finished: Callable[[MarkedImage], str]) -> str:
        """Replace each marked image in HTML by what `finished` returns for it."""

        def replace(match: re.Match[str]) -> str:
            return finished(MarkedImage(int(match["key"]), bool(match["dark"]), match["before"], match["after"]))

        return self._image.sub(replace, content)

    def fill_empty(self, content: str, card: Callable[[int], str]) -> str:
        """Fill the marked figures without an image in HTML with what `card` returns for their keys."""
        return self._empty.sub(lambda match: f' class="gpt-image">{card(int(match["key"]))}', content)


def _id(match: re.Match[str]) -> str:
    return unquote(html.unescape(match["id"]))


def visible_mentions(content: str) -> list[str]:
    """Return the ids of the images that a reader of the HTML sees and that name a picture by id, in their order."""
    return [
        _id(match)
        for piece, is_visible in visible_pieces(content, _IMAGE)
        if is_visible
        for match in _MENTION_IMAGE.finditer(piece)
    ]


def fill_mentions(content: str, image: Callable[[str, str], str | None], url: Callable[[str], str | None]) -> str:
    """Fill in the images of HTML that name a picture by id, and the links to them.

    `image` takes the id and the `<img>`, `url` the id; where they return None, the HTML stays as it is.
    """

    def fill_image(match: re.Match[str]) -> str:
        found = image(_id(match), match[0])
        return match[0] if found is None else found

    def fill_link(match: re.Match[str]) -> str:
        found = url(_id(match))
        return match[0] if found is None else found

    return _MENTION_LINK.sub(fill_link, _MENTION_IMAGE.sub(fill_image, content))


def complete_image(image: str, attributes: Mapping[str, str]) -> str:
    """Give an author's `<img>` a new `src` and the attributes that it lacks; an empty `alt` counts as lacking."""
    image = _EMPTY_ALT.sub("", image)
    given = {name.lower() for name in _ATTRIBUTE.findall(image)} - {"src"}
    missing = "".join(attribute(name, value) for name, value in attributes.items() if name not in given)
    return _SRC.sub(lambda _: missing, image, count=1)
