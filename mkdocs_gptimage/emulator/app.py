"""The routes of the API and the JSON of its answers."""

from __future__ import annotations

import asyncio
import hashlib
import math
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mkdocs_gptimage.emulator.errors import ApiError, invalid, not_found, unauthorized
from mkdocs_gptimage.emulator.links import Links
from mkdocs_gptimage.emulator.references import MOST_BYTES_TOGETHER
from mkdocs_gptimage.emulator.requests import MODEL, read_generation, read_ids
from mkdocs_gptimage.emulator.stats import Stats
from mkdocs_gptimage.emulator.studio import Studio
from mkdocs_gptimage.emulator.tasks import Ledger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from mkdocs_gptimage.emulator.links import Link
    from mkdocs_gptimage.emulator.settings import Settings
    from mkdocs_gptimage.emulator.tasks import Task

T = TypeVar("T")

MOST_SUBMITTED_BYTES = MOST_BYTES_TOGETHER // 3 * 4 + 1024 * 1024
MOST_POLLED_BYTES = 1024 * 1024
MOST_BYTES_AT_ONCE = 64 * 1024
"""Larger bodies are hashed and read in a thread."""
SHORTEST_PAUSE = 0.02
"""Seconds between two looks at a picture that is being drawn."""

KINDS = ((b"\x89PNG", ".png", "image/png"), (b"\xff\xd8\xff", ".jpg", "image/jpeg"), (b"RIFF", ".webp", "image/webp"))


def create_app(settings: Settings) -> Starlette:
    """Create the ASGI application; its counters are `app.state.stats`."""
    service = Service(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        service.studio.close()

    app = Starlette(
        routes=[
            Route("/v1/images/generations", service.generate, methods=["POST"]),
            Route("/v1/images/generations/async", service.submit, methods=["POST"]),
            Route("/v1/models", service.models, methods=["GET"]),
            Route("/v1/tasks/batch", service.poll_many, methods=["POST"]),
            Route("/v1/tasks/{task_id}", service.poll, methods=["GET"]),
            Route("/files/{name}", service.download, methods=["GET"]),
            Route("/stats", service.count, methods=["GET"]),
        ],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error},
        lifespan=lifespan,
    )
    app.state.stats = service.stats
    app.state.closing = service.closing
    return app


@dataclass
class Service:
    """The handlers of the routes and their state."""

    settings: Settings
    stats: Stats = field(default_factory=Stats)
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the server shuts down: answers are no longer delayed."""

    def __post_init__(self) -> None:
        self.ledger = Ledger(self.settings, self.stats)
        self.studio = Studio(self.settings.picture)
        self.suffix, self.media_type = _kind(self.settings.picture)
        self.links = Links(self.settings.link_seconds, self.suffix)

    async def generate(self, request: Request) -> Response:
        """A submit to the route that some gateways answer with a task, and others with the picture."""
        if not self.settings.synchronous:
            return await self.submit(request)
        with self.stats.submitting():
            task = await self._accept(request)
            shown = await self._finished(task, request)
        if "error" in shown:
            code, message = shown["error"]["code"], shown["error"]["message"]
            raise ApiError(400 if code == "moderation_blocked" else 500, code, message)
        images = [{"url": link} for image in shown["result"]["images"] for link in image["url"]]
        return JSONResponse({"created": task.created, "data": images})

    async def submit(self, request: Request) -> Response:
        with self.stats.submitting():
            task = await self._accept(request)
        return JSONResponse({"code": 200, "data": [{"status": "submitted", "task_id": task.id}]})

    async def models(self, request: Request) -> Response:
        self._account(request)
        model = {"id": MODEL, "object": "model", "created": 0, "owned_by": "emulator"}
        return JSONResponse({"object": "list", "data": [model]})

    async def poll(self, request: Request) -> Response:
        self._account(request)
        self.stats.polls += 1
        task = self.ledger.tasks.get(request.path_params["task_id"])
        if task is None:
            raise not_found("task")
        return JSONResponse({"code": 200, "data": self._describe(task, request)})

    async def poll_many(self, request: Request) -> Response:
        self._account(request)
        self.stats.batch_polls += 1
        ids = read_ids(await _body(request, MOST_POLLED_BYTES))
        tasks = [self.ledger.tasks[task_id] for task_id in ids if task_id in self.ledger.tasks]
        return JSONResponse({"code": 200, "data": [self._describe(task, request) for task in tasks]})

    async def download(self, request: Request) -> Response:
        task_id = self.links.task_id(request.path_params["name"])
        self.stats.downloads_with_key += "authorization" in request.headers
        content = await self.studio.picture(self.ledger.tasks[task_id].request.picture)
        return Download(content, self.media_type, self.stats)

    async def count(self, _: Request) -> Response:
        return JSONResponse(asdict(self.stats))

    def _account(self, request: Request) -> str:
        """The API key of a request. Raises ApiError (401)."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        key = key.strip()
        if scheme.lower() != "bearer" or not key or self.settings.key not in {None, key}:
            self.stats.unauthorized += 1
            raise unauthorized()
        return key

    async def _task(self, body: bytes, key: str | None) -> Task:
        """The task of an earlier submit with the same idempotency key, or a new one."""
        heavy = len(body) > MOST_BYTES_AT_ONCE or b"data:" in body
        digest = await _call(_digest, body, heavy=heavy)
        task = self.ledger.replay(key, digest)
        if task is None:
            request = await _call(read_generation, body, heavy=heavy)
            # The same submit may have been accepted while the body was read in a thread.
            task = self.ledger.replay(key, digest) or self.ledger.accept(request, key, digest)
            if task.failure is None:
                self.studio.start(task.request.picture)
        return task

    async def _accept(self, request: Request) -> Task:
        """The task of a submit."""
        account = self._account(request)
        self.ledger.admit()
        body = await _body(request, MOST_SUBMITTED_BYTES)
        task = await self._task(body, _scoped(account, request.headers.get("idempotency-key")))
        if self.settings.submit_seconds:
            await self._pause(self.settings.submit_seconds)
        return task

    async def _finished(self, task: Task, request: Request) -> dict[str, Any]:
        """The JSON of a task, once it has ended. Raises ApiError (503) when the server shuts down before."""
        while (shown := self._describe(task, request))["status"] not in {"completed", "failed"}:
            if self.closing.is_set():
                raise ApiError(503, "shutting_down", "The emulator was ended before the picture was ready.")
            await self._pause(max(SHORTEST_PAUSE, task.due - self.ledger.clock()))
        return shown

    async def _pause(self, seconds: float) -> None:
        waiting = asyncio.ensure_future(self.closing.wait())
        await asyncio.wait({waiting}, timeout=seconds)
        waiting.cancel()

    def _describe(self, task: Task, request: Request) -> dict[str, Any]:
        """The JSON of a task: completed when its time is over and its picture is drawn."""
        now = self.ledger.clock()
        status, progress, error = task.status(now), task.progress(now), task.failure
        if status == "completed" and not self.studio.finished(task.request.picture):
            status, progress = "processing", 99
        elif status == "completed" and self.studio.failed(task.request.picture):
            status, error = "failed", ("internal_error", "The emulator could not draw this picture.")
        shown: dict[str, Any] = {
            "id": task.id,
            "status": status,
            "progress": progress,
            "created": task.created,
            "estimated_time": math.ceil(task.latency),
        }
        if status in {"completed", "failed"}:
            shown |= {
                "completed": round(task.created + task.latency),
                "actual_time": round(task.latency, 3),
                "cost": 0.0,
            }
        if status == "completed":
            shown["result"] = {"images": [_image(self.links.link(task.id), request)]}
        if status == "failed" and error:
            shown["error"] = {"code": error[0], "message": error[1]}
        return shown


class Download(Response):
    """A download, counted until its last byte is sent."""

    def __init__(self, content: bytes, media_type: str, stats: Stats) -> None:
        super().__init__(content, media_type=media_type, headers={"Cache-Control": "private, max-age=60"})
        self._stats = stats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._stats.downloading():
            await super().__call__(scope, receive, send)


async def _body(request: Request, limit: int) -> bytes:
    """The body of a request. Raises ApiError (400) as soon as it exceeds `limit` bytes."""
    announced = request.headers.get("content-length", "0")
    parts = []
    room = limit - (int(announced) if announced.isdecimal() and int(announced) > limit else 0)
    if room >= 0:
        async for part in request.stream():
            parts.append(part)
            room -= len(part)
            if room < 0:
                break
    if room < 0:
        raise invalid(None, f"The body is larger than {limit} bytes.", "request_too_large")
    return b"".join(parts)


async def _call(function: Callable[[bytes], T], body: bytes, *, heavy: bool) -> T:
    return await asyncio.to_thread(function, body) if heavy else function(body)


def _digest(body: bytes) -> bytes:
    return hashlib.sha256(body).digest()


def _scoped(account: str, key: str | None) -> str | None:
    """The idempotency key of an account: other accounts may use the same one."""
    return None if key is None else f"{account}\n{key}"


def _image(link: Link, request: Request) -> dict[str, Any]:
    return {"url": [f"{request.base_url}files/{link.name}"], "expires_at": math.floor(link.expires)}


def _kind(picture: bytes | None) -> tuple[str, str]:
    """Suffix and media type of the pictures that are served."""
    for magic, suffix, media_type in KINDS:
        if picture is not None and picture.startswith(magic):
            return suffix, media_type
    return ".png", "image/png"


async def _api_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return JSONResponse(error.body(), error.status, error.headers)


async def _http_error(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    return await _api_error(_, ApiError(error.status_code, code, error.detail, headers=dict(error.headers or {})))
