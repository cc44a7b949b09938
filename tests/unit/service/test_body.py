"""Answers that are read in pieces: long texts leave the JSON for a file, and come back whole."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mkdocs_gptimage.errors import PictureError
from mkdocs_gptimage.service import body as answers
from mkdocs_gptimage.service import protocol

LONG, HEAD = 40, 20
TEXTS = st.text(st.characters(codec="utf-8"), max_size=80)
VALUES = st.recursive(
    st.none() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture(scope="module", autouse=True)
def soon_long():
    """Texts are long after a few characters, and read in steps of a few."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "LONG_TEXT", LONG)
        patch.setattr(answers, "_HEAD", HEAD)
        patch.setattr(answers, "_STEP", 64)
        yield


def read(body, size):
    """Read a body in pieces of so many bytes."""
    answer = answers.Answer()
    for start in range(0, len(body), size):
        answer.feed(body[start : start + size])
    return answer


def restored(value, answer):
    """A value with the long texts back in it."""
    if isinstance(value, list):
        return [restored(each, answer) for each in value]
    if isinstance(value, dict):
        return {restored(key, answer): restored(each, answer) for key, each in value.items()}
    if isinstance(value, str):
        image = answer.kept(protocol.Image(base64=value))
        text = "".join(image.chunks()) if isinstance(image, answers.KeptImage) else value
        return text.encode("utf-16", "surrogatepass").decode("utf-16")  # the halves of a pair may come one by one
    return value


@given(
    value=VALUES, size=st.integers(1, 50), is_ascii=st.booleans(), ending=st.sampled_from(["", "\\", '"', "\\\\é😀"])
)
@example(value=["é" * 60, "\\" * 60, '"' * 60, "😀" * 60], size=7, is_ascii=True, ending="")
def test_nothing_gets_lost(value, size, is_ascii, ending):
    """However an answer is cut on its way, and whatever its texts hold, all of it is there afterwards."""
    value = [value, "x" * 50 + ending, "x" * 50 + ending + "y"]
    answer = read(json.dumps(value, ensure_ascii=is_ascii).encode(), size)

    assert restored(json.loads(answer.json), answer) == value


def test_long_texts_leave_the_json():
    """Only the beginning of a long text stays where it was, and never as a link that could be followed."""
    answer = read(json.dumps({"url": "http://" + "x" * 100_000}).encode(), 1000)

    assert len(answer.json) < 100
    assert answers.MAX_JSON > 9000 > protocol._LONGEST_LINK


@given(
    data=st.binary(max_size=300),
    size=st.integers(1, 50),
    is_long=st.booleans(),
    head=st.sampled_from(["", "data:image/png;base64,"]),
)
def test_base64_is_decoded_in_steps(data, size, is_long, head):
    """A picture in base64 comes back whole, long or short, with or without the head of a data URI."""
    encoded = head + base64.b64encode(data).decode()
    answer = read(json.dumps({"b64_json": encoded}).encode(), size)
    value = json.loads(answer.json)["b64_json"]
    image = answer.kept(protocol.Image(base64=value)) if is_long else protocol.Image(base64=encoded)

    assert b"".join(answers.decoded(image)) == data


@pytest.mark.parametrize("text", ["A", "AAAAA", "\\x" * 30])
def test_base64_that_is_none(text):
    """A text that cannot be base64 is refused by name."""
    answer = read(f'["{text}", "{text * 20}"]'.encode(), 9)
    images = [protocol.Image(base64="A"), answers.KeptImage(base64="k", texts=_holding(text.encode()))]
    for image in images:
        with pytest.raises(PictureError, match="not valid"):
            list(answers.decoded(image))

    assert answer.kept(protocol.Image(link="http://x/")) == protocol.Image(link="http://x/")


def _holding(text):
    texts = answers.LongTexts()
    texts.write(text)
    texts.places["k"] = (0, len(text))
    return texts
