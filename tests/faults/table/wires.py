"""Connections that break in other ways than an HTTP server can script."""

from __future__ import annotations

import os
import socket
import struct
from typing import TYPE_CHECKING, Any

import scripted_service as gateways

if TYPE_CHECKING:
    from .cells import World

_AT_ONCE = struct.pack("ii", 1, 0)


def resets(world: World) -> None:
    """Connections that the service closes are reset: the client gets an error where it would see the end."""

    def reset(handler: Any) -> None:
        handler.close_connection = True
        handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        os.close(handler.connection.detach())

    world.patch.setattr(gateways._Handler, "_hang_up", reset)


def speaks_nonsense_to_submits(world: World) -> None:
    """Whatever listens there takes the request, and answers in another language."""
    send = gateways._Handler._send

    def say(handler: Any, answer: gateways.Answer) -> None:
        if handler.path.endswith("/generations"):
            handler.wfile.write(b"+PONG\r\n\r\n")
            handler._hang_up()
        else:
            send(handler, answer)

    world.patch.setattr(gateways._Handler, "_send", say)
