"""One set of pages as four sites: `plain`, `material`, `modern` (with avif), and `cards`, which has no picture yet."""

from __future__ import annotations

import io
import os
import random
import re
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import scripted_service as gateways
import yaml
from filelock import FileLock
from PIL import Image
from scripted_service import Answer, accepts
from sites import FAST, Site, block

from browser.web import HOST

if TYPE_CHECKING:
    from pathlib import Path

    from scripted_service import Request

SITES = ("plain", "material", "modern", "cards")
BLANK = "blank.html"
TEN = 10
BRIGHT, DARK = 160, 20
"""The brightness of a picture and of its dark twin, at least; at most 50 more."""

# By the size and resolution of a block.
PIXELS = {("16:9", "2k"): (2048, 1152), ("1:1", "1k"): (1024, 1024), ("3:1", "1k"): (1536, 512)}
HARBOUR = {"prompt": "A harbour at dusk", "alt": "Boats under a low sun", "size": "16:9", "resolution": "2k"}
TILE = {"prompt": "A blue tile", "alt": "A tile with a leaf", "size": "1:1"}
STRIP = {"prompt": "A long beach", "alt": "Dunes, and a long beach", "size": "3:1"}

# Farther apart than browsers look ahead for pictures that load lazily.
GAP = '\n<div style="height: 2800px">Far below:</div>\n\n'
WORDS = "Some words of a page, as they stand between its pictures. " * 6 + "\n\n"


def _pages() -> dict[str, str]:
    others = [{**STRIP, "prompt": f"Beach number {each}", "alt": "Another beach"} for each in range(TEN - 3)]
    ten = [HARBOUR, TILE, STRIP, *others]
    return {
        "index.md": "# Home\n\n[Elsewhere](guide/elsewhere.md)\n\n"
        f"{block(**HARBOUR, caption='The *harbour*, seen from a boat')}\n{WORDS}{GAP}"
        f"{block(**TILE)}\n{WORDS}{GAP}{block(**STRIP, caption='The beach')}\n{WORDS}",
        "guide/elsewhere.md": "# Elsewhere\n\n"
        f"{block(**STRIP, width=900, caption='Wide')}\n{WORDS}"
        f"{block(**TILE, width=300, link=True, caption='Small, and a link')}\n{WORDS}"
        f"{block(**HARBOUR, width=5000)}\n",
        "night.md": f"# Night\n\n{block(**STRIP, dark=True, caption='By day, and by night')}\n{WORDS}",
        "ten.md": "# Ten\n\n"
        + "".join(f"{block(**each, caption=f'Number {at}')}\n{WORDS}{GAP}" for at, each in enumerate(ten)),
    }


def _configuration(name: str, base_url: str) -> dict[str, Any]:
    options: dict[str, Any] = {"api": {"base_url": base_url, **FAST}, "output": {"disclosure": "label"}}
    # Neither theme may look for anything elsewhere.
    config: dict[str, Any] = {
        "site_name": "Pictures",
        "site_url": f"http://{HOST}/{name}/",
        "site_dir": f"sites/{name}",
        "theme": {"name": "mkdocs", "color_mode": "auto", "highlightjs": False},
        "plugins": ["search", {"gptimage": options}],
    }
    if name == "material":
        palette = [
            {
                "media": f"(prefers-color-scheme: {name})",
                "scheme": scheme,
                "toggle": {"icon": "material/lightbulb", "name": f"Leave {name} mode"},
            }
            for name, scheme in (("light", "default"), ("dark", "slate"))
        ]
        features = ["navigation.instant"]
        config["theme"] = {"name": "material", "font": False, "palette": palette, "features": features}
        config["plugins"].append("glightbox")
    if name == "modern":
        options["output"] |= {"formats": ["avif", "webp"], "widths": [480, 960]}
        options["gallery"] = True
        config["exclude_docs"] = "ten.md"
    if name == "cards":
        options |= {"on_missing": "placeholder", "store": "empty", "cache": ".cache/cards"}
        config["exclude_docs"] = "ten.md"
    return config


def _picture(task_id: str) -> bytes:
    """A purple picture with texture, of the shape and brightness that its task names."""
    width, height, seed, brightness = map(int, task_id.split("-")[1:])
    chance = random.Random(seed)
    values = bytes(brightness + chance.randrange(50) for _ in range(width // 8 * (height // 8)))
    grey = Image.frombytes("L", (width // 8, height // 8), values).resize((width, height), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    Image.merge("RGB", (grey, Image.eval(grey, lambda value: value // 2), grey)).save(file, "JPEG")
    return file.getvalue()


def _accept(request: Request) -> Answer:
    asked = request.json
    width, height = PIXELS[asked["size"], asked["resolution"]]
    brightness = DARK if "image_urls" in asked else BRIGHT
    return accepts(f"task-{width}-{height}-{zlib.crc32(asked['prompt'].encode())}-{brightness}")


def _draw(request: Request) -> Answer:
    return Answer(body=_picture(re.sub(r".*/|\.png$", "", request.path)))


def built(root: Path) -> Path:
    """Build all sites below `root`, once for all workers; return their folder."""
    with FileLock(root / "browser.lock"):
        folder = root / "browser"
        if not (folder / "sites").is_dir():
            folder.mkdir(exist_ok=True)
            _build(Site(folder))
            (folder / "sites" / BLANK).write_text("<!doctype html><title>Nothing</title>", encoding="utf-8")
    return folder / "sites"


def _build(site: Site) -> None:
    site.write(_pages())
    with gateways.serving() as service:
        service.submit, service.download = _accept, _draw
        for name in SITES:
            text = yaml.safe_dump(_configuration(name, service.base_url), sort_keys=False)
            (site.root / f"{name}.yml").write_text(text, encoding="utf-8")

        def build(name: str) -> None:
            done = site.build("--quiet", "-f", f"{name}.yml", env={"APIMASTER_API_KEY": gateways.KEY})
            assert done.code == 0, done.err

        # The first one makes the pictures that the others find.
        build(SITES[0])
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(build, SITES[1:]))
        assert len(service.of("submit")) == TEN + 1  # and a twin
