"""Dark twins in real builds: a second picture, drawn from the first, that readers of dark pages see instead."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from scripted_service import KEY
from sites import FAST, Site, block


class Images(HTMLParser):
    """The start tags of a figure, in order."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def of(self, tag):
        return [attributes for each, attributes in self.found if each == tag]


def built(tmp_path, service, *arguments, theme="mkdocs", **fields):
    site = Site(tmp_path)
    site.write({"index.md": "Text\n\n" + block(prompt="A harbour", alt="Boats", **fields)})
    site.configure(gptimage={"api": {"base_url": service.base_url, **FAST}}, theme={"name": theme})
    done = site.build(*arguments, env={"APIMASTER_API_KEY": KEY})
    assert done.code == 0, done.err
    (figure,) = site.figures("index.html")
    return site, Images(figure)


def files_of(images):
    """The names of all files that a figure points to."""
    urls = [attributes[name] for _, attributes in images.found for name in ("src", "srcset") if name in attributes]
    return {part.split()[0].partition("#")[0] for url in urls for part in url.split(", ")}


def test_a_twin_is_drawn_from_the_light_picture(tmp_path, service):
    """A block with `dark: true` pays for two pictures, the second with the first as its reference, once."""
    site, _ = built(tmp_path, service, dark=True)
    light, dark = service.of("submit")
    again = site.build(env={"APIMASTER_API_KEY": KEY})

    assert "image_urls" not in light.json
    assert [url.partition(";")[0] for url in dark.json["image_urls"]] == ["data:image/png"]
    assert dark.json["prompt"].startswith("A harbour\n\n")
    assert len(list(site.store.rglob("*.png"))) == 2
    assert again.code == 0
    assert len(service.of("submit")) == 2


def test_dark_systems_get_the_twin(tmp_path, service):
    """In a theme without palettes, one `<picture>` offers the twin to readers whose system is dark."""
    site, images = built(tmp_path, service, dark={"prompt": "The same harbour at night"})
    dark, light = images.of("source"), images.of("img")

    assert len(dark) == len(light) == 1
    assert dark[0]["media"] == "(prefers-color-scheme: dark)"
    assert dark[0]["srcset"].split()[0] != light[0]["src"]
    assert all((site.root / "site" / name).is_file() for name in files_of(images))


def test_material_swaps_by_its_palette(tmp_path, service):
    """In Material, two images follow its `#only-light` and `#only-dark`, and neither is loaded in vain."""
    site, images = built(tmp_path, service, theme="material", dark=True)
    light, dark = images.of("img")

    assert light["src"].endswith("#only-light")
    assert dark["src"].endswith("#only-dark")
    assert light["alt"] == dark["alt"] == "Boats"
    assert light["loading"] == dark["loading"] == "lazy"
    assert all((site.root / "site" / name).is_file() for name in files_of(images))


def test_a_missing_twin_is_a_card(tmp_path, service):
    """Without a key, both pictures are cards, and no request is made."""
    site = Site(tmp_path)
    site.write({"index.md": block(prompt="A harbour", dark=True)})
    site.configure(gptimage={"api": {"base_url": service.base_url, **FAST}}, theme={"name": "material"})
    done = site.build()
    images = Images(site.figures("index.html")[0]).of("img")

    assert done.code == 0
    assert [bool(re.search(r"\.svg#only-(light|dark)$", image["src"])) for image in images] == [True, True]
    assert service.requests == []


def test_a_light_picture_alone_stays_as_it_is(tmp_path, service):
    """A block without a twin has one image, with no fragment, that is loaded at once."""
    _, images = built(tmp_path, service, theme="material")
    (image,) = images.of("img")

    assert "#" not in image["src"]
    assert image["loading"] == "eager"
