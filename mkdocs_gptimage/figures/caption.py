"""Renders the inline Markdown of captions with the Markdown instance of their page."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

from markdown.util import AMP_SUBSTITUTE, HTML_PLACEHOLDER_RE

from mkdocs_gptimage.figures.figure import fold

if TYPE_CHECKING:
    from markdown import Markdown


_RUNS_CODE = re.compile(r"(javascript|vbscript|data):", re.IGNORECASE)
_IGNORED_IN_URL = re.compile(r"\s+")
_REFERENCE = re.compile(r"&(?:#[0-9]+|#[xX][0-9a-fA-F]+|[A-Za-z0-9]+);?")
# Attributes that browsers never treat as a URL.
_TEXT_ATTRIBUTES = frozenset({"alt", "aria-label", "class", "id", "title"})
_WRAPPER = re.compile(r"^<div>\s*<div>(.*)</div>\s*</div>$", re.DOTALL)
# Tree processors that run after the inline pass: attribute lists, and MkDocs' links between pages.
_AFTER_INLINE = ("attr_list", "relpath", "unescape")


def render_caption(text: str, md: Markdown) -> str:
    """Return the caption as HTML; emphasis, code and links work, raw HTML is shown as text."""
    root = ET.Element("div")
    # The processor looks at children only.
    ET.SubElement(root, "div").text = fold(text)
    _run_inline(root, md)
    for name in _AFTER_INLINE:
        if name in md.treeprocessors:
            md.treeprocessors[name].run(root)
    for element in root.iter():
        _sanitise_attributes(element, md)
    serialized = md.postprocessors["raw_html"].run(md.serializer(root)).replace(AMP_SUBSTITUTE, "&")
    wrapped = _WRAPPER.match(serialized.strip())
    return _REFERENCE.sub(_unless_forbidden, wrapped[1] if wrapped else serialized)


def _sanitise_attributes(element: ET.Element, md: Markdown) -> None:
    """Remove attributes that run code, and those whose names differ only in case."""
    for name, raw in list(element.attrib.items()):
        lower = name.lower()
        # Character references of an attribute list are stashed; an attribute without a value has None.
        value = raw and HTML_PLACEHOLDER_RE.sub(lambda key: str(md.htmlStash.rawHtmlBlocks[int(key[1])]), raw)
        runs_code = (
            lower.startswith("on") or lower == "srcdoc" or (lower not in _TEXT_ATTRIBUTES and _runs_code(value or ""))
        )
        if runs_code or lower != name:
            del element.attrib[name]
        if not runs_code and (lower == name or lower not in element.attrib):
            element.set(lower, value)


def _runs_code(url: str) -> bool:
    """Whether a URL runs code; as in browsers, entities are decoded first and white space is ignored."""
    decoded = fold(html.unescape(url.replace(AMP_SUBSTITUTE, "&")))
    return _RUNS_CODE.match(_IGNORED_IN_URL.sub("", decoded)) is not None


def _unless_forbidden(reference: re.Match[str]) -> str:
    """Drop a character reference to a character that `fold` removes."""
    character = html.unescape(reference[0])
    return reference[0] if character.isspace() or fold(character) else ""


def _run_inline(root: ET.Element, md: Markdown) -> None:
    """Run the page's own inline processor, which owns what patterns stash, without its pattern for raw HTML."""
    inline: Any = md.treeprocessors["inline"]
    patterns = inline.inlinePatterns
    raw_html = [patterns["html"]] if "html" in patterns else []
    # The processor only iterates over its patterns, so a list replaces the registry.
    inline.inlinePatterns = [pattern for pattern in patterns if pattern not in raw_html]
    try:
        inline.run(root)
    finally:
        inline.inlinePatterns = patterns
