from __future__ import annotations

import json
import math
import time

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mkdocs_gptimage.spec import yaml12
from mkdocs_gptimage.spec.yaml12 import MAX_DEPTH, MAX_REPEATED, MAX_VALUES, YamlError, read

STRINGS = [
    "16:9",
    "1:1",
    "21:9",
    "190:20:30",
    "no",
    "No",
    "NO",
    "yes",
    "on",
    "Off",
    "y",
    "n",
    "=",
    "<<",
    "0o8",
    "0xg",
    "0b101",
    "1_000",
    "1,000",
    "+0x1F",
    "-0o7",
    "1e",
    "1.e",
    ".e1",
    ".",
    "..",
    "-",
    "nulL",
    "tRue",
    "2024-01-01",
    "12:30:45",
    ".infinity",
    "infinity",
    "nan",
    "NaN",
    "+.nan",
    "1.2.3",
    "0x",
    "0o",
    "e5",
    "+-1",
    "3840x2160",
]
SCALARS = {
    "null": None,
    "Null": None,
    "NULL": None,
    "~": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "0": 0,
    "-0": 0,
    "+12": 12,
    "-19": -19,
    "010": 10,
    "08": 8,
    "0o17": 15,
    "0x1F": 31,
    "0xff": 255,
    "1.5": 1.5,
    "-.5": -0.5,
    "1.": 1.0,
    "+12e03": 12000.0,
    "1E-2": 0.01,
    ".inf": math.inf,
    "-.Inf": -math.inf,
    "+.INF": math.inf,
    **{text: text for text in STRINGS if text != "-"},
}

with_and_without_libyaml = pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"], ids=["libyaml", "python"])


def use(loader: str, patch: pytest.MonkeyPatch) -> None:
    """Read with this loader of PyYAML; which one there is depends on the installation."""
    patch.setattr(yaml12, "_Loader", getattr(yaml, loader))


def lines_of(text: str) -> dict[str, int]:
    return read(text).lines


@pytest.mark.parametrize(("text", "value"), SCALARS.items(), ids=list(SCALARS))
def test_plain_scalar(text, value):
    """A plain scalar is what the core schema of YAML 1.2 says, with its type."""
    found = read(f"key: {text}\n").value["key"]

    assert (type(found), found) == (type(value), value)


def test_not_a_number():
    """`.nan` is the one scalar that does not equal itself."""
    found = read("key: .NaN").value["key"]

    assert math.isnan(found)


@pytest.mark.parametrize("style", ["'{}'", '"{}"', "|-\n  {}", ">-\n  {}", "!!str {}", "! {}"])
@pytest.mark.parametrize("text", ["16:9", "no", "12", "null", "1.5"])
def test_quoted_scalar_is_text(style, text):
    """Quotes, block styles and the string tag make text of everything."""
    assert read(f"key: {style.format(text)}\n").value == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        ("# nothing\n", None),
        ("---\n", None),
        ("key:", {"key": None}),
        ("- 1\n- [a, {b: c}]\n", [1, ["a", {"b": "c"}]]),
        ("a: &x 16:9\nb: *x\n", {"a": "16:9", "b": "16:9"}),
        ("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", {"a": 1, "b": 1, "c": 2, "d": 2}),
        ("a: |\n  one\n  two\n", {"a": "one\ntwo\n"}),
        ("a: >-\n  one\n  two\n", {"a": "one two"}),
        ("\ufeffa: b", {"a": "b"}),
        ("%YAML 1.1\n---\nsize: 16:9\n", {"size": "16:9"}),
        ("a: b\r\nc: d\r\n", {"a": "b", "c": "d"}),
        ("1: one\ntrue: two\n", {"1": "one", "true": "two"}),
        ("text", "text"),
        ('a: "\\U0001F408"', {"a": "🐈"}),
        ("---\na: b\n...\n", {"a": "b"}),
    ],
)
def test_document(text, value):
    """Structure is plain YAML; keys are always text."""
    assert read(text).value == value


@with_and_without_libyaml
def test_lines_are_those_of_an_editor(monkeypatch, loader):
    """Separators that only YAML 1.1 takes for line ends do not count as lines."""
    use(loader, monkeypatch)

    lines = lines_of("a: 'one\u2028two\x85\u2029'\r\nb: 🐈\r\nc: '\x85'\nd: 1\n")

    assert lines == {"a": 0, "b": 1, "c": 2, "d": 3}


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_hint_at_an_invisible_separator(separator):
    """An invisible line separator, as it comes with text that was pasted, is named."""
    with pytest.raises(YamlError, match=r"^broken YAML: .*; an invisible line separator is in the text: retype it"):
        read(f"prompt: one{separator}two\nalt: x\n")


def test_lines_of_keys():
    """Top-level keys know their line, counted from 0; inner keys do not disturb."""
    lines = lines_of("\n# comment\nprompt: |\n  one\n\n  two\nsize: 1:1\nx: {size: 3}\n")

    assert lines == {"prompt": 2, "size": 6, "x": 7}


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: 1\nb: 2\na: 3\n", "the key 'a' is given twice", 2),
        ("a: {b: 1, b: 2}\n", "the key 'b' is given twice", 0),
        ("a: 1\n'a': 2\n", "the key 'a' is given twice", 1),
        ("a: 1\n---\nb: 2\n", "more than one YAML document in a block", 1),
        ("a: 1\n...\n---\nb: 2\n", "more than one YAML document in a block", 2),
        ("a: !!python/object:os.system x\n", "the tag 'tag:yaml.org,2002:python/object:os.system' is not supported", 0),
        ("a: 1\nb: !mine 2\n", "the tag '!mine' is not supported", 1),
        ("a: !!binary aGk=\n", "the tag 'tag:yaml.org,2002:binary' is not supported", 0),
        ("a: !!set {b}\n", "the tag 'tag:yaml.org,2002:set' is not supported", 0),
        ("a: *x\n", "the alias '*x' stands for nothing", 0),
        ("a: &x [*x]\n", "the alias '*x' stands for nothing", 0),
        ("? [a]\n: b\n", "a key must be a word", 0),
        ("a: 1\n? {b: c}\n: d\n", "a key must be a word", 1),
        ("a: b\nc: \0\n", "broken YAML: a control character, which YAML does not allow", 1),
        ("a: b\n\nc: \x1b[31m\n", "broken YAML: a control character, which YAML does not allow", 2),
        ("a: \ud800\n", "broken text: half of a character (a lone surrogate)", 0),
        ("a: b\nc: \x1b\udc00\n", "broken text: half of a character (a lone surrogate)", 1),
        ("a: '\u2028\x85\u2029'\nb: 1\na: 2\n", "the key 'a' is given twice", 2),
        ("# \u2028\n\nb: !mine 2\n", "the tag '!mine' is not supported", 2),
        ("a: 1\nb: " + "[" * 2000, f"nested deeper than {MAX_DEPTH} levels", 1),
        ("[\n" * 2000, f"nested deeper than {MAX_DEPTH} levels", 17),
        ("[" * 100_000, f"nested deeper than {MAX_DEPTH} levels", 0),
        ("{a: " * 100_000, f"nested deeper than {MAX_DEPTH} levels", 0),
        ("- " * 100_000, f"nested deeper than {MAX_DEPTH} levels", 0),
    ],
    ids=lambda value: str(value)[:20].encode("unicode_escape").decode(),
)
@with_and_without_libyaml
def test_refused(monkeypatch, loader, text, message, line):
    """What is not one plain document is refused with its line, and in the same words with libyaml and without."""
    use(loader, monkeypatch)

    with pytest.raises(YamlError) as caught:
        read(text)

    assert (str(caught.value), caught.value.line) == (message, line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: [1, 2\nb: 3\n", 1),
        ("a: 'x\n", 1),
        ("a: b: c\n", 0),
        ("a: 1\n\tb: 2\n", 1),
        ("a: @x\n", 0),
        ("}", 0),
        ("[", 0),
        ("a: 1\r\nb: [", 1),
    ],
)
@with_and_without_libyaml
def test_broken(monkeypatch, loader, text, line):
    """Broken syntax is one message with the line where the reader gave up, which is one of the text's."""
    use(loader, monkeypatch)

    with pytest.raises(YamlError, match=r"^broken YAML: \S") as caught:
        read(text)

    assert caught.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
        ),
        "a: &a {" + ", ".join(f"k{i}: v" for i in range(500)) + "}\n" + "".join(f"b{i}: *a\n" for i in range(9)),
        "[" + "x, " * 100_000 + "]",
        "".join(f"k{i}: v\n" for i in range(100_000)),
    ],
    ids=["doubling", "repeated", "long-list", "many-keys"],
)
def test_bombs(text):
    """The number of values is bounded, aliases written out, before memory or time are spent."""
    start = time.perf_counter()
    with pytest.raises(YamlError, match=f"^more than {MAX_VALUES} values, aliases written out$"):
        read(text)

    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    "text",
    [
        "a: &x '{long}'\nb: [" + "*x, " * 400 + "]\n",
        "a: &x ['{long}', '{long}', '{long}']\nb: &y [" + "*x, " * 10 + "]\nc: [" + "*y, " * 20 + "]\n",
    ],
    ids=["text", "lists"],
)
def test_text_bombs(text):
    """Long texts cannot be repeated by aliases without end."""
    with pytest.raises(YamlError, match=f"^aliases repeat more than {MAX_REPEATED:,} characters$"):
        read(text.format(long="x" * 100_000))


def test_a_large_text_may_be_repeated():
    """The data of a reference image, as large as the service takes it, may be used twice."""
    long = "x" * 27_000_000

    assert read(f"a: &x {long}\nb: *x\n").value == {"a": long, "b": long}


def test_limits_leave_room():
    """Documents just inside the limits are read."""
    deep = "[" * MAX_DEPTH + "]" * MAX_DEPTH
    long = json.dumps(["x"] * (MAX_VALUES - 1))

    assert json.dumps(read(deep).value) == deep
    assert len(read(long).value) == MAX_VALUES - 1


@pytest.mark.parametrize("text", ["1" * 5000, "0x" + "f" * 5000, "0o" + "7" * 5000, "-" + "9" * 401, "1e" + "9" * 400])
def test_long_numbers(text):
    """Digits without end neither raise nor take long."""
    start = time.perf_counter()
    value = read(f"a: {text}").value["a"]

    assert isinstance(value, (float, str))
    assert time.perf_counter() - start < 1


@pytest.mark.parametrize("document", ["a: {}", "{}: a"], ids=["value", "key"])
@pytest.mark.parametrize("text", ["\ud800", "a\udfffb"])
def test_half_a_character_from_the_pure_parser(monkeypatch, text, document):
    """PyYAML without libyaml lets escaped surrogates pass; they would break the digest later."""
    use("SafeLoader", monkeypatch)

    escaped = '"' + text.encode("ascii", "backslashreplace").decode() + '"'
    with pytest.raises(YamlError, match="lone surrogate"):
        read(document.format(escaped))


@given(text=st.text(max_size=40))
def test_scalar_never_fails(text):
    """Any text is a scalar: itself, or a constant or number that it spells."""
    value = yaml12.scalar(text)

    assert value is None or isinstance(value, (str, int, float))
