"""Inline Markdown of a caption → HTML, by the Markdown instance of the page that shows it."""

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
# Attributes that nothing follows as a link, whatever they say.
_WORDS = frozenset({"alt", "aria-label", "class", "id", "title"})
_WRAPPER = re.compile(r"^<div>\s*<div>(.*)</div>\s*</div>$", re.DOTALL)
# Host extensions that see links after the inline pass: attributes, and MkDocs' links between pages.
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
        _keep_harmless_attributes(element, md)
    serialized = md.postprocessors["raw_html"].run(md.serializer(root)).replace(AMP_SUBSTITUTE, "&")
    wrapped = _WRAPPER.match(serialized.strip())
    return _REFERENCE.sub(_without_unfit, wrapped[1] if wrapped else serialized)


def _keep_harmless_attributes(element: ET.Element, md: Markdown) -> None:
    """Keep each attribute once, as HTML takes `HREF` for `href`, and none that runs code."""
    for name, written in list(element.attrib.items()):
        lower = name.lower()
        # Character references of an attribute list are stashed; an attribute without a value has None.
        value = written and HTML_PLACEHOLDER_RE.sub(lambda key: str(md.htmlStash.rawHtmlBlocks[int(key[1])]), written)
        runs_code = lower.startswith("on") or lower == "srcdoc" or (lower not in _WORDS and _runs_code(value or ""))
        if runs_code or lower != name:
            del element.attrib[name]
        if not runs_code and (lower == name or lower not in element.attrib):
            element.set(lower, value)


def _runs_code(url: str) -> bool:
    """Whether a link runs code, read as a browser reads it: entities decoded, white space inside of it ignored."""
    read = fold(html.unescape(url.replace(AMP_SUBSTITUTE, "&")))
    return _RUNS_CODE.match(_IGNORED_IN_URL.sub("", read)) is not None


def _without_unfit(reference: re.Match[str]) -> str:
    """A character reference, unless it stands for what `fold` leaves out of a text."""
    character = html.unescape(reference[0])
    return reference[0] if character.isspace() or fold(character) else ""


def _run_inline(root: ET.Element, md: Markdown) -> None:
    """Run the page's own processor, as patterns ask it for what they stashed, but without its pattern for raw HTML."""
    inline: Any = md.treeprocessors["inline"]
    patterns = inline.inlinePatterns
    raw_html = [patterns["html"]] if "html" in patterns else []
    # The processor only walks its patterns in order, so a list does.
    inline.inlinePatterns = [pattern for pattern in patterns if pattern not in raw_html]
    try:
        inline.run(root)
    finally:
        inline.inlinePatterns = patterns
