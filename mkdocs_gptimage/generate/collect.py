"""Collects finished pictures: download to a temporary file, verify, move into the store, forget the task."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import hashlib
import secrets
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from mkdocs_gptimage.errors import ConfigurationError, GatewayError, ImageLimitError, LinkError, PictureError
from mkdocs_gptimage.fs import check_room
from mkdocs_gptimage.generate import retry
from mkdocs_gptimage.generate.source import Source
from mkdocs_gptimage.imagefile.verify import ImageInfo, verify_image
from mkdocs_gptimage.owned_folder import PARTS, make_subfolder, sweep_parts
from mkdocs_gptimage.resources import lack_of, raise_if_lacking
from mkdocs_gptimage.service import body
from mkdocs_gptimage.service.download import MAX_PICTURE_BYTES, Downloaded
from mkdocs_gptimage.service.transport import MAX_DOWNLOADS
from mkdocs_gptimage.service.wrapped import unwrap
from mkdocs_gptimage.store.record import ImageFacts, Provenance

if TYPE_CHECKING:
    from pathlib import Path

    from mkdocs_gptimage.generate.job import Clock, Job
    from mkdocs_gptimage.generate.workspace import RunContext
    from mkdocs_gptimage.service.client import Client
    from mkdocs_gptimage.service.pictures import Image
    from mkdocs_gptimage.store.entry import Entry


_DOWNLOAD_SECONDS = 600
_ROOM_BYTES = 1024 * 1024
"""About the size of a picture of the smallest resolution."""


class Collector:
    """Brings finished pictures home; nothing that it fails to bring is forgotten."""

    def __init__(self, client: Client, context: RunContext, clock: Clock) -> None:
        self._client = client
        self._store = context.store
        self._journal = context.journal
        self._parts = context.settings.cache / PARTS
        self._clock = clock
        self._gateway = context.gateway
        self._limiter = anyio.CapacityLimiter(min(context.settings.api.max_requests, MAX_DOWNLOADS))
        # A decoder takes up to 16 bytes a pixel, 140 MB, of which some may stay with the thread.
        self._decoder = ThreadPoolExecutor(max_workers=1)
        self._prepare()

    def _prepare(self) -> None:
        """Make the folder of unfinished downloads, see that it can be written to, and remove what killed runs left."""
        try:
            make_subfolder(self._parts.parent, PARTS)
            sweep_parts(self._parts.parent)
            check_room(self._parts, _ROOM_BYTES)
        except OSError as error:
            raise_if_lacking(error, f"the cache '{self._parts}' cannot be written to, nothing was submitted")
            raise ConfigurationError(
                f"the cache '{self._parts}' cannot be written to: {error.strerror or error}; nothing was submitted"
            ) from error

    async def collect(self, job: Job, image: Image, cost_usd: float | None) -> Entry:
        """Store a job's picture; raise `LinkError`, `PictureError`, `GatewayError`, `ResourceError` or `OSError`.

        What fails for a lack of memory, files or threads is tried again: other work gives them back.
        """
        for attempt in range(1, retry.LACK_ATTEMPTS):
            try:
                return await self._collect(job, image, cost_usd)
            except Exception as error:
                if not lack_of(error):
                    raise
            await self._clock.sleep(retry.delay(attempt, None, self._clock.jitter()))
        return await self._collect(job, image, cost_usd)

    async def _collect(self, job: Job, image: Image, cost_usd: float | None) -> Entry:
        assert job.submission is not None
        # Runs in containers that share a cache may have the same process id.
        part = self._parts / f"{job.digest}-{secrets.token_hex(8)}"
        try:
            downloaded, info = await self._bring(job, image, part)
            # In a thread: fsync would hold up the loop.
            entry = await anyio.to_thread.run_sync(self._keep, job, part, downloaded, info, cost_usd)
        finally:
            part.unlink(missing_ok=True)
        # It is in the store, which is looked at before the journal.
        with contextlib.suppress(ConfigurationError):
            self._journal.forget(job.submission)
        return entry

    async def _bring(self, job: Job, image: Image, part: Path) -> tuple[Downloaded, ImageInfo]:
        """Download and check a picture; for about half a minute while it is not where it should be, or damaged."""
        source = Source(self._client, job, image)
        for tries, pause in enumerate(retry.DOWNLOAD_PAUSES, 1):
            try:
                return await self._try(source.image, part)
            except (LinkError, PictureError, GatewayError) as error:
                if not (retry.may_repeat_download(error) and source.may_change(error)):
                    raise
                is_passing = isinstance(error, GatewayError)
            # A link that was given some time ago may just have expired: a fresh one needs no pause.
            if tries == 1 and not is_passing and await source.ask_again():
                continue
            await self._clock.sleep(pause)
            if tries > 1:
                await source.ask_again()
        try:
            return await self._try(source.image, part)
        except LinkError as error:
            raise source.explained(error) from None

    async def _try(self, image: Image, part: Path) -> tuple[Downloaded, ImageInfo]:
        async with self._limiter:
            try:
                with anyio.fail_after(_DOWNLOAD_SECONDS):
                    downloaded = await self._download(image, part)
            except TimeoutError:
                raise LinkError(f"the download took longer than {_DOWNLOAD_SECONDS} s") from None
        try:
            # In a thread: decoding would hold up the loop.
            async with self._client.memory_limiter:
                return await asyncio.wrap_future(self._decoder.submit(_verified, part, downloaded))
        except PictureError as error:
            raise (GatewayError(downloaded.problem) if downloaded.problem else error) from None

    async def _download(self, image: Image, part: Path) -> Downloaded:
        try:
            # The cache may have been deleted while the picture was made.
            make_subfolder(self._parts.parent, PARTS)
            if image.spooled is not None:
                return await asyncio.wrap_future(self._decoder.submit(_save_base64, image, part))
            return await self._client.download(image.url or "", part)
        except OSError as error:
            raise OSError(error.errno, f"{error.strerror or error}, in the cache '{self._parts}'") from error

    def _keep(self, job: Job, part: Path, downloaded: Downloaded, info: ImageInfo, cost_usd: float | None) -> Entry:
        facts = ImageFacts(
            sha256=downloaded.sha256,
            bytes=downloaded.bytes,
            width=info.width,
            height=info.height,
            format=info.format,
        )
        assert job.submission is not None
        made = Provenance(
            at=dt.datetime.fromtimestamp(self._clock.now(), dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            gateway=self._gateway,
            task_id=job.submission.task_id,
            seconds=round(self._clock.monotonic() - job.since, 1),
            cost_usd=cost_usd,
        )
        return self._store.put(job.request, job.digest, part, facts, made)


def _verified(part: Path, downloaded: Downloaded) -> tuple[Downloaded, ImageInfo]:
    downloaded = unwrap(part, downloaded)
    return downloaded, verify_image(part)


def why_not_stored(error: Exception) -> str:
    """Return the problem of a picture that could not be stored; raise an error that is a fault of this program."""
    lack = lack_of(error)
    if not lack and not isinstance(error, OSError):
        raise error
    return f"cannot be stored: {lack or getattr(error, 'strerror', None) or error}"


def _save_base64(image: Image, part: Path) -> Downloaded:
    hasher, size = hashlib.sha256(), 0
    with part.open("wb") as file:
        for piece in body.decoded(image):
            size += len(piece)
            if size > MAX_PICTURE_BYTES:
                most = MAX_PICTURE_BYTES // 1024 // 1024
                raise ImageLimitError(f"the picture is larger than {most} MiB")
            hasher.update(piece)
            file.write(piece)
    return Downloaded(hasher.hexdigest(), size)
