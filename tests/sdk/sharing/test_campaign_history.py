from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sharing_samples import HOUR, NOON, action, alert, history

from streams.contracts import Action, Alert
from streams.sdk.sharing.campaign_history import campaign_histories


def test_the_newest_alert_counts_and_the_oldest_dates_it() -> None:
    found = history(alert(1), alert(3), alert(2))
    assert (found.newest.sequence, found.found_at) == (3, NOON)
    assert found.state == "active"


def test_the_alerts_of_a_campaign_together_name_its_accounts() -> None:
    thread = [
        alert(3, accounts=("e",)),
        alert(1, accounts=("b", "a")),
        alert(2, accounts=("d", "a")),
    ]
    assert history(*thread).accounts == ("b", "a", "d", "e")


def test_a_released_campaign_is_one_whose_newest_alert_says_so() -> None:
    released = alert(2, kind="campaign_released")
    assert history(alert(1), released).state == "released"
    assert history(alert(1), released, alert(3)).state == "active"


def test_news_of_the_system_is_no_campaign() -> None:
    assert campaign_histories([alert(1, kind="budget_exhausted")], []) == {}
    late = alert(9, kind="not_enforced", account_count=0)
    assert history(alert(1), late).newest.sequence == 1


def test_the_newest_action_of_a_subject_counts_for_its_campaign_only() -> None:
    moved = action("b", 2, campaign_id="dc-other")
    found = history(
        actions=(action("a", 2, rung="suspend"), action("a", 1), action("b", 1), moved)
    )
    assert found.rungs() == {"shadow suspend": 1}


@given(
    st.permutations([alert(n) for n in (1, 2, 3)]),
    st.permutations([action("a", 1), action("a", 2), action("b", 1, mode="enforce")]),
)
def test_the_order_of_records_does_not_matter(
    alerts: list[Alert], actions: list[Action]
) -> None:
    expected = history(
        alert(1),
        alert(2),
        alert(3),
        actions=(action("a", 2), action("b", 1, mode="enforce")),
    )
    assert history(*alerts, actions=tuple(actions)) == expected


def test_the_oldest_campaign_comes_first() -> None:
    later = alert(1, campaign_id="dc-a", occurred_at=NOON + HOUR)
    assert list(campaign_histories([later, alert(1)], [])) == [
        "dc-a27ec66606bb",
        "dc-a",
    ]


def test_a_campaign_that_another_one_swallowed_is_merged() -> None:
    told = "campaign dc-b is part of dc-a27ec66606bb"
    grown = alert(2, kind="campaign_merged", summary=told)
    swallowed = alert(1, campaign_id="dc-b")
    found = campaign_histories([grown, alert(1), swallowed], [])
    assert (found["dc-b"].state, found["dc-b"].merged_into) == (
        "merged",
        "dc-a27ec66606bb",
    )
    assert found["dc-a27ec66606bb"].state == "active"
