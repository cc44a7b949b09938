"""Request bodies of submits: reads the reference images and encodes them, in bounded memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import anyio.to_thread

from mkdocs_gptimage.fs import read_regular_file
from mkdocs_gptimage.generate.byte_budget import ByteBudget
from mkdocs_gptimage.resources import naming_lack, raise_if_lacking
from mkdocs_gptimage.service import protocol
from mkdocs_gptimage.service.upload import Upload
from mkdocs_gptimage.spec.model import UnusableReferenceError
from mkdocs_gptimage.spec.references import MAX_REFERENCE_BYTES, check_reference_size, encode_references
from mkdocs_gptimage.store.entry import Damage

if TYPE_CHECKING:
    from collections.abc import Callable

    from mkdocs_gptimage.generate.job import Job
    from mkdocs_gptimage.service.client import Client
    from mkdocs_gptimage.spec.digest import Digest
    from mkdocs_gptimage.spec.model import ImageSpec
    from mkdocs_gptimage.store.store import Store


_MOST_BYTES = 64 * 1024 * 1024
"""Of all that are being sent; a larger one is sent alone."""


class RequestBodies:
    """Makes the bodies of one run's submits, and bounds the memory of those that exist at a time."""

    def __init__(self, client: Client, store: Store) -> None:
        self._store = store
        self._budget = ByteBudget(_MOST_BYTES)
        self._limiter = client.memory_limiter

    async def reserve(self, job: Job) -> Callable[[], None]:
        """Wait for the memory that a job's body takes; return what gives it back, at its first call."""
        assert job.spec is not None
        parents = (self._store.entry(parent.digest) for parent in job.spec.parents)
        raw = sum(reference.size for reference in job.spec.references)
        return await self._budget.take((raw + sum(each.image.bytes for each in parents if each is not None)) * 4 // 3)

    async def encode(self, job: Job, on_sent: Callable[[], None]) -> Upload:
        """Return a job's body.

        Raises `UnusableReferenceError` when a picture that it is drawn from cannot be sent, `ConfigurationError` when
        a reference image changed since the pages were read, and `ResourceError`.
        """
        spec = job.spec
        assert spec is not None
        job.note_parents(self._store)
        if not spec.references:
            return Upload(protocol.encode_request(spec, []), on_sent, job.references)

        def stored(parent: ImageSpec) -> bytes:
            return read_parent(parent.digest, job.parents[parent.digest], self._store)

        def encode() -> list[bytes]:
            return protocol.encode_request(spec, encode_references(spec, stored))

        with naming_lack("the reference images cannot be encoded"):
            # In a thread, one at a time: files are read, hashed and encoded, which takes several times their memory.
            pieces = await anyio.to_thread.run_sync(encode, limiter=self._limiter)
            return Upload(pieces, on_sent, job.references)


def parent_name(digest: Digest, where: str) -> str:
    """A parent as the subject of a message about its child."""
    return f"its reference, the picture {digest.short} at {where},"


def read_parent(digest: Digest, where: str, store: Store) -> bytes:
    """Return the bytes of a stored picture; raise `UnusableReferenceError` when there are none that can be sent.

    `where` is the page and line that ask for it.
    """
    shown = parent_name(digest, where)
    found = store.verify(digest)
    if found is None:
        raise UnusableReferenceError(f"{shown} is not in the store any more")
    if isinstance(found, Damage):
        raise UnusableReferenceError(f"{shown} is damaged in the store: {found.reason}")
    check_reference_size(shown, found.image.bytes)
    try:
        data = read_regular_file(found.path, MAX_REFERENCE_BYTES)
    except OSError as error:
        raise_if_lacking(error, f"{shown} cannot be read")
        raise UnusableReferenceError(f"{shown} cannot be read: {error.strerror or error}") from None
    if hashlib.sha256(data).hexdigest() != found.image.sha256:
        raise UnusableReferenceError(f"{shown} changes while it is read")
    return data
