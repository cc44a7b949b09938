"""Names of published files, written into figures before the files exist."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mkdocs_gptimage.figures.srcset import PLACEHOLDER_FORMAT, published_name
from mkdocs_gptimage.settings import rendition_widths

if TYPE_CHECKING:
    from mkdocs_gptimage.settings import Output
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.entry import Entry
    from mkdocs_gptimage.store.snapshot import StoreSnapshot
    from mkdocs_gptimage.store.store import Store


class FileNames(NamedTuple):
    """The names of a picture in the assets folder."""

    shown: str
    """The `src` of its `<img>`."""
    original: str


def published_stem(spec: ImageSpec, entry: Entry) -> str:
    """The name of a stored picture's published files, without their endings.

    A picture that is drawn anew has another one: browsers and caches on the way keep what they have for an address.
    """
    return f"{spec.slug}-{entry.version}"


class ExpectedFileNames:
    """Predicts the names of pictures; those of pictures with pending references are unique placeholders.

    The names of a picture that is not stored yet are replaced by the final ones when its bytes are known.
    """

    def __init__(
        self, store: Store, snapshot: StoreSnapshot, output: Output, token: str, *, may_generate: bool
    ) -> None:
        self._store = store
        self._snapshot = snapshot
        self._output = output
        self._token = token
        self._missing_format = "png" if may_generate else PLACEHOLDER_FORMAT
        self._expected: dict[Digest, FileNames] = {}
        self._provisional: dict[tuple[int, bool], FileNames] = {}
        """By the key of a use, and whether they are those of its dark twin."""

    def reserve(self, spec: ImageSpec, key: int, *, is_dark: bool) -> None:
        """Give an image of a use provisional names, because the digest of its picture is not final."""
        stem = f"{spec.slug}-{self._token}-{key}{'-dark' if is_dark else ''}"
        self._provisional[key, is_dark] = self._names(spec, "png", stem)

    def written(self, spec: ImageSpec, key: int, *, is_dark: bool) -> FileNames:
        """Return the names that an image of a use is written with."""
        return self._provisional.get((key, is_dark)) or self._expect(spec)

    def _expect(self, spec: ImageSpec) -> FileNames:
        if spec.digest not in self._expected:
            file_format = self._store.ending(spec.digest)
            # Whether one is missing is read later: until then, another process may store it.
            entry = self._snapshot.entry(spec.digest) if file_format else None
            stem = published_stem(spec, entry) if entry else spec.stem
            self._expected[spec.digest] = self._names(spec, file_format or self._missing_format, stem)
        return self._expected[spec.digest]

    def _names(self, spec: ImageSpec, file_format: str, stem: str) -> FileNames:
        """The names of a picture that is stored, or expected, in a format."""
        original = published_name(stem, file_format)
        last = self._output.formats[-1]
        if file_format == PLACEHOLDER_FORMAT or last == "original":
            return FileNames(original, original)
        width = rendition_widths(spec.pixels[0], self._output.widths)[-1]
        return FileNames(published_name(stem, last, width), original)
