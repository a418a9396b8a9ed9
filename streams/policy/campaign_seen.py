"""A campaign as its alerts, tests and actions tell it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from streams.contracts.records import Action, Alert, Decision
from streams.policy.explanation import CampaignSeen, GroupTest

__all__ = ["campaign_seen", "named_accounts", "rejecting_test"]


def campaign_seen(
    name: str,
    decisions: Iterable[Decision],
    alerts: Sequence[Alert],
    actions: Mapping[str, Action],
) -> CampaignSeen:
    """Describe a campaign by its alerts; all else by what the log has of it."""
    mine = [each for each in alerts if each.campaign_id == name]
    newest = max(mine, key=lambda each: each.sequence, default=None)
    rungs: dict[str, int] = {}
    for action in actions.values():
        if action.campaign_id == name:
            mode = f"{action.mode} {action.rung}"
            rungs[mode] = rungs.get(mode, 0) + 1
    tests = tuple(_test(each) for each in _tests(name, decisions))
    seen = CampaignSeen(
        campaign_id=name,
        merged_into=_merged_into(name, alerts),
        rungs=dict(sorted(rungs.items())),
        tests=tests,
    )
    if newest is None:
        return seen
    return CampaignSeen(
        campaign_id=name,
        merged_into=seen.merged_into,
        found_at=min(each.occurred_at for each in mine),
        started_at=newest.started_at,
        account_count=newest.account_count,
        exchange_count=newest.exchange_count,
        accounts=named_accounts(mine),
        facets=newest.facets,
        families=newest.families,
        released=newest.summary if newest.kind == "campaign_released" else "",
        rungs=seen.rungs,
        tests=tests,
    )


def named_accounts(thread: Iterable[Alert]) -> tuple[str, ...]:
    """Collect the accounts that alerts name, each once, in the order of the thread."""
    ordered = sorted(thread, key=lambda alert: alert.sequence)
    return tuple(dict.fromkeys(name for alert in ordered for name in alert.accounts))


def rejecting_test(
    campaign: CampaignSeen,
    decisions: Iterable[Decision],
    until: int | None,
    *,
    paid: bool = False,
) -> Decision | None:
    """Give the newest test that found or confirmed it, up to ``until`` (ms).

    ``paid``: of those that the budget was spent on, the one that found it.
    """
    rejected = [
        each
        for each in _tests(campaign.campaign_id, decisions)
        if each.e_value * each.level >= 1
        and (until is None or each.occurred_at <= until)
        and (each.budget_left > 0 or not paid)
    ]
    return next(reversed(rejected), None)


def _tests(name: str, decisions: Iterable[Decision]) -> list[Decision]:
    return [
        each for each in decisions if each.kind == "tested" and each.campaign_id == name
    ]


def _test(decision: Decision) -> GroupTest:
    return GroupTest(
        at=decision.occurred_at,
        campaign_id=decision.campaign_id,
        look=decision.look,
        exchanges=decision.exchanges,
        e_value=decision.e_value,
        needed=decision.threshold,
        level=decision.level,
        budget_left=decision.budget_left,
        rejected=decision.e_value * decision.level >= 1,
    )


def _merged_into(name: str, alerts: Iterable[Alert]) -> str:
    """Name the campaign that goes on for this one: its alert says so in words only."""
    for alert in alerts:
        merged = alert.kind == "campaign_merged" and alert.campaign_id != name
        if merged and name in alert.summary.split():
            return alert.campaign_id
    return ""
