"""The part of CrowdSec's Local API that bouncers use, as an ASGI application."""

from __future__ import annotations

import asyncio
import ipaddress
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, Final, Protocol

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from streams.sdk.crowdsec.api_keys import ApiKeys
from streams.sdk.crowdsec.cursors import Bouncer, Cursors
from streams.sdk.crowdsec.decision import BouncerDecision, encode_decisions
from streams.sdk.crowdsec.decision_filter import STREAM_SCOPES, DecisionFilter
from streams.sdk.crowdsec.decision_log import DecisionLog
from streams.sdk.throttled_log import ThrottledLog
from streams.sdk.view_stats import ViewState

__all__ = ["Contact", "bridge_app"]

_JSON: Final = "application/json"
_STEP: Final = 1_000  # decisions encoded in one go: others wait for about 2 ms
_PIECE: Final = 1 << 17  # bytes handed to the socket at once
_STALE_AFTER: Final = 30.0  # s without contact to Kafka, as the middleware has it
_RETRY: Final = 5  # s after which to try again while the topic is being read
_MAX_METRICS: Final = 1 << 20  # bytes of a bouncer's usage metrics
_STATE: Final = "X-Distillwatch-State"
_SILENT: Final = "X-Distillwatch-Silent-Seconds"
_FORGOT: Final = "X-Distillwatch-Deletions-Forgotten"

_log = logging.getLogger("distillwatch.sdk")


class Contact(Protocol):
    """How it stands with Kafka; an `ActionView` tells."""

    @property
    def state(self) -> ViewState:
        """How much is known."""

    @property
    def silent_for(self) -> float:
        """Seconds since Kafka was heard."""


def bridge_app(
    contact: Contact,
    decisions: DecisionLog,
    keys: ApiKeys,
    *,
    clock: Callable[[], float] = time.time,
) -> Starlette:
    """Make the application; ``clock`` gives seconds since the epoch.

    Routes: ``/v1/decisions/stream``, ``/v1/decisions``, ``/v1/usage-metrics``,
    ``/v1/heartbeat`` and, without a key, ``/health``. Answers about decisions say in
    ``X-Distillwatch-State`` whether the view is ``live``, ``blind`` (Kafka is silent;
    the last state and its expiries hold) or at its ``snapshot``; before there is any
    state they are 503.
    """
    bridge = _Bridge(contact, decisions, keys, clock)
    reads = ["GET", "HEAD"]
    return Starlette(
        routes=[
            Route("/health", bridge.health, methods=reads),
            Route("/v1/decisions/stream", bridge.stream, methods=reads),
            Route("/v1/decisions", bridge.query, methods=reads),
            Route("/v1/usage-metrics", bridge.usage_metrics, methods=["POST"]),
            Route("/v1/heartbeat", bridge.heartbeat, methods=reads),
        ],
        exception_handlers={HTTPException: _refuse},
    )


class _Bridge:
    def __init__(
        self,
        contact: Contact,
        decisions: DecisionLog,
        keys: ApiKeys,
        clock: Callable[[], float],
    ) -> None:
        self._contact = contact
        self._decisions = decisions
        self._keys = keys
        self._clock = clock
        self._cursors = Cursors()
        self._told = ThrottledLog(_log)

    async def health(self, _request: Request) -> Response:
        """LAPI's own health check; a blind bridge is up, since it serves."""
        up = self._contact.state != "loading"
        return _json({"status": "up" if up else "down"}, 200 if up else 503)

    async def stream(self, request: Request) -> Response:
        """Tell a bouncer what changed since its last pull, or at startup everything."""
        bouncer = self._admit(request)
        headers = self._situation()
        if request.method == "HEAD":  # it must not move the cursor
            return Response(media_type=_JSON, headers=headers)
        query = {"scopes": STREAM_SCOPES, **_given(request)}
        wanted = DecisionFilter.from_query(query)
        starts = query.get("startup", "").lower() in ("true", "1")
        changes = self._decisions.changes(
            None if starts else self._cursors.get(bouncer)
        )
        if changes.forgot:
            headers[_FORGOT] = "true"
            self._told.tell(
                "bouncer away for too long",
                f"{bouncer.name}: some of what was lifted meanwhile is not known any "
                "more; restart the bouncer",
            )
        log = self._decisions

        async def body() -> AsyncIterator[bytes]:
            gone = (
                each
                for each in changes.deleted
                if wanted.wants(each) and not log.superseded(each, wanted)
            )
            # Deletions come first, as they must be applied: one may make room for
            # another type of the same value.
            async for piece in self._array(b'{"deleted":[', gone):
                yield piece
            new = filter(wanted.wants, changes.new)
            async for piece in self._array(b'],"new":[', self._lasting(new)):
                yield piece
            yield b"]}"
            # Only who has got everything goes on from there.
            self._cursors.set(bouncer, changes.revision)

        return StreamingResponse(body(), media_type=_JSON, headers=headers)

    async def query(self, request: Request) -> Response:
        """Answer about one value or address; null when nothing stands."""
        self._admit(request)
        headers = self._situation()
        query = _given(request)
        wanted = DecisionFilter.from_query(query)
        found = self._lasting(filter(wanted.wants, self._candidates(query)))
        if request.method == "HEAD":
            return Response(media_type=_JSON, headers=headers)
        first = next(found, None)
        if first is None:
            return Response(b"null", media_type=_JSON, headers=headers)

        async def body() -> AsyncIterator[bytes]:
            everything = itertools.chain((first,), found)
            async for piece in self._array(b"[", everything):
                yield piece
            yield b"]"

        return StreamingResponse(body(), media_type=_JSON, headers=headers)

    async def usage_metrics(self, request: Request) -> Response:
        """Take a bouncer's metrics as LAPI does; nothing is kept of them."""
        self._admit(request)
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > _MAX_METRICS:
                raise HTTPException(413, "usage metrics of more than 1 MiB")
        try:
            msgspec.json.decode(body, type=dict[str, Any])
        except msgspec.MsgspecError:
            raise HTTPException(400, "usage metrics are not a JSON object") from None
        return Response(status_code=201)

    async def heartbeat(self, request: Request) -> Response:
        """Say that the bridge is there."""
        self._admit(request)
        return Response(status_code=200)

    def _admit(self, request: Request) -> Bouncer:
        name = self._keys.name_of(request.headers.get("x-api-key", ""))
        if name is None:
            raise HTTPException(403, "access forbidden")
        host = request.client.host if request.client else ""
        return Bouncer(name, host)

    def _situation(self) -> dict[str, str]:
        state, silent = self._contact.state, self._contact.silent_for
        if state == "loading":
            raise HTTPException(
                503,
                "the actions are being read; try again",
                {"Retry-After": str(_RETRY), _STATE: state},
            )
        blind = state != "snapshot" and silent > _STALE_AFTER
        return {_STATE: "blind" if blind else state, _SILENT: f"{silent:.1f}"}

    def _candidates(self, query: dict[str, str]) -> Iterable[BouncerDecision]:
        asked = query.get("ip") or query.get("range")
        if asked:
            try:
                network = ipaddress.ip_network(asked)
            except ValueError:
                raise HTTPException(
                    400, "ip or range is no address and no network"
                ) from None
            if query.get("contains", "true").lower() in ("false", "0"):
                found = self._decisions.inside(network)
            else:
                found = self._decisions.covering(network)
            value = query.get("value")
            return [each for each in found if value in (None, each.value)]
        if "value" in query:
            return self._decisions.with_value(query["value"])
        return self._decisions.everything()

    def _lasting(self, found: Iterable[BouncerDecision]) -> Iterator[BouncerDecision]:
        now = self._now()
        return (each for each in found if each.until > now)

    async def _array(
        self, opening: bytes, decisions: Iterable[BouncerDecision]
    ) -> AsyncIterator[bytes]:
        """Yield the opening and the elements in pieces, not the closing bracket."""
        pieces = [opening]
        size = len(opening)
        left = iter(decisions)
        comma = b""
        while step := list(itertools.islice(left, _STEP)):
            encoded = encode_decisions(step, self._now())
            pieces += (comma, encoded)
            size += len(encoded)
            comma = b","
            if size >= _PIECE:
                yield b"".join(pieces)
                pieces, size = [], 0
                await asyncio.sleep(0)  # a fast reader must not keep others waiting
        yield b"".join(pieces)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _given(request: Request) -> dict[str, str]:
    return {name: value for name, value in request.query_params.items() if value}


def _json(
    content: dict[str, str], status: int, headers: dict[str, str] | None = None
) -> Response:
    return Response(msgspec.json.encode(content), status, headers, _JSON)


async def _refuse(_request: Request, error: Exception) -> Response:
    # Registered for HTTPException alone; Starlette's type of a handler is wider.
    status = getattr(error, "status_code", 500)
    message = getattr(error, "detail", "")
    headers = getattr(error, "headers", None)
    return _json({"message": str(message)}, status, dict(headers or {}))
