"""Inline Markdown of a caption → HTML, by the Markdown instance of the page that shows it."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from markdown.treeprocessors import InlineProcessor

if TYPE_CHECKING:
    from markdown import Markdown

# Link targets that run code, with whatever a browser ignores in front of and between the letters.
_RUNS_CODE = re.compile(r"^[\s\x00-\x20]*(javascript|vbscript|data)[\s\x00-\x20]*:", re.IGNORECASE)
_WRAPPER = re.compile(r"^<div>\s*<div>(.*)</div>\s*</div>$", re.DOTALL)
# Host extensions that see links after the inline pass: attributes, and MkDocs' links between pages.
_AFTER_INLINE = ("attr_list", "relpath")


def render(text: str, md: Markdown) -> str:
    """Return the caption as HTML; emphasis, code and links work, raw HTML is shown as text."""
    root = ET.Element("div")
    # The processor looks at children only.
    ET.SubElement(root, "div").text = " ".join(text.split())
    inline = InlineProcessor(md)
    names = [name for name in ("html",) if name in md.inlinePatterns]
    raw_html = [md.inlinePatterns[name] for name in names]
    # The processor only walks its patterns in order, so a list without raw HTML does.
    inline.inlinePatterns = [  # type: ignore[assignment]
        pattern for pattern in md.inlinePatterns if pattern not in raw_html
    ]
    inline.run(root)
    for name in _AFTER_INLINE:
        if name in md.treeprocessors:
            md.treeprocessors[name].run(root)
    for link in root.iter():
        for key in ("href", "src"):
            if _RUNS_CODE.match(link.get(key) or ""):
                del link.attrib[key]
    if "unescape" in md.treeprocessors:
        md.treeprocessors["unescape"].run(root)
    html = md.postprocessors["raw_html"].run(md.serializer(root))
    wrapped = _WRAPPER.match(html.strip())
    return wrapped[1] if wrapped else html
