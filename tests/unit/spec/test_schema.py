from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mkdocs_gptimage.spec import sizes
from mkdocs_gptimage.spec.model import DEFAULT_MODEL, Reference, SiteDefaults
from mkdocs_gptimage.spec.parse import parse_block
from mkdocs_gptimage.spec.schema import block_schema, is_valid, violations
from mkdocs_gptimage.text import nearest, quote

if TYPE_CHECKING:
    from collections.abc import Iterator

SIZES = "auto, 1:1, 3:2, 2:3, 4:3, 3:4, 5:4, 4:5, 16:9, 9:16, 2:1, 1:2, 3:1, 1:3, 21:9, 9:21"
FIELDS = (
    "prompt, size, resolution, image_urls, official_fallback, model, n, variant, style, dark, id, alt, caption, class, "
    "width, loading, link"
)
PROPERTIES = block_schema()["properties"]


def problems(text: str, **defaults: object) -> list[tuple[int, str]]:
    return list(parse_block(text, SiteDefaults(defaults), lambda entry: Reference(entry, uri=entry)).problems)


MISTAKES = {
    # Unknown fields.
    "promt: a": "promt: is not a field; did you mean 'prompt'?",
    "Size: 1:1": "Size: is not a field; did you mean 'size'?",
    "zebra: 1": f"zebra: is not a field; the fields are {FIELDS}",
    "promt:": "promt: is not a field; did you mean 'prompt'?",
    '"": 1': f"'': is not a field; the fields are {FIELDS}",
    '"a b": 1': "'a b': is not a field; the fields are " + FIELDS,
    '"\\e[31m\\nred": 1': f"'�[31m red': is not a field; the fields are {FIELDS}",
    f"{'x' * 90}: 1": f"'{'x' * 59}…': is not a field; the fields are {FIELDS}",
    "dark: {}": "dark.prompt: is missing",
    "dark: {prompt: a, size: 1:1}": "dark.size: is not a field; the fields are prompt",
    # Values of a fixed list.
    "size: 16:10": "size: '16:10' is not a size; did you mean '16:9'?",
    "size: 9:22": "size: '9:22' is not a size; did you mean '9:21'?",
    "size: Auto": "size: 'Auto' is not a size; did you mean 'auto'?",
    "size: landscape": f"size: 'landscape' is not a size; expected {SIZES}",
    "size: 1024×1024": f"size: '1024×1024' is not a size; expected {SIZES}",
    "size: 0x1024": "size: 4132 is a whole number, expected text; YAML 1.1 reads an unquoted 16:9 as a number: write "
    "'68:52', in quotes",
    "size: 969": "size: 969 is a whole number, expected text; YAML 1.1 reads an unquoted 16:9 as a number: write "
    "'16:9', in quotes",
    "size: |\n  1024x1024": f"size: '1024x1024' is not a size; expected {SIZES}",
    "resolution: 3k": "resolution: '3k' is not a resolution; did you mean '1k'? (1k, 2k, 4k)",
    "resolution: 4K": "resolution: '4K' is not a resolution; did you mean '4k'? (1k, 2k, 4k)",
    "resolution: high": "resolution: 'high' is not a resolution; expected 1k, 2k, 4k",
    "resolution: 2": "resolution: 2 is a whole number, expected text; put it in quotes",
    "model: gpt-image-1": "model: 'gpt-image-1' is not a model; expected gpt-image-2",
    "n: 2": "n: 2 is not one of its values; expected 1",
    "n: '1'": "n: '1' is text, expected a whole number",
    "dark: yes": "dark: 'yes' is text, expected true or false or fields, as in 'prompt: a red kite'",
    "dark: {prompt: }": "dark.prompt: is empty, expected text",
    "dark: {prompt: ' '}": "dark.prompt: is empty; describe the picture",
    "dark: {prompt: 3}": "dark.prompt: 3 is a whole number, expected text; put it in quotes",
    "loading: now": "loading: 'now' is not one of its values; expected lazy, eager",
    "loading: eagre": "loading: 'eagre' is not one of its values; did you mean 'eager'? (lazy, eager)",
    # Types.
    "alt: 12": "alt: 12 is a whole number, expected text; put it in quotes",
    "alt: [a]": "alt: ['a'] is a list, expected text",
    "alt: true": "alt: true is true or false, expected text; put it in quotes",
    "caption: 1.5": "caption: 1.5 is a number, expected text; put it in quotes",
    "link: yes": "link: 'yes' is text, expected true or false",
    "link: 1": "link: 1 is a whole number, expected true or false",
    "official_fallback: no": "official_fallback: 'no' is text, expected true or false",
    "variant: [1]": "variant: [1] is a list, expected text or a whole number",
    "variant: 1.5": "variant: 1.5 is a number, expected text or a whole number; put it in quotes",
    "variant: true": "variant: true is true or false, expected text or a whole number; put it in quotes",
    "width: wide": "width: 'wide' is text, expected a whole number",
    "width: {a: 1}": "width: {'a': 1} is a mapping, expected a whole number",
    "image_urls: a.png": "image_urls: 'a.png' is text, expected a list; write it as '[a.png]'",
    "image_urls: [1]": "image_urls[0]: 1 is a whole number, expected text; put it in quotes",
    "image_urls: [a.png, ~]": "image_urls[1]: is empty, expected text",
    # Bounds and patterns.
    "image_urls: ['']": "image_urls[0]: is empty; write something or remove the line",
    "image_urls: [' ']": "image_urls[0]: is empty; give a URL or a path",
    f"image_urls: [{', '.join(['a.png'] * 17)}]": "image_urls: 17 entries, expected at most 16",
    "variant: ''": "variant: is empty; write something or remove the line",
    f"variant: {'x' * 201}": "variant: 201 characters, expected at most 200",
    "width: 15": "width: 15 is too small, expected at least 16",
    "width: 10001": "width: 10001 is too large, expected at most 10000",
    "id: 1st": "id: '1st' is not an id; a letter comes first, then letters, digits, '-', '_', '.' or ':'",
    "id: a b": "id: 'a b' is not an id; a letter comes first, then letters, digits, '-', '_', '.' or ':'",
    "id: |\n  a": "id: 'a' is not an id; a letter comes first, then letters, digits, '-', '_', '.' or ':'",
    "class: a  b": "class: 'a b' is not a list of classes; separate plain words by single spaces",
    "class: '\"><b>'": "class: '\"><b>' is not a list of classes; separate plain words by single spaces",
}


@pytest.mark.parametrize(("line", "message"), MISTAKES.items(), ids=lambda text: text[:40])
def test_mistake(line, message):
    """A mistake is one message, in words an author can act on, at its line."""
    assert problems(f"prompt: a\n{line}\n") == [(1, message)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the block is empty; expected fields, as in 'prompt: a red kite'"),
        ("# prompt: a\n", "the block is empty; expected fields, as in 'prompt: a red kite'"),
        ("An orange cat", "'An orange cat' is text, expected fields, as in 'prompt: a red kite'"),
        ("- a\n", "['a'] is a list, expected fields, as in 'prompt: a red kite'"),
        ("42", "42 is a whole number, expected fields, as in 'prompt: a red kite'"),
        ("alt: a", "prompt: is missing"),
        ("prompt:", "prompt: is empty, expected text"),
        ("prompt: ''", "prompt: is empty; describe the picture"),
        ('prompt: "\\n \\_"', "prompt: is empty; describe the picture"),
        ("prompt: 12", "prompt: 12 is a whole number, expected text; put it in quotes"),
        ("prompt: [a, b]", "prompt: ['a', 'b'] is a list, expected text"),
        (f"prompt: {'x' * 32001}", "prompt: 32001 characters, expected at most 32000"),
        ("prompt: a\nprompt: b", "the key 'prompt' is given twice"),
    ],
    ids=lambda text: text[:30],
)
def test_mistake_of_the_whole(text, message):
    """A block that is no description of a picture says what one looks like."""
    assert [found for _, found in problems(text)] == [message]


def test_several_problems_at_once():
    """All problems of a block are reported together, each at its line."""
    found = problems("promt: a cat\nsize: 16:10\nimage_urls:\n  - a.png\n  - 3\nwidth: 1\n")

    assert sorted(found) == [
        (0, "prompt: is missing"),
        (0, "promt: is not a field; did you mean 'prompt'?"),
        (1, "size: '16:10' is not a size; did you mean '16:9'?"),
        (2, "image_urls[1]: 3 is a whole number, expected text; put it in quotes"),
        (5, "width: 1 is too small, expected at least 16"),
    ]


@pytest.mark.parametrize("field", sorted(set(PROPERTIES) - {"prompt"}))
def test_field_without_a_value(field):
    """A known field with nothing behind it is left to its default."""
    assert problems(f"prompt: a\n{field}:\n") == []


def test_defaults_are_checked_with_the_block():
    """A default that does not fit is reported like a line of the block."""
    assert problems("prompt: a\n", size="16:10") == [(0, "size: '16:10' is not a size; did you mean '16:9'?")]
    assert problems("prompt: a\nsize: 1:1\n", size="16:10") == []


def test_partial():
    """The defaults of a site need no prompt, but are checked as strictly."""
    assert violations({"size": "16:9"}, partial=True) == []
    assert [str(found) for found in violations({"syze": "16:9"}, partial=True)] == [
        "syze: is not a field; did you mean 'size'?"
    ]
    assert [str(found) for found in violations({"size": "16:9"})] == ["prompt: is missing"]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("a\tb\n c", "'a b c'"),
        ("\x1b]0;x\x07", "'�]0;x�'"),
        ("a\u202eb", "'a�b'"),
        ("x" * 61, f"'{'x' * 59}…'"),
        ("x" * 60, f"'{'x' * 60}'"),
        (True, "true"),
        (None, "None"),
        ("", "''"),
    ],
)
def test_quote(value, shown):
    """A quoted value is short, on one line and cannot steer a terminal."""
    assert quote(value) == shown


@pytest.mark.parametrize(
    "text",
    [
        "? '{0}'\n: 1\n? '{0}'\n: 2\n",
        "? '{0}'\n: 1\n",
        "a: !<{0}> 1\n",
        "a: *{0}\n",
        "prompt: a\nsize: {0}\n",
        "prompt: a\nn: [[{0}]]\n",
        "prompt: a\nn: {{? '{0}' : 1}}\n",
        "{0}",
    ],
    ids=["twice", "key", "tag", "alias", "value", "nested", "inner-key", "whole"],
)
def test_messages_about_long_text_are_short(text):
    """Whatever is too long to be read is shortened in its message."""
    found = problems(text.format("k" * 100_000))

    assert found
    assert all(len(message) < 400 for _, message in found)


@given(value=st.recursive(st.text() | st.integers() | st.floats(), st.lists, max_leaves=5))
def test_messages_are_one_printable_line(value):
    """Whatever stands behind a field, its messages are printable lines of a sensible length."""
    for field in ("prompt", "size", "image_urls", "n", "width", "class"):
        for found in violations({"prompt": "a", field: value}):
            assert str(found).isprintable()
            assert len(str(found)) < 400


@pytest.mark.parametrize(
    ("found", "best"),
    [
        ("promt", "prompt"),
        ("SIZE", "size"),
        (" size ", "size"),
        ("caption text", "caption"),
        ("xyzzy", None),
        ("", None),
    ],
)
def test_nearest(found, best):
    """A guess is made when few edits lead to it, whatever the case."""
    assert nearest(found, PROPERTIES) == best


def test_nearest_is_quick():
    """A very long word gets no guess instead of a long search."""
    assert nearest("size" * 10_000, PROPERTIES) is None


@given(word=st.text(max_size=20), options=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=5))
def test_nearest_is_an_option(word, options):
    """A guess is always one of the options, and a word that is one is its own guess."""
    assert nearest(word, options) in (*options, None)
    assert nearest("size", [*options, "size"]) == "size"


def test_schema_is_valid():
    """The schema is a schema of the draft that it names."""
    jsonschema.Draft202012Validator.check_schema(block_schema())

    assert block_schema()["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]
    assert block_schema()["additionalProperties"] is False
    assert block_schema()["required"] == ["prompt"]


@pytest.mark.parametrize("field", PROPERTIES)
def test_property_is_documented(field):
    """An editor finds a description, a default and examples for every field, and the examples are valid."""
    rules = PROPERTIES[field]
    validator = jsonschema.Draft202012Validator(rules)

    assert rules["description"].endswith(".")
    assert "default" in rules
    assert rules["examples"]
    assert all(validator.is_valid(example) for example in rules["examples"])
    assert field == "prompt" or validator.is_valid(rules["default"])


def test_examples_of_the_schema_are_valid():
    """Every example of a whole block is accepted."""
    assert block_schema()["examples"]
    assert [violations(example) for example in block_schema()["examples"]] == [[] for _ in block_schema()["examples"]]


def test_schema_knows_the_sizes():
    """The schema, the table of pixels and the defaults name the same sizes and tiers."""
    listed = PROPERTIES["size"]["anyOf"][0]["enum"]
    tiers = PROPERTIES["resolution"]["enum"]

    assert sorted(listed) == sorted(["auto", *sizes._TABLE])
    assert tuple(tiers) == sizes.TIERS
    assert PROPERTIES["size"]["default"] == sizes.DEFAULT_SIZE
    assert PROPERTIES["resolution"]["default"] == sizes.DEFAULT_RESOLUTION
    assert PROPERTIES["model"]["default"] == DEFAULT_MODEL


@pytest.mark.parametrize("tier", sizes.TIERS)
@pytest.mark.parametrize("size", sizes._TABLE)
def test_pixels_have_the_shape_of_their_ratio(size, tier):
    """Expected pixels differ from their ratio by less than four in a hundred, and grow with the tier."""
    width, height = sizes.pixels(size, tier)
    one, other = map(int, size.split(":"))

    assert abs(width / height / (one / other) - 1) < 0.04
    assert sizes.pixels(":".join(reversed(size.split(":"))), tier) == (height, width)
    assert width * height >= sizes.pixels(size, "1k")[0] * sizes.pixels(size, "1k")[1]


@pytest.mark.parametrize(
    ("size", "tier", "expected"),
    [
        ("16:9", "4k", (3840, 2160)),
        ("1:1", "4k", (2880, 2880)),
        ("3840x2160", "1k", (3840, 2160)),
        ("auto", "2k", (2048, 2048)),
        (None, "1k", (1024, 1024)),
    ],
)
def test_pixels(size, tier, expected):
    """Documented sizes, pixels as given, and a square where the service chooses."""
    assert sizes.pixels(size, tier) == expected


near_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 20000),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(
        [*PROPERTIES["size"]["anyOf"][0]["enum"], "1k", "2k", "3840x2160", "16x16\n", "lazy", "a\n", "a b"]
    ),
    st.sampled_from(["gpt-image-2", " ", "", "x" * 201, "x" * 501]),
    st.lists(st.none() | st.text(max_size=3) | st.integers(), max_size=18),
    st.lists(st.text(min_size=1, max_size=3), max_size=2).map(tuple),  # YAML of a configuration can say so
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["prompt", "size"]), st.sampled_from(["a", " ", 1, None]), max_size=2),
)
near_blocks = st.dictionaries(st.sampled_from([*PROPERTIES, "promt"]), near_values, max_size=6)


@given(block=near_blocks | near_values, partial=st.booleans())
@settings(max_examples=600)
def test_the_quick_check_agrees_with_jsonschema(block, partial):
    """The quick check accepts exactly what jsonschema accepts, and problems are found exactly where it does not."""
    rules = {key: rule for key, rule in block_schema().items() if key != "required" or not partial}
    expected = jsonschema.Draft202012Validator(rules).is_valid(block)

    assert is_valid(block, partial=partial) is expected
    assert bool(violations(block, partial=partial)) != expected


@given(field=st.sampled_from(sorted(PROPERTIES)), value=near_values)
@settings(max_examples=600)
def test_the_quick_check_of_one_field(field, value):
    """Field by field, the quick check and jsonschema agree."""
    block = {"prompt": "a", field: value}

    assert is_valid(block) is jsonschema.Draft202012Validator(block_schema()).is_valid(block)


@pytest.mark.parametrize(
    ("field", "value"), [("n", True), ("n", 1.5), ("n", "1"), ("link", 1), ("link", 0), ("variant", True), ("dark", 1)]
)
def test_the_quick_check_tells_types_apart(field, value):
    """What Python takes for equal is not accepted in place of a value of another type."""
    assert not is_valid({"prompt": "a", field: value})


def rules_of(rule: object) -> Iterator[dict[str, object]]:
    """All subschemas of a schema, itself first."""
    assert isinstance(rule, dict)
    yield rule
    for inner in (*rule.get("properties", {}).values(), *rule.get("anyOf", ()), *filter(None, [rule.get("items")])):
        yield from rules_of(inner)


def test_both_validators_know_every_keyword_of_the_schema():
    """The schema only uses keywords that mean the same in its draft and in the one that fastjsonschema implements."""
    annotations = {"$schema", "$id", "title", "description", "default", "examples"}
    known = {"type", "enum", "anyOf", "required", "properties", "additionalProperties", "items", "maxItems"}
    known |= {"pattern", "minLength", "maxLength", "minimum", "maximum"}

    assert {key for rule in rules_of(block_schema()) for key in rule} <= annotations | known


def test_options_of_a_field_are_text_or_have_a_type():
    """Options that Python may confuse, as 1 and true, are only those of a field that has a type as well."""
    for rule in rules_of(block_schema()):
        assert "type" in rule or all(isinstance(option, str) for option in rule.get("enum", ()))


def run(statements: str) -> tuple[int, str]:
    """Run statements in a fresh interpreter; return its exit code and what it says of errors."""
    command = [sys.executable, "-c", f"import sys; {statements}"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.returncode, done.stderr


def test_no_block_no_schema():
    """A site without blocks and defaults is configured without the library that compiles the schema."""
    statements = (
        "from mkdocs_gptimage import plugin; from mkdocs_gptimage.spec.schema import violations;"
        "assert not violations({}, partial=True);"
        "assert 'fastjsonschema' not in sys.modules"
    )

    assert run(statements) == (0, "")


def test_no_problem_no_jsonschema():
    """A block that is fine is read without importing jsonschema, which is slow."""
    statements = (
        "from mkdocs_gptimage.spec.model import SiteDefaults; from mkdocs_gptimage.spec.parse import parse_block;"
        "text = 'prompt: a\\nsize: 16:9\\nvariant: 2\\ndark: {prompt: b}';"
        "assert parse_block(text, SiteDefaults(), None).spec;"
        "assert 'jsonschema' not in sys.modules"
    )

    assert run(statements) == (0, "")


def test_messages_for_pixels_name_the_pattern_of_the_schema():
    """The pattern for pixels takes what the table of sizes takes."""
    pattern = PROPERTIES["size"]["anyOf"][1]["pattern"]

    assert [bool(re.search(pattern, text)) for text in ("16x16", "99999x10", "016x16", "9x16", "16X16", "16x16\n")] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
