"""The image API on loopback, free and offline: the whole documented contract, with placeholder pictures.

    with serving(Settings(speed=20)) as base_url:
        ...  # base_url is "http://127.0.0.1:PORT/v1"

It shares no code with the client. It never fetches the URL of a reference image: a pattern stands for it. Every task
yields another picture, with its prompt in type (see `picture`); `Settings.seed` makes them repeatable.

A prompt can ask for an error:

=================  ======================================================================================
``[moderation]``   the task fails after its time with the error of the safety system
``[fail]``         the task fails after its time with a generic error
``[402]``          the submit is refused: insufficient balance
``[429]``          the first submit of this prompt is refused with ``Retry-After: 1``; the next is accepted
=================  ======================================================================================

Programs that others wrote for the service find what they use as well: ``POST /images/generations/async``,
``GET /tasks/ID?model=MODEL``, ``GET /models``, and, with `Settings.synchronous`, pictures in the answers of
``POST /images/generations``.

``GET /files/NAME`` downloads a picture without a key. ``GET /stats`` yields the counters of `stats.Stats`, for tests
and benchmarks that run in another process.
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
    """A package that the emulator needs is not installed."""


def create_app(settings: Settings) -> Starlette:
    """Create the ASGI application.

    Raises EmulatorUnavailableError when the extra is not installed, as `serving` and `run` do.
    """
    with _extra():
        from mkdocs_gptimage.emulator import app  # noqa: PLC0415 - the extra is only needed now
    return app.create_app(settings)


@contextmanager
def serving(settings: Settings, *, host: str = "127.0.0.1", port: int = 0) -> Iterator[str]:
    """Serve in a background thread while the context lasts; yields the base URL, `http://HOST:PORT/v1`.

    Port 0 is any free port. Raises OSError when the address is in use.
    """
    with _extra():
        from mkdocs_gptimage.emulator import server  # noqa: PLC0415 - the extra is only needed now
    with server.serving(settings, host=host, port=port) as base_url:
        yield base_url


def run(
    settings: Settings, *, host: str = "127.0.0.1", port: int = 8787, ready: Callable[[str], None] | None = None
) -> None:
    """Serve in the foreground until Ctrl-C; `ready` is called with the base URL as soon as the socket listens.

    Raises OSError when the address is in use.
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
