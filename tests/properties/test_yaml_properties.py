"""Whatever stands in a block: a document that means what YAML 1.2 says, or one error with its line."""

from __future__ import annotations

import json
import math
import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from properties.hostile import quoted, texts, tried, writable

from mkdocs_gptimage.spec import yaml12
from mkdocs_gptimage.spec.model import ParsedBlock, Reference, SiteDefaults
from mkdocs_gptimage.spec.parse import parse_block
from mkdocs_gptimage.spec.yaml12 import Document, YamlError, read

# What the core schema of YAML 1.2.2 (10.3.2) takes for something else than text; written for this test.
NOT_TEXT = re.compile(
    r"~|null|Null|NULL|true|True|TRUE|false|False|FALSE|[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+"
    r"|[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|"
)
PLAIN = re.compile(r"[A-Za-z0-9+./_~é猫][A-Za-z0-9+./_~é猫:x-]*")
"""Texts that need no quotes for their characters."""

words = st.sampled_from(
    ["16:9", "no", "on", "1e3", "0x1F", "0o7", ".inf", "~", "null", "True", "1_0", "01", "+1", "x:y"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False) | words | writable,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text("abc", min_size=1), inner, max_size=4),
    max_leaves=12,
)


def written(value: object, *, plain: bool) -> str:
    """A value in flow style, as a writer of YAML 1.2 may write it: text plain where that is text, else in quotes."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{quoted(key)}: {written(each, plain=plain)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(written(each, plain=plain) for each in value) + "]"
    if isinstance(value, str):
        fits = PLAIN.fullmatch(value) and not value.endswith(":") and not NOT_TEXT.fullmatch(value)
        return value if plain and fits else quoted(value)
    if value is None:
        return "null" if plain else "~"
    if isinstance(value, float) and math.isinf(value):
        return ".inf" if value > 0 else "-.inf"
    return json.dumps(value)


def result_of(text: str) -> Document | YamlError:
    try:
        return read(text)
    except YamlError as error:
        return error


parsers = pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"], ids=["libyaml", "python"])


@parsers
@given(
    text=texts
    | st.lists(
        st.sampled_from(
            ["a: ", "b:", "- ", "? ", "[", "]", "{", "}", ", ", "\n", "  ", "&x ", "*x ", "!!str ", "|\n", "'"]
        )
        | st.text(max_size=3),
        max_size=24,
    ).map("".join)
)
@tried
def test_any_text_is_a_document_or_one_error(loader, text):
    """No text raises anything but a `YamlError`, whose line is one of the text's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml12, "_Loader", getattr(yaml, loader))
        found = result_of(text)

    if isinstance(found, YamlError):
        assert str(found)
        assert 0 <= found.line <= len(re.findall(r"\r\n|\r|\n", text))
    else:
        last = len(re.findall(r"\r\n|\r|\n", text))
        assert all(0 <= line <= last for line in found.lines.values())
        json.dumps(found.value, ensure_ascii=False).encode()


@parsers
@given(value=values, plain=st.booleans())
@tried
def test_values_are_read_back(loader, value, plain):
    """What a writer of the core schema writes is read as the values that it wrote, with their types."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml12, "_Loader", getattr(yaml, loader))
        found = read(f"- {written(value, plain=plain)}\n").value

    assert repr(found) == repr([value])


@given(
    fields=st.dictionaries(st.text("abcé 1", min_size=1, max_size=5).filter(str.strip), values, min_size=1, max_size=4),
    repeated=st.integers(0, 3),
    depth=st.integers(0, 3),
)
@tried
def test_a_key_given_twice_is_refused(fields, repeated, depth):
    """A key that stands twice in one mapping is an error, however deep and however it is written."""
    key = list(fields)[repeated % len(fields)]
    lines = [f"{quoted(name)}: {written(value, plain=True)}" for name, value in [*fields.items(), (key, 1)]]
    text = "[" * depth + "{" + ", ".join(lines) + "}" + "]" * depth

    found = result_of(text)

    assert isinstance(found, YamlError)
    assert str(found) == f"the key '{key}' is given twice"


@given(
    keys=st.lists(st.text("abcé", min_size=1, max_size=5), unique=True, min_size=1), gaps=st.lists(st.integers(0, 3))
)
@tried
def test_lines_of_keys_are_where_they_stand(keys, gaps):
    """Each field knows its line, whatever blank lines and comments are between."""
    lines: list[str] = []
    expected = {}
    for index, key in enumerate(keys):
        lines += ["", "# a: b", "  "][: (gaps[index] if index < len(gaps) else 0)]
        expected[key] = len(lines)
        lines.append(f"{quoted(key)}: 'a\u2028b'" if index % 2 else f"{quoted(key)}: >\n  a\n\n  b")
        lines = "\n".join(lines).split("\n")

    assert read("\n".join(lines)).lines == expected


@given(
    text=texts
    | st.dictionaries(st.sampled_from(["prompt", "size", "alt", "n", "promt", "width", "variant"]), values).map(
        lambda fields: "\n".join(f"{key}: {written(value, plain=False)}" for key, value in fields.items())
    ),
    defaults=st.sampled_from([{}, {"size": "16:9"}, {"prompt": "x"}, {"size": 7}]),
)
@tried
def test_a_block_is_a_picture_or_has_problems(text, defaults):
    """Reading a block gives a picture, or problems that are printable lines of a sensible length; never both."""
    reading: ParsedBlock = parse_block(text, SiteDefaults(defaults), lambda entry: Reference(entry, uri=entry))

    assert (reading.spec is None) is bool(reading.problems)
    for line, message in reading.problems:
        assert 0 <= line <= len(text)
        assert message.isprintable()
        assert 0 < len(message) < 500
    if reading.spec is not None:
        assert re.fullmatch("[0-9a-f]{64}", reading.spec.digest)
        assert reading.spec.prompt.strip() == reading.spec.prompt != ""
