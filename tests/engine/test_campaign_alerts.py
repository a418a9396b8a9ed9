"""Alerts of a campaign are one thread: numbered, and told when there is news."""

from __future__ import annotations

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.link_graph import AccountNode, LinkGraph
from streams.contracts import decode_record
from streams.contracts.records import Alert
from streams.engine.campaign_alerts import GROWTH, SHARING_GROWTH, CampaignAlerts
from streams.engine.stage import Output

_ACCOUNTS = 8


def _thread(*, infrastructure: bool) -> tuple[CampaignAlerts, Campaign, Group]:
    graph, group = LinkGraph(), Group(1, 0, infrastructure=infrastructure)
    for number in range(100):
        graph.accounts[f"account-{number}"] = AccountNode(number, 0, 0, 0, 0)
    campaign = Campaign(identifier="dc-1", started=0, found=3, e_value=900.0, level=0.1)
    _grow(group, _ACCOUNTS)
    return CampaignAlerts(graph, "2026-x"), campaign, group


def _grow(group: Group, accounts: int) -> None:
    group.uses = {f"account-{number}": 2 for number in range(accounts)}


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
        assert list(alerts.grown(6, campaign, group)) == []


def test_a_merged_campaign_is_named_in_the_thread_of_the_one_that_goes_on() -> None:
    alerts, campaign, group = _thread(infrastructure=False)
    merged = _alert(alerts.merged(9, campaign, group, "dc-2"))
    assert merged.campaign_id == "dc-1"
    assert merged.summary == "campaign dc-2 is part of dc-1"
    assert merged.model_version == "2026-x"
