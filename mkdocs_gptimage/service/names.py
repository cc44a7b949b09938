"""The names of fields in answers: what a name says of its value, however a service spells it."""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_LONGEST = 100


def vocabulary(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


_REQUEST = vocabulary(
    "input inputs request requests reference references ref refs init mask masks control param params parameter "
    "parameters argument arguments args prompt prompts webhook callback"
)
_ELSEWHERE = vocabulary(
    "error errors thumbnail thumbnails thumb thumbs preview previews placeholder poll polling status cancel web page "
    "docs doc documentation help support avatar logo icon home site website dashboard user owner author account profile"
)
_LINK = vocabulary("url urls uri uris link links href src")
_IMAGE = vocabulary("image images img imgs picture pictures photo photos artwork png jpg jpeg webp")
_OUTPUT = vocabulary(
    "output outputs result results artifact artifacts generation generations generated sample samples file files asset "
    "assets media download"
)
_WRAPPER = vocabulary("data response responses content contents")
_FACT = vocabulary(
    "id ids uuid status state progress percent created completed updated started finished submitted queued at time "
    "date timestamp cost costs credit credits price usage model object type kind code message msg size width height n "
    "count resolution ratio aspect quality seed user owner expires expire expiry ttl version format mime name queue "
    "position eta duration success ok currency unit provider channel platform action group"
)
_BASE64 = vocabulary("b64 base64")
_HAS_BASE64 = re.compile(r"(?i)b64|base64")


def words_of(name: str) -> frozenset[str]:
    """The words of a name, in lower case: `resultImageUrls` and `result_image_urls` have the same."""
    return frozenset(word.lower() for word in _WORD.findall(name[:_LONGEST]))


def is_of_request(name: str) -> bool:
    """Whether a field repeats the request, whose links lead to reference images."""
    found = words_of(name)
    # `source_image` is what was sent; `source` alone may be an address.
    return bool(found & _REQUEST) or ("source" in found and len(found) > 1)


def is_elsewhere(name: str) -> bool:
    """Whether a field's links lead to anything but the whole picture."""
    return bool(words_of(name) & _ELSEWHERE)


def is_link(name: str) -> bool:
    """Whether a field that holds a text is likely to hold the picture's link."""
    return bool(words_of(name) & (_LINK | _IMAGE))


def is_output(name: str) -> bool:
    """Whether what a service has made lies below a field."""
    return bool(words_of(name) & (_OUTPUT | _IMAGE))


def is_wrapper(name: str) -> bool:
    """Whether a field holds a whole answer: the task, what it has made, and what was asked for."""
    return bool(words_of(name) & _WRAPPER)


def is_fact(name: str) -> bool:
    """Whether a field says something of a task that is no picture."""
    return bool(words_of(name) & _FACT)


def is_base64(name: str) -> bool:
    """Whether a field holds the picture's bytes."""
    return bool(words_of(name) & _BASE64) or bool(_HAS_BASE64.search(name[:_LONGEST]))
