"""An image API on a loopback socket that answers as a test has scripted, and remembers what it was asked."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

KEY = "sk-a-key-that-must-stay-secret"


def picture(kind: str = "PNG", size: tuple[int, int] = (32, 18)) -> bytes:
    """The bytes of a small picture."""
    file = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(file, kind)
    return file.getvalue()


@dataclass(frozen=True)
class Request:
    """What the server was asked; header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def kind(self) -> str:
        """`submit`, `batch`, `poll` or `download`."""
        if self.method == "POST":
            return "batch" if self.path.endswith("/tasks/batch") else "submit"
        return "poll" if "/tasks/" in self.path else "download"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer, and what goes wrong with it."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    wait: float = 0.0
    """Seconds before anything is sent."""
    cut: int | None = None
    """Close the connection after so many bytes of the body."""
    drip: float = 0.0
    """Seconds between the bytes of the body."""
    vanish: bool = False
    """Close the connection without an answer."""
    raw: Callable[[], Iterable[bytes]] | None = None
    """What is sent instead, status line and all, until it ends or the other side has had enough."""


def says(value: Any, status: int = 200, wait: float = 0.0, **headers: str) -> Answer:
    """An answer with a JSON body; `retry_after` becomes the header Retry-After."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json", **named}, wait)


def fails(status: int, message: str = "no", code: Any = None, **headers: str) -> Answer:
    """An error in the shape that gateways use."""
    return says({"error": {"code": code or status, "message": message, "type": "error"}}, status, **headers)


def accepts(task_id: str, wait: float = 0.0) -> Answer:
    """The documented answer to a submit."""
    return says({"code": 200, "data": [{"status": "submitted", "task_id": task_id}]}, wait=wait)


def task(task_id: str, status: str, link: str | None = None, **more: Any) -> dict[str, Any]:
    """A task as a poll describes it."""
    result = {"result": {"images": [{"url": [link], "expires_at": 1}]}} if link else {}
    return {"id": task_id, "status": status, **result, **more}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


Script = "Answer | list[Answer] | Callable[[Request], Answer]"


class ScriptedService:
    """By default a service that accepts everything, finishes it at once and gives a picture.

    `submit`, `batch`, `poll` and `download` replace a default: an answer, a list of answers of which the last stays,
    or a function of the request.
    """

    def __init__(self, host: str, port: int) -> None:
        self.origin = f"http://{host}:{port}"
        self.base_url = f"{self.origin}/v1"
        self.requests: list[Request] = []
        self.most_submits = 0
        """Submits that were being answered at the same time, at most."""
        self.submit: Any = lambda request: accepts(f"task_{self._number(request)}")
        self.batch: Any = lambda request: says({"data": [self.finished(each) for each in request.json["task_ids"]]})
        self.poll: Any = lambda request: says({"data": self.finished(unquote(request.path.rpartition("/")[2]))})
        self.download: Any = Answer(body=picture())
        self._submits = 0
        self._lock = threading.Lock()
        self._accepted = 0

    def finished(self, task_id: str) -> dict[str, Any]:
        return task(task_id, "completed", f"{self.origin}/images/{task_id}.png")

    def of(self, kind: str) -> list[Request]:
        return [request for request in self.requests if request.kind == kind]

    def counts(self) -> dict[str, int]:
        return {kind: len(self.of(kind)) for kind in ("submit", "batch", "poll", "download") if self.of(kind)}

    def answer(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            script = getattr(self, request.kind)
            if isinstance(script, list):
                script = script.pop(0) if len(script) > 1 else script[0]
        return script(request) if callable(script) else script

    @contextlib.contextmanager
    def counting(self, request: Request) -> Iterator[None]:
        is_submit = request.kind == "submit"
        with self._lock:
            self._submits += is_submit
            self.most_submits = max(self.most_submits, self._submits)
        try:
            yield
        finally:
            with self._lock:
                self._submits -= is_submit

    def _number(self, _: Request) -> int:
        with self._lock:
            self._accepted += 1
            return self._accepted


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    gateway: ScriptedService

    def handle_error(self, *_: Any) -> None:
        """Clients that go away are what some tests are about."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 20
    disable_nagle_algorithm = True
    server: _Server

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, body)
        gateway = self.server.gateway
        with gateway.counting(request):
            answer = gateway.answer(request)
            time.sleep(answer.wait)
        if answer.raw is not None:
            self._send_raw(answer.raw(), answer.drip)
        elif answer.vanish:
            self._hang_up()
        else:
            self._send(answer)

    do_POST = do_GET  # noqa: N815 - as above

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        body = answer.body if answer.cut is None else answer.body[: answer.cut]
        for index in range(0, len(body), 1 if answer.drip else max(len(body), 1)):
            self.wfile.write(body[index : index + 1] if answer.drip else body)
            time.sleep(answer.drip)
        if answer.cut is not None:
            self._hang_up()

    def _send_raw(self, pieces: Iterable[bytes], drip: float) -> None:
        with contextlib.suppress(OSError):
            for piece in pieces:
                self.wfile.write(piece)
                time.sleep(drip)
        self._hang_up()

    def _hang_up(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Say nothing: pytest shows what matters."""


@contextlib.contextmanager
def serving() -> Iterator[ScriptedService]:
    """Serve in a daemon thread while the context lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.gateway = ScriptedService("127.0.0.1", server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def unused_port() -> int:
    """A free port of loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
