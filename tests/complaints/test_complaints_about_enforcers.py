"""Complaints about what reaches an enforcer, on a real broker, without any worker."""

from __future__ import annotations

import time
from typing import Any

import pytest
from action_samples import action, publish
from prometheus_client import CollectorRegistry
from waiting import until

from streams.bus.control_log import append_entries, withdraw
from streams.bus.kafka_settings import admin_client
from streams.bus.records_consumer import read_to_end
from streams.cli.heartbeat import EXIT_NOT_FOUND, heartbeat
from streams.contracts import Ack, Action, Evidence, decode_record
from streams.policy.control_entries import allowlist_entry
from streams.sdk import Acknowledger, ActionView
from streams.sdk.crowdsec.decision import DecisionMaker
from streams.sdk.crowdsec.decision_log import DecisionLog
from streams.sdk.reconcile_metrics import ReconcileMetrics
from streams.sdk.reconciler import Reconciler, enforcement_now

WAIT = 30.0  # s
HOUR = 3_600_000  # ms


def lasting(subject: str, sequence: int = 1, **changes: Any) -> Action:
    now = int(time.time() * 1000)
    times = {"issued_at": now, "expires_at": now + HOUR}
    # A view leaves the features out: so those of the tests have none.
    evidence = Evidence(e_value=1000.0, budget_spent=0.01)
    return action(subject, sequence, evidence=evidence, **times | changes)


def allowlist(bootstrap: str, subject: str, **changes: Any) -> None:
    now = int(time.time() * 1000)
    entry = allowlist_entry(
        subject, author="ana", reason="tests", created_at=now, **changes
    )
    append_entries(bootstrap, [entry])


def answers(bootstrap: str, subject: str) -> list[tuple[str, str | None]]:
    found = (
        decode_record(Ack, each.value or b"")
        for each in read_to_end(bootstrap, ["llm.acks"])
    )
    return [(each.outcome, each.detail) for each in found if each.subject == subject]


def test_complaint_01_an_enforcer_lets_the_allowlisted_pass_with_no_worker_running(
    topics: str,
) -> None:
    """crowdsec#3656: whitelisted and still banned; #3462: two entries for one IP."""
    first, other = lasting("account:1"), lasting("account:2", campaign_id="c-2")
    shared = lasting("facet:network:n", rung="throttle", campaign_id="c-3")
    publish(topics, first, other, shared)
    log = DecisionLog(DecisionMaker())

    def tell(each: Action, in_force: bool) -> None:
        log.take(each, in_force, int(time.time() * 1000))

    with (
        Acknowledger(topics, enforcer="edge-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger, on_change=tell) as view,
    ):
        assert view.wait_ready(WAIT)
        assert view.decide("1").action == first
        assert log.with_value("1")

        allowlist(topics, "account:1")
        until(lambda: view.decide("1").action is None, "still banned")
        decision = view.decide("1", {"network": "n"})
        assert (decision.action, decision.withheld) == (None, "allowlisted")
        assert not log.with_value("1")  # nor do bouncers hear two things of it
        assert view.decide("3", {"network": "n"}).action == shared
        # What comes after the entry is withheld too.
        publish(topics, lasting("account:1", 2, rung="challenge"))
        until(lambda: view.get("account:1").sequence == 2, "not followed")  # type: ignore[union-attr] # it stands
        assert view.decide("1").action is None

        allowlist(topics, "campaign:c-2")
        until(lambda: view.decide("2").action is None, "the campaign is not spared")
        allowlist(topics, "organization:o")
        until(
            lambda: view.decide("4", {"network": "n", "organization": "o"}).withheld,
            "the organization is not spared",
        )
        withdraw(topics, ["allowlist:account:1"])
        until(lambda: view.decide("1").rung == "challenge", "still allowlisted")
        until(lambda: acknowledger.stats.delivered >= 7, "not acknowledged")
    assert answers(topics, "account:1") == [
        ("applied", None),
        ("refused", "allowlisted"),
        ("refused", "allowlisted"),
        ("applied", None),
    ]
    assert answers(topics, "account:2") == [
        ("applied", None),
        ("refused", "allowlisted"),
    ]


def test_complaint_01_an_enforcer_that_starts_has_read_the_allowlist_before_it_bans(
    topics: str,
) -> None:
    """crowdsec#3656: between a start and the list of exceptions everybody is banned."""
    publish(topics, lasting("account:1"), lasting("account:2"))
    allowlist(topics, "account:1")
    allowlist(topics, "account:2", expires_at=int(time.time() * 1000) + 4000)
    with (
        Acknowledger(topics, enforcer="edge-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger) as view,
    ):
        assert view.wait_ready(WAIT)
        assert view.decide("1").withheld == "allowlisted"
        until(lambda: view.decide("2").action, "the entry has not ended")
        until(lambda: acknowledger.stats.delivered >= 2, "not acknowledged")
    assert answers(topics, "account:1") == [("refused", "allowlisted")]


def test_complaint_01_a_missing_allowlist_topic_keeps_nobody_from_enforcing(
    topics: str,
) -> None:
    admin = admin_client(topics)
    admin.delete_topics(["llm.control"])["llm.control"].result()
    until(
        lambda: "llm.control" not in admin.list_topics(timeout=10).topics,
        "not deleted",
    )
    publish(topics, lasting("account:1"))
    with ActionView(topics) as view:
        assert view.wait_ready(WAIT)
        assert view.decide("1").rung == "suspend"
        assert view.stats.failures == 0


def test_complaint_03_the_later_record_holds_until_its_own_end_or_its_tombstone(
    topics: str,
) -> None:
    """crowdsec#1244: lifted early; spoa#152: held on; both told by acknowledgements."""
    soon = int(time.time() * 1000) + 3000
    short, long = lasting("account:1", 1, expires_at=soon), lasting("account:1", 2)
    with (
        Acknowledger(topics, enforcer="edge-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger) as view,
    ):
        assert view.wait_ready(WAIT)
        publish(topics, short, long, short)
        until(lambda: view.get("account:1") == long, "not followed")
        until(lambda: time.time() * 1000 > soon + 500, "the clock stands still")
        assert view.decide("1").action == long
        publish(topics, ("account:1", None), short, long)
        until(lambda: view.decide("1").action is None, "still banned")
        until(lambda: view.stats.received == 6, "not followed")
        assert view.decide("1").action is None
        until(lambda: acknowledger.stats.delivered >= 2, "not acknowledged")
    told = answers(topics, "account:1")
    assert told[-2:] == [("applied", None), ("released", None)]
    assert ("expired", None) not in told


def test_complaint_04_a_decision_that_did_not_reach_an_enforcer_is_found(
    topics: str,
) -> None:
    """crowdsec#2014, #3373, cf-worker#81, fw#506: it exists, and nobody enforces it."""
    publish(topics, *(lasting(f"account:{number}") for number in range(20)))

    def full(each: Action) -> str | None:
        return "no room" if each.subject == "account:7" else None

    with (
        Acknowledger(topics, enforcer="whole") as all_,
        Acknowledger(topics, enforcer="deaf") as some,
        ActionView(topics, acknowledger=all_) as whole,
    ):
        assert whole.wait_ready(WAIT)
        until(lambda: all_.stats.delivered == 20, "not acknowledged")
        # One that follows nothing after its start, as a bouncer with a stale cursor.
        with ActionView(topics, acknowledger=some, honour=full) as deaf:
            assert deaf.wait_ready(WAIT)
            until(lambda: some.stats.delivered == 20, "not acknowledged")
        publish(topics, lasting("account:late"), ("account:3", None))
        until(lambda: whole.decide("late").action, "not followed")
        until(lambda: all_.stats.delivered == 22, "not acknowledged")
        now = int(time.time() * 1000)
        assert whole.checksum(now) != deaf.checksum(now)

        def found() -> Any:
            state = enforcement_now(topics, within=0.5, enforcers=("whole", "deaf"))
            return None if state.well else state

        state = until(found, "nothing was found")
        by_name = {each.enforcer: each for each in state.enforcers}
        assert by_name["whole"].overdue == by_name["whole"].releases_overdue == 0
        assert by_name["whole"].enforced == 20
        wrong = {each.subject: each.release for each in by_name["deaf"].oldest}
        assert wrong == {"account:late": False, "account:3": True}
        assert by_name["deaf"].refusals == {"no room": 1}

        # After a start it has all again, and the checksums say so.
        with ActionView(topics, acknowledger=some) as again:
            assert again.wait_ready(WAIT)
            assert whole.checksum(now) == again.checksum(now)


def test_complaint_05_a_decision_is_pushed_and_the_p99_is_measured(topics: str) -> None:
    """cs-firewall-bouncer#233: 12 to 15 minutes from the decision to the block."""
    registry = CollectorRegistry()
    with (
        Reconciler(topics, within=10, metrics=ReconcileMetrics(registry)) as reconciler,
        Acknowledger(topics, enforcer="edge-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger) as view,
    ):
        assert view.wait_ready(WAIT)
        until(lambda: [reconciler.round()] and reconciler.state, "not caught up")
        for ten in range(5):
            publish(topics, *(lasting(f"account:{ten}{one}") for one in range(10)))

        def judged() -> Any:
            reconciler.round()
            state = reconciler.state
            return state and state.enforcers and state.enforcers[0].enforced == 50

        until(judged, "not enforced")
        assert reconciler.state is not None
        (edge,) = reconciler.state.enforcers
        assert edge.p99 is not None
        assert (
            0 <= edge.p99 < WAIT
        )  # nobody polls: a machine that is slow is not 12 min
        assert len(view.stats.latencies) == 50
    name = "distillwatch_decision_to_enforced_seconds"
    labels = {"enforcer": "edge-1", "rung": "suspend"}
    assert registry.get_sample_value(f"{name}_count", labels) == 50
    # The p99 that a dashboard draws, histogram_quantile(0.99, …), has its buckets.
    below = registry.get_sample_value(f"{name}_bucket", labels | {"le": "60.0"})
    assert below == 50


@pytest.mark.parametrize("mode", ["shadow", "enforce"])
def test_complaint_06_the_mode_lives_in_the_record_of_every_source(
    topics: str, mode: str
) -> None:
    """crowdsec-docs#99: central decisions were enforced although all was simulated."""
    publish(
        topics,
        lasting("account:1", mode=mode),
        lasting("facet:network:n", mode=mode, model_version="another source"),
    )
    with (
        Acknowledger(topics, enforcer="edge-1") as acknowledger,
        ActionView(topics, acknowledger=acknowledger) as view,
    ):
        assert view.wait_ready(WAIT)
        enforced = mode == "enforce"
        for decision in (view.decide("1"), view.decide("2", {"network": "n"})):
            assert (decision.action is not None) is enforced
            assert (decision.would is not None) is not enforced
        publish(topics, done := lasting("account:3"))
        until(lambda: view.decide("3").action == done, "not followed")
        until(lambda: acknowledger.stats.delivered >= 1, "not acknowledged")
    told = [("applied", None)] if enforced else []
    assert answers(topics, "account:1") == told


def test_complaint_10_without_workers_a_heartbeat_says_what_is_missing(
    topics: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """model-hotel#797, numaflow#784: a pipeline that has stopped looks like peace."""

    def beat() -> str:
        with pytest.raises(SystemExit) as ended:
            heartbeat(within=1.0, bootstrap=topics)
        assert ended.value.code == EXIT_NOT_FOUND
        return capsys.readouterr().err

    assert "have not applied an allowlist entry" in beat()
    # The entry lies there now: the next one is sent, and nobody reads it.
    assert "nothing came to llm.facets: do workers run" in beat()
