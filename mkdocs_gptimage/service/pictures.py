"""Where the picture lies in an answer of the service: searched for in whatever shape, within bounds.

What a service repeats of the request is passed over: a reference image is never taken for the picture.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import itertools
import json
import re
from collections import deque
from dataclasses import dataclass, replace
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import unquote, unquote_to_bytes, urljoin, urlsplit

from mkdocs_gptimage.service import names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_LONGEST_LINK = 8192
_DEEPEST = 8
"""Objects and lists inside each other that are searched."""
_LONGEST_JSON = 1024 * 1024
_MOST_VALUES = 20_000
"""Values that are looked at."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
# A link to the task itself.
_ABOUT_TASK = re.compile(r"(?i)/(tasks?|jobs?|predictions?|generations?|status|requests?)/")
_FILE = re.compile(r"(?i)\.(png|jpe?g|webp)\Z")
# The first bytes of a PNG, a JPEG and a WebP.
_ENCODED = ("iVBORw0KGgo", "/9j/", "UklGR")
_SHORTEST_ENCODED = 64
_DATA = re.compile(r"(?i)(?:data:(?P<kind>[^,]{0,200}),|(?:image/[a-z+.-]{1,20};)?base64,)")
# A picture inside of words, in Markdown or HTML.
_EMBEDDED = re.compile(
    r"!\[[^\]]*\]\(\s*(?P<markdown>[^\s)]+)|(?i:<img\b[^>]{0,500}?\bsrc\s*=\s*[\"']?)(?P<html>[^\s\"'>]+)"
)
_AROUND = "\"'`<> \t\r\n"
"""What may stand around a link."""
# A host at the beginning of a link without a scheme.
_HOST = re.compile(r"(?i)(?:localhost|\d+(?:\.\d+){3}|[a-z0-9-]+(?:\.[a-z0-9-]+)*\.[a-z]{2,}(?!\w))(?::\d+)?/")
_AMBIGUOUS = "image_urls"
"""The request's own name for its reference images, by which some services call their pictures."""


@dataclass(frozen=True)
class Image:
    """Where the picture's bytes are: a link, or the bytes themselves in base64, as text or spooled to a file."""

    url: str | None = None
    base64: str | None = None
    spooled: IO[bytes] | None = None

    def resolved(self, base_url: str) -> Image:
        """The same picture, with a link that is relative to the origin of the service made absolute."""
        if self.url is None:
            return self
        url = f"//{self.url}" if _HOST.match(self.url) else self.url
        if _SCHEME.match(url):
            return self
        parts = urlsplit(base_url)
        host = parts.netloc.rpartition("@")[2]  # a link with a password is not followed
        try:
            return replace(self, url=urljoin(f"{parts.scheme}://{host}/", url))
        except ValueError:
            return self


@dataclass(frozen=True)
class _Value:
    """A value of an answer, and where it lies."""

    content: Any
    name: str
    """Of the nearest field around it."""
    depth: int
    is_output: bool
    """Whether it lies below a field that holds what the service has made."""


def find_image(answer: Any, references: Collection[str] = ()) -> Image | None:
    """The picture that an answer, or a part of one, points to or holds.

    What the service has made comes before what lies elsewhere, then bytes and web links before names of files and
    links that cannot be followed, and shallow before deep. `references` are the reference images of the request:
    links, and `sha256:HEX` of bytes.
    """
    found: dict[tuple[bool, bool], Image] = {}
    for value in _texts(answer, is_echo_possible=bool(references)):
        image = _image(value)
        if image is None or _is_reference(image, references):
            continue
        is_sure = image.url is None or image.url.lower().startswith(("http://", "https://", "/"))
        if value.is_output and is_sure:
            return image
        found.setdefault((not value.is_output, not is_sure), image)
    return found[min(found)] if found else None


def holds_more(answer: Any) -> bool:
    """Whether an answer says anything but facts of its task, such as a picture in an unknown shape."""
    texts = _texts(answer, is_echo_possible=True)
    return any(text.content.strip() and not names.is_fact(text.name) for text in texts)


def _texts(answer: Any, *, is_echo_possible: bool) -> Iterator[_Value]:
    """The texts of an answer, breadth first, without those of the request and of other links."""
    values = deque([_Value(answer, "", 0, False)])
    seen = 0
    while values and seen < _MOST_VALUES:
        value = values.popleft()
        seen += 1
        content = value.content
        if isinstance(content, str):
            inner = _json(content)
            if inner is None:
                yield value
                continue
            content = inner
        if value.depth >= _DEEPEST:
            continue
        if isinstance(content, list):
            first = itertools.islice(content, _MOST_VALUES - seen)
            values += (replace(value, content=item, depth=value.depth + 1) for item in first)
        elif isinstance(content, dict):
            for name, item in itertools.islice(content.items(), _MOST_VALUES - seen):
                if names.is_of_request(name) or names.is_elsewhere(name):
                    continue
                if is_echo_possible and name == _AMBIGUOUS and not value.is_output:
                    continue
                is_output = value.is_output or names.is_output(name)
                values.append(_Value(item, name, value.depth + 1, is_output))


def _json(text: str) -> Any:
    """The object or list that a text holds in JSON, as some services send their results; else None."""
    if len(text) > _LONGEST_JSON or text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _image(value: _Value) -> Image | None:
    text = _cleaned(value.content)
    data = _DATA.match(text)
    if data:
        return _from_data(text, data)
    is_link = bool(_SCHEME.match(text[:20]))
    if len(text) >= _SHORTEST_ENCODED and text.startswith(_ENCODED):
        return Image(base64=text)
    if names.is_base64(value.name) and text and not is_link:
        return Image(base64=text)
    if not 0 < len(text) <= _LONGEST_LINK:
        return None
    is_web = text.lower().startswith(("http://", "https://"))
    if not is_web and re.search(r"\s", text):
        return None
    path = re.split(r"[?#]", text, maxsplit=1)[0]
    is_file = bool(_FILE.search(path))
    if is_web and not is_file and _ABOUT_TASK.search(path):
        return None
    is_named = names.is_link(value.name) or names.is_base64(value.name)
    if is_named and (is_link or is_file or text.startswith("/")):
        return Image(url=text)
    is_expected = value.is_output or names.is_wrapper(value.name)
    return Image(url=text) if (is_web and (is_file or is_expected)) or (is_expected and is_file) else None


def _cleaned(text: str) -> str:
    """A text without what stands around and inside of a link by mistake, or the picture that its words embed."""
    if "![" in text or "<img" in text.lower()[:_LONGEST_JSON]:
        embedded = _EMBEDDED.search(text)
        text = (embedded["markdown"] or embedded["html"]) if embedded else text
    text = text.strip(_AROUND)
    if len(text) > _LONGEST_LINK:
        return text
    return text.replace("\\/", "/").replace("&amp;", "&")


def _from_data(text: str, head: re.Match[str]) -> Image | None:
    payload = text[head.end() :]
    if not payload.strip():
        return None
    is_base64 = (
        head["kind"] is None or head["kind"].lower().endswith(";base64") or payload.lstrip().startswith(_ENCODED)
    )
    if not is_base64:
        return Image(base64=base64.b64encode(unquote_to_bytes(payload.encode("utf-8", "replace"))).decode())
    return Image(base64=unquote(payload) if "%" in payload else payload)


def _is_reference(image: Image, references: Collection[str]) -> bool:
    if not references:
        return False
    if image.url is not None:
        return unquote(image.url) in {unquote(reference.strip()) for reference in references}
    return any(each.startswith("sha256:") for each in references) and _digest(image.base64 or "") in references


def _digest(encoded: str) -> str:
    try:
        content = base64.b64decode(re.sub(r"\s", "", encoded).translate(str.maketrans("-_", "+/")) + "==")
    except (binascii.Error, ValueError):
        return ""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
