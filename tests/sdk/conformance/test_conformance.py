from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
import uvicorn

from streams.bus.records_consumer import RecordsConsumer
from streams.contracts import Action
from streams.errors import ConfigError
from streams.sdk import Acknowledger, ActionView, Decision
from streams.sdk.conformance import ConformanceReport, run_conformance
from streams.sdk.conformance.checks import ACK_CHECKS, CHECKS
from streams.sdk.conformance.reference import reference_app
from streams.sdk.standing_actions import Change, StandingActions

START = 20.0  # s
WITHIN = 3.0  # s: a broken enforcer is waited for as long


class IgnoresShadow(StandingActions):
    def decide(
        self,
        account_id: str | None,
        facets: Mapping[str, str] | None,
        clock: Callable[[], float],
    ) -> Decision:
        found = super().decide(account_id, facets, clock)
        if found.would and found.would.mode == "shadow" and not found.action:
            return Decision(found.would)
        return found


class IgnoresReview(StandingActions):
    def decide(
        self,
        account_id: str | None,
        facets: Mapping[str, str] | None,
        clock: Callable[[], float],
    ) -> Decision:
        found = super().decide(account_id, facets, clock)
        if found.would and found.would.human_review and not found.action:
            return Decision(found.would)
        return found


class IgnoresExpiry(StandingActions):
    """It even says that the action has expired."""

    def decide(
        self,
        account_id: str | None,
        facets: Mapping[str, str] | None,
        clock: Callable[[], float],  # noqa: ARG002  that is what is broken
    ) -> Decision:
        return super().decide(account_id, facets, lambda: 0.0)

    def expire(self, now: int) -> list[Change]:
        changes = super().expire(now)
        for change in changes:
            self._settled.pop(change.action.subject)
            self.upsert(change.action, 0)
            self._expiries.pop()
        return changes


class IgnoresTombstones(StandingActions):
    def lift(self, subject: str) -> list[Change]:
        held = self._standing.get(subject)
        return [Change("released", held.action)] if held else []


class TakesLowerSequences(StandingActions):
    def upsert(self, action: Action, now: int) -> list[Change]:
        held = self._standing.get(action.subject)
        if held and action.sequence < held.action.sequence:
            self.lift(action.subject)
            self._settled.clear()
        return super().upsert(action, now)


@contextmanager
def serving(bootstrap: str, port: int) -> Iterator[str]:
    with (
        Acknowledger(bootstrap, enforcer="reference") as acknowledger,
        ActionView(bootstrap, acknowledger=acknowledger) as view,
    ):
        assert view.wait_ready(START)
        server = uvicorn.Server(
            uvicorn.Config(
                reference_app(view), port=port, ws="none", log_level="warning"
            )
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        deadline = time.monotonic() + START
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def check(
    topics: str, free_ports: Callable[[int], list[int]]
) -> Callable[[], ConformanceReport]:
    def run() -> ConformanceReport:
        with serving(topics, free_ports(1)[0]) as url:
            return run_conformance(topics, url, within=WITHIN)

    return run


def violated(report: ConformanceReport) -> list[str]:
    return [result.name for result in report.results if not result.passed]


def test_the_reference_enforcer_keeps_every_rule(
    topics: str, check: Callable[[], ConformanceReport]
) -> None:
    report = check()
    assert violated(report) == []
    assert report.passed
    assert [r.name for r in report.results] == [c.name for c in CHECKS + ACK_CHECKS]
    assert len(report.latencies) > 10
    # Nothing is left standing.
    last: dict[bytes, bytes | None] = {}
    with RecordsConsumer(topics, ["llm.actions"], from_beginning=True) as consumer:
        for record in consumer.records(until_idle=1.0):
            assert record.key is not None
            assert b":conformance-" in record.key or b"network:" in record.key
            last[record.key] = record.value
    assert set(last.values()) == {None}


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        (IgnoresShadow, "shadow_is_not_enforced"),
        (IgnoresReview, "human_review_is_not_enforced"),
        (IgnoresExpiry, "expiry_is_honoured"),
        (IgnoresTombstones, "tombstone_lifts"),
        (TakesLowerSequences, "lower_sequence_is_ignored"),
    ],
)
def test_complaint_6_an_enforcer_that_breaks_a_rule_fails_exactly_its_check(
    broken: type[StandingActions],
    rule: str,
    check: Callable[[], ConformanceReport],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.sdk.action_view.StandingActions", broken)
    assert violated(check()) == [rule]


def test_complaint_10_an_enforcer_that_is_off_does_not_look_like_a_quiet_one(
    topics: str, free_ports: Callable[[int], list[int]]
) -> None:
    async def application(scope, _receive, send) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001  as short as ASGI can be
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    port = free_ports(1)[0]
    server = uvicorn.Server(
        uvicorn.Config(
            application, port=port, ws="none", lifespan="off", log_level="warning"
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        report = run_conformance(topics, f"http://127.0.0.1:{port}/", within=0.5)
    finally:
        server.should_exit = True
        thread.join()
    assert violated(report) == [check.name for check in CHECKS + ACK_CHECKS]


def test_a_url_where_nobody_is_is_told_as_that(topics: str) -> None:
    with pytest.raises(ConfigError, match=r"nobody answers at http://127\.0\.0\.1:1/"):
        run_conformance(topics, "http://127.0.0.1:1/")
    with pytest.raises(ConfigError, match="is no URL"):
        run_conformance(topics, "127.0.0.1:80")
