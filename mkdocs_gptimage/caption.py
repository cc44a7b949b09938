"""Inline Markdown of a caption → HTML, by the Markdown instance of the page that shows it."""

from __future__ import annotations

import html
import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

from markdown.util import AMP_SUBSTITUTE

from .markup import fold

if TYPE_CHECKING:
    from markdown import Markdown

_RUNS_CODE = re.compile(r"(javascript|vbscript|data):", re.IGNORECASE)
_IGNORED_IN_URL = re.compile(r"[\s\x00-\x20]+")
_WRAPPER = re.compile(r"^<div>\s*<div>(.*)</div>\s*</div>$", re.DOTALL)
# Host extensions that see links after the inline pass: attributes, and MkDocs' links between pages.
_AFTER_INLINE = ("attr_list", "relpath", "unescape")


def render(text: str, md: Markdown) -> str:
    """Return the caption as HTML; emphasis, code and links work, raw HTML is shown as text."""
    root = ET.Element("div")
    # The processor looks at children only.
    ET.SubElement(root, "div").text = fold(text)
    _run_inline(root, md)
    for name in _AFTER_INLINE:
        if name in md.treeprocessors:
            md.treeprocessors[name].run(root)
    for link in root.iter():
        for key, value in list(link.attrib.items()):
            if key.lower().startswith("on") or (key in ("href", "src") and _runs_code(value)):
                del link.attrib[key]
    serialized = md.postprocessors["raw_html"].run(md.serializer(root))
    wrapped = _WRAPPER.match(serialized.strip())
    return wrapped[1] if wrapped else serialized


def _runs_code(url: str) -> bool:
    """Whether a link runs code, read as a browser reads it: entities decoded, white space inside of it ignored."""
    read = html.unescape(url.replace(AMP_SUBSTITUTE, "&"))
    return _RUNS_CODE.match(_IGNORED_IN_URL.sub("", read)) is not None


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
