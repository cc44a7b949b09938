"""The blocks of a page are those that CommonMark sees, except where Python-Markdown's own fences differ.

markdown-it-py, a parser of CommonMark, is the judge. The kinds of cases are those of CommonMark 0.31.2, "Fenced code
blocks".
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import markdown
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from properties.hostile import tried, writable

from mkdocs_gptimage.blocks.extension import GptImageExtension
from mkdocs_gptimage.blocks.fence import Block, find_blocks

JUDGE = MarkdownIt("commonmark")
FENCE = "gpt-image"
PLACEHOLDER = re.compile("\x02wzxhzdk:[0-9]+\x03")


@dataclass(frozen=True)
class Found:
    """A block: the line of its opening fence, the line after its closing one, and the text between."""

    start: int
    end: int
    body: str


def by_us(text: str) -> list[Found]:
    return [Found(span.start, span.end, span.block.body) for span in find_blocks(text.split("\n"))]


def by_commonmark(text: str) -> list[Found]:
    found = []
    for token in JUDGE.parse(text):
        if token.type == "fence" and unescapeAll(token.info).split()[:1] == [FENCE]:
            start, end = token.map or (0, 0)
            body = token.content.rstrip("\n")
            found.append(Found(start, end, f"{body}\n" if body else ""))
    return found


def by_python_markdown(text: str) -> list[str]:
    """The code of the fences that Python-Markdown itself finds, by what MkDocs uses."""
    converted = markdown.markdown(text, extensions=["fenced_code"])
    return re.findall(r'<code class="language-gpt-image">(.*?)</code>', converted, re.DOTALL)


SAME = {
    "backticks": "```gpt-image\na: 1\n```\n",
    "tildes": "~~~gpt-image\na: 1\n~~~\n",
    "two backticks": "``gpt-image\na: 1\n``\n",
    "other character does not close": "```gpt-image\na: 1\n~~~\n```\n",
    "other character does not close tildes": "~~~gpt-image\na: 1\n```\n~~~\n",
    "shorter fence does not close": "````gpt-image\na: 1\n```\n````\n",
    "shorter fence does not close tildes": "~~~~~gpt-image\na: 1\n~~~\n~~~~\n~~~~~\n",
    "empty lines only": "```gpt-image\n\n  \n```\n",
    "no content": "```gpt-image\n```\n",
    "blank line first": "```gpt-image\n\na: 1\n```\n",
    "one space before": " ```gpt-image\n a: 1\n ```\n",
    "two spaces before, content deeper": "  ```gpt-image\n    a: 1\n  b: 2\n  ```\n",
    "three spaces before": "   ```gpt-image\n   a: 1\n     b: 2\n   ```\n",
    "closing fence behind spaces is content at four": "```gpt-image\na: 1\n    ```\n```\n",
    "blanks behind the closing fence": "```gpt-image\na: 1\n```   \t\nafter\n",
    "words behind a closing fence do not close": "```gpt-image\na: 1\n``` b\n```\n",
    "language behind a closing fence does not close": "```gpt-image\na: 1\n```gpt-image\n```\n",
    "spaces inside of a fence": "``` ``` gpt-image\na: 1\n",
    "tildes with a space do not close": "~~~~gpt-image\na: 1\n~~~ ~~\n~~~~\n",
    "inside of a paragraph": "one\n```gpt-image\na: 1\n```\ntwo\n",
    "under and above headings": "one\n---\n~~~gpt-image\na: 1\n~~~\n# two\n",
    "space before the language": "```   gpt-image\na: 1\n```\n",
    "words behind the language": "~~~~    gpt-image startline=3 $%@#$\na: 1\n~~~~\n",
    "tildes behind the language": "```gpt-image ~~~\na: 1\n```\n",
    "another language that begins like ours": "```gpt-images\na: 1\n```\n",
    "language in capitals": "```GPT-Image\na: 1\n```\n",
    "backticks in the same line are code": "``` gpt-image ```\na: 1\n",
    "inside of a longer fence": "````\n```gpt-image\na: 1\n```\n````\n",
    "inside of the other fence": "~~~\n```gpt-image\na: 1\n```\n~~~\n```gpt-image\nb: 1\n```\n",
    "one after the other": "```gpt-image\na: 1\n```\n```gpt-image\nb: 1\n```\n",
    "quoted": "> ```gpt-image\n> a: 1\n> ```\n",
    "quoted twice": "> > ```gpt-image\n> > a: 1\n> > ```\n",
    "in an item": "- one\n\n    ```gpt-image\n    a: 1\n    ```\n",
    "markup in the block": "```gpt-image\n*a*: <b> &amp; \\n [x](y)\n```\n",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_kinds_of_fences(text):
    """In each kind of case that CommonMark names, the blocks are the ones that it sees."""
    assert by_us(text) == by_commonmark(text)


@dataclass(frozen=True)
class Difference:
    """A case where CommonMark sees other blocks than Python-Markdown and we."""

    reason: str
    text: str
    bodies: tuple[str, ...]
    """What we find."""
    is_of_python_markdown: bool = True
    """Whether Python-Markdown's own `fenced_code` agrees with us; it knows no fences away from the left edge."""


DIFFERENCES = [
    Difference("a closing fence is as long as the opening one", "```gpt-image\na: 1\n`````\n", ()),
    Difference("a closing fence stands where the opening one does", "```gpt-image\na: 1\n  ```\n", ()),
    Difference("a fence that is never closed is text", "```gpt-image\na: 1\n", ()),
    Difference("and hides nothing behind it", "~~~\n\n```gpt-image\na: 1\n```\n", ("a: 1\n",)),
    Difference("no backtick stands behind tildes", "~~~gpt-image `a`\na: 1\n~~~\n", ()),
    Difference("the language is taken literally", "```gpt&#45;image\na: 1\n```\n", ()),
    Difference("a dot may stand before the language", "```.gpt-image\na: 1\n```\n", ("a: 1\n",)),
    Difference("braces may stand around it", "```{ .gpt-image }\na: 1\n```\n", ("a: 1\n",)),
    Difference("a tab is as many spaces as it shows", "```gpt-image\na:\t1\n```\n", ("a:  1\n",)),
    Difference("a quote that ends closes no fence", "> ```gpt-image\n> a: 1\n", (), is_of_python_markdown=False),
    Difference(
        "a block with a line left of its fence is text",
        "  ```gpt-image\na: 1\n  ```\n",
        (),
        is_of_python_markdown=False,
    ),
    Difference(
        "indented code is recognised later, as items are indented by four",
        "    ```gpt-image\n    a: 1\n    ```\n",
        ("a: 1\n",),
        is_of_python_markdown=False,
    ),
    Difference(
        "a block begins no item on the item's own line",
        "- ```gpt-image\n  a: 1\n  ```\n",
        (),
        is_of_python_markdown=False,
    ),
]


@pytest.mark.parametrize("case", DIFFERENCES, ids=lambda case: case.reason)
def test_named_differences(case):
    """Where CommonMark sees other blocks, ours are those of Python-Markdown, which makes the page."""
    ours = tuple(found.body for found in by_us(case.text))
    of_host = tuple(by_python_markdown(case.text))

    assert ours == case.bodies
    assert ours != tuple(found.body for found in by_commonmark(case.text))
    assert ours == of_host or not case.is_of_python_markdown


fence_characters = st.sampled_from("`~")
LENGTHS = {"`": 3, "~": 4}
"""One length for all fences that can close: a longer one closes for CommonMark only."""
openings = st.builds(
    lambda character, longer, space, info: character * (LENGTHS[character] + longer) + space + info,
    fence_characters,
    st.integers(0, 2),
    st.sampled_from(["", " ", "  "]),
    st.sampled_from([FENCE, FENCE, "python", f"{FENCE} title", "gpt-images", "~ ~~~"]),
)
closings = st.builds(
    lambda character, space: character * LENGTHS[character] + space, fence_characters, st.sampled_from(["", " ", "   "])
)
others = st.sampled_from(
    [
        "",
        "",
        "text",
        "prompt: a",
        "  b: 1",
        "# heading",
        "``",
        "~~",
        "`` ``` ``",
        "``` ```",
        "~~ ~",
        "***",
        "a\n===",
        "> q",
    ]
)
pages = st.lists(openings | closings | others, max_size=14).map(lambda lines: "\n".join(lines).split("\n"))
CONTAINERS = ["", " ", "   ", "> ", "> > "]


def closed(lines: list[str]) -> list[str]:
    """A page with an end for the fence that is open at its end; ours are blocks only when they are closed."""
    for token in JUDGE.parse("\n".join(lines))[-1:]:
        if token.type == "fence" and token.map:
            start, end = token.map[0], token.map[1]
            end_of_it = re.compile(rf" {{0,3}}{token.markup}+[ \t]*")
            if start == end - 1 or not end_of_it.fullmatch(lines[end - 1]):
                return [*lines, token.markup]
    return lines


@pytest.mark.parametrize("container", CONTAINERS, ids=repr)
@given(lines=pages)
@tried
def test_pages_of_fences(container, lines):
    """On any page of fence-like lines that ends with its last fence closed, the blocks are those of CommonMark."""
    assume(">" not in container or not any(line.startswith(">") for line in lines))
    text = "\n".join(f"{container}{line}" for line in closed(lines))

    assert by_us(text) == by_commonmark(text)


@given(lines=pages, prefix=st.sampled_from([*CONTAINERS, "    ", "\t"]))
@tried
def test_text_around_blocks_is_never_changed(lines, prefix):
    """Spans follow each other, and every line outside of them is passed on as it was."""
    lines = [f"{prefix}{line}" for line in lines]
    spans = list(find_blocks(lines))
    md = markdown.Markdown(extensions=[GptImageExtension(lambda _block, _md: "")])

    converted = md.preprocessors["gptimage_blocks"].run(list(lines))

    ends = [0, *(span.end for span in spans)]
    assert all(before <= span.start < span.end for before, span in zip(ends, spans, strict=False))
    assert all(span.end <= len(lines) for span in spans)
    expected = list(lines)
    for span in reversed(spans):
        expected[span.start : span.end] = [f"{span.prefix}BLOCK"]
    assert [PLACEHOLDER.sub("BLOCK", line) for line in converted] == expected


@given(text=writable)
@tried
def test_any_text_is_read(text):
    """Any text at all is searched without an error, and what is found stands in it."""
    lines = text.split("\n")

    for span in find_blocks(["```gpt-image", *lines, "```", *lines]):
        assert isinstance(span.block, Block)
        assert span.block.body.count("\n") <= span.end - span.start
