"""Draws stored pictures anew for the pages of a development server, and exchanges them for candidates."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from mkdocs_gptimage.catalog.catalog import Catalog
from mkdocs_gptimage.maintenance.exchange import exchange_candidate
from mkdocs_gptimage.maintenance.regenerate import prepare_regeneration
from mkdocs_gptimage.plan.orphans import Orphan, parse_candidate
from mkdocs_gptimage.publish.thumbnail import thumbnail
from mkdocs_gptimage.serve.background import PICTURE_FOLDER, BackgroundGenerator, UnknownPictureError
from mkdocs_gptimage.serve.jobs import SiteBuild
from mkdocs_gptimage.store.store import Store
from mkdocs_gptimage.store.verify import read_verified

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.store.entry import Entry


THUMBNAIL_FOLDER = "thumbnail"
"""Below the endpoint: small versions of candidates, by digest and version."""
_MOST_THUMBNAILS = 200


class CandidateDesk:
    """What the pages of one development server ask for about finished pictures. Called by many threads."""

    def __init__(self, generator: BackgroundGenerator) -> None:
        self._generator = generator
        self._lock = threading.RLock()
        self._drawing = threading.Lock()
        """One thumbnail at a time: a decoded picture may take 100 MB."""
        self._known: dict[tuple[Path, Digest], tuple[int, Digest] | None] = {}
        """(number, picture) of each candidate in a store, None for other pictures: a digest decides that for ever."""
        self._drawn: dict[Digest, tuple[int, Digest]] = {}
        """(number, picture) of the candidates that this server has drawn."""
        self._previous: dict[Digest, Digest] = {}
        """By picture, the candidate that holds what it showed before the last exchange."""
        self._noticed: dict[Digest, str] = {}
        """The versions of pictures for which the site is being built anew."""
        self._thumbnails: dict[tuple[Digest, str], bytes] = {}

    def draw(self, digest: Digest, count: int, *, retry_unknown: bool = False) -> None:
        """Draw candidates for a stored picture; those in flight count.

        Raises `UnknownPictureError`, `MissingPicturesError` for one that is not stored or damaged, and
        `ConfigurationError`.
        """
        with self._lock:
            build = self._generator.build_of(digest)
            picture, settings = build.catalog.pictures[digest], build.settings
            run = prepare_regeneration([picture], Store(settings.store), settings, count, keeps=True)
            pictures = {row.digest: row.picture for row in run.plan.all_rows}
            found = {each: parse_candidate(pictures[each].spec.canonical) for each in pictures}
            wanted = {each: candidate for each, candidate in found.items() if candidate and candidate[1] == digest}
            self._drawn |= wanted
            part = SiteBuild(Catalog(pictures=pictures), settings, frozenset())
            self._generator.draw(part, list(wanted), retry_unknown=retry_unknown)

    def take(self, candidate: Digest) -> Digest:
        """Exchange a picture of the site for its candidate; return the picture's digest. Raises as `draw`."""
        with self._lock:
            orphan, build = self._find(candidate)
            of = orphan.candidate_of
            assert of is not None
            replaced = exchange_candidate(orphan, Store(build.settings.store), build.settings).replaced
            is_undone = self._previous.pop(of, None) == candidate
            if replaced is not None and not is_undone:
                self._previous[of] = replaced
            return of

    def _find(self, candidate: Digest) -> tuple[Orphan, SiteBuild]:
        for build in self._generator.builds():
            store = Store(build.settings.store)
            entry, request = store.entry(candidate), store.request(candidate)
            found = parse_candidate(request) if request else None
            if entry is not None and request is not None and found and found[1] in build.catalog.pictures:
                return Orphan(entry, request), build
        raise UnknownPictureError(f"there is no candidate {candidate.short} for a picture of the site any more")

    def states(self, digests: Iterable[Digest]) -> dict[str, dict[str, Any]]:
        """Return, by digest, what is stored for pictures of the site, and their candidates.

        The site is built anew when a picture is another than its pages show: also when another program replaced it.
        """
        builds = [
            (digest, build) for build in self._generator.builds() for digest in digests if digest in build.versions
        ]
        candidates = {build.settings.store: self._candidates(build.settings.store) for _, build in builds}
        return {digest: self._state(digest, build, candidates[build.settings.store]) for digest, build in builds}

    def _state(self, digest: Digest, build: SiteBuild, candidates: dict[Digest, tuple[int, Digest]]) -> dict[str, Any]:
        store = Store(build.settings.store)
        entry = store.entry(digest)
        version = entry.version if entry else ""
        with self._lock:
            is_news = version != build.versions[digest] and self._noticed.get(digest) != version
            self._noticed = {**self._noticed, digest: version}
            if version == build.versions[digest]:
                del self._noticed[digest]
            numbers = {each: number for each, (number, of) in (self._drawn | candidates).items() if of == digest}
            previous = self._previous.get(digest, "")
        if is_news:
            self._generator.request_rebuild(build.settings)
        shown = (
            self._candidate(each, numbers[each], store) for each in sorted(numbers, key=lambda each: numbers[each])
        )
        return {
            "version": version,
            "picture": f"{PICTURE_FOLDER}/{digest}/{version}" if version else "",
            "previous": previous if previous in candidates else "",
            "candidates": [each for each in shown if each],
        }

    def _candidate(self, digest: Digest, number: int, store: Store) -> dict[str, Any] | None:
        """Return what a page shows of a candidate; None for one that is taken or deleted."""
        # In this order: a picture is in the store before its job is over.
        job = self._generator.job(digest)
        entry = store.entry(digest)
        named = {"digest": digest, "number": number}
        if entry is not None:
            address = f"{digest}/{entry.version}"
            images = {"picture": f"{PICTURE_FOLDER}/{address}", "thumbnail": f"{THUMBNAIL_FOLDER}/{address}"}
            return {**named, "phase": "ready", **images}
        return None if job is None or job["phase"] == "ready" else {**named, **job}

    def _candidates(self, root: Path) -> dict[Digest, tuple[int, Digest]]:
        """(number, picture) of each candidate in a store."""
        store = Store(root)
        found = {}
        for digest in store.digests():
            if (root, digest) not in self._known and (request := store.request(digest)) is not None:
                self._known[root, digest] = parse_candidate(request)
            if candidate := self._known.get((root, digest)):
                found[digest] = candidate
        return found

    def picture(self, digest: Digest, version: str, *, is_small: bool) -> tuple[bytes, str] | None:
        """Return the bytes and the format of a picture of the site or a candidate; None if it is another version."""
        entry = self._entry(digest)
        if entry is None or entry.version != version:
            return None
        if is_small and (digest, version) in self._thumbnails:
            return self._thumbnails[digest, version], "webp"
        with self._drawing:
            data = read_verified(entry)
            if not isinstance(data, bytes):
                return None
            if not is_small:
                return data, entry.image.format
            if len(self._thumbnails) >= _MOST_THUMBNAILS:
                self._thumbnails.clear()
            return self._thumbnails.setdefault((digest, version), thumbnail(data)), "webp"

    def _entry(self, digest: Digest) -> Entry | None:
        for build in self._generator.builds():
            if digest in build.catalog.pictures:
                return Store(build.settings.store).entry(digest)
        try:
            return self._find(digest)[0].entry
        except UnknownPictureError:
            return None
