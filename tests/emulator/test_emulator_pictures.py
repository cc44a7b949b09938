from __future__ import annotations

import base64
import io
import random
from itertools import combinations, pairwise

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont, ImageStat

from mkdocs_gptimage.emulator import picture
from mkdocs_gptimage.emulator.picture import DAYS, NIGHTS, SCENES, PictureSpec, draw
from mkdocs_gptimage.emulator.references import read_references
from mkdocs_gptimage.emulator.sizes import PIXELS

SIZE = (480, 320)


def image_of(spec: PictureSpec) -> Image.Image:
    return Image.open(io.BytesIO(draw(spec)))


def data_uri(color: tuple[int, int, int], kind: str = "PNG", mode: str = "RGB") -> str:
    out = io.BytesIO()
    Image.new("RGB", (120, 80), color).convert(mode).save(out, kind)
    return data_uri_of(out.getvalue())


def data_uri_of(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def difference(first: PictureSpec, second: PictureSpec) -> float:
    """Mean difference of all levels, of 255."""
    means = ImageStat.Stat(ImageChops.difference(image_of(first), image_of(second))).mean
    return sum(means) / len(means)


def texts_on(monkeypatch: pytest.MonkeyPatch, spec: PictureSpec) -> list[tuple[str, float]]:
    """Every line of type on a picture, with its font size; fails for a line that reaches out of the picture."""
    lines = []
    real = ImageDraw.ImageDraw.text

    def text(pen, xy, line, *style):
        _, font, anchor = style
        left, top, right, bottom = pen.textbbox(xy, line, font, anchor)
        assert left >= 0 <= top
        assert right <= spec.width
        assert bottom <= spec.height
        lines.append((line, font.size))
        return real(pen, xy, line, *style)

    monkeypatch.setattr(ImageDraw.ImageDraw, "text", text)
    draw(spec)
    return lines


@pytest.mark.parametrize("attempt", range(len(SCENES)))
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (96, 96), (16, 16), (640, 16), (16, 640), (3840, 16)])
def test_every_scene_fits_every_shape(attempt, size):
    """Each scene draws a picture of exactly the given pixels, however narrow."""
    image = image_of(PictureSpec("A lighthouse", *size, attempt=attempt))

    assert (image.format, image.mode, image.size) == ("PNG", "RGB", size)
    assert len(image.getcolors(10**6) or []) > 20


@pytest.mark.parametrize("ratio", ["1:1", "9:21"])
def test_largest_tier_has_its_pixels(ratio):
    """A backdrop that is painted small and enlarged still has the pixels of the table."""
    size = PIXELS[ratio][2]

    assert image_of(PictureSpec("geometric", *size)).size == size


def test_equal_specs_give_equal_bytes():
    """Drawing depends on the spec alone."""
    spec = PictureSpec("a harbour", 300, 200, seed=3, attempt=2)

    assert draw(spec) == draw(spec)


def test_every_attempt_looks_different():
    """Ten successive attempts at a prompt differ from each other at first sight, by night as well."""
    for prompt in ("A red fox", "A red fox at night"):
        specs = [PictureSpec(prompt, 120, 80, attempt=attempt) for attempt in range(10)]

        assert min(difference(a, b) for a, b in combinations(specs, 2)) > 4
        assert min(difference(a, b) for a, b in pairwise(specs)) > 10


def test_every_seed_looks_different():
    """The first attempts at a prompt under two seeds are different pictures."""
    specs = [PictureSpec("A red fox", 120, 80, seed=seed) for seed in range(8)]

    assert min(difference(a, b) for a, b in combinations(specs, 2)) > 4


def test_every_part_of_a_spec_changes_the_picture():
    """Prompt, pixels and references each change the picture."""
    red, blue = (read_references([data_uri(color)]) for color in ((200, 30, 30), (30, 30, 200)))
    specs = [
        PictureSpec("one", 300, 200),
        PictureSpec("two", 300, 200),
        PictureSpec("one", 200, 300),
        PictureSpec("one", 300, 200, red),
        PictureSpec("one", 300, 200, blue),
        PictureSpec("one", 300, 200, read_references(["https://example.org/a.png"])),
        PictureSpec("one", 300, 200, read_references(["https://example.org/b.png"])),
        PictureSpec("one", 300, 200, label="3:2 · 1k"),
    ]

    assert len({draw(spec) for spec in specs}) == len(specs)


@pytest.mark.parametrize("ratio", PIXELS)
def test_prompt_and_size_are_set_in_type(monkeypatch, ratio):
    """The prompt stands on a picture of every ratio, large enough for a thumbnail, with "emulated" and the size."""
    prompt = "An old typewriter on a wooden desk"
    label, *lines = texts_on(monkeypatch, PictureSpec(prompt, *PIXELS[ratio][0], label=f"{ratio} · 1k"))

    assert " ".join(line for line, _ in lines) == prompt
    assert label[0] == f"emulated · {ratio} · 1k"
    assert min(size * 400 / PIXELS[ratio][0][0] for _, size in lines) > 14


@pytest.mark.parametrize("ratio", ["3:1", "1:1", "1:3"])
@pytest.mark.parametrize("word", ["lighthouse ", "unbreakable", "光"])
def test_long_prompts_are_shortened(monkeypatch, ratio, word):
    """A prompt that is too long for the picture is cut where its type would get too small."""
    monkeypatch.setattr(picture, "_missing", lambda *_: frozenset())
    prompt = word * 300
    _, *lines = texts_on(monkeypatch, PictureSpec(prompt, *PIXELS[ratio][0]))
    text = "".join(line for line, _ in lines)

    assert text.endswith("…")
    assert prompt.replace(" ", "").startswith(text[:-1].replace(" ", ""))
    assert len(text) > 40
    assert min(size * 400 / PIXELS[ratio][0][0] for _, size in lines) > 14


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("A fox 🦊 \u2013 in the snow\n\nas a woodcut", "A fox - in the snow"),
        ("Eine Möwe", "Eine Mowe"),
        ("富士山の夜明け", "A prompt of 7 characters (CJK) for which no font was found"),
        ("Рыжая лиса", "A prompt of 10 characters (CYRILLIC) for which no font was found"),
        ("🦊", ""),
    ],
)
def test_characters_that_no_font_has(monkeypatch, prompt, text):
    """Without a system font, letters lose their accents, and a prompt in another script is described."""
    monkeypatch.setattr(picture, "_system_fonts", tuple)
    _, *lines = texts_on(monkeypatch, PictureSpec(prompt, *SIZE))

    assert " ".join(line for line, _ in lines) == text


def test_other_scripts_are_set_in_a_system_font(monkeypatch):
    """A prompt that Pillow's font lacks letters for is set in an installed font that has them."""
    if not picture._system_fonts():
        pytest.skip("none of the fonts is installed")
    _, *lines = texts_on(monkeypatch, PictureSpec("Рыжая лиса", *SIZE))

    assert " ".join(line for line, _ in lines) == "Рыжая лиса"


def test_missing_system_fonts_are_left_out(monkeypatch):
    """Fonts that are not installed are no error."""

    def missing(*_):
        raise OSError

    monkeypatch.setattr(ImageFont, "truetype", missing)

    assert picture._system_fonts.__wrapped__() == ()


@pytest.mark.parametrize("palette", [*DAYS, *NIGHTS])
def test_type_is_readable_on_every_ground(palette):
    """The type has a contrast of at least 7:1, as WCAG's highest level asks for."""

    def luminance(color: tuple[int, int, int]) -> float:
        linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in color)]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    assert (luminance(palette.sun) + 0.05) / (luminance(palette.ground) + 0.05) > 7


@pytest.mark.parametrize(("kind", "mode"), [("PNG", "RGBA"), ("PNG", "P"), ("PNG", "L"), ("GIF", "P"), ("WEBP", "RGB")])
def test_reference_formats_are_read(kind, mode):
    """References are recognised by their content, in every mode."""
    (reference,) = read_references([data_uri((10, 200, 10), kind, mode)])

    assert (reference.width, reference.height) == (120, 80)


@pytest.mark.parametrize("count", [1, 2, 5, 16])
def test_reference_can_be_seen(count):
    """Every reference keeps a visible share of the picture in its own colours."""
    colors = [tuple(random.Random(number).choices(range(256), k=3)) for number in range(count)]
    references = read_references([data_uri(color) for color in colors])
    image = image_of(PictureSpec("a story", *SIZE, references))

    for color in colors:
        distance = ImageChops.difference(image, Image.new("RGB", image.size, color)).convert("L")
        near = sum(distance.histogram()[:8])
        assert near > 480 * 320 * 0.25 / (3 * count)


@pytest.mark.parametrize("size", [(2000, 1), (1, 2000), (1, 1)])
def test_extreme_references_are_pinned(size):
    """A reference of one pixel, or of a single row or column, is pinned like any other."""
    out = io.BytesIO()
    Image.new("RGB", size, "red").save(out, "PNG")
    reference = data_uri_of(out.getvalue())

    assert image_of(PictureSpec("a line", *SIZE, read_references([reference] * 3))).size == SIZE


@pytest.mark.parametrize("attempt", range(len(SCENES)))
def test_a_picture_asked_for_again_at_night(monkeypatch, attempt):
    """A dark twin is dark at all edges, what stands on it stays where it stood by day, and its prompt is set anew."""
    day = draw(PictureSpec("A lighthouse", *SIZE, attempt=attempt))
    references = read_references([data_uri_of(day)])
    spec = PictureSpec("A lighthouse, later. Redraw the reference for a dark page", *SIZE, references)
    night = image_of(spec).convert("L")
    by_day = Image.open(io.BytesIO(day)).convert("L")
    before, after = (
        image.filter(ImageFilter.FIND_EDGES).point([255 * (level > 20) for level in range(256)])
        for image in (by_day, night)
    )
    common, by_chance = (ImageChops.multiply(before, other) for other in (after, ImageChops.offset(after, 37, 23)))

    assert max(night.crop(edge).getextrema()[1] for edge in ((0, 0, 480, 3), (0, 0, 3, 320), (477, 0, 480, 320))) < 160
    assert ImageStat.Stat(night).mean[0] < 90
    assert ImageStat.Stat(common).mean[0] > 2 * ImageStat.Stat(by_chance).mean[0]
    assert "later" in " ".join(line for line, _ in texts_on(monkeypatch, spec))


def test_a_white_picture_gets_a_dark_twin():
    """The twin of a picture on white paper is dark as well."""
    out = io.BytesIO()
    Image.new("RGB", SIZE, "white").save(out, "PNG")
    references = read_references([data_uri_of(out.getvalue())])

    assert ImageStat.Stat(image_of(PictureSpec("The same at night", *SIZE, references)).convert("L")).mean[0] < 90


def test_every_attempt_at_a_dark_twin_is_different():
    """A dark twin that is asked for again is another picture."""
    references = read_references([data_uri_of(draw(PictureSpec("A lighthouse", *SIZE)))])
    prompt = "Redraw the reference for a dark page"

    assert difference(*(PictureSpec(prompt, *SIZE, references, attempt=attempt) for attempt in (0, 1))) > 1


def test_only_the_same_shape_is_drawn_again():
    """A reference of another shape is pinned in as a print, whatever the prompt."""
    references = read_references([data_uri((250, 250, 250))])
    image = image_of(PictureSpec("The same at night", 480, 160, references))

    assert image.crop((0, 0, 480, 80)).convert("L").getextrema()[1] > 200
