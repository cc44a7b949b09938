"""Compressed bodies: whole however they arrive, and bounded however they are packed."""

from __future__ import annotations

import gzip
import zlib

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkdocs_gptimage.service.inflate import TooLongError, inflated

BOMB = bytes(300_000)
PACKED = {
    "plain": BOMB,
    "gzip": gzip.compress(BOMB),
    "zlib": zlib.compress(BOMB),
    "twice": gzip.compress(gzip.compress(BOMB)),
    "a bomb around little": gzip.compress(gzip.compress(b"little") + BOMB),
    "in members": gzip.compress(BOMB[:150_000]) * 2,
    "deflate": zlib.compress(BOMB, wbits=-zlib.MAX_WBITS),
}


def whole(body, limit, size=1000, **headers):
    """The content of a body that arrives in pieces of so many bytes."""

    async def pieces():
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async def receive():
        response = httpx.Response(200, content=pieces(), headers=headers)
        return b"".join([piece async for piece in inflated(response, limit)])

    return anyio.run(receive)


@pytest.mark.parametrize("packed", PACKED.values(), ids=PACKED)
@pytest.mark.parametrize("label", ["deflate", "gzip, deflate"])
def test_a_bomb_is_bounded(packed, label):
    """A body ends at the limit on its way, on each of its layers and as content, whatever it is labelled as."""
    with pytest.raises(TooLongError):
        whole(packed, 299_999, **{"Content-Encoding": label})


@given(content=st.binary(max_size=300), size=st.integers(1, 40), label=st.sampled_from(["", "gzip", "deflate", "none"]))
def test_content_arrives_whole(content, size, label):
    """JSON, plain or packed, comes out as it was, however it is cut on its way and labelled."""
    content = b"{" + content

    for packed in (content, gzip.compress(content), zlib.compress(content), gzip.compress(zlib.compress(content))):
        assert whole(packed, 10_000, size, **{"Content-Encoding": label}) == content


def test_more_layers_than_sensible_stay_as_they_are():
    """A body that is packed four times is not unpacked to its end."""
    packed = b"{}"
    for _ in range(4):
        packed = gzip.compress(packed)

    assert whole(packed, 10_000).startswith(b"\x1f\x8b")
