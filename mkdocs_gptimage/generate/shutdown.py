"""Early end of a run: SIGTERM and Ctrl-C cancel it, and no thread delays the exit."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Callable


_LOOK_AGAIN = 0.1  # seconds
EXIT_TERMINATED = 128 + signal.SIGTERM


async def cancel_at_sigterm(scope: anyio.CancelScope) -> None:
    """Cancel the scope when the process is asked to end; only the main thread receives signals."""
    if sys.platform == "win32" or threading.current_thread() is not threading.main_thread():
        return
    with anyio.open_signal_receiver(signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def cancel_when_asked(scope: anyio.CancelScope, is_cancelled: Callable[[], bool]) -> None:
    """Cancel the scope when another thread wants that."""
    while not is_cancelled():  # noqa: ASYNC110 - an event of anyio belongs to this thread
        await anyio.sleep(_LOOK_AGAIN)
    scope.cancel()


def look_up_names_in_daemon_threads() -> None:
    """Let no name that takes minutes to resolve hold up the end of the running event loop."""
    asyncio.get_running_loop().set_default_executor(_DaemonThreads())


class _DaemonThreads(ThreadPoolExecutor):
    """An executor with a daemon thread for each call, which does not delay the exit."""

    def submit(self, call: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()

        def work() -> None:
            try:
                result = call(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - passed on through the future
                future.set_exception(error)
            else:
                future.set_result(result)

        threading.Thread(target=work, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Return at once: the threads are daemons."""
