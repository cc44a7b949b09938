"""Bodies of answers: whole however they arrive, and pictures inside of them out of memory."""

from __future__ import annotations

import base64
import json

import anyio
import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mkdocs_gptimage.errors import PictureError
from mkdocs_gptimage.service import body as answers
from mkdocs_gptimage.service.pictures import Image

TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
LIMIT = 8 * answers.MAX_JSON


@pytest.fixture(scope="module", autouse=True)
def soon_large():
    """Bodies are large after a few bytes, and read in steps of a few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "_IN_MEMORY", 40)
        patch.setattr(answers, "_STEP", 64)
        yield


def parsed(body, size, read=json.loads):
    """Receive a body in pieces of so many bytes, and read it."""

    async def pieces():
        for start in range(0, len(body), size):
            yield body[start : start + size]

    async def receive():
        answer = answers.Body(200, LIMIT)
        await answer.receive(httpx.Response(200, content=pieces()))
        return await answer.parse(read, anyio.CapacityLimiter(1))

    return anyio.run(receive)


def bytes_of(encoded):
    return b"".join(answers.decoded(answers.spooled(Image(base64=encoded))))


@given(value=VALUES, size=st.integers(1, 50), is_ascii=st.booleans())
@example(value=["é" * 60, "\\" * 60, '"' * 60, "😀" * 60], size=7, is_ascii=True)
@example(value=["é" * 60, "\\" * 60, '"' * 60, "😀" * 60], size=7, is_ascii=False)
def test_nothing_gets_lost(value, size, is_ascii):
    """However an answer is cut on its way, and whether it is short or long, all of it is there afterwards."""
    assert parsed(json.dumps(value, ensure_ascii=is_ascii).encode(), size) == value


def test_words_beside_a_large_picture():
    """A large picture arrives whole with a byte order mark and any words beside it."""
    encoded = base64.b64encode(bytes(range(256)) * 16_384).decode()
    body = json.dumps({"revised_prompt": "“A cat” 😀", "b64_json": encoded}, ensure_ascii=False)

    assert parsed(body.encode("utf-8-sig"), 100_000)["b64_json"] == encoded


@given(data=st.binary(max_size=300), head=st.sampled_from(["", "data:image/png;base64,"]), breaks=st.integers(1, 80))
def test_base64_is_decoded_in_steps(data, head, breaks):
    """A picture in base64 comes back whole, with or without the head of a data URI and line breaks."""
    encoded = base64.b64encode(data).decode()
    lines = "\r\n".join(encoded[start : start + breaks] for start in range(0, len(encoded), breaks))

    assert bytes_of(head + lines) == data
    assert bytes_of(head + lines.replace("+", "-").replace("/", "_")) == data


@pytest.mark.parametrize("text", ["A", "AAAAA", "A" * 65])
def test_base64_that_is_none(text):
    """A text that cannot be base64 is refused by name."""
    with pytest.raises(PictureError, match="not valid base64"):
        bytes_of(text)
