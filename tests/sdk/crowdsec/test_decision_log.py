from __future__ import annotations

import ipaddress
from typing import Any

import pytest
from action_samples import HOUR, NOW, action

from streams.errors import ConfigError
from streams.sdk.crowdsec.cursors import Bouncer, Cursors
from streams.sdk.crowdsec.decision import BouncerDecision, DecisionMaker
from streams.sdk.crowdsec.decision_filter import DecisionFilter
from streams.sdk.crowdsec.decision_log import DecisionLog

DAY = 24 * HOUR


def log(**settings: Any) -> DecisionLog:
    return DecisionLog(DecisionMaker(), **settings)


def told(decisions: Any) -> list[tuple[str, str]]:
    return [(each.value, each.type) for each in decisions]


def test_a_bouncer_is_told_what_changed_since_its_cursor() -> None:
    held = log()
    held.take(action("account:1"), True, NOW)
    held.take(action("account:2"), True, NOW)
    first = held.changes()
    assert told(first.new) == [("1", "ban"), ("2", "ban")]
    assert not first.deleted
    assert not any(held.changes(first.revision)[:2])
    held.take(action("account:1", 2, rung="throttle"), True, NOW)
    held.take(action("account:2"), False, NOW)
    held.take(action("account:3"), True, NOW)
    second = held.changes(first.revision)
    assert told(second.new) == [("1", "throttle"), ("3", "ban")]
    assert told(second.deleted) == [("1", "ban"), ("2", "ban")]
    assert {each.until for each in second.deleted} == {NOW}
    assert second.deleted[1].id == first.new[1].id
    assert told(held.changes().new) == told(second.new)


def test_complaint_3_an_extension_is_told_as_new_and_never_as_deleted() -> None:
    held = log()
    held.take(action(expires_at=NOW + 10), True, NOW)
    before = held.changes().revision
    held.take(action(sequence=2, expires_at=NOW + HOUR), True, NOW)
    after = held.changes(before)
    assert [each.until for each in after.new] == [NOW + HOUR]
    assert not after.deleted


def test_what_changes_nothing_for_bouncers_is_no_news() -> None:
    held = log()
    held.take(action(), True, NOW)
    before = held.changes().revision
    held.take(action(reason_codes=("OTHER",)), True, NOW)
    held.take(action("account:2", mode="shadow"), False, NOW)
    held.take(action("account:3"), False, NOW)
    held.take(action("planet:4"), True, NOW)
    assert held.changes(before).revision == before
    assert len(held) == 1


@pytest.mark.parametrize("changes", [{"mode": "shadow"}, {"human_review": True}])
def test_what_ends_in_shadow_or_review_is_deleted(changes: dict[str, Any]) -> None:
    held = log()
    held.take(action(), True, NOW)
    held.take(action(sequence=2, rung="throttle", **changes), False, NOW + 1)
    assert told(held.changes().deleted) == [("1", "ban")]
    assert len(held) == 0


def test_what_expired_unread_is_deleted_if_it_was_to_be_enforced() -> None:
    held = log()
    held.take(action("account:1", expires_at=NOW - 1), False, NOW)
    held.take(action("account:2", expires_at=NOW - 1, mode="shadow"), False, NOW)
    held.take(action("account:3", expires_at=NOW - 1, human_review=True), False, NOW)
    held.take(action("account:4", expires_at=NOW - DAY), False, NOW)
    held.take(action("planet:5", expires_at=NOW - 1), False, NOW)
    assert told(held.changes().deleted) == [("1", "ban")]


def test_what_has_gone_is_in_the_order_in_which_it_went_last() -> None:
    held = log()
    for name in ("1", "2", "1"):
        held.take(action(f"account:{name}", expires_at=NOW), False, NOW)
    assert told(held.changes().deleted) == [("2", "ban"), ("1", "ban")]
    assert told(held.changes(2).deleted) == [("1", "ban")]


def test_what_stands_again_has_not_gone() -> None:
    held = log()
    held.take(action("account:1"), True, NOW)
    held.take(action("account:2"), True, NOW)
    held.take(action("account:1"), False, NOW)
    before = held.changes().revision
    held.take(action("account:1", 2), True, NOW)
    assert held.gone == 0
    held.take(action("account:2", 2, expires_at=NOW + 1), True, NOW)
    held.take(action("account:1", 3, expires_at=NOW + 1), True, NOW)
    assert told(held.changes(before).new) == [("2", "ban"), ("1", "ban")]


def test_a_value_under_another_campaign_replaces_and_does_not_lift() -> None:
    held = log()
    held.take(action(), True, NOW)
    before = held.changes().revision
    held.take(action(sequence=2, campaign_id="c-2"), True, NOW)
    after = held.changes(before)
    (gone,) = after.deleted
    assert held.superseded(gone, DecisionFilter())
    # Who asked for the first campaign only must lose it.
    assert not held.superseded(gone, DecisionFilter(containing=("c-1",)))


def test_what_has_gone_is_forgotten_after_a_day_and_it_is_said() -> None:
    held = log()
    held.take(action("account:1"), True, NOW)
    early = held.changes().revision
    held.take(action("account:1"), False, NOW)
    late = held.changes().revision
    held.take(action("account:2"), True, NOW + DAY - 1)
    assert held.gone == 1
    assert held.changes(early).forgot is False
    held.take(action("account:3"), True, NOW + DAY)
    assert held.gone == 0
    assert held.changes(early).forgot is True
    assert held.changes(late).forgot is False
    assert held.changes().forgot is False


def test_a_bouncer_that_never_returns_costs_a_bounded_memory() -> None:
    held = log(max_gone=100)
    for number in range(1_000):
        held.take(action(f"account:{number}"), True, NOW)
        held.take(action(f"account:{number}"), False, NOW)
    assert (len(held), held.gone) == (0, 100)
    assert told(held.changes(0).deleted)[0] == ("900", "ban")
    assert held.changes(0).forgot is True
    with pytest.raises(ConfigError, match="max_gone = 0 is below 1"):
        log(max_gone=0)


def test_everything_can_be_lifted_at_once_and_is_told_in_full() -> None:
    held = log()
    for number in range(20_000):
        held.take(action(f"account:{number}"), True, NOW)
    before = held.changes().revision
    for number in range(20_000):
        held.take(action(f"account:{number}"), False, NOW)
    after = held.changes(before)
    assert len(after.deleted) == 20_000
    assert not after.new
    assert after.forgot is False


def test_addresses_are_found_by_what_is_around_them() -> None:
    held = log()
    subjects = ["10.1.2.3", "10.1.0.0/16", "10.0.0.0/8", "2001:DB8::1", "77ab03"]
    for each in subjects:
        held.take(action(f"facet:network:{each}"), True, NOW)

    def values(found: list[BouncerDecision]) -> list[str]:
        return [each.value for each in found]

    network = ipaddress.ip_network
    assert values(held.covering(network("10.1.2.3"))) == subjects[:3]
    assert values(held.covering(network("10.1.9.9"))) == subjects[1:3]
    assert values(held.covering(network("2001:db8::1"))) == ["2001:DB8::1"]
    assert values(held.inside(network("10.1.0.0/16"))) == subjects[:2]
    assert values(held.inside(network("::/0"))) == ["2001:DB8::1"]
    assert values(held.with_value("77ab03")) == ["77ab03"]
    assert held.with_value("10.1") == []
    for each in subjects:
        held.take(action(f"facet:network:{each}"), False, NOW)
    assert held.covering(network("10.1.2.3")) == held.with_value("77ab03") == []
    assert not held._networks
    assert not held._prefixes


def test_bouncers_that_start_at_once_share_one_list() -> None:
    held = log()
    held.take(action(), True, NOW)
    assert held.changes().new is held.changes().new is held.everything()
    held.take(action("account:2"), True, NOW)
    assert told(held.everything()) == [("1", "ban"), ("2", "ban")]


def test_cursors_of_the_latest_bouncers_are_kept() -> None:
    cursors = Cursors(limit=2)
    one, two, three = (Bouncer("edge", f"10.0.0.{number}") for number in (1, 2, 3))
    assert cursors.get(one) is None
    for bouncer in (one, two, one, three):
        cursors.set(bouncer, 5)
    assert [cursors.get(each) for each in (one, two, three)] == [5, None, 5]
    assert len(cursors) == 2
