"""The image API on loopback: it speaks the whole documented contract, draws its own pictures and costs nothing.

    with serving(Settings(speed=20)) as base_url:
        ...  # base_url is "http://127.0.0.1:PORT/v1"

It shares no code with the client that it answers. Nothing leaves the machine: the URL of a reference image is never
fetched, a tile whose colours depend on the URL stands for it.

A prompt can ask for trouble:

=================  ======================================================================================
``[moderation]``   the task fails after its time with the error of the safety system
``[fail]``         the task fails after its time with a generic error
``[402]``          the submit is refused: insufficient balance
``[429]``          the first submit of this prompt is refused with ``Retry-After: 1``; the next is accepted
=================  ======================================================================================

Beside the API stand ``GET /files/NAME``, where the pictures are downloaded without a key, and ``GET /stats``, which
counts what was asked so far (see `stats.Stats`) for tests and benchmarks that run in another process.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from mkdocs_gptimage.emulator.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.applications import Starlette

__all__ = ["EmulatorUnavailableError", "Settings", "create_app", "run", "serving"]

EXTRA_MODULES = frozenset({"starlette", "uvicorn", "PIL"})


class EmulatorUnavailableError(ImportError):
    """The packages that the emulator needs are not installed."""


def create_app(settings: Settings) -> Starlette:
    """Make the ASGI application.

    Raises EmulatorUnavailableError when the extra is not installed, as `serving` and `run` do.
    """
    with _extra():
        from mkdocs_gptimage.emulator import app  # noqa: PLC0415 - the extra is only needed now
    return app.create_app(settings)


@contextmanager
def serving(settings: Settings, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a background thread while the context lasts; yields the base URL, `http://HOST:PORT/v1`.

    Port 0 takes a free one. Raises OSError when the address is taken.
    """
    with _extra():
        from mkdocs_gptimage.emulator import server  # noqa: PLC0415 - the extra is only needed now
    with server.serving(settings, host=host, port=port) as base_url:
        yield base_url


def run(
    settings: Settings, *, host: str = "127.0.0.1", port: int = 8787, ready: Callable[[str], None] | None = None
) -> None:
    """Serve in the foreground until Ctrl-C; `ready` is called with the base URL as soon as the socket listens.

    Raises OSError when the address is taken.
    """
    with _extra():
        from mkdocs_gptimage.emulator import server  # noqa: PLC0415 - the extra is only needed now
    server.run(settings, host=host, port=port, ready=ready)


@contextmanager
def _extra() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in EXTRA_MODULES:
            raise
        raise EmulatorUnavailableError(
            f"The emulator needs {error.name}, which is not installed: pip install 'mkdocs-gptimage[emulator]'"
        ) from error
