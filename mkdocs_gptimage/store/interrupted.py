"""Finds the candidate of a picture whose replacement was cut off: its bytes are in place, and its record is not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mkdocs_gptimage.fs import read_regular_file, sha256_of_file
from mkdocs_gptimage.resources import raise_if_lacking
from mkdocs_gptimage.spec.digest import Digest
from mkdocs_gptimage.store.layout import entry_path, is_in_place, picture_files
from mkdocs_gptimage.store.record import FORMATS, MAX_RECORD_BYTES, RecordError, decode_record, decode_request

if TYPE_CHECKING:
    from pathlib import Path

    from mkdocs_gptimage.store.record import ImageFacts


_CANDIDATE = re.compile(r"candidate (?P<number>[1-9][0-9]{0,8}) of (?P<digest>[0-9a-f]{64})")


def split_candidate_variant(variant: str) -> tuple[int, Digest] | None:
    """Return (number, digest of the picture that it may replace) from a candidate's `variant`; None for another."""
    found = _CANDIDATE.fullmatch(variant)
    return (int(found["number"]), Digest(found["digest"])) if found else None


class CandidateIndex:
    """The candidates below one folder by the picture that they may replace; read once, when a picture is damaged."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[Digest, list[tuple[Digest, ImageFacts]]] | None = None

    def forget(self) -> None:
        """Read the candidates again: files have changed."""
        self._found = None

    def taken_by_half(self, digest: Digest) -> Digest | None:
        """Return the candidate whose bytes lie in the picture's place already; None without one."""
        candidates = self._candidates().get(digest)
        if not candidates:
            return None
        hashes = {_hash(entry_path(self._root, digest, ending)) for ending in FORMATS}
        return next((candidate for candidate, image in candidates if image.sha256 in hashes), None)

    def _candidates(self) -> dict[Digest, list[tuple[Digest, ImageFacts]]]:
        if self._found is None:
            self._found = {}
            for path, digest in picture_files(self._root):
                if path.suffix == ".json" and is_in_place(path, digest, self._root):
                    self._add(path, digest, self._found)
        return self._found

    @staticmethod
    def _add(path: Path, digest: Digest, found: dict[Digest, list[tuple[Digest, ImageFacts]]]) -> None:
        try:
            data = read_regular_file(path, MAX_RECORD_BYTES)
            candidate = split_candidate_variant(str(decode_request(data, digest).get("variant", "")))
            if candidate:
                found.setdefault(candidate[1], []).append((digest, decode_record(data, digest)[0]))
        except (OSError, RecordError) as error:
            raise_if_lacking(error, f"the record '{path}' cannot be read")


def _hash(path: Path) -> str:
    try:
        return sha256_of_file(path)
    except OSError as error:
        raise_if_lacking(error, f"{path.name} in the store cannot be read")
        return ""
