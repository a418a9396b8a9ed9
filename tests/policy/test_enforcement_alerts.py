from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from enforcement_samples import ENFORCERS, SECOND, START
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Alert, decode_record, encode_record
from streams.policy.enforcement_alerts import next_alerts
from streams.policy.enforcement_state import (
    EnforcementState,
    EnforcerState,
    Overdue,
)

WITHIN = 10.0
MINUTE = 60 * SECOND


def enforcer(
    name: str, late: Sequence[str] = (), held: Sequence[str] = (), too_old: int = 0
) -> EnforcerState:
    oldest = [Overdue(subject, START, release=False) for subject in late]
    oldest += [Overdue(subject, START, release=True) for subject in held]
    return EnforcerState(
        enforcer=name,
        heard_at=START,
        desired=9,
        enforced=1,
        refused=0,
        pending=len(late),
        held=len(held),
        overdue=len(late),
        releases_overdue=len(held),
        too_old=too_old,
        p50=0.1,
        p99=0.2,
        oldest=tuple(oldest[:100]),
        refusals={},
    )


def state(at: int, *enforcers: EnforcerState, **changes: Any) -> EnforcementState:
    fields: dict[str, Any] = {
        "at": at,
        "desired": 9,
        "enforcers": enforcers,
        "unanswered": 0,
        "unanswered_since": None,
        "heard_at": START,
    }
    return EnforcementState(**fields | changes)


class Log:
    """The topic of alerts, and who reads it back before each step."""

    def __init__(self) -> None:
        self.alerts: list[Alert] = []

    def tell(self, now: EnforcementState) -> list[Alert]:
        last = {
            each.campaign_id: decode_record(Alert, encode_record(each))
            for each in self.alerts
        }
        new = list(next_alerts(now, last, within=WITHIN))
        self.alerts += new
        return new

    def threads(self) -> dict[str, list[Alert]]:
        found: dict[str, list[Alert]] = {}
        for each in self.alerts:
            found.setdefault(each.campaign_id, []).append(each)
        return found


SUBJECTS = st.lists(
    st.sampled_from(["account:1", "account:2", "facet:network:n"]), unique=True
)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 2 * MINUTE),
            st.lists(
                st.builds(
                    enforcer,
                    st.sampled_from(ENFORCERS),
                    SUBJECTS,
                    SUBJECTS,
                    st.integers(0, 1),
                ),
                max_size=2,
                unique_by=lambda each: each.enforcer,
            ),
            st.integers(0, 2),
        ),
        max_size=12,
    )
)
def test_each_thread_opens_updates_and_closes_once(
    steps: list[tuple[int, list[EnforcerState], int]],
) -> None:
    """Everything is told after a restart, since all that is known is the topic."""
    log, at = Log(), START
    for pause, enforcers, unanswered in steps:
        at += pause
        now = state(
            at,
            *enforcers,
            unanswered=0 if enforcers else unanswered,
            unanswered_since=START if unanswered else None,
        )
        log.tell(now)
        assert log.tell(now) == []  # a change is told once
        open_now = {t for t, told in log.threads().items() if critical(told[-1])}
        bad = {f"enforcement:{e.enforcer}" for e in enforcers if e.oldest}
        bad |= {"enforcement"} if now.unanswered else set()
        assert open_now == bad
    for thread, told in log.threads().items():
        assert [each.sequence for each in told] == [*range(1, len(told) + 1)]
        assert len({each.alert_id for each in told}) == len(told)
        assert critical(told[0])
        for before, after in pairwise(told):
            assert critical(before) or critical(after)
            if critical(before) and critical(after):
                assert after.occurred_at - before.occurred_at >= MINUTE
                assert after.summary != before.summary or (
                    after.accounts + after.facets != before.accounts + before.facets
                )
        for each in told:
            assert each.kind == "not_enforced"
            assert critical(each) == bool(each.account_count), thread


def critical(alert: Alert) -> bool:
    return alert.severity == "critical"


def test_an_alert_names_the_enforcer_what_is_late_and_since_when() -> None:
    late = [f"account:{n:03}" for n in range(150)]
    (alert,) = Log().tell(
        state(START + MINUTE, enforcer("edge-1", late, ["facet:a:b"]))
    )
    assert alert.summary == (
        "edge-1: 150 actions are not enforced and 1 action is still enforced after the "
        "end, 10 s after it was due; the oldest since 2026-01-01 12:00:00 UTC"
    )
    assert (alert.account_count, len(alert.accounts)) == (151, 100)
    assert (alert.accounts[0], alert.started_at) == ("000", START)
    (alert,) = Log().tell(state(START + MINUTE, enforcer("edge-1", [], ["facet:a:b"])))
    assert (alert.accounts, alert.facets) == ((), ("a:b",))


def test_a_change_within_a_minute_waits_and_a_close_does_not() -> None:
    log = Log()
    one, two = enforcer("edge-1", ["account:1"]), enforcer("edge-1", ["account:2"])
    assert len(log.tell(state(START, one))) == 1
    assert log.tell(state(START + MINUTE - 1, two)) == []
    assert [each.accounts for each in log.tell(state(START + MINUTE, two))] == [("2",)]
    (closing,) = log.tell(state(START + MINUTE + 1, enforcer("edge-1")))
    assert (closing.severity, closing.started_at) == ("info", START)
    assert closing.summary == "edge-1 enforces all that stands and nothing else"
    (again,) = log.tell(state(START + MINUTE + 2, one))
    assert (again.severity, again.sequence) == ("critical", 4)


def test_a_close_says_when_not_all_is_known_to_be_well() -> None:
    log = Log()
    log.tell(state(START, enforcer("edge-1", ["account:1"])))
    (closing,) = log.tell(state(START + 1, enforcer("edge-1", too_old=2)))
    assert closing.severity == "warning"
    assert "2 of its answers are too old to be awaited" in closing.summary
    log.tell(state(START + 2, enforcer("edge-1", ["account:1"])))
    (closing,) = log.tell(state(START + 3))
    assert closing.severity == "warning"
    assert closing.summary == "edge-1 is no longer expected to enforce"


def test_silence_of_everybody_has_a_thread_of_its_own() -> None:
    log = Log()
    silent = {"unanswered": 3, "unanswered_since": START}
    (alert,) = log.tell(state(START + MINUTE, heard_at=None, **silent))
    assert alert.campaign_id == "enforcement"
    assert alert.summary == (
        "3 actions stand for more than 10 s, and nobody has acknowledged anything"
    )
    (closing,) = log.tell(state(START + 2 * MINUTE, enforcer("edge-1")))
    assert (closing.campaign_id, closing.severity) == ("enforcement", "info")
    (alert,) = log.tell(state(START + 3 * MINUTE, **silent))
    assert alert.summary.endswith("since 2026-01-01 12:00:00 UTC")
