"""Serves the application on a socket, in a background thread or in the foreground."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn

from mkdocs_gptimage.emulator.app import create_app

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Iterator

    from mkdocs_gptimage.emulator.settings import Settings

BACKLOG = 1024
START_SECONDS = 10.0
STOP_SECONDS = 2
"""Time that open answers have to finish when the server shuts down."""


@contextmanager
def serving(settings: Settings, *, host: str, port: int) -> Iterator[str]:
    """Serve in a daemon thread while the context lasts; yields the base URL. Raises OSError."""
    listener = _listen(host, port)
    server = _server(settings)
    thread = threading.Thread(target=server.run, args=([listener],), name="gptimage-emulator", daemon=True)
    thread.start()
    try:
        _await_start(server, thread)
        yield _base_url(listener, host)
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


def run(settings: Settings, *, host: str, port: int, ready: Callable[[str], None] | None) -> None:
    """Serve until Ctrl-C. Raises OSError."""
    with _listen(host, port) as listener:
        if ready is not None:
            ready(_base_url(listener, host))
        # uvicorn shuts down gracefully and then raises the signal again.
        with suppress(KeyboardInterrupt):
            _server(settings).run([listener])


class _ClosingServer(uvicorn.Server):
    """Sets an event when it shuts down, before it waits for open answers."""

    def __init__(self, config: uvicorn.Config, closing: asyncio.Event) -> None:
        super().__init__(config)
        self._closing = closing

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        await super().shutdown(sockets)


def _server(settings: Settings) -> uvicorn.Server:
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        loop="asyncio",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    return _ClosingServer(config, app.state.closing)


def _listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises OSError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns off Nagle's algorithm, which costs 40 ms an answer, only if the protocol is explicit.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _base_url(listener: socket.socket, host: str) -> str:
    shown = f"[{host}]" if ":" in host else host
    return f"http://{shown}:{listener.getsockname()[1]}/v1"


def _await_start(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("The emulator did not start.")
        time.sleep(0.002)
