from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec
import pytest
from action_samples import HOUR, NOW, action
from hypothesis import given, settings
from hypothesis import strategies as st
from parsed_duration import parsed_duration
from starlette.requests import ClientDisconnect

from streams.contracts import Action
from streams.sdk.crowdsec import ApiKeys, DecisionLog, DecisionMaker
from streams.sdk.crowdsec.bridge_app import bridge_app
from streams.sdk.crowdsec.decision_filter import STREAM_SCOPES, DecisionFilter
from streams.sdk.decision import RANK
from streams.sdk.standing_actions import StandingActions
from streams.sdk.view_stats import ViewState

KEYS = {name: f"{name}-0123456789abcdef" for name in ("edge", "proxy", "script")}
STREAM = "/v1/decisions/stream"
ALL = "account,ip,range,network,payment,campaign"


class Rig:
    """What a view holds and tells, without Kafka, behind the real application."""

    def __init__(self) -> None:
        self.now = NOW
        self.state: ViewState = "live"
        self.silent_for = 0.25
        self._sequences = itertools.count(4)
        self.actions = StandingActions()
        self.log = DecisionLog(DecisionMaker())
        self.app = bridge_app(
            self, self.log, ApiKeys(KEYS), clock=lambda: self.now / 1000
        )

    def upsert(self, *actions: Action) -> None:
        for each in actions:
            self._show(self.actions.upsert(each, self.now), each)

    def lift(self, subject: str) -> None:
        self._show(self.actions.lift(subject))

    def expire(self) -> None:
        self._show(self.actions.expire(self.now))

    def reload(self, missing: frozenset[str]) -> None:
        """Read the topic anew, from which some subjects have gone meanwhile."""
        again = [each.action for each in self.actions]
        self.actions.begin_load()
        self.upsert(*(each for each in again if each.subject not in missing))
        self._show(self.actions.end_load())

    def do(self, step: Action | str | int | frozenset[str]) -> None:
        """Take an action, a tombstone, passing time, or a new load."""
        if isinstance(step, Action):
            self.upsert(self._dated(step))
        elif isinstance(step, str):
            self.lift(step)
        elif isinstance(step, int):
            self.now += step
            self.expire()
        else:
            self.reload(step)

    def _dated(self, each: Action) -> Action:
        return msgspec.structs.replace(
            each,
            sequence=each.sequence or next(self._sequences),
            expires_at=self.now + each.expires_at,
        )

    def _show(self, *told: Any) -> None:
        for each, in_force in self.actions.news(*told):
            self.log.take(each, in_force, self.now)

    def client(self, key: str | None = "edge", host: str = "10.0.0.1") -> Any:
        headers = {} if key is None else {"X-Api-Key": KEYS.get(key, key)}
        transport = httpx.ASGITransport(self.app, client=(host, 1))
        return httpx.AsyncClient(
            transport=transport, base_url="http://bridge", headers=headers
        )

    def ask(
        self, path: str, *, method: str = "GET", key: str | None = "edge", **query: str
    ) -> httpx.Response:
        async def once() -> httpx.Response:
            async with self.client(key) as client:
                answer: httpx.Response = await client.request(
                    method, path, params=query
                )
                return answer

        return asyncio.run(once())

    def pull(self, *, key: str = "edge", **query: str) -> tuple[list[str], list[str]]:
        answer = self.ask(STREAM, key=key, **{"scopes": ALL, **query})
        assert answer.status_code == 200
        told = answer.json()
        assert set(told) == {"new", "deleted"}
        return told["new"], told["deleted"]


def values(told: list[Any]) -> list[str]:
    return [f"{each['value']} {each['type']}" for each in told]


@pytest.mark.parametrize("path", [STREAM, "/v1/decisions", "/v1/heartbeat"])
@pytest.mark.parametrize("key", [None, "", "guess"])
def test_without_a_known_key_access_is_forbidden(path: str, key: str | None) -> None:
    answer = Rig().ask(path, key=key)
    assert answer.status_code == 403
    assert answer.json() == {"message": "access forbidden"}
    assert Rig().ask(path, method="HEAD", key=key).status_code == 403


def test_startup_tells_all_that_stands_and_later_pulls_what_changed() -> None:
    rig = Rig()
    rig.upsert(action("account:1"), action("account:2", rung="throttle"))
    new, deleted = rig.pull(startup="true")
    assert (values(new), deleted) == (["1 ban", "2 throttle"], [])
    assert rig.pull(startup="false") == ([], [])
    rig.upsert(action("account:1", 2, rung="challenge"))
    rig.lift("account:2")
    new, deleted = rig.pull(startup="false")
    assert values(new) == ["1 captcha"]
    assert values(deleted) == ["1 ban", "2 throttle"]
    assert rig.pull() == ([], [])
    # As LAPI has it, a start is also told what has gone, for bouncers with a memory.
    new, deleted = rig.pull(startup="true")
    assert values(new) == ["1 captcha"]
    assert values(deleted) == ["1 ban", "2 throttle"]


def test_each_bouncer_has_a_cursor_of_its_own() -> None:
    rig = Rig()
    rig.upsert(action("account:1"))
    assert values(rig.pull(startup="true")[0]) == ["1 ban"]
    # A bouncer that the bridge does not know any more is told everything.
    assert values(rig.pull(key="proxy", startup="false")[0]) == ["1 ban"]
    rig.lift("account:1")
    assert values(rig.pull(key="proxy")[1]) == ["1 ban"]
    assert values(rig.pull()[1]) == ["1 ban"]
    assert rig.pull() == rig.pull(key="proxy") == ([], [])


def test_two_machines_with_one_key_do_not_take_each_others_changes() -> None:
    rig = Rig()

    async def both() -> list[int]:
        seen = []
        for host in ("10.0.0.1", "10.0.0.2", "10.0.0.1"):
            async with rig.client(host=host) as client:
                answer = await client.get(STREAM, params={"scopes": ALL})
                seen.append(len(answer.json()["new"]))
        return seen

    rig.upsert(action())
    assert asyncio.run(both()) == [1, 1, 0]


def test_an_expiry_is_told_as_deleted_with_nothing_from_kafka() -> None:
    rig = Rig()
    rig.upsert(action(expires_at=NOW + 1_500))
    ((decision,), _) = rig.pull(startup="true")
    assert decision["duration"] == "1.5s"
    rig.now += 1_500
    assert rig.ask("/v1/decisions", value="1").json() is None
    assert rig.pull(key="proxy", startup="true") == ([], [])
    rig.expire()
    rig.now += 2_000
    new, (ended,) = rig.pull()
    assert new == []
    assert ended == decision | {"duration": "-2s"}


@pytest.mark.parametrize(
    ("query", "seen"),
    [
        ({}, {"192.0.2.1", "198.51.100.0/24"}),
        ({"scopes": "account"}, {"1"}),
        ({"scopes": "Ip,account,payment"}, {"1", "192.0.2.1", "p"}),
        ({"scopes": ALL, "origins": "cscli"}, set()),
        ({"scopes": ALL, "scenarios_containing": "c-2"}, {"p"}),
        ({"scopes": "account,payment", "scenarios_not_containing": "c-2"}, {"1"}),
    ],
)
def test_a_stream_is_filtered_as_the_bouncer_asks(
    query: dict[str, str], seen: set[str]
) -> None:
    rig = Rig()
    subjects = ["account:1", "facet:network:192.0.2.1", "facet:network:198.51.100.0/24"]
    rig.upsert(*map(action, subjects), action("facet:payment:p", campaign_id="c-2"))
    answer = rig.ask(STREAM, startup="true", **query)
    assert {each["value"] for each in answer.json()["new"]} == seen
    for each in (*subjects, "facet:payment:p"):
        rig.lift(each)
    answer = rig.ask(STREAM, **query)
    assert {each["value"] for each in answer.json()["deleted"]} == seen


def test_a_question_about_one_value_is_answered_with_null_if_nothing_stands() -> None:
    rig = Rig()
    rig.upsert(action("account:1"), action("facet:network:192.0.2.0/24"))
    rig.upsert(action("account:2", mode="shadow"))
    rig.upsert(action("account:3", human_review=True))

    def found(**query: str) -> Any:
        answer = rig.ask("/v1/decisions", **query)
        assert answer.status_code == 200
        return answer.json() and values(answer.json())

    assert found(value="1") == found(scope="account", value="1") == ["1 ban"]
    assert found(ip="192.0.2.77") == ["192.0.2.0/24 ban"]
    assert found(range="192.0.0.0/16", contains="false") == ["192.0.2.0/24 ban"]
    assert found(ip="192.0.2.77", type="ban") == ["192.0.2.0/24 ban"]
    assert found() == ["1 ban", "192.0.2.0/24 ban"]
    for nothing in (
        {"value": "2"},
        {"value": "3"},
        {"scope": "Ip", "value": "1"},
        {"type": "captcha"},
        {"ip": "198.51.100.1"},
        {"range": "192.0.0.0/16"},
        {"ip": "192.0.2.77", "value": "1"},
    ):
        assert found(**nothing) is None
    wrong = rig.ask("/v1/decisions", ip="account-1")
    assert wrong.status_code == 400
    assert wrong.json() == {"message": "ip or range is no address and no network"}


def test_a_head_request_does_not_move_the_cursor() -> None:
    rig = Rig()
    rig.upsert(action())
    for path in (STREAM, "/v1/decisions"):
        answer = rig.ask(path, method="HEAD", startup="true")
        assert (answer.status_code, answer.content) == (200, b"")
    assert values(rig.pull()[0]) == ["1 ban"]


def test_a_pull_that_was_cut_off_is_told_again() -> None:
    rig = Rig()
    rig.upsert(*(action(f"account:{number}") for number in range(5_000)))
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "method": "GET",
        "path": STREAM,
        "raw_path": STREAM.encode(),
        "query_string": b"scopes=account&startup=true",
        "headers": [(b"x-api-key", KEYS["edge"].encode())],
        "client": ("10.0.0.1", 1),
    }
    pieces = 0

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def send(message: Mapping[str, Any]) -> None:
        nonlocal pieces
        pieces += bool(message.get("body"))
        if pieces > 2:
            raise OSError

    with pytest.raises(ClientDisconnect):
        asyncio.run(rig.app(scope, receive, send))  # type: ignore[arg-type]
    assert pieces == 3
    assert len(rig.pull()[0]) == 5_000
    assert rig.pull() == ([], [])


def test_without_any_state_the_answer_is_503_and_says_so() -> None:
    rig = Rig()
    rig.state = "loading"
    for path in (STREAM, "/v1/decisions"):
        answer = rig.ask(path, startup="true")
        assert answer.status_code == 503
        assert answer.json() == {"message": "the actions are being read; try again"}
        assert answer.headers["retry-after"] == "5"
        assert answer.headers["x-distillwatch-state"] == "loading"
    health = rig.ask("/health", key=None)
    assert (health.status_code, health.json()) == (503, {"status": "down"})


@pytest.mark.parametrize(
    ("state", "silent", "shown"),
    [("live", 1.0, "live"), ("live", 30.1, "blind"), ("snapshot", 1e9, "snapshot")],
)
def test_a_blind_bridge_goes_on_and_says_so(
    state: ViewState, silent: float, shown: str
) -> None:
    rig = Rig()
    rig.upsert(action(expires_at=NOW + 10))
    rig.state, rig.silent_for = state, silent
    answer = rig.ask(STREAM, scopes="account", startup="true")
    assert values(answer.json()["new"]) == ["1 ban"]
    assert answer.headers["x-distillwatch-state"] == shown
    assert answer.headers["x-distillwatch-silent-seconds"] == f"{silent:.1f}"
    rig.now += 10
    rig.expire()
    assert values(rig.pull()[1]) == ["1 ban"]
    assert rig.ask("/health", key=None).json() == {"status": "up"}


def test_a_bouncer_that_was_away_for_too_long_is_told_so() -> None:
    rig = Rig()
    rig.upsert(action())
    rig.pull(startup="true")
    rig.lift("account:1")
    rig.now += 25 * HOUR
    rig.upsert(action("account:2", expires_at=rig.now + HOUR))
    answer = rig.ask(STREAM, scopes="account")
    assert answer.headers["x-distillwatch-deletions-forgotten"] == "true"
    assert values(answer.json()["new"]) == ["2 ban"]
    again = rig.ask(STREAM, scopes="account")
    assert "x-distillwatch-deletions-forgotten" not in again.headers


def test_usage_metrics_are_taken_with_201() -> None:
    async def post(key: str | None, body: bytes) -> int:
        async with Rig().client(key) as client:
            answer = await client.post("/v1/usage-metrics", content=body)
            return int(answer.status_code)

    assert asyncio.run(post("edge", b'{"remediation_components": []}')) == 201
    assert asyncio.run(post("edge", b"[1")) == 400
    assert asyncio.run(post("edge", b'"' + b"x" * (1 << 20) + b'"')) == 413
    assert asyncio.run(post(None, b"{}")) == 403
    assert Rig().ask("/v1/heartbeat").status_code == 200
    assert Rig().ask("/v1/usage-metrics").status_code == 405
    assert Rig().ask("/v1/alerts").json() == {"message": "Not Found"}


def test_a_large_answer_is_one_valid_document() -> None:
    rig = Rig()
    rig.upsert(*(action(f"account:{number}") for number in range(7_001)))
    new, deleted = rig.pull(startup="true")
    assert (len(new), len(deleted)) == (7_001, 0)
    assert len(rig.ask("/v1/decisions").json()) == 7_001


# The property: whoever applies what it is told holds what stands.

SUBJECTS = ("account:1", "account:2", "facet:network:192.0.2.1", "facet:payment:p")
ACTIONS = st.builds(
    action,
    st.sampled_from(SUBJECTS),
    st.sampled_from([0, 0, 0, 1, 3]),  # 0: the next one
    rung=st.sampled_from(["throttle", "suspend", *RANK]),
    mode=st.sampled_from(["enforce", "enforce", "enforce", "shadow"]),
    human_review=st.sampled_from([False, False, False, True]),
    expires_at=st.integers(0, 300),  # ms after it came
    campaign_id=st.sampled_from(["c-1", "c-2"]),
)
PULLS = st.tuples(
    st.sampled_from(["edge", "edge", "proxy", "script"]),
    st.sampled_from([False, False, False, True]),
)
LOADS = st.frozensets(st.sampled_from(SUBJECTS), max_size=2)
LIFTS, MILLISECONDS = st.sampled_from(SUBJECTS), st.integers(1, 40)
# one_of() would take a strategy that is named twice as one.
STEPS = st.lists(
    st.sampled_from([*[ACTIONS] * 5, *[PULLS] * 4, LIFTS, MILLISECONDS, LOADS]).flatmap(
        lambda strategy: strategy
    ),
    min_size=20,
    max_size=60,
)
QUERIES: dict[str, dict[str, str]] = {
    "edge": {"scopes": ALL},
    "proxy": {},  # LAPI's own default: ip and range
    "script": {"scopes": "account,payment", "scenarios_not_containing": "c-2"},
}


@dataclasses.dataclass
class Follower:
    """Bouncers that keep decisions by id, by value, and by value and type.

    The last one applies what is new before what is deleted.
    """

    by_id: dict[int, dict[str, Any]] = dataclasses.field(default_factory=dict)
    by_value: dict[str, str] = dataclasses.field(default_factory=dict)
    new_first: set[tuple[str, str]] = dataclasses.field(default_factory=set)

    def apply(self, told: Mapping[str, list[dict[str, Any]]], now: int) -> None:
        self.new_first |= {(each["value"], each["type"]) for each in told["new"]}
        self.new_first -= {(each["value"], each["type"]) for each in told["deleted"]}
        for each in told["deleted"]:
            self.by_id.pop(each["id"], None)
            self.by_value.pop(each["value"], None)
        for each in told["new"]:
            until = now + parsed_duration(each.pop("duration"))
            self.by_id[each["id"]] = each | {"until": until}
            self.by_value[each["value"]] = each["type"]


def expected(rig: Rig, query: dict[str, str]) -> dict[int, dict[str, Any]]:
    wanted = DecisionFilter.from_query({"scopes": STREAM_SCOPES, **query})
    maker = DecisionMaker()
    found = {}
    for standing in rig.actions:
        if standing.withheld is None and standing.action.expires_at > rig.now:
            decision = maker.make(standing.action)
            assert decision is not None
            if wanted.wants(decision):
                found[decision.id] = {
                    "id": decision.id,
                    "origin": "distillwatch",
                    "value": decision.value,
                    "type": decision.type,
                    "scope": decision.scope,
                    "scenario": decision.scenario,
                    "uuid": standing.action.action_id,
                    "until": standing.action.expires_at,
                }
    return found


@settings(max_examples=150)
@given(STEPS)
def test_who_applies_what_it_is_told_holds_what_stands(steps: list[Any]) -> None:
    rig = Rig()
    followers = {name: Follower() for name in QUERIES}

    async def pull(name: str, starts: bool) -> None:
        follower, query = followers[name], QUERIES[name]
        if starts:  # a bouncer was started again: one forgot, the others did not
            follower.by_id.clear()
        rig.expire()
        async with rig.client(name) as client:
            params = query | {"startup": str(starts).lower()}
            answer = await client.get(STREAM, params=params)
        follower.apply(json.loads(answer.content), rig.now)
        should = expected(rig, query)
        pairs = {(each["value"], each["type"]) for each in should.values()}
        assert follower.by_id == should
        assert follower.by_value == dict(pairs)
        assert follower.new_first == pairs

    async def play() -> None:
        for step in steps:
            if isinstance(step, tuple):
                await pull(*step)
            else:
                rig.do(step)
        for name in QUERIES:
            await pull(name, starts=False)

    asyncio.run(play())
