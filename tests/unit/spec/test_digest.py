from __future__ import annotations

import base64
import hashlib
import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mkdocs_gptimage.spec import prompts as wording
from mkdocs_gptimage.spec.model import ImageSpec, Reference, SiteDefaults
from mkdocs_gptimage.spec.parse import parse_block
from mkdocs_gptimage.spec.references import ReferenceResolver
from mkdocs_gptimage.spec.schema import block_schema

GOLDEN = json.loads(Path(__file__).with_name("digests.json").read_text("utf-8"))
DARK = [case for case in GOLDEN if "dark" in case]
PNG = b"\x89PNG\r\n\x1a\n the rest does not matter"
PRESENTATION = (
    "alt: words",
    'alt: ""',
    "caption: '*words*'",
    "class: wide",
    "width: 480",
    "loading: eager",
    "link: true",
    "id: cat",
    "official_fallback: true",
    "dark: true",
)
SPELLED_OUT = ("size: 1:1", "resolution: 1k", "model: gpt-image-2", "n: 1", "image_urls: []", "variant:", "size: ~")

# Characters that stand in a double-quoted YAML scalar as JSON escapes them, and in a literal block as they are.
words = st.text(
    st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc", "Zl", "Zp", "Co", "Cn"]), min_size=1
)
prompts = words.filter(lambda text: text.strip() and "\ufeff" not in text)


def resolve(entry: str) -> Reference:
    return Reference(entry, uri=entry)


def drawn(text: str, **defaults: object) -> ImageSpec:
    found = parse_block(text, SiteDefaults(defaults), resolve)
    assert found.spec is not None, found.problems
    return found.spec


def digest(text: str, **defaults: object) -> str:
    return drawn(text, **defaults).digest


def sha256(canonical: str) -> str:
    return hashlib.sha256(canonical.encode()).hexdigest()


@pytest.mark.parametrize("case", GOLDEN, ids=[case["about"] for case in GOLDEN])
def test_golden(case):
    """A block has the canonical form and the digest that stores out there are filled with."""
    picture = drawn(case["block"])

    assert picture.canonical == json.loads(case["canonical"])
    assert picture.digest == case["digest"] == sha256(case["canonical"])


def test_golden_digests_are_all_different():
    """The golden cases that describe different pictures have different digests."""
    pictures = [*GOLDEN, *(case["dark"] for case in DARK)]
    by_canonical = {picture["canonical"]: picture["digest"] for picture in pictures}

    assert len(set(by_canonical.values())) == len(by_canonical) >= 15


@pytest.mark.parametrize("case", DARK, ids=[case["about"] for case in DARK])
def test_golden_dark(case):
    """A dark twin is drawn from the light picture, in its size, resolution, variant and model."""
    dark = parse_block(case["block"], SiteDefaults(), resolve).dark

    assert dark is not None
    assert dark.canonical == json.loads(case["dark"]["canonical"])
    assert dark.digest == case["dark"]["digest"] == sha256(case["dark"]["canonical"])
    assert dark.canonical["references"] == [f"spec:{case['digest']}"]


def test_the_instruction_for_dark_twins_is_part_of_them():
    """Another instruction makes another dark picture, except for one with a prompt of its own; the light one stays."""
    block = "prompt: a cat\ndark: true"
    usual, other = (
        parse_block(block, SiteDefaults(), resolve),
        parse_block(block, SiteDefaults(dark_instruction=" By\r\nmoonlight. "), resolve),
    )
    own = [
        parse_block("prompt: a cat\ndark: {prompt: b}", SiteDefaults(dark_instruction=said), resolve).dark
        for said in ("x", "y")
    ]

    assert usual.dark is not None
    assert other.dark is not None
    assert usual.dark.prompt == f"a cat\n\n{wording.DARK_INSTRUCTION}"
    assert other.dark.prompt == "a cat\n\nBy\nmoonlight."
    assert usual.spec == other.spec
    assert own[0] == own[1]


@pytest.mark.parametrize("line", ["", "dark: false", "dark:"])
def test_no_dark_twin(line):
    """A block that asks for no dark twin has none; one can be refused where the site asks for them."""
    site = SiteDefaults({"dark": True} if line == "dark: false" else {})

    assert parse_block(f"prompt: a\n{line}", site, resolve).dark is None
    assert parse_block("prompt: a", SiteDefaults({"dark": True}), resolve).dark is not None


@pytest.mark.parametrize(
    ("block", "canonical"),
    [
        (
            "prompt: a cat",
            '{"model":"gpt-image-2","prompt":"a cat","resolution":"1k","size":"1:1","v":1}',
        ),
        (
            "prompt: Kätzchen 🐈\nsize: 16:9\nresolution: 4k\nvariant: 2\nalt: x",
            '{"model":"gpt-image-2","prompt":"Kätzchen 🐈","resolution":"4k","size":"16:9","v":1,"variant":"2"}',
        ),
        (
            'prompt: " say \\"hi\\"\\\\ \\r\\n\\tthere/ "\nimage_urls: [https://example.com/b.png, https://example.com/a.png]',
            (
                '{"model":"gpt-image-2","prompt":"say \\"hi\\"\\\\ \\n\\tthere/",'
                '"references":["https://example.com/b.png","https://example.com/a.png"],"resolution":"1k","v":1}'
            ),
        ),
    ],
)
def test_digest_of_a_form_written_by_hand(block, canonical):
    """The digest is SHA-256 of the canonical JSON in UTF-8: keys sorted, no spaces, non-ASCII kept."""
    assert digest(block) == sha256(canonical)


@given(prompt=prompts, order=st.permutations(["prompt", "size", "resolution", "variant", "alt"]))
def test_order_of_keys(prompt, order):
    """The order of a block's lines does not enter."""
    lines = {"prompt": json.dumps(prompt), "size": "16:9", "resolution": "2k", "variant": "x", "alt": "y"}

    shuffled, sorted_ = ("\n".join(f"{key}: {lines[key]}" for key in keys) for keys in (order, sorted(order)))

    assert digest(shuffled) == digest(sorted_)


@given(prompt=prompts)
def test_style_of_yaml(prompt):
    """Quoted, literal, folded and flow styles of the same prompt are the same picture."""
    single = prompt.replace("'", "''")
    styles = [
        f"prompt: {json.dumps(prompt)}",
        f"prompt: '{single}'",
        f"{{prompt: {json.dumps(prompt)}}}",
        f'"prompt": {json.dumps(prompt, ensure_ascii=False)}',
        f"prompt: |2\n  {prompt}\n",
        f"prompt: >2-\n  {prompt.strip()}\n",
        f"---\n# a comment\nprompt: |2+\n  {prompt}\n\n\n",
    ]

    assert {digest(style) for style in styles} == {sha256(form_of(wording.normalise(prompt)))}


def form_of(prompt: str) -> str:
    encoded = json.dumps(prompt, ensure_ascii=False)
    return f'{{"model":"gpt-image-2","prompt":{encoded},"resolution":"1k","size":"1:1","v":1}}'


@given(
    prompt=prompts, before=st.text(" \t\n\r\u00a0\u2003", max_size=5), after=st.text(" \t\n\r\u00a0\u2003", max_size=5)
)
def test_white_space_around(prompt, before, after):
    """White space at both ends of the prompt does not enter."""
    assert digest(f"prompt: {json.dumps(before + prompt + after)}") == digest(f"prompt: {json.dumps(prompt)}")


@given(lines=st.lists(prompts, min_size=2, max_size=4))
def test_line_ends(lines):
    """Line ends of Windows and of old computers are line feeds, in the prompt and in the block."""
    in_prompt = {digest(f"prompt: {json.dumps(end.join(lines))}") for end in ("\n", "\r\n", "\r")}
    block = "\n".join(["prompt: |2", *(f"  {line}" for line in lines), "size: 16:9", ""])
    in_block = {digest(block.replace("\n", end)) for end in ("\n", "\r\n", "\r")}

    assert len(in_prompt) == len(in_block) == 1


def is_in_bmp(text: str) -> bool:
    """JSON escapes characters beyond U+FFFF as two surrogates, which YAML does not read."""
    return all(ord(letter) <= 0xFFFF for form in ("NFC", "NFD") for letter in unicodedata.normalize(form, text))


@given(
    prompt=st.text(st.characters(max_codepoint=0xFFFF, exclude_categories=["Cs", "Cc"]).filter(is_in_bmp)).filter(
        str.strip
    )
)
def test_normal_forms(prompt):
    """Composed and decomposed letters are the same prompt, and normalising twice is normalising once."""
    forms = [unicodedata.normalize(form, prompt) for form in ("NFC", "NFD")]

    assert len({digest(f"prompt: {json.dumps(form)}") for form in forms}) == 1
    assert wording.normalise(wording.normalise(prompt)) == wording.normalise(prompt)


@given(lines=st.lists(st.sampled_from(PRESENTATION), unique_by=lambda line: line.partition(":")[0]))
def test_presentation_does_not_enter(lines):
    """How a page shows a picture, and the fallback, are not part of which picture it is."""
    assert digest("\n".join(["prompt: a cat", *lines])) == digest("prompt: a cat")


@given(lines=st.lists(st.sampled_from(SPELLED_OUT), unique_by=lambda line: line.partition(":")[0]))
def test_spelled_out_defaults(lines):
    """A default that is written down is the same as one that is not."""
    assert digest("\n".join(["prompt: a cat", *lines])) == digest("prompt: a cat")


@pytest.mark.parametrize(
    "line",
    [
        "prompt: A cat",
        "prompt: a  cat",
        "size: 16:9",
        "size: auto",
        "size: 1024x1024",
        "resolution: 2k",
        "resolution: 4k",
        "image_urls: [https://example.com/a.png]",
        "image_urls: [https://example.com/a.png]\nsize: 1:1",
        "image_urls: [https://example.com/b.png, https://example.com/a.png]",
        "image_urls: [https://example.com/a.png, https://example.com/b.png]",
        "variant: 1",
        "variant: ' 1'",
        "variant: x",
    ],
)
def test_request_fields_enter(line):
    """Whatever changes the picture changes the digest."""
    base = "" if line.startswith("prompt") else "prompt: a cat\n"

    assert digest(base + line) != digest("prompt: a cat")


@pytest.mark.parametrize(("one", "other"), [("2", "'2'"), ("2", "0x2"), ("2", "2.0"), ("-3", "'-3'")])
def test_variant_is_text(one, other):
    """A variant is the same as a number and as text."""
    assert digest(f"prompt: a\nvariant: {one}") == digest(f"prompt: a\nvariant: {other}")


def test_every_field_is_covered():
    """Each field of the schema is either known to enter the digest or known not to."""
    outside = {line.partition(":")[0] for line in PRESENTATION} | {"n", "style"}
    inside = {"prompt", "size", "resolution", "image_urls", "variant", "model"}

    assert inside | outside == set(block_schema()["properties"])
    assert not inside & outside


def test_defaults_of_the_site_enter():
    """A default of the site is as if the block said so; what the block says wins."""
    assert digest("prompt: a", size="16:9") == digest("prompt: a\nsize: 16:9")
    assert digest("prompt: a\nsize: 3:2", size="16:9") == digest("prompt: a\nsize: 3:2")
    assert digest("prompt: a\nsize:", size="16:9") == digest("prompt: a", size="16:9")


def test_model_enters():
    """A second model would draw another picture."""
    assert ImageSpec("a", model="gpt-image-3").digest != ImageSpec("a").digest


def test_local_file_and_data_uri_are_the_same_reference(tmp_path):
    """A reference is known by its bytes, wherever they come from; another file is another picture."""
    (tmp_path / "a.png").write_bytes(PNG)
    (tmp_path / "b.png").write_bytes(PNG + b"!")
    references = ReferenceResolver(tmp_path, tmp_path)
    uri = f"data:image/png;base64,{base64.b64encode(PNG).decode()}"

    file, data, other = (
        parse_block(
            f"prompt: a\nimage_urls: ['{entry}']", SiteDefaults(), lambda entry: references.resolve(entry, tmp_path)
        ).spec
        for entry in ("a.png", uri, "b.png")
    )

    assert file is not None
    assert data is not None
    assert other is not None
    assert file.canonical["references"] == [f"sha256:{hashlib.sha256(PNG).hexdigest()}"]
    assert file.digest == data.digest != other.digest


@pytest.mark.parametrize(
    ("prompt", "slug"),
    [
        ("An orange cat on the windowsill", "orange-cat-on-windowsill"),
        ("Ein Kätzchen: süß!", "ein-katzchen-su"),
        ("The a an", "image"),
        ("x" * 60, "x" * 40),
        ("one two three four five six seven eight nine ten", "one-two-three-four-five-six-seven-eight"),
        ("../../etc/passwd\0", "etc-passwd"),
    ],
)
def test_slug_examples(prompt, slug):
    """A slug reads like the beginning of the prompt."""
    assert wording.slug(prompt) == slug


def test_the_slug_of_a_dark_twin():
    """A dark twin is named like its picture, and not after the instruction; one with its own prompt after that."""
    twins = [
        parse_block(f"prompt: An orange cat\ndark: {dark}", SiteDefaults(), resolve)
        for dark in ("true", "{prompt: A night}")
    ]

    assert [reading.dark and reading.dark.slug for reading in twins] == ["orange-cat", "night"]
    assert drawn('prompt: "A\\n\\ncat"').slug == "cat"


def test_stem():
    """The name of a published file is a slug and 12 digits of the digest."""
    picture = drawn("prompt: An orange cat")

    assert picture.stem == f"orange-cat-{picture.digest[:12]}"
