from __future__ import annotations

import base64
import io
import random

import pytest
from PIL import Image, ImageChops, ImageFilter, ImageStat

from mkdocs_gptimage.emulator.frames import PIXELS
from mkdocs_gptimage.emulator.pictures import BY_CHANCE, BY_WORD, Subject, choose_composition, draw
from mkdocs_gptimage.emulator.references import read_references

WORDS = sorted({called.split()[0] for _, called in BY_WORD})


def image_of(subject: Subject) -> Image.Image:
    return Image.open(io.BytesIO(draw(subject)))


def of_bytes(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data)).convert("L")


def data_uri(color: tuple[int, int, int], kind: str = "PNG", mode: str = "RGB") -> str:
    out = io.BytesIO()
    Image.new("RGB", (120, 80), color).convert(mode).save(out, kind)
    return "data:image/png;base64," + base64.b64encode(out.getvalue()).decode()


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("size", [(300, 200), (200, 300), (16, 16), (640, 16), (16, 640)])
def test_every_composition_fits_every_shape(word, size):
    """Each composition draws a picture of exactly the given pixels, however narrow."""
    image = image_of(Subject(word, *size))

    assert (image.format, image.mode, image.size) == ("PNG", "RGB", size)
    assert len(image.getcolors(10**6) or []) > 20


@pytest.mark.parametrize("ratio", ["1:1", "9:21"])
def test_largest_tier_has_its_pixels(ratio):
    """A picture that is painted small and enlarged still has the pixels of the table."""
    size = PIXELS[ratio][2]

    assert image_of(Subject("geometric", *size)).size == size


def test_equal_subjects_give_equal_bytes():
    """Drawing depends on the subject alone."""
    subject = Subject("a harbour", 300, 200)

    assert draw(subject) == draw(subject)


def test_other_subjects_give_other_pictures():
    """Prompt, pixels and references each change the picture."""
    red, blue = (read_references([data_uri(color)]) for color in ((200, 30, 30), (30, 30, 200)))
    subjects = [
        Subject("one", 300, 200),
        Subject("two", 300, 200),
        Subject("one", 200, 300),
        Subject("one", 300, 200, red),
        Subject("one", 300, 200, blue),
        Subject("one", 300, 200, read_references(["https://example.org/a.png"])),
        Subject("one", 300, 200, read_references(["https://example.org/b.png"])),
    ]

    assert len({draw(subject) for subject in subjects}) == len(subjects)


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
    image = image_of(Subject("a story", 480, 320, references))

    for color in colors:
        distance = ImageChops.difference(image, Image.new("RGB", image.size, color)).convert("L")
        near = sum(distance.histogram()[:8])
        assert near > 480 * 320 * 0.25 / (3 * count)


@pytest.mark.parametrize("prompt", ["A lighthouse on an island", "A diagram of a pipeline"])
def test_a_picture_asked_for_again_at_night(prompt):
    """A dark twin is dark at all edges, and its subjects stand where they stood by day."""
    day = draw(Subject(prompt, 480, 320))
    references = read_references([f"data:image/png;base64,{base64.b64encode(day).decode()}"])
    night = image_of(Subject(f"{prompt}. Redraw the reference for a dark page", 480, 320, references)).convert("L")
    before, after = (
        image.filter(ImageFilter.FIND_EDGES).point([255 * (level > 20) for level in range(256)])
        for image in (of_bytes(day), night)
    )
    common, by_chance = (ImageChops.multiply(before, other) for other in (after, ImageChops.offset(after, 37, 23)))

    assert max(night.crop(edge).getextrema()[1] for edge in ((0, 0, 480, 3), (0, 0, 3, 320), (477, 0, 480, 320))) < 160
    assert ImageStat.Stat(night).mean[0] < 90
    assert ImageStat.Stat(common).mean[0] > 2 * ImageStat.Stat(by_chance).mean[0]


def test_only_the_same_shape_is_drawn_again():
    """A reference of another shape is shown as a reference, whatever the prompt."""
    references = read_references([data_uri((250, 250, 250))])
    image = image_of(Subject("The same at night", 480, 160, references))

    assert image.convert("L").getextrema()[1] > 200


def test_words_choose_the_composition():
    """The composition that most words call for is drawn; without such words it is left to chance."""
    chance = random.Random(1)
    chosen = {choose_composition(frozenset({"zzz", str(number)}), chance) for number in range(100)}

    assert choose_composition(frozenset({"cat", "kitten", "sea"}), chance).__name__ == "cat"
    assert choose_composition(frozenset({"lighthouse"}), chance).__name__ == "sea"
    assert chosen == set(BY_CHANCE)
