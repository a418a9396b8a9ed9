from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from typing import Any

import httpx
import pytest
from action_samples import action
from memory_view import MemoryView

from streams.contracts import Action
from streams.errors import ConfigError
from streams.sdk import EnforcementMiddleware, MiddlewareSettings
from streams.sdk.conformance.reference import header_identity

IDENTIFY = header_identity("X-Account", {"network": "X-Network"})
ONE = {"X-Account": "1"}


class Gateway:
    """An application behind the middleware; it keeps the scopes that reached it."""

    def __init__(self, view: MemoryView, **settings: Any) -> None:
        self.reached: list[MutableMapping[str, Any]] = []
        self.seen: list[MutableMapping[str, Any]] = []
        self.view = view
        self.middleware = EnforcementMiddleware(
            self._application,
            view,
            identify=IDENTIFY,
            settings=MiddlewareSettings(**settings),
        )

    async def _application(self, scope: Any, _receive: Any, send: Any) -> None:
        self.reached.append(scope)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"served"})

    async def _outer(self, scope: Any, receive: Any, send: Any) -> None:
        self.seen.append(scope)
        await self.middleware(scope, receive, send)

    def get(self, headers: dict[Any, Any] | None = None) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(self._outer)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://gateway"
            ) as client:
                return await client.get("/v1/messages", headers=headers or ONE)

        return asyncio.run(ask())

    def told(self, name: str) -> str | None:
        """Give a header of the last request that reached the application."""
        found = dict(self.reached[-1]["headers"]).get(name.encode())
        return None if found is None else found.decode()


def test_without_an_action_requests_pass_and_forged_headers_are_taken_away() -> None:
    gateway = Gateway(MemoryView())
    answer = gateway.get({**ONE, "Distillwatch-Rung": "observe", "X-Other": "kept"})
    assert (answer.status_code, answer.text) == (200, "served")
    assert gateway.told("distillwatch-rung") is None
    assert gateway.told("x-other") == "kept"
    assert "enforced_action_id" not in gateway.seen[-1]["state"]


@pytest.mark.parametrize("rung", ["observe", "label"])
def test_observe_and_label_pass_with_a_label_for_the_application(rung: str) -> None:
    gateway = Gateway(MemoryView(action(rung=rung, reason_codes=("A", "B"))))
    answer = gateway.get()
    assert answer.status_code == 200
    assert not [name for name in answer.headers if name.startswith("distillwatch")]
    assert gateway.told("distillwatch-rung") == rung
    assert gateway.told("distillwatch-label") == "A,B"
    # An unaltered request may be evidence.
    assert "enforced_action_id" not in gateway.seen[-1]["state"]


@pytest.mark.parametrize("rung", ["summarise_reasoning", "watermark"])
def test_what_the_application_alters_is_told_to_it_and_is_no_evidence(
    rung: str,
) -> None:
    gateway = Gateway(MemoryView(action(rung=rung)))
    assert gateway.get().status_code == 200
    assert gateway.told("distillwatch-rung") == rung
    assert gateway.told("distillwatch-action") == "id-account:1-1"
    assert gateway.seen[-1]["state"]["enforced_action_id"] == "id-account:1-1"


@pytest.mark.parametrize(
    ("rung", "kind"),
    [
        ("suspend", "account_suspended"),
        ("step_up_verification", "verification_required"),
    ],
)
def test_a_suspension_tells_reasons_and_appeal_and_no_internals(
    rung: str, kind: str
) -> None:
    gateway = Gateway(MemoryView(action(rung=rung)))
    answer = gateway.get()
    assert answer.status_code == 403
    error = answer.json()["error"]
    assert error.pop("message")
    assert error == {
        "type": kind,
        "reason_codes": ["SHARED_NETWORK"],
        "reference": "id-account:1-1",
        "appeal_token": "appeal-1",
    }
    shown = f"{answer.headers} {answer.text}"
    for internal in ("joint.secret", "123456", "c-1", "campaign"):
        assert internal not in shown
    assert gateway.reached == []


def test_complaint_7_a_refusal_is_marked_so_that_it_never_becomes_evidence() -> None:
    told: list[tuple[str, str]] = []

    def on_enforced(scope: MutableMapping[str, Any], enforced: Action) -> None:
        told.append((scope["path"], enforced.action_id))
        raise RuntimeError  # a report that fails does not break the request

    gateway = Gateway(MemoryView(action()), on_enforced=on_enforced)
    assert gateway.get().status_code == 403
    assert gateway.seen[-1]["state"]["enforced_action_id"] == "id-account:1-1"
    assert told == [("/v1/messages", "id-account:1-1")]


def test_complaint_6_a_shadow_action_passes_and_can_be_seen_in_the_state() -> None:
    shadow = action(mode="shadow")
    gateway = Gateway(MemoryView(shadow))
    assert gateway.get().status_code == 200
    assert gateway.told("distillwatch-rung") is None
    assert gateway.seen[-1]["state"]["distillwatch_decision"].would == shadow


def test_a_throttle_answers_429_with_the_seconds_to_wait() -> None:
    throttle = action(rung="throttle", parameters={"requests_per_minute": "2"})
    gateway = Gateway(MemoryView(throttle))
    answers = [gateway.get() for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 429, 429]
    assert 25 <= int(answers[-1].headers["retry-after"]) <= 30
    assert answers[-1].json()["error"]["type"] == "rate_limited"
    assert gateway.middleware.counts == {
        ("throttle", "passed"): 2,
        ("throttle", "refused"): 2,
    }
    states = [scope["state"].get("enforced_action_id") for scope in gateway.seen]
    assert states == [None, None, throttle.action_id, throttle.action_id]


def test_a_throttled_facet_has_one_bucket_for_all_its_accounts() -> None:
    throttle = action(
        "facet:network:n", rung="throttle", parameters={"requests_per_minute": "2"}
    )
    gateway = Gateway(MemoryView(throttle))
    answers = [
        gateway.get({"X-Account": f"{number}", "X-Network": "n"}).status_code
        for number in range(3)
    ]
    assert answers == [200, 200, 429]


@pytest.mark.parametrize("text", [None, "many", "0", "-1", "inf", "nan"])
def test_complaint_10_a_throttle_without_a_rate_is_not_open(text: str | None) -> None:
    parameters = {} if text is None else {"requests_per_minute": text}
    gateway = Gateway(
        MemoryView(action(rung="throttle", parameters=parameters)),
        requests_per_minute=4,
        throttle_share=0.5,
    )
    codes = [gateway.get().status_code for _ in range(3)]
    assert codes == [200, 200, 429]


@pytest.mark.parametrize("status", [401, 403])
def test_a_challenge_names_its_reasons_until_it_is_passed(status: int) -> None:
    passed: list[bool] = []

    async def verifier(_scope: MutableMapping[str, Any], _action: Action) -> bool:
        return bool(passed)

    gateway = Gateway(
        MemoryView(action(rung="challenge")), challenge_status=status, verifier=verifier
    )
    answer = gateway.get()
    assert answer.status_code == status
    assert answer.headers["distillwatch-challenge"] == "SHARED_NETWORK"
    assert ("www-authenticate" in answer.headers) == (status == 401)
    passed.append(True)
    assert gateway.get().status_code == 200
    assert "enforced_action_id" not in gateway.seen[-1]["state"]


def test_a_verifier_that_fails_has_not_verified() -> None:
    def verifier(_scope: MutableMapping[str, Any], _action: Action) -> bool:
        raise RuntimeError

    view = MemoryView(action(rung="challenge"))
    assert Gateway(view, verifier=verifier).get().status_code == 401
    assert Gateway(view, verifier=lambda *_: True).get().status_code == 200
    assert Gateway(view).get().status_code == 401


def test_reason_codes_cannot_split_a_header() -> None:
    bad = action(rung="challenge", reason_codes=("A\r\nX-Evil: 1", "ü"))
    answer = Gateway(MemoryView(bad)).get()
    assert "x-evil" not in answer.headers
    label = action(rung="label", reason_codes=("A\r\nX-Evil: 1",))
    gateway = Gateway(MemoryView(label))
    assert gateway.get().status_code == 200
    assert gateway.told("distillwatch-label") is None
    assert gateway.told("distillwatch-rung") == "label"


BLIND = [("live", 31.0), ("snapshot", 0.0), ("loading", 0.0), ("closed", 0.0)]


@pytest.mark.parametrize(("state", "silent_for"), BLIND)
def test_complaint_8_a_blind_gateway_goes_on_with_what_it_knows(
    state: Any, silent_for: float
) -> None:
    view = MemoryView(action(), action("account:2", rung="challenge"))
    view.state, view.silent_for = state, silent_for
    gateway = Gateway(view, when_blind={"challenge": "open"})
    assert gateway.get().status_code == 403
    assert gateway.get({"X-Account": "2"}).status_code == 200
    assert gateway.told("distillwatch-rung") is None
    assert gateway.get({"X-Account": "3"}).status_code == 200
    assert gateway.middleware.counts == {
        ("suspend", "refused"): 1,
        ("challenge", "blind"): 1,
        ("unknown", "open"): 1,
    }
    closed = Gateway(view, unknown_when_blind="closed").get({"X-Account": "3"})
    assert closed.status_code == 503
    assert closed.headers["retry-after"] == "5"
    assert "reason_codes" not in closed.json()["error"]
    view.state, view.silent_for = "live", 29.0
    assert gateway.get({"X-Account": "2"}).status_code == 401


def test_complaint_10_a_request_of_nobody_fails_as_the_setting_says(
    caplog: pytest.LogCaptureFixture,
) -> None:
    view = MemoryView(action())
    assert Gateway(view).get({"X-Other": "1"}).status_code == 200
    gateway = Gateway(view, unidentified="closed")
    assert gateway.get({"X-Other": "1"}).status_code == 503
    assert gateway.get({"X-Network": "n"}).status_code == 200
    # An account id that is not UTF-8 makes identify() raise.
    assert gateway.get({b"X-Account": b"\xff"}).status_code == 503
    assert gateway.middleware.counts["nobody", "closed"] == 2
    assert "UnicodeDecodeError; taken as nobody" in caplog.text


class Socket:
    """One websocket connection through the middleware."""

    def __init__(self, extensions: dict[str, Any]) -> None:
        self.sent: list[Any] = []
        self.scope = {
            "type": "websocket",
            "headers": [(b"x-account", b"1")],
            "extensions": extensions,
        }

    async def _receive(self) -> dict[str, str]:
        return {"type": "websocket.connect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    def connect(self, *actions: Action) -> list[Any]:
        gateway = Gateway(MemoryView(*actions))
        asyncio.run(gateway.middleware(self.scope, self._receive, self._send))
        return self.sent


def test_a_websocket_is_refused_before_its_handshake() -> None:
    assert Socket({}).connect(action()) == [{"type": "websocket.close", "code": 1008}]
    start, body = Socket({"websocket.http.response": {}}).connect(action())
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert b"account_suspended" in body["body"]
    assert Socket({}).connect()[-1]["body"] == b"served"


def test_other_scopes_pass_untouched() -> None:
    seen: list[Any] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope)

    async def nothing(*_: Any) -> Any:
        return None

    scope = {"type": "lifespan"}
    middleware = EnforcementMiddleware(application, MemoryView(), identify=IDENTIFY)
    asyncio.run(middleware(scope, nothing, nothing))
    assert seen[0] is scope
    assert scope == {"type": "lifespan"}


@pytest.mark.parametrize(
    "settings",
    [
        {"stale_after": 0},
        {"requests_per_minute": -1},
        {"throttle_share": 0},
        {"when_blind": {"ban": "open"}},
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        MiddlewareSettings(**settings)
