from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import markdown
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mkdocs_gptimage.figures import figure as markup
from mkdocs_gptimage.figures.caption import render_caption
from mkdocs_gptimage.figures.figure import FigureImage, fold, render_figure
from mkdocs_gptimage.figures.placeholder import placeholder_svg
from mkdocs_gptimage.spec.model import ImageSpec, Presentation

PICTURE = ImageSpec("An orange cat")
SVG = "{http://www.w3.org/2000/svg}"
# What HTML forbids, and what turns the direction of the text around it.
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069\ufdd0-\ufdef"
    f"{''.join(chr(plane * 0x10000 + last) for plane in range(17) for last in (0xFFFE, 0xFFFF))}]"
)

texts = st.text(max_size=60) | st.text(st.sampled_from("<>&\"'`= \n\t\0/!-#;amp"), max_size=40)


class Elements(HTMLParser):
    """Collects start tags and checks that every element is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        self.found.append((tag, dict(attrs)))
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def folded(text: str) -> str:
    return " ".join(FORBIDDEN.sub("", text).split())


def figure(presentation: Presentation, picture: ImageSpec = PICTURE, full: str | None = None, **parts: str) -> str:
    return render_figure(picture, presentation, [FigureImage("a/b.png", 'width="3" height="2"', full)], **parts)


def entities(text: str) -> str:
    return "".join(f"&#{ord(character)};" for character in text)


def render(text: str, *extensions: str) -> str:
    return render_caption(text, markdown.Markdown(extensions=list(extensions)))


@pytest.mark.parametrize(
    ("presentation", "parts", "expected"),
    [
        (
            Presentation(),
            {},
            (
                '<figure class="gpt-image"><img class="gpt-image__img" src="a/b.png" width="3" height="2" '
                'alt="An orange cat" decoding="async"></figure>'
            ),
        ),
        (
            Presentation(id="cat", alt="", css_class="wide shadow"),
            {"caption": "A <em>cat</em>", "label": "Made by a <machine>"},
            (
                '<figure class="gpt-image wide shadow" id="cat"><img class="gpt-image__img" src="a/b.png" width="3" '
                'height="2" alt="" decoding="async">'
                '<small class="gpt-image__label">Made by a &lt;machine&gt;</small>'
                "<figcaption>A <em>cat</em></figcaption></figure>"
            ),
        ),
        (
            Presentation(alt="\"<b>\" & 'x'", link=True),
            {"full": 'b.png?"&'},
            (
                '<figure class="gpt-image"><a class="gpt-image__link" href="b.png?&quot;&amp;">'
                '<img class="gpt-image__img" '
                'src="a/b.png" width="3" height="2" alt="&quot;&lt;b&gt;&quot; &amp; &#x27;x&#x27;" '
                'decoding="async"></a></figure>'
            ),
        ),
    ],
    ids=["plain", "everything", "escaped"],
)
def test_figure(presentation, parts, expected):
    """A figure is written as the contract shows it, attributes in its order."""
    assert figure(presentation, **parts) == expected


@pytest.mark.parametrize(
    ("alt", "finished_caption", "expected"),
    [
        ("given", "A caption", "given"),
        ("", "A caption", ""),
        (None, "A <em>caption</em> with <code>a &lt; b</code>", "A caption with a < b"),
        (None, "", "An orange cat"),
        (None, " <img src='x'> ", "An orange cat"),
    ],
)
def test_alt(alt, finished_caption, expected):
    """The text alternative is alt, else the caption's text, else the prompt; empty stays empty."""
    found = Elements(figure(Presentation(alt=alt), caption=finished_caption)).found

    assert next(attributes for tag, attributes in found if tag == "img")["alt"] == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\x85b\u2028c\td", "a b c d"),
        ("\x80\x9b31m", "31m"),
        ("\ufdd0\ufdef\ufffe\uffff\U0001ffff\U0010fffe", ""),
        ("\u200e\u200f\u061c\u200d\ufffd", "\u200e\u200f\u061c\u200d\ufffd"),
    ],
)
def test_fold(text, expected):
    """Line ends become spaces, controls and noncharacters go, and marks that scripts need stay."""
    assert fold(text) == expected


def test_nothing_unfit_is_printable():
    """What `fold` leaves out is among what Python does not print, so that a printable text need not be searched."""
    unfit = [character for character in map(chr, range(sys.maxunicode + 1)) if markup._FORBIDDEN.match(character)]

    assert len(unfit) > 2000
    assert not any(map(str.isprintable, unfit))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The *office* cat, **asleep**", "The <em>office</em> cat, <strong>asleep</strong>"),
        ("Run `a < b`", "Run <code>a &lt; b</code>"),
        ("[link](https://example.com/?a=1&b=2)", '<a href="https://example.com/?a=1&amp;b=2">link</a>'),
        ("[*both* `x`](page.md 'Title')", '<a href="page.md" title="Title"><em>both</em> <code>x</code></a>'),
        ("A <b>bold</b> cat", "A &lt;b&gt;bold&lt;/b&gt; cat"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<!-- hidden -->", "&lt;!-- hidden --&gt;"),
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("[x](javascript:alert(1))", "<a>x</a>"),
        ("[x](JaVaScRiPt:alert(1))", "<a>x</a>"),
        ("[x](&#106;avascript:alert(1))", "<a>x</a>"),
        ("[x](java&#9;script:alert(1))", "<a>x</a>"),
        ("[x](&Tab;javascript&colon;alert(1))", "<a>x</a>"),
        ("[x](vbscript:x)", "<a>x</a>"),
        ("[x](database.md)", '<a href="database.md">x</a>'),
        ("[x](https://example.com/javascript:)", '<a href="https://example.com/javascript:">x</a>'),
        ("[x](data:text/html,hi)", "<a>x</a>"),
        ("![x](javascript:alert(1))", '<img alt="x" />'),
        ("<https://example.com>", '<a href="https://example.com">https://example.com</a>'),
        ("two\nlines  \nand three", "two lines and three"),
        ("# no heading", "# no heading"),
        ("- no list", "- no list"),
        ("\\*escaped\\*", "*escaped*"),
        ("&copy; & &lt;", "&copy; &amp; &lt;"),
        ("![a `code` cat](a.png)", '<img alt="a code cat" src="a.png" />'),
        ("\u0002wzxhzdk:0\u0003 \u0002klzzwxh:0000\u0003", "wzxhzdk:0 klzzwxh:0000"),
        ("<x@y.zz>", f'<a href="{entities("mailto:x@y.zz")}">{entities("x@y.zz")}</a>'),
        ("&#8238;a&#x202E;b&#2;c&#8206;d", "abc&#8206;d"),
        ("`&#8238;`", "<code>&amp;#8238;</code>"),
        ("[x](a&#8238;.md)", '<a href="a.md">x</a>'),
        ("[x](java&#8238;script:alert(1))", "<a>x</a>"),
        ("[x](java&#2;script:alert(1))", "<a>x</a>"),
        ("[x](java\u202escript:alert(1))", "<a>x</a>"),
        ("", ""),
    ],
)
def test_caption(text, expected):
    """A caption is inline Markdown; raw HTML is shown as text, and links run no code."""
    assert render(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[x](a.md){: .wide onclick="alert(1)" OnFocus="x" }', '<a class="wide" href="a.md">x</a>'),
        ('[x](javascript:1){: HREF="javascript:2" }', "<a>x</a>"),
        ('[x](a.md){: HREF="b.md" Class="wide" }', '<a class="wide" href="a.md">x</a>'),
        ('![x](a.png){: srcset="javascript:1" SRCDOC="x" data-x="javascript:1" }', '<img alt="x" src="a.png" />'),
        ('[x](a.md){: href="&#106;avascript:alert(1)" }', "<a>x</a>"),
        ('*x*{: title="&quot; &copy; &#8238;" }', '<em title="&quot; &copy; ">x</em>'),
        ('*x*{: title="javascript: a language" }', '<em title="javascript: a language">x</em>'),
    ],
)
def test_caption_with_attributes(text, expected):
    """Attribute lists work in a caption, but each attribute once, and none that runs code."""
    assert render(text, "attr_list") == expected


def test_caption_with_an_attribute_without_a_value():
    """An attribute that is only a name stays one; what the host makes of it differs between its versions."""
    rendered = render("[x](a.md){: Download onclick }", "attr_list")

    assert re.fullmatch('<a (href="a.md" )?download(="Download")?( href="a.md")?>x</a>', rendered)


def test_alt_of_a_caption_with_an_address():
    """What Markdown writes in entities is read as what it says."""
    caption_html = render("Ask <x@y.zz>")

    image = next(
        attributes for tag, attributes in Elements(figure(Presentation(), caption=caption_html)).found if tag == "img"
    )

    assert image["alt"] == "Ask x@y.zz"


def test_caption_on_a_page():
    """A caption is rendered by itself, whatever the page before it holds."""
    md = markdown.Markdown()
    md.convert("`secret` *page* ![`of` x](a.png) <b>html</b>\n\n<div>stashed</div>\n\n[ref]: https://example.com\n")

    rendered = render_caption("![a `b` c](x.png) and [ref]", md)

    assert rendered == '<img alt="a b c" src="x.png" /> and <a href="https://example.com">ref</a>'


def rows_of(picture: ImageSpec) -> list[ET.Element]:
    return ET.fromstring(placeholder_svg(picture, "note")).findall(f"{SVG}text[@class='ink']")


@given(
    words=st.lists(st.text("abcdefgWM", min_size=1, max_size=70), min_size=1, max_size=120),
    size=st.sampled_from(["1:1", "16:9", "1:3", "3:1", None]),
)
@example(words=["sixteen-letters!"] * 500, size="3:1")
@example(words=["x" * 5000], size="1:1")
def test_rows_fit(words, size):
    """Rows of a card stay inside of its margins, and follow each other from top to bottom."""
    picture = ImageSpec(" ".join(words), size)

    rows = rows_of(picture)
    heights = [float(row.get("y", "nan")) for row in rows]

    for row in rows:
        em = float(row.get("font-size", "nan"))
        assert len(row.text or "") * em * 0.56 <= picture.pixels[0] - 3.9 * em
    assert heights == sorted(heights)


@pytest.mark.parametrize(
    "prompt",
    [
        "An orange cat on a windowsill at sunset, watercolor",
        "窓辺で眠る猫。夕暮れの光が差し込む水彩画、柔らかな色合い。" * 2,
        "x" * 100,
    ],
    ids=["words", "cjk", "one-word"],
)
def test_card_shows_the_prompt(prompt):
    """All of a prompt of ordinary length is on the card, scripts without spaces too, in rows that fit."""
    picture = ImageSpec(prompt)

    rows = rows_of(picture)

    assert "".join(row.text or "" for row in rows).replace(" ", "") == prompt.replace(" ", "")
    assert len(rows) > 1 or len(prompt) < 60
    for row in rows:
        em = float(row.get("font-size", "nan"))
        assert sum(em if ord(letter) > 0x2FFF else em * 0.56 for letter in row.text or "") <= picture.pixels[0]


def test_card_cuts_a_long_prompt():
    """A prompt that does not fit ends in an ellipsis."""
    rows = rows_of(ImageSpec("a long story " * 500, "3:1"))

    assert (rows[-1].text or "").endswith(" …")
    assert len(rows) < 30


def test_card_says_why():
    """A card shows its note, the size and the tier."""
    root = ET.fromstring(placeholder_svg(ImageSpec("a", "16:9", "2k"), "not generated <yet>"))

    assert root.findall(f"{SVG}text[@class='soft']")[0].text == "not generated <yet> · 16:9 · 2k"
    assert "like its reference" in placeholder_svg(ImageSpec("a", None), "note")
