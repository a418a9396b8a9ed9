from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from action_samples import HOUR, NOW, action
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import Action
from streams.errors import ConfigError
from streams.sdk.decision import NOTHING, RANK, Decision
from streams.sdk.standing_actions import Change, StandingActions


def decide(
    held: StandingActions,
    account: str | None = "1",
    facets: Mapping[str, str] | None = None,
    now: int = NOW,
) -> Decision:
    return held.decide(account, facets, lambda: now / 1000)


def outcomes(changes: list[Change]) -> list[tuple[str, str]]:
    return [(change.outcome, change.action.action_id) for change in changes]


def test_a_later_action_with_the_same_expiry_expires_too() -> None:
    held = StandingActions()
    held.upsert(action(sequence=1, rung="throttle", expires_at=NOW + 1), NOW)
    held.upsert(later := action(sequence=2, expires_at=NOW + 1), NOW)
    assert outcomes(held.expire(NOW + 1)) == [("expired", later.action_id)]
    assert held.expire(NOW + 1) == []


def test_an_action_in_force_decides_until_its_expiry_without_any_message() -> None:
    held = StandingActions()
    first = action(expires_at=NOW + 1)
    assert outcomes(held.upsert(first, NOW)) == [("applied", first.action_id)]
    assert decide(held).action is first
    assert decide(held, now=NOW + 1) is NOTHING
    assert held.get("account:1", NOW + 1) is None
    assert outcomes(held.expire(NOW + 1)) == [("expired", first.action_id)]
    assert held.expire(NOW + 1) == []
    assert len(held) == 0


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mode": "shadow"}, "shadow"),
        ({"human_review": True}, "it waits for a person"),
    ],
)
def test_complaint_6_a_dry_run_is_visible_and_never_enforced(
    changes: dict[str, Any], why: str
) -> None:
    held = StandingActions()
    dry = action(**changes)
    assert held.upsert(dry, NOW) == []
    assert decide(held) == Decision(None, dry, why)
    assert decide(held).rung is None
    assert held.get("account:1", NOW) == dry


def test_complaint_6_a_dry_run_does_not_stand_before_an_enforced_action() -> None:
    held = StandingActions()
    dry = action("account:1", rung="suspend", mode="shadow")
    real = action("facet:network:n", rung="throttle")
    held.upsert(dry, NOW)
    held.upsert(real, NOW)
    assert decide(held, facets={"network": "n"}) == Decision(real, dry)


def test_what_was_in_force_and_becomes_a_dry_run_is_released() -> None:
    held = StandingActions()
    held.upsert(action(sequence=1), NOW)
    told = held.upsert(action(sequence=2, mode="shadow"), NOW)
    assert outcomes(told) == [("released", "id-account:1-1")]
    told = held.upsert(action(sequence=3), NOW)
    assert outcomes(told) == [("applied", "id-account:1-3")]


def test_complaint_3_a_shorter_action_does_not_lift_a_later_one_early() -> None:
    held = StandingActions()
    held.upsert(action(sequence=1, expires_at=NOW + 10), NOW)
    long = action(sequence=2, expires_at=NOW + HOUR)
    held.upsert(long, NOW)
    assert held.expire(NOW + 10) == []
    assert decide(held, now=NOW + 10).action is long


def test_complaint_3_what_was_lifted_does_not_come_back_with_a_repeat() -> None:
    held = StandingActions()
    first = action(sequence=3)
    held.upsert(first, NOW)
    assert outcomes(held.lift("account:1")) == [("released", first.action_id)]
    assert held.lift("account:1") == []
    assert held.upsert(first, NOW) == []
    assert held.upsert(action(sequence=2), NOW) == []
    assert decide(held) is NOTHING
    assert held.ignored == 2
    assert held.upsert(action(sequence=4), NOW) != []
    assert decide(held).action is not None


def test_a_later_action_that_is_over_already_ends_the_standing_one() -> None:
    held = StandingActions()
    held.upsert(action(sequence=1), NOW)
    told = held.upsert(action(sequence=2, expires_at=NOW), NOW)
    assert outcomes(told) == [("released", "id-account:1-1")]
    assert decide(held) is NOTHING


def test_complaint_8_a_repeat_of_the_same_action_is_no_news() -> None:
    held = StandingActions()
    held.upsert(action(), NOW)
    assert held.upsert(action(), NOW) == []
    # The same sequence with other content: the last record wins, as in a fresh load.
    held.upsert(action(expires_at=NOW + 2 * HOUR), NOW)
    assert decide(held, now=NOW + HOUR).action is not None
    assert held.expire(NOW + HOUR) == []


def test_complaint_1_an_enforcers_own_allowlist_refuses_and_says_so() -> None:
    held = StandingActions(honour=lambda a: "allowlisted" if "1" in a.subject else None)
    assert held.upsert(action(), NOW) == [Change("refused", action(), "allowlisted")]
    assert decide(held) == Decision(None, action(), "allowlisted")
    assert held.upsert(action("account:2"), NOW)[0].outcome == "applied"


def test_a_policy_that_fails_refuses_rather_than_bans() -> None:
    def honour(_action: Action) -> str | None:
        raise RuntimeError

    told = StandingActions(honour=honour).upsert(action(), NOW)
    why = "the enforcer's policy failed (RuntimeError)"
    assert told == [Change("refused", action(), why)]


def test_the_strongest_rung_wins_and_the_account_comes_first_among_equals() -> None:
    held = StandingActions()
    facets = {"network": "n", "payment": "p"}
    throttled = action("account:1", rung="throttle")
    for each in (
        throttled,
        action("facet:network:n", rung="throttle"),
        action("facet:other:n", rung="suspend"),
    ):
        held.upsert(each, NOW)
    assert decide(held, facets=facets).action is throttled
    challenge = action("facet:payment:p", rung="challenge")
    held.upsert(challenge, NOW)
    assert decide(held, facets=facets).action is challenge
    assert decide(held, account=None, facets=facets).action is challenge
    assert decide(held, account=None) is NOTHING
    held.lift("facet:payment:p")
    assert decide(held, facets=facets, now=NOW + HOUR) is NOTHING
    assert decide(held, facets=facets).action is throttled


def test_a_facet_id_may_hold_colons() -> None:
    held = StandingActions()
    held.upsert(action("facet:network:2001:db8::1"), NOW)
    assert decide(held, facets={"network": "2001:db8::1"}).rung == "suspend"


def test_complaint_9_no_more_subjects_are_held_than_agreed() -> None:
    held = StandingActions(max_subjects=2)
    held.upsert(action("account:1", expires_at=NOW + 5), NOW)
    held.upsert(action("account:2"), NOW)
    told = held.upsert(action("account:3"), NOW)
    assert [(c.outcome, c.detail) for c in told] == [
        ("refused", "this enforcer holds 2 subjects already")
    ]
    assert held.upsert(action("account:4", mode="shadow"), NOW) == []
    assert (held.dropped, len(held)) == (2, 2)
    assert outcomes(held.upsert(action("account:2", 2), NOW)) == [
        ("applied", "id-account:2-2")
    ]
    # What has expired makes room.
    told = held.upsert(action("account:3"), NOW + 5)
    assert [change.outcome for change in told] == ["expired", "applied"]
    with pytest.raises(ConfigError, match="max_subjects"):
        StandingActions(max_subjects=0)


def test_complaint_9_repeated_extensions_do_not_pile_up() -> None:
    held = StandingActions()
    for sequence in range(5000):
        held.upsert(action(sequence=sequence, expires_at=NOW + HOUR + sequence), NOW)
    assert len(held._expiries) < 2000
    assert held.expire(NOW + HOUR + 4998) == []
    assert len(held.expire(NOW + HOUR + 4999)) == 1


def test_complaint_3_a_load_lifts_what_the_topic_no_longer_has() -> None:
    held = StandingActions()
    for number in range(3):
        held.upsert(action(f"account:{number}"), NOW)
    held.begin_load()
    assert held.upsert(action("account:0"), NOW) == []
    held.upsert(action("account:9"), NOW)
    assert len(held.lift("account:1")) == 1
    assert outcomes(held.end_load()) == [("released", "id-account:2-1")]
    assert sorted(each.action.subject for each in held) == ["account:0", "account:9"]


SUBJECTS = ["account:1", "account:2", "facet:network:n", "facet:client:c", "campaign:x"]
RECORDS = st.one_of(
    st.builds(
        lambda subject, sequence, rung, mode, review, life: action(
            subject,
            sequence,
            rung=rung,
            mode=mode,
            human_review=review,
            expires_at=NOW + life,
        ),
        st.sampled_from(SUBJECTS),
        st.integers(0, 4),
        st.sampled_from(sorted(RANK)),
        st.sampled_from(["shadow", "enforce"]),
        st.booleans(),
        st.sampled_from([0, 5, 10, 50]),
    ),
    st.sampled_from(SUBJECTS),
    st.integers(0, 20),
)


class Oracle:
    """The rules once more, as plainly as they can be said."""

    def __init__(self) -> None:
        self.latest: dict[str, int] = {}
        self.standing: dict[str, Action] = {}

    def upsert(self, new: Action, now: int) -> None:
        latest = self.latest.get(new.subject, -1)
        gone = new.subject not in self.standing
        if new.sequence < latest or (gone and new.sequence == latest):
            return
        self.latest[new.subject] = new.sequence
        self.standing.pop(new.subject, None)
        if new.expires_at > now:
            self.standing[new.subject] = new

    def decide(self, now: int) -> tuple[int, int]:
        applying = [
            each
            for subject in ("account:1", "facet:network:n", "facet:client:c")
            if (each := self.standing.get(subject)) and each.expires_at > now
        ]
        ranks = [[-1], [-1]]
        for each in applying:
            real = each.mode == "enforce" and not each.human_review
            ranks[not real].append(RANK[each.rung])
        return max(ranks[0]), max(ranks[1])


@given(st.lists(RECORDS, max_size=40))
def test_any_sequence_of_records_gives_what_the_rules_say(
    records: list[Action | str | int],
) -> None:
    held, oracle, now = StandingActions(), Oracle(), NOW
    in_force: set[str] = set()
    for record in records:
        if isinstance(record, Action):
            changes = held.upsert(record, now)
            oracle.upsert(record, now)
        elif isinstance(record, str):
            changes = held.lift(record)
            oracle.standing.pop(record, None)
        else:
            now += record
            changes = held.expire(now)
            over = [s for s, a in oracle.standing.items() if a.expires_at <= now]
            for subject in over:
                del oracle.standing[subject]
        for change in changes:
            assert change.outcome != "refused"
            if change.outcome == "applied":
                in_force.add(change.action.subject)
            else:
                in_force.remove(change.action.subject)
        assert {e.action.subject: e.action for e in held} == oracle.standing
        # Acknowledgements alone tell what is in force.
        assert in_force == {e.action.subject for e in held if e.withheld is None}
        decision = decide(held, facets={"network": "n", "client": "c"}, now=now)
        found = (decision.action, decision.would)
        ranks = tuple(RANK[a.rung] if a else -1 for a in found)
        assert ranks == oracle.decide(now)
