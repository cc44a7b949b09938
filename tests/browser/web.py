"""A web server on loopback that can hold pictures back, and remembers what it was asked for."""

from __future__ import annotations

import contextlib
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from waits import until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATIENCE = 20.0
"""Seconds after which a test that waits has failed, and a picture that is held back is sent."""
HOST = "docs.example"
"""What the browser takes this server for: sites are built before its port is known."""

_PICTURES = (".webp", ".avif", ".svg", ".jpg")


class Web:
    """The folders of `root` as a browser sees them; `pictures` are the names of those asked for, in order."""

    def __init__(self, root: Path, port: int) -> None:
        self.root = root
        self.port = port
        self.pictures: list[str] = []
        self._holds = False
        self._held: dict[str, threading.Event] = {}

    def hold(self) -> None:
        """From now on, pictures of figures wait until they are let go."""
        self._holds = True

    def held(self, count: int = 1) -> list[str]:
        """Wait until so many pictures are held back; return their names."""
        until(lambda: len(self._held) >= count)
        return list(self._held)

    def let_go(self) -> None:
        """Send what is held back; what is asked for later waits again."""
        for name in list(self._held):
            self._held.pop(name).set()

    def stop_holding(self) -> None:
        self._holds = False
        self.let_go()

    def wait(self, path: str) -> None:
        """Remember a request, and return when it is to be answered."""
        if not is_picture(path):
            return
        name = PurePosixPath(path).name
        self.pictures.append(name)
        if self._holds:
            self._held.setdefault(name, threading.Event()).wait(PATIENCE)


def is_picture(path: str) -> bool:
    """Whether it is a picture of a figure, and not one of a theme."""
    parts = PurePosixPath(path)
    return parts.suffix in _PICTURES and "gptimage" in parts.parts


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    web: Web

    def handle_error(self, *_: Any) -> None:
        """A browser that closes a page leaves what it was loading."""


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    extensions_map = {  # noqa: RUF012 - as in the class above; older Pythons know neither
        **SimpleHTTPRequestHandler.extensions_map,
        ".avif": "image/avif",
        ".webp": "image/webp",
    }
    server: _Server

    def __init__(self, request: Any, address: Any, server: _Server) -> None:
        super().__init__(request, address, server, directory=str(server.web.root))

    def do_GET(self) -> None:
        self.server.web.wait(self.path)
        super().do_GET()

    def end_headers(self) -> None:
        if is_picture(self.path):
            self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing: pytest shows what matters."""


@contextlib.contextmanager
def serving(root: Path) -> Iterator[Web]:
    """Serve in a daemon thread while the context lasts."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.web = Web(root, server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.web
    finally:
        server.web.stop_holding()
        server.shutdown()
        thread.join()
        server.server_close()
