"""Prefect's server for this machine alone: no page of another origin, and no name but this machine's, gets an answer.

Run by uvicorn in a process of its own (`flows.engine.server.process`). The secret is asked for by Prefect itself; this
comes before it, and holds where a secret is known.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from store.loading import without_collector

with without_collector():
    from prefect.server.api.server import create_app

__all__ = ["LoopbackApp", "loopback_app"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_NAMES = ("127.0.0.1", "localhost", "[::1]")


class LoopbackApp:
    """An ASGI application that answers requests to this machine's own names, from its own pages or from programs.

    Parameters
    ----------
    app : callable
        The application that answers them.
    """

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with 403."""
        if scope["type"] not in ("http", "websocket") or _is_from_here(scope):
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            body = b'{"exception_message":"Forbidden: this server answers to its own pages and to programs only"}'
            headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
            await send({"type": "http.response.start", "status": 403, "headers": headers})
            await send({"type": "http.response.body", "body": body})


def loopback_app() -> LoopbackApp:
    """Return Prefect's server as its settings, read from the environment, want it."""
    return LoopbackApp(create_app())


def _is_from_here(scope: Scope) -> bool:
    hosts = _values(scope, b"host")
    # A page's name may be made to lead to this machine while the page is open: then it is the host that is foreign.
    if len(hosts) != 1 or _without_port(hosts[0]) not in _NAMES:
        return False
    # Browsers name the page's origin in every request that changes something; programs name none.
    return all(origin == f"http://{hosts[0]}" for origin in _values(scope, b"origin"))


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").lower() for key, value in scope["headers"] if key.lower() == name]


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
