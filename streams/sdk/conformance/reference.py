"""A minimal enforcer: the middleware before an application that says yes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from streams.sdk.action_view import ActionView
from streams.sdk.middleware import (
    App,
    EnforcementMiddleware,
    Identity,
    MiddlewareSettings,
    Receive,
    Scope,
    Send,
)

__all__ = ["header_identity", "reference_app"]

_BODY = b'{"served": true}\n'


def header_identity(
    account_header: str, facet_headers: Mapping[str, str]
) -> _HeaderIdentity:
    """Identify requests by headers: one for the account, one for each facet kind.

    >>> identify = header_identity("X-Account", {"network": "X-Network"})
    >>> identify({"headers": [(b"x-account", b"a-1"), (b"x-network", b"n")]})
    ('a-1', {'network': 'n'})
    """
    return _HeaderIdentity(account_header, facet_headers)


class _HeaderIdentity:
    def __init__(self, account: str, facets: Mapping[str, str]) -> None:
        self._account = account.lower().encode()
        self._facets = {kind: name.lower().encode() for kind, name in facets.items()}

    def __call__(self, scope: Scope) -> Identity:
        told = dict(scope["headers"])
        account = told.get(self._account, b"").decode()
        facets = {
            kind: told[name].decode()
            for kind, name in self._facets.items()
            if name in told
        }
        return account or None, facets


def reference_app(
    view: ActionView,
    *,
    account_header: str = "X-Account",
    facet_headers: Mapping[str, str] | None = None,
    settings: MiddlewareSettings | None = None,
) -> App:
    """Make the ASGI application; it closes the view when the server stops."""
    facets = {"network": "X-Network"} if facet_headers is None else facet_headers

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(view, receive, send)
        elif scope["type"] == "http":
            headers: list[Any] = [(b"content-type", b"application/json")]
            headers.append((b"content-length", str(len(_BODY)).encode()))
            start = {"type": "http.response.start", "status": 200, "headers": headers}
            await send(start)
            await send({"type": "http.response.body", "body": _BODY})

    return EnforcementMiddleware(
        application,
        view,
        identify=header_identity(account_header, facets),
        settings=settings,
    )


async def _lifespan(view: ActionView, receive: Receive, send: Send) -> None:
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await asyncio.to_thread(view.close)
    await send({"type": "lifespan.shutdown.complete"})
