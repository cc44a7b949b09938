"""The files of a site for its pictures: published web versions, and cards for what is missing."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.errors import ConfigurationError
from mkdocs_gptimage.figures.file_names import published_stem
from mkdocs_gptimage.figures.srcset import PLACEHOLDER_FORMAT, PublishedFile, PublishedImage, published_name
from mkdocs_gptimage.owned_folder import sweep_parts
from mkdocs_gptimage.plan.plan import Row
from mkdocs_gptimage.plan.states import State
from mkdocs_gptimage.publish.link import write_placeholder
from mkdocs_gptimage.publish.renditions import derive_renditions
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.store.entry import Damage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mkdocs_gptimage.publish.renditions import RenditionSet
    from mkdocs_gptimage.settings import Settings
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry


@dataclass(frozen=True)
class Delivery:
    """The files of a site, and the images that its pages refer to."""

    files: list[tuple[str, str]]
    """(path of the file in the cache, its name in the assets folder)"""
    shown: dict[Digest, PublishedImage]
    """By digest."""
    damaged: list[Row]
    """Stored pictures whose bytes turned out to be damaged."""


@dataclass(frozen=True)
class PlaceholderContext:
    """What placeholders say and offer."""

    card: Callable[[Row], dict[str, Any]] | None = None
    """Data of a placeholder for the page's script, which offers to generate the picture; under a development server."""
    previous: Mapping[Digest, Entry] = field(default_factory=dict)
    """By digest, the picture that its block showed before it was edited; shown until the new one exists."""
    hindrance: str = ""
    """What keeps the build from generating, in a few words."""


def deliver(
    rows: Sequence[Row],
    entries: Mapping[Digest, Entry],
    settings: Settings,
    *,
    originals: Collection[str] = (),
    placeholders: PlaceholderContext = PlaceholderContext(),
) -> Delivery:
    """Prepare a site's files: web versions of stored pictures, and cards for the others.

    `rows` are those of a plan, of which only pictures shown on a page count; `entries` are the stored pictures by
    digest; `originals` are the digests of pictures whose stored file is published too. Raises `ConfigurationError`
    for a cache that cannot be written to.
    """
    try:
        return _deliver([row for row in rows if row.picture.is_shown], entries, settings, originals, placeholders)
    except OSError as error:
        raise_if_lacking(error, "the files of the site cannot be prepared")
        # Without a cache, the site would have to be linked to the store, which edits of the site would damage.
        raise ConfigurationError(
            f"the cache '{settings.cache}' cannot be written to: {error.strerror or error}; make room or change "
            "permissions, or set 'cache' to another folder"
        ) from error


def _deliver(
    rows: Sequence[Row],
    entries: Mapping[Digest, Entry],
    settings: Settings,
    originals: Collection[str],
    placeholders: PlaceholderContext,
) -> Delivery:
    sweep_parts(settings.cache)
    delivery = Delivery([], {}, [])
    linked = {row.digest for row in rows if any(use.presentation.link for use in row.picture.shown_by)}
    previous = placeholders.previous
    wanted = {row.digest: entries[row.digest] for row in rows if row.digest in entries}
    derived = derive_renditions(
        [*wanted.values(), *{entry.digest: entry for entry in previous.values()}.values()],
        settings.output,
        settings.cache,
        originals=linked.union(originals),
    )
    for row in rows:
        found, reported = derived.get(row.digest), row
        if found is not None and not isinstance(found, Damage):
            delivery.shown[row.digest] = _shown(
                published_stem(row.picture.spec, wanted[row.digest]), found, settings, delivery
            )
            if placeholders.card is not None:
                redraw = {**placeholders.card(row), "version": wanted[row.digest].version}
                delivery.shown[row.digest] = replace(delivery.shown[row.digest], redraw=redraw)
            continue
        if found is not None:
            reported = Row(row.picture, State.BROKEN, found.reason, damage=found)
            delivery.damaged.append(reported)
        renditions = derived.get(previous[row.digest].digest) if row.digest in previous else None
        if renditions is None or isinstance(renditions, Damage):
            _show_card(row, settings, delivery, placeholders.hindrance)
        else:
            stem = f"outdated-{previous[row.digest].version}"
            delivery.shown[row.digest] = _shown(stem, renditions, settings, delivery)
        if placeholders.card is not None:
            card = {**placeholders.card(reported), "outdated": row.digest in previous}
            delivery.shown[row.digest] = replace(delivery.shown[row.digest], card=card)
    return delivery


def _shown(stem: str, derived: RenditionSet, settings: Settings, delivery: Delivery) -> PublishedImage:
    """Add the files of a picture to the delivery; return its published image."""
    formats: dict[str, list[PublishedFile]] = {}
    original = ""
    for each in derived.renditions:
        name = published_name(stem, each.format, None if each.is_original else each.width)
        delivery.files.append((each.path, name))
        if each.is_original:
            original = name
        if not each.is_original or "original" in settings.output.formats:
            key = "original" if each.is_original else each.format
            formats.setdefault(key, []).append(PublishedFile(name, each.width, each.format))
    groups = tuple(tuple(formats[key]) for key in settings.output.formats)
    return PublishedImage(derived.width, derived.height, groups, derived.colour, original)


def _show_card(row: Row, settings: Settings, delivery: Delivery, hindrance: str) -> None:
    """Add a placeholder card in place of a picture."""
    spec = row.picture.spec
    traits = row.state.traits
    note = f"{traits.card}: {hindrance}" if hindrance and traits.is_runnable else traits.card
    card = write_placeholder(spec, note, settings.cache)
    name = published_name(spec.stem, PLACEHOLDER_FORMAT)
    delivery.files.append((os.fspath(card), name))
    delivery.shown[row.digest] = PublishedImage(
        *spec.pixels, ((PublishedFile(name, spec.pixels[0], PLACEHOLDER_FORMAT),),)
    )
