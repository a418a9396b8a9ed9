"""ASGI middleware that enforces the standing actions on each request."""

from __future__ import annotations

import collections
import dataclasses
import inspect
import logging
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final, Literal, Protocol, TypeAlias

from streams.contracts.records import Action, Rung
from streams.errors import ConfigError
from streams.sdk.decision import NOTHING, RANK, Decision
from streams.sdk.refusals import (
    Refusal,
    challenged,
    forbidden,
    throttled,
    unavailable,
)
from streams.sdk.throttled_log import ThrottledLog
from streams.sdk.token_bucket import TokenBuckets
from streams.sdk.view_stats import ViewState

__all__ = [
    "App",
    "DecisionSource",
    "EnforcementMiddleware",
    "FailMode",
    "Identity",
    "MiddlewareSettings",
    "Receive",
    "Scope",
    "Send",
]

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
Identity: TypeAlias = tuple[str | None, Mapping[str, str] | None]
"""Account id and facets (kind to id) of a request; None where there is none."""
FailMode: TypeAlias = Literal["open", "closed"]
Verifier: TypeAlias = Callable[[Scope, Action], bool | Awaitable[bool]]


class DecisionSource(Protocol):
    """What the middleware asks; an `ActionView` is one."""

    @property
    def state(self) -> ViewState:
        """How much is known."""

    @property
    def silent_for(self) -> float:
        """Seconds since Kafka was heard."""

    def decide(
        self, account_id: str | None, facets: Mapping[str, str] | None = None
    ) -> Decision:
        """Say what to do with a request."""


_HEADER_PREFIX: Final = b"distillwatch-"
_ALTERING: Final = frozenset({"summarise_reasoning", "watermark"})
_SCOPES: Final = frozenset({"http", "websocket"})
_POLICY_VIOLATION: Final = 1008  # RFC 6455, section 7.4.1
_RATE: Final = "requests_per_minute"

_log = logging.getLogger("distillwatch.sdk")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class MiddlewareSettings:
    """How a gateway enforces.

    The middleware is *blind* while the view has not read the topic yet, or has not
    heard its leaders for ``stale_after`` seconds. What a blind middleware does with an
    action that it knows says ``when_blind``, by rung: ``closed`` (the default) goes on
    enforcing until the action expires, ``open`` lets the request pass.
    """

    when_blind: Mapping[Rung, FailMode] = dataclasses.field(default_factory=dict)
    """By rung; a rung that is not named is ``closed``."""

    unknown_when_blind: FailMode = "open"
    """``closed`` answers 503 to requests for which no action is known while blind."""

    unidentified: FailMode = "open"
    """``closed`` answers 503 to requests that name neither an account nor a facet."""

    stale_after: float = 30.0
    """Seconds without contact to Kafka that make the middleware blind."""

    requests_per_minute: float = 6.0
    """Rate of a throttle whose own parameter is missing or no positive number."""

    throttle_share: float = 1.0
    """Share of a rate that this process may give: 1 / the number of its siblings."""

    challenge_status: Literal[401, 403] = 401
    """Answer to a request that has to pass a challenge first."""

    verifier: Verifier | None = None
    """Tells whether a request has passed the challenge; may be a coroutine function."""

    on_enforced: Callable[[Scope, Action], object] | None = None
    """Called for each request that was refused or altered, for reports and metrics."""

    def __post_init__(self) -> None:
        """Check the ranges; `ConfigError` names the setting."""
        for name in ("stale_after", "requests_per_minute", "throttle_share"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} = {getattr(self, name)} is not above 0")
        if unknown := self.when_blind.keys() - RANK.keys():
            raise ConfigError(
                f"when_blind names {sorted(unknown)}; rungs are: {', '.join(RANK)}"
            )


class EnforcementMiddleware:
    """Enforce what an `ActionView` decides, on http and websocket scopes.

    ``identify`` gives the account id and facets of a request. One that raises counts as
    a request that names nobody, and is logged without its message.

    ========================  ==========================================================
    rung                      what happens
    ========================  ==========================================================
    observe, label            passes, with the headers below for the application
    throttle                  a token bucket a subject; 429 with Retry-After
    challenge                 401 or 403 with a challenge header, unless verified
    summarise_reasoning,      passes, with the headers below, so that the gateway acts
    watermark
    step_up_verification,     403
    suspend
    ========================  ==========================================================

    The application (not the client) gets the headers ``distillwatch-rung``,
    ``distillwatch-label`` (reason codes) and ``distillwatch-action``; such headers of
    the client are taken away. ``scope["state"]`` gets ``distillwatch_decision``, and
    ``enforced_action_id`` when the request was refused or altered: put that into the
    field of the same name of the request event, so that it never becomes evidence.
    A refusal holds reason codes, the action's id and the appeal token, and nothing of
    the evidence. ``counts`` counts requests by (rung, what happened).
    """

    def __init__(
        self,
        app: App,
        view: DecisionSource,
        *,
        identify: Callable[[Scope], Identity],
        settings: MiddlewareSettings | None = None,
    ) -> None:
        self.counts: collections.Counter[tuple[str, str]] = collections.Counter()
        self._app = app
        self._view = view
        self._identify = identify
        self._settings = settings or MiddlewareSettings()
        self._buckets = TokenBuckets()
        self._log = ThrottledLog(_log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, as ASGI 3 has it."""
        if scope["type"] not in _SCOPES:
            await self._app(scope, receive, send)
            return
        decision, refusal = self._decide(scope)
        state = scope.setdefault("state", {})
        state["distillwatch_decision"] = decision
        action = decision.action
        if action is not None and refusal is None:
            refusal = await self._refusal(scope, action)
        altered = action is not None and action.rung in _ALTERING
        if action is not None:
            self._note(scope, action, refused=refusal is not None, altered=altered)
        if refusal is not None:
            await _refuse(refusal, scope, receive, send)
            return
        await self._app(_for_application(scope, action), receive, send)

    def _decide(self, scope: Scope) -> tuple[Decision, Refusal | None]:
        settings = self._settings
        try:
            account, facets = self._identify(scope)
        except Exception as error:  # noqa: BLE001  a request that cannot be read is one of nobody
            self._log.tell("identify", f"{type(error).__name__}; taken as nobody")
            account, facets = None, None
        if account is None and not facets:
            self.counts["nobody", settings.unidentified] += 1
            closed = settings.unidentified == "closed"
            return NOTHING, unavailable() if closed else None
        decision = self._view.decide(account, facets)
        view = self._view
        if view.state == "live" and view.silent_for <= settings.stale_after:
            return decision, None
        if decision.action is None:
            self.counts["unknown", settings.unknown_when_blind] += 1
            closed = settings.unknown_when_blind == "closed"
            return decision, unavailable() if closed else None
        if settings.when_blind.get(decision.action.rung, "closed") == "open":
            self.counts[decision.action.rung, "blind"] += 1
            return Decision(None, decision.action), None
        return decision, None

    async def _refusal(self, scope: Scope, action: Action) -> Refusal | None:
        match action.rung:
            case "throttle":
                rate = self._rate(action) * self._settings.throttle_share
                wait = self._buckets.take(action.subject, rate)
                return throttled(action, wait) if wait else None
            case "challenge":
                if await self._verified(scope, action):
                    return None
                return challenged(action, self._settings.challenge_status)
            case "step_up_verification" | "suspend":
                return forbidden(action)
            case _:
                return None

    def _rate(self, action: Action) -> float:
        text = action.parameters.get(_RATE, "")
        try:
            rate = float(text)
        except ValueError:
            rate = 0.0
        if rate > 0 and math.isfinite(rate):
            return rate
        self._log.tell(
            "throttle", f"action {action.action_id} has no {_RATE}; the setting is used"
        )
        return self._settings.requests_per_minute

    async def _verified(self, scope: Scope, action: Action) -> bool:
        if self._settings.verifier is None:
            return False
        try:
            answer = self._settings.verifier(scope, action)
            return bool(await answer if inspect.isawaitable(answer) else answer)
        except Exception as error:  # noqa: BLE001  a verifier that fails has not verified
            self._log.tell("verifier", f"{type(error).__name__}; taken as not passed")
            return False

    def _note(
        self, scope: Scope, action: Action, *, refused: bool, altered: bool
    ) -> None:
        what = "refused" if refused else "altered" if altered else "passed"
        self.counts[action.rung, what] += 1
        if not refused and not altered:
            return
        scope["state"]["enforced_action_id"] = action.action_id
        if self._settings.on_enforced is not None:
            try:
                self._settings.on_enforced(scope, action)
            except Exception as error:  # noqa: BLE001  a report must not break a request
                self._log.tell("on_enforced", type(error).__name__)


def _for_application(scope: Scope, action: Action | None) -> Scope:
    """Replace our headers: a client must not be able to forge them."""
    headers = [
        (name, value)
        for name, value in scope.get("headers", ())
        if not name.lower().startswith(_HEADER_PREFIX)
    ]
    if action is not None:
        told = {
            "rung": action.rung,
            "label": ",".join(action.reason_codes),
            "action": action.action_id,
        }
        headers += [
            (_HEADER_PREFIX + name.encode(), value.encode("ascii", "replace"))
            for name, value in told.items()
            if value.isprintable()
        ]
    return {**scope, "headers": headers}


async def _refuse(refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
    start = {"status": refusal.status, "headers": list(refusal.headers)}
    if scope["type"] == "http":
        await send({"type": "http.response.start", **start})
        await send({"type": "http.response.body", "body": refusal.body})
        return
    await receive()  # websocket.connect comes first
    if "websocket.http.response" in (scope.get("extensions") or {}):
        await send({"type": "websocket.http.response.start", **start})
        await send({"type": "websocket.http.response.body", "body": refusal.body})
        return
    # Before the handshake a server makes 403 of it.
    await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
