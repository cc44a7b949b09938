"""Styles of mkdocs.yml: what blocks take from them, in specs and in real builds, and what is wrong with one."""

from __future__ import annotations

import base64

import pytest
from scripted_service import KEY, picture
from sites import FAST, Site, block

from mkdocs_gptimage.spec.model import Reference, SiteDefaults, Style
from mkdocs_gptimage.spec.parse import parse_block
from mkdocs_gptimage.spec.styles import read_styles

INK = Style({"size": "3:2", "resolution": "2k"}, "{prompt}, black ink {on} paper")
TRACED = Style({}, references=(Reference("sha256:logo", uri="logo"),))


def resolve(entry):
    return Reference(entry, uri=entry)


def reading(text, **defaults):
    return parse_block(text, SiteDefaults(defaults, {"ink": INK, "traced": TRACED}, "by night"), resolve)


@pytest.fixture
def site(service, tmp_path):
    made = Site(tmp_path)

    def configure(**options):
        made.configure(gptimage={"api": {"base_url": service.base_url, **FAST}, **options})
        return made

    configure()
    return made, configure


def test_the_template_is_put_around_the_prompt():
    """The resolved prompt is the prompt; braces other than those of `{prompt}` stand for themselves."""
    styled = reading("prompt: ' A {cat} {prompt} '\nstyle: ink").spec
    plain = reading("prompt: 'A {cat} {prompt}, black ink {on} paper'\nsize: 3:2\nresolution: 2k").spec

    assert styled.prompt == "A {cat} {prompt}, black ink {on} paper"
    assert styled.digest == plain.digest


@pytest.mark.parametrize(
    ("block", "defaults", "expected"),
    [
        ("style: ink", {"size": "9:16"}, ("3:2", "2k")),
        ("style: ink\nsize: 1:2", {"size": "9:16"}, ("1:2", "2k")),
        ("", {"style": "ink", "resolution": "4k"}, ("3:2", "2k")),
        ("style:", {"style": "ink"}, ("3:2", "2k")),
        ("style: ''", {"style": "ink", "size": "9:16"}, ("9:16", "1k")),
        ("style: traced", {"style": "ink"}, (None, "1k")),
    ],
)
def test_a_block_wins_over_its_style_and_that_over_the_defaults(block, defaults, expected):
    """A field comes from the block, else from its style, else from the defaults; `style: ""` goes without."""
    found = reading(f"prompt: a\n{block}", **defaults).spec

    assert (found.size, found.resolution) == expected


def test_references_of_a_style_come_first():
    """The references of a style stand before those of the block, and instead of those of the defaults."""
    both = reading("prompt: a\nimage_urls: [own]\nstyle: traced", image_urls=["default"]).spec
    alone = reading("prompt: a\nstyle: traced", image_urls=["default"]).spec
    other = reading("prompt: a\nstyle: ink", image_urls=["default"]).spec

    assert [[one.uri for one in found.references] for found in (both, alone, other)] == [
        ["logo", "own"],
        ["logo"],
        ["default"],
    ]


def test_dark_twins_have_the_style_too():
    """The template is put around a prompt of a dark twin, and once around the prompt that an instruction follows."""
    own = reading("prompt: a\nstyle: ink\ndark: {prompt: b}").dark
    same = reading("prompt: a\nstyle: ink\ndark: true").dark

    assert own.prompt == "b, black ink {on} paper"
    assert same.prompt == "a, black ink {on} paper\n\nby night"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("prompt: a\nstyle: imk\nsize: 7", [(1, "style: 'imk' is not a style; did you mean 'ink'? (ink, traced)")]),
        ("prompt: a\nstyle: watercolour", [(1, "style: 'watercolour' is not a style; expected ink, traced")]),
        ("prompt: a\nstyle: 3", [(1, "style: 3 is a whole number, expected text; put it in quotes")]),
        (
            f"style: ink\nprompt: {'x' * 31_990}",
            [(1, "prompt: 32012 characters with its style, expected at most 32000")],
        ),
        (
            f"prompt: a\ndark: {{prompt: {'x' * 31_990}}}\nstyle: ink",
            [(1, "dark: a prompt of 32012 characters with its style, expected at most 32000")],
        ),
        (
            f"prompt: a\nstyle: traced\nimage_urls: [{', '.join('x' * 16)}]",
            [(2, "image_urls: 17 entries with those of the style, expected at most 16")],
        ),
    ],
)
def test_what_a_block_gets_wrong(text, expected):
    """An unknown style, and a block that exceeds a limit together with its style, are reported at their line."""
    found = list(reading(text).problems)

    assert [each for each in found if not each[1].startswith("size")] == expected


def test_no_styles_at_all():
    """A style on a site without styles is reported with the place where styles are set."""
    found = parse_block("prompt: a\nstyle: ink", SiteDefaults(), resolve)

    assert found.problems == ((1, "style: 'ink' is not a style; mkdocs.yml has no 'styles'"),)


def test_mistakes_in_styles_are_reported_together(site):
    """Each mistake in the option is one line with its path, and all of them are reported at once."""
    made, configure = site
    configure(
        styles={
            "ink": {"prompt": "black ink", "size": "16:10", "resolutoin": "2k"},
            "wash": {"alt": "a", "dark": True, "image_urls": ["gone.png", "https://example.com/a.png"]},
            "none": None,
        },
        defaults={"style": "inc"},
    )
    made.write({"index.md": block(prompt="A cat")})
    built, planned = made.build(), made.gptimage("plan")

    assert (built.code, planned.code) == (1, 2)
    for said in (built.err, planned.err):
        found = [line.partition("plugins.gptimage.")[2] for line in said.splitlines() if "plugins.gptimage." in line]
        assert sorted(found) == [
            "defaults.style: 'inc' is not a style; did you mean 'ink'? (ink, none, wash)",
            "styles.ink.prompt: has no {prompt}, which stands for the prompt of the block",
            "styles.ink.resolutoin: is not a field; did you mean 'resolution'?",
            "styles.ink.size: '16:10' is not a size; did you mean '16:9'?",
            "styles.none: is empty, expected fields, as in 'prompt: \"{prompt}, in ink\"'",
            "styles.wash.alt: belongs in a block, not in a style",
            "styles.wash.dark: belongs in a block, not in a style",
            "styles.wash.image_urls[0]: 'gone.png' does not exist; looked for gone.png",
        ]


def test_a_reference_of_a_style_that_is_not_there(site):
    """A local reference of a style is relative to mkdocs.yml, and reported by its path when it is missing."""
    made, configure = site
    configure(styles={"ink": {"image_urls": ["brand/logo.png"]}})
    made.write({"index.md": "Text\n"})

    assert "plugins.gptimage.styles.ink.image_urls[0]: 'brand/logo.png' does not exist" in made.build().err


def test_a_style_in_a_build(site, service):
    """A build sends the resolved prompt and the references of the style first; the alt text is the author's words."""
    made, configure = site
    logo, sketch = picture("PNG", (8, 8)), picture("PNG", (9, 9))
    configure(styles={"ink": {"prompt": "{prompt}, black ink", "image_urls": ["logo.png"], "class": "inked"}})
    (made.root / "logo.png").write_bytes(logo)
    made.write({"guide/a.md": block(prompt="A cat", style="ink", image_urls=["sketch.png"]), "index.md": "Text\n"})
    (made.root / "docs/guide/sketch.png").write_bytes(sketch)
    built = made.build("--strict", env={"APIMASTER_API_KEY": KEY})
    (submit,) = service.of("submit")
    (figure,) = made.figures("guide/a/index.html")

    assert built.code == 0, built.err
    assert submit.json["prompt"] == "A cat, black ink"
    assert [base64.b64decode(uri.partition(",")[2]) for uri in submit.json["image_urls"]] == [logo, sketch]
    assert 'class="gpt-image inked"' in figure
    assert 'alt="A cat"' in figure


def test_names_of_styles_are_text():
    """A style whose name YAML reads as a number is still found by its name."""
    found = read_styles({1: {"prompt": "{prompt}!", "size": None}}, resolve)

    assert found.problems == ()
    assert found.styles["1"] == Style({}, "{prompt}!")
