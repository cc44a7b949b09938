"""The gallery as one self-contained HTML page: every picture, its status and its cost."""

from __future__ import annotations

import base64
import hashlib
import html
import importlib.resources
import itertools
import json
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.fs import atomic_write, read_regular_file
from mkdocs_gptimage.gallery.items import gallery_items, mark_damaged, status_words
from mkdocs_gptimage.owned_folder import claim_folder
from mkdocs_gptimage.plan.plan import decide
from mkdocs_gptimage.plan.status import SiteStatus
from mkdocs_gptimage.publish.renditions import derive_renditions
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.settings import EMULATOR, Output
from mkdocs_gptimage.store.entry import Damage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mkdocs_gptimage.figures.renderer import PageRenderer
    from mkdocs_gptimage.figures.srcset import PublishedImage
    from mkdocs_gptimage.gallery.items import GalleryItem, UseLocation
    from mkdocs_gptimage.publish.renditions import RenditionSet
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.text import Problem


GALLERY_FILE = "gallery.html"
"""The default file, in the cache."""
PUBLISHED_NAME = "gallery/index.html"
"""In the assets folder of a site."""
_NARROWEST = 400
"""The minimum width of a sharp thumbnail, in pixels."""
_THUMBNAILS = Output(widths=(_NARROWEST,), quality={"webp": 62, "avif": 46})
_BATCH = 16
"""Pictures whose thumbnails are made at a time: a few for each core, and kept when the run is interrupted."""
_POLICY_START = "default-src 'none'; script-src 'sha256-"
_SLOT = re.compile(r"\{\{([a-z]+)\}\}")
# Escaped in the JSON, so that no text can end the script element that holds it.
_IN_SCRIPT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}


def require_replaceable(target: Path, *, force: bool) -> None:
    """Raise `ConfigurationError` for a file that is not a gallery; with `force`, only for a link, a pipe or so."""
    head = f"{_part('gallery.html').partition('{{policy}}')[0]}{_POLICY_START}".encode()
    try:
        is_gallery = read_regular_file(target, len(head)).startswith(head)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ConfigurationError(f"'{target}' {error.strerror or error}; name another file with '-o'") from error
    if not (is_gallery or force):
        raise ConfigurationError(
            f"'{target}' is not a gallery, and was not overwritten; name another file with '-o', or add '--force'"
        )


def write_gallery(
    target: Path,
    found: Sequence[GalleryItem],
    problems: Sequence[Problem],
    settings: Settings,
    report: Callable[[int], None] = lambda _: None,
) -> None:
    """Write the gallery of a project atomically, as one file with embedded thumbnails.

    The large view loads the stored pictures; without them, it shows the thumbnails. `report` is called with the number
    of pictures that are done. Raises `ConfigurationError` where the file or the cache cannot be written to.
    """
    try:
        claim_folder(settings.cache)
        payload = _embedded_items(found, settings, target.parent, report)
        text = _pieces(f"Pictures of {settings.project.name}", payload, [str(problem) for problem in problems])
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(target, (piece.encode() for piece in text))
    except OSError as error:
        raise_if_lacking(error, f"the gallery '{target}' cannot be written")
        raise ConfigurationError(
            f"the gallery '{target}' cannot be written: {error.strerror or error}; make room, change permissions, or "
            "name another file with '-o'"
        ) from error


def _embedded_items(
    found: Sequence[GalleryItem], settings: Settings, folder: Path, report: Callable[[int], None]
) -> Iterator[dict[str, Any]]:
    """Yield the payloads of items with their thumbnails, in order; a page of thousands would not fit into memory."""
    for start in range(0, len(found), _BATCH):
        batch = found[start : start + _BATCH]
        entries = [each.entry for each in batch if each.entry is not None]
        derived = derive_renditions(entries, _THUMBNAILS, settings.cache)
        for each in batch:
            yield _embedded(each, derived.get(each.digest), folder)
        report(start + len(batch))


def site_gallery(
    reader: PageRenderer, shown: Mapping[Digest, PublishedImage], title: str, addresses: Mapping[str, str], name: str
) -> str:
    """Return the gallery of the pictures on a build's pages; other parameters as in `published_page`."""
    plan = decide(reader.collector.catalog, reader.snapshot)
    return published_page(gallery_items(SiteStatus(plan), reader.collector.mentions), shown, title, addresses, name)


def published_page(
    found: Sequence[GalleryItem],
    shown: Mapping[Digest, PublishedImage],
    title: str,
    addresses: Mapping[str, str],
    name: str,
) -> str:
    """Return the gallery inside a site: the pictures that its pages show, with the site's files and without costs.

    `shown` are the site's files by digest, `addresses` the URLs of its pages by the names of their files, and `name`
    is the gallery's own file; both as seen from the site's root.
    """
    root = "../" * name.count("/")
    payload = [_as_shown(each, shown[each.digest], root, addresses) for each in found if each.digest in shown]
    return render_page(title, payload, shows_costs=False)


def render_page(
    title: str, pictures: Sequence[Mapping[str, Any]], problems: Sequence[str] = (), *, shows_costs: bool = True
) -> str:
    """Return the page for a list of `_payload`s; all text in them is untrusted."""
    return "".join(_pieces(title, pictures, problems, shows_costs=shows_costs))


def _pieces(
    title: str, pictures: Iterable[Mapping[str, Any]], problems: Sequence[str] = (), *, shows_costs: bool = True
) -> Iterator[str]:
    """Yield the page of `render_page` piece by piece."""
    style, script, template = (_part(f"gallery.{ending}") for ending in ("css", "js", "html"))
    slots = {"title": html.escape(title), "policy": _policy(style, script), "style": style, "script": script}
    before, after = (_SLOT.sub(lambda match: slots[match[1]], half) for half in template.split("{{data}}"))
    data = {"problems": problems, "states": status_words(), "shows_costs": shows_costs}
    yield before
    yield f'{_in_script(data)[:-1]},"pictures":['
    for comma, picture in zip(itertools.chain([""], itertools.repeat(",")), pictures, strict=False):
        yield comma + _in_script(picture)
    yield f"]}}{after}"


def _in_script(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":")).translate(_IN_SCRIPT)


def _part(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """The content security policy: only the page's own script and style, and images of the same origin or inline."""

    def hashed(text: str) -> str:
        return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"

    return (
        f"default-src 'none'; script-src {hashed(script)}; style-src {hashed(style)}; img-src data: file: 'self'; "
        "base-uri 'none'; form-action 'none'"
    )


def _embedded(item: GalleryItem, derived: RenditionSet | Damage | None, folder: Path) -> dict[str, Any]:
    if isinstance(derived, Damage):
        item, derived = mark_damaged(item, derived.reason), None
    payload = _payload(item)
    made = item.entry.made if item.entry else None
    if made is not None:
        is_emulated = made.gateway == EMULATOR
        payload |= {
            "cost": None if is_emulated else made.cost_usd,
            "is_emulated": is_emulated,
            "service": made.gateway,
            "seconds": made.seconds,
        }
    if derived is not None and item.entry is not None:
        with open(derived.renditions[0].path, "rb") as file:  # noqa: PTH123 - a rendition's path is text
            thumbnail = base64.b64encode(file.read()).decode()
        payload |= {
            "thumb": f"data:image/webp;base64,{thumbnail}",
            "full": _address(item.entry.path, folder),
            "colour": derived.colour,
        }
    return {**payload, "price": item.price, "detail": item.detail}


def _as_shown(item: GalleryItem, shown: PublishedImage, root: str, addresses: Mapping[str, str]) -> dict[str, Any]:
    payload = _payload(item)
    for place, each in zip(item.places, payload["places"], strict=True):
        each["href"] = _link(place, root, addresses)
    files = sorted(shown.formats[-1], key=lambda file: file.width)
    small = next((file for file in files if file.width >= _NARROWEST), files[-1])
    folder = "../" * PUBLISHED_NAME.count("/")
    return {**payload, "thumb": folder + small.name, "full": folder + shown.src.name, "colour": shown.colour}


def _link(place: UseLocation, root: str, addresses: Mapping[str, str]) -> str | None:
    """The URL of a place as the gallery writes it; None for a page that the site does not have."""
    address = addresses.get(place.page)
    return None if address is None else f"{root}{address}{f'#{place.anchor}' if place.anchor else ''}"


def _payload(item: GalleryItem) -> dict[str, Any]:
    """An item as the script reads it, without costs and files; the request is untrusted."""
    request, entry = item.request, item.entry
    shape, resolution = str(request.get("size", "")), str(request.get("resolution", ""))
    references = request.get("references", ())
    width, height = (entry.image.width, entry.image.height) if entry else (0, 0)
    return {
        "digest": item.digest,
        "state": item.status.value,
        "prompt": str(request.get("prompt", "")),
        "shape": shape,
        "resolution": resolution,
        "variant": str(request.get("variant", "")),
        "references": [str(each) for each in references] if isinstance(references, (list, tuple)) else [],
        "width": width,
        "height": height,
        "ratio": item.ratio,
        "bytes": entry.image.bytes if entry else 0,
        "format": entry.image.format if entry else "",
        "at": entry.made.at if entry else "",
        "places": [{"page": place.page, "line": place.line, "role": place.role} for place in item.places],
        "of": item.of,
        "number": item.number,
        "cost": None,
        "price": None,
        "is_emulated": False,
        "service": "",
        "seconds": None,
        "detail": "",
        "thumb": "",
        "full": "",
        "colour": "",
    }


def _address(path: Path, folder: Path) -> str:
    """The URL of a file for a page in a folder."""
    try:
        return quote(os.path.relpath(path, folder).replace(os.sep, "/"))
    except ValueError:  # on another drive
        return path.resolve().as_uri()
