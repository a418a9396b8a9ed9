"""Alerts of a campaign are one thread: numbered, and told when there is news."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_nodes import AccountNode
from streams.campaigns.model_mix import Move
from streams.contracts import decode_record
from streams.contracts.records import Alert
from streams.engine.campaign_alerts import (
    GROWTH,
    MOST_NAMED,
    SHARING_GROWTH,
    CampaignAlerts,
)
from streams.engine.campaigns_state import CampaignsState
from streams.engine.stage import Output
from streams.models.reference import load_reference

_ACCOUNTS = 8
_HOUR = 60
_DECADE = 10 * 365 * 24 * _HOUR  # minutes
_MOVE = Move("ahead", "model-2", 0.5, 0.1)


def _thread(
    graph: LinkGraph | None = None, *, infrastructure: bool
) -> tuple[CampaignAlerts, Campaign, Group]:
    graph = graph or LinkGraph()
    group = Group(1, 0, infrastructure=infrastructure)
    for number in range(5 * MOST_NAMED):
        graph.accounts[f"account-{number}"] = AccountNode(
            number, created=_DECADE, events=0, templated=0, likeness=0
        )
    campaign = Campaign(identifier="dc-1", started=0, found=3, e_value=900.0, level=0.1)
    _grow(group, _ACCOUNTS)
    state = CampaignsState(graph, Groups(graph))
    return CampaignAlerts(state, load_reference()), campaign, group


def _grow(group: Group, accounts: int) -> None:
    group.uses = {f"account-{number}": 2 + number % 3 for number in range(accounts)}


def _alert(output: Output) -> Alert:
    assert output.value is not None
    return decode_record(Alert, output.value)


def test_growth_is_told_by_as_much_as_says_something() -> None:
    for infrastructure, growth in ((False, GROWTH), (True, SHARING_GROWTH)):
        alerts, campaign, group = _thread(infrastructure=infrastructure)
        found = _alert(alerts.found(3, campaign, group))
        assert found.account_count == _ACCOUNTS
        assert ("templates" in found.summary) is not infrastructure
        _grow(group, round(growth * _ACCOUNTS) - 1)
        assert list(alerts.grown(4, campaign, group)) == []
        _grow(group, round(growth * _ACCOUNTS))
        (grown,) = map(_alert, alerts.grown(5, campaign, group))
        assert (grown.sequence, grown.kind) == (2, "campaign_grown")
        assert grown.severity == "warning"
        assert list(alerts.grown(6, campaign, group)) == []


def test_a_little_growth_is_told_an_hour_later_as_information() -> None:
    alerts, campaign, group = _thread(infrastructure=False)
    alerts.found(3, campaign, group)
    _grow(group, _ACCOUNTS + 1)
    assert list(alerts.grown(3 + _HOUR - 1, campaign, group)) == []
    (grown,) = map(_alert, alerts.grown(3 + _HOUR, campaign, group))
    assert (grown.severity, grown.accounts) == ("info", (f"account-{_ACCOUNTS}",))
    assert list(alerts.grown(3 + 2 * _HOUR, campaign, group)) == []


def test_what_does_not_fit_into_an_alert_is_named_by_the_next() -> None:
    alerts, campaign, group = _thread(infrastructure=False)
    _grow(group, 4 * MOST_NAMED + 7)
    thread = [_alert(alerts.found(3, campaign, group))]
    for minute in range(4, 4 + 2 * _HOUR):
        thread += map(_alert, alerts.grown(minute, campaign, group))
    assert [len(each.accounts) for each in thread] == [*[MOST_NAMED] * 4, 7]
    assert [each.occurred_at // 60_000 for each in thread] == [3, 4, 5, 6, 66]
    most = [group.uses[account] for account in thread[0].accounts]
    assert min(most) >= max(group.uses[account] for account in thread[1].accounts)


def test_a_latecomer_is_named_once_it_has_more_ties_than_bystanders() -> None:
    """Accounts 8 and 9 were opened long before, and share nothing but a template."""
    graph = LinkGraph()
    alerts, campaign, group = _thread(graph, infrastructure=False)
    alerts.found(3, campaign, group)
    for number in (8, 9):
        graph.accounts[f"account-{number}"].created -= _DECADE
    _grow(group, 10)
    assert list(alerts.grown(3 + _HOUR, campaign, group)) == []
    _grow(group, 11)
    (grown,) = map(_alert, alerts.grown(3 + 2 * _HOUR, campaign, group))
    assert (grown.accounts, grown.account_count) == (("account-10",), 11)
    assert grown.summary.startswith("grown to 9 accounts; 2 others share a template")
    assert grown.severity == "info"
    graph.accounts["account-9"].created += _DECADE
    pivot = _alert(alerts.moved(4 * _HOUR, campaign, group, _MOVE))
    assert pivot.accounts == ("account-9",)
    merged = _alert(alerts.merged(5 * _HOUR, campaign, group, "dc-2"))
    assert merged.accounts == ("account-8",)


def test_who_shares_infrastructure_needs_no_other_tie() -> None:
    graph = LinkGraph()
    alerts, campaign, group = _thread(graph, infrastructure=True)
    alerts.found(3, campaign, group)
    graph.accounts["account-8"].created -= _DECADE
    _grow(group, 9)
    (grown,) = map(_alert, alerts.grown(3 + _HOUR, campaign, group))
    assert grown.accounts == ("account-8",)


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 40)), max_size=20),
    st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_a_thread_names_every_account_once(
    steps: list[tuple[int, int]], infrastructure: bool
) -> None:
    alerts, campaign, group = _thread(infrastructure=infrastructure)
    thread, minute = [_alert(alerts.found(3, campaign, group))], 3
    for wait, more in steps:
        minute += wait
        _grow(group, len(group.uses) + more)
        thread += map(_alert, alerts.grown(minute, campaign, group))
    thread += map(_alert, alerts.grown(minute + _HOUR, campaign, group))
    named = [account for each in thread for account in each.accounts]
    assert sorted(named) == sorted(group.uses)
    assert [each.sequence for each in thread] == list(range(1, len(thread) + 1))


def test_a_merged_campaign_is_named_in_the_thread_of_the_one_that_goes_on() -> None:
    alerts, campaign, group = _thread(infrastructure=False)
    merged = _alert(alerts.merged(9, campaign, group, "dc-2"))
    assert merged.campaign_id == "dc-1"
    assert merged.summary == "campaign dc-2 is part of dc-1"
    assert merged.model_version == load_reference().version
    assert sorted(merged.accounts) == sorted(group.uses)
