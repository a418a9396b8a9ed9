"""What became of each campaign of a run, and of ordinary accounts beside it.

Matching is that of :mod:`streams.scenarios.score`. In addition a campaign counts as
found when at least three of its accounts are linked by a campaign of the run whose
majority is guilty, of whatever campaigns: two behind one proxy may be taken for one. It
is then ``merged``. Its first alert is when such campaigns had linked three accounts.

An account is *linked* when an alert names it or an action is about it, of any rung.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np
import polars as pl

from streams.contracts.time_units import MS_PER_DAY, MS_PER_HOUR
from streams.policy.ladder import RUNGS
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.respawn import REPLACED_FROM
from streams.scenarios.detection.run import Run
from streams.scenarios.detection.shapes import shape_of
from streams.scenarios.score import LEAST_MEMBERS, CampaignScore, Score, score

__all__ = [
    "FIRST_REQUESTS",
    "CampaignFigures",
    "CohortFigures",
    "RunFigures",
    "figures",
]

FIRST_REQUESTS: Final = 20
"""A respawned account is to be linked within so many requests of its own."""
_MILLION: Final = 1_000_000
_ACCOUNT: Final = "account:"


class CampaignFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One campaign; ``share`` of its accounts' traffic is the campaign's.

    ``leak_*`` are shares of its exchanges: before the first alert, before the first
    effective action on any of its accounts, before one on the exchange's *own*
    account, outside every effective action's time, and outside every action's that
    stops requests (``challenge`` and up; a throttle hardly touches a slow account).
    ``accounts`` ran as planned (with planned replacement, over time);
    ``accounts_used`` counts those that were opened in the place of actioned ones, too.
    ``precision`` is of the accounts that were linked by the run's campaigns which hold
    this one: those that belong to any campaign; ``recall`` is of this one's accounts.
    ``respawned_linked`` is of the accounts that first called after the first alert and
    either were linked or sent 20 requests. ``cost_multiplier``: accounts per exchange
    that got through, relative to the same campaign where nobody enforces anything.
    """

    name: str
    shape: str
    share: float
    accounts: int
    accounts_used: int
    exchanges: int
    requests_per_account: float
    found: bool
    merged: bool
    events_first_alert: int | None
    hours_first_alert: float | None
    leak_first_alert: Rate
    leak_effective: Rate
    leak_own_action: Rate
    leak_not_covered: Rate
    leak_unchallenged: Rate
    precision: Rate
    recall: Rate
    accounts_effective: int
    respawned_linked: Rate
    respawn_requests: float | None
    respawn_hours: float | None
    pivot_hours: float | None
    pivots: bool
    cost_multiplier: float | None


class CohortFigures(msgspec.Struct, frozen=True):
    """Ordinary accounts of a kind; ``rungs`` counts accounts by their highest rung."""

    cohort: str
    accounts: int
    account_days: int
    rungs: dict[str, int]
    linked: int

    def per_million(self) -> dict[str, float]:
        """Give the accounts by highest rung, per million account-days."""
        days = max(self.account_days, 1)
        return {rung: _MILLION * count / days for rung, count in self.rungs.items()}

    def above_label(self) -> int:
        """Count the accounts that were actioned above the rung ``label``."""
        worst = RUNGS.index("label")
        return sum(n for rung, n in self.rungs.items() if RUNGS.index(rung) > worst)


class RunFigures(msgspec.Struct, frozen=True):
    """All figures of one run; ``wrong`` is per ordinary account-day, by rung."""

    events: int
    accounts: int
    account_days: int
    events_per_second: float
    campaigns: tuple[CampaignFigures, ...]
    cohorts: tuple[CohortFigures, ...]
    wrong: dict[str, Rate]
    false_campaigns: int


def figures(run: Run) -> RunFigures:
    """Compare a run with its truth."""
    result = score(run.outcome)
    links = _Links(run)
    cohorts = _cohorts(run, links)
    days = sum(cohort.account_days for cohort in cohorts)
    return RunFigures(
        events=result.events,
        accounts=result.accounts,
        account_days=days,
        events_per_second=run.events_per_second,
        campaigns=tuple(_campaign(run, each, links) for each in result.campaigns),
        cohorts=cohorts,
        wrong={
            rung: Rate.of(sum(c.rungs.get(rung, 0) for c in cohorts), days)
            for rung in RUNGS
        },
        false_campaigns=_false_campaigns(result),
    )


def _false_campaigns(result: Score) -> int:
    return len(result.false_campaigns)


class _Links:
    """When each account was first linked, and by which campaigns of the run."""

    def __init__(self, run: Run) -> None:
        self.first: dict[str, int] = {}
        self.members: dict[str, dict[str, int]] = {}
        self.campaign_of: dict[str, str] = dict(
            run.outcome.truth.select("account_id", "campaign").iter_rows()
        )
        for alert in run.outcome.alerts:
            for account in alert.accounts:
                self._add(alert.campaign_id, account, alert.occurred_at)
        for action in run.outcome.actions:
            account = action.subject.removeprefix(_ACCOUNT)
            self._add(action.campaign_id, account, action.issued_at)

    def _add(self, campaign: str, account: str, when: int) -> None:
        members = self.members.setdefault(campaign, {})
        members[account] = min(members.get(account, when), when)
        self.first[account] = min(self.first.get(account, when), when)

    def third(self, accounts: list[str], campaigns: set[str]) -> int | None:
        """When ``campaigns`` of the run had linked three of the accounts."""
        first: dict[str, int] = {}
        for campaign in campaigns:
            for account, when in self.members[campaign].items():
                first[account] = min(first.get(account, when), when)
        linked = sorted(first[account] for account in accounts if account in first)
        return linked[LEAST_MEMBERS - 1] if len(linked) >= LEAST_MEMBERS else None

    def holding(self, name: str) -> set[str]:
        """Campaigns of the run that are mostly guilty and hold three of ``name``'s."""
        found = set()
        for campaign, members in self.members.items():
            truth = [self.campaign_of.get(account, "") for account in members]
            guilty = sum(map(bool, truth))
            if truth.count(name) >= LEAST_MEMBERS and 2 * guilty > len(truth):
                found.add(campaign)
        return found


def _campaign(run: Run, scored: CampaignScore, links: _Links) -> CampaignFigures:
    name = scored.name
    own = [account for account, of in links.campaign_of.items() if of == name]
    found_as = set(scored.found_as) | links.holding(name)
    alert = links.third(own, found_as)
    times = run.outcome.exchanges.filter(pl.col("campaign") == name)["time"].to_numpy()
    n = len(times)
    before = n if alert is None else int((times < alert).sum())
    linked = {account for each in found_as for account in links.members[each]}
    right = sum(links.campaign_of.get(account) == name for account in linked)
    guilty = sum(bool(links.campaign_of.get(account)) for account in linked)
    spec = next((c for c in run.scenario.campaign if c.name == name), None)
    through = round(scored.share_not_covered * n)
    planned = run.planned.get(name, len(own))
    respawn = _respawned(run, own, alert, links)
    calls = len(run.sent.join(pl.DataFrame({"account_id": own}), on="account_id"))
    return CampaignFigures(
        name=name,
        shape=shape_of(name),
        share=spec.mix_share if spec else 1.0,
        accounts=planned,
        accounts_used=len(own),
        exchanges=n,
        requests_per_account=round(calls / max(planned, 1), 1),
        found=bool(found_as),
        merged=bool(found_as) and not scored.found,
        events_first_alert=None if alert is None else before,
        hours_first_alert=(
            None if alert is None or not n else float(alert - times[0]) / MS_PER_HOUR
        ),
        leak_first_alert=Rate.of(before, n),
        leak_effective=Rate.of(round(scored.share_before_effective * n), n),
        leak_own_action=Rate.of(round(scored.share_before_own_action * n), n),
        leak_not_covered=Rate.of(through, n),
        leak_unchallenged=Rate.of(_unchallenged(run, name), n),
        precision=Rate.of(guilty, len(linked)),
        recall=Rate.of(right, len(own)),
        accounts_effective=scored.accounts_effective,
        respawned_linked=respawn[0],
        respawn_requests=respawn[1],
        respawn_hours=respawn[2],
        pivot_hours=_pivot_hours(run, name, found_as),
        pivots=bool(spec and spec.pivot),
        cost_multiplier=(
            round(len(own) / planned * n / through, 3) if through and planned else None
        ),
    )


def _unchallenged(run: Run, name: str) -> int:
    """Count exchanges outside the time of every action that stops requests."""
    least = RUNGS.index(REPLACED_FROM)
    spans: dict[str, list[tuple[int, int]]] = {}
    for action in run.outcome.actions:
        if RUNGS.index(action.rung) >= least:
            account = action.subject.removeprefix(_ACCOUNT)
            spans.setdefault(account, []).append((action.issued_at, action.expires_at))
    exchanges = run.outcome.exchanges.filter(pl.col("campaign") == name)
    return sum(
        not any(begin <= when < end for begin, end in spans.get(account, ()))
        for account, when in exchanges.select("account_id", "time").iter_rows()
    )


def _respawned(
    run: Run, own: list[str], alert: int | None, links: _Links
) -> tuple[Rate, float | None, float | None]:
    """Say how soon accounts that came after the first alert were linked."""
    if alert is None:
        return Rate.of(0, 0), None, None
    calls = (
        run.sent.join(pl.DataFrame({"account_id": own}), on="account_id")
        .group_by("account_id")
        .agg("time", first=pl.col("time").min())
        .filter(pl.col("first") > alert)
        .sort("first", "account_id")
    )
    soon = trials = 0
    requests, hours = [], []
    for account, times, first in calls.iter_rows():
        when = links.first.get(account)
        if when is not None:
            sent = int((np.asarray(times) <= when).sum())
            requests.append(sent)
            hours.append((when - first) / MS_PER_HOUR)
            soon += sent <= FIRST_REQUESTS
        trials += when is not None or len(times) >= FIRST_REQUESTS
    middle = float(np.median(requests)) if requests else None
    return Rate.of(soon, trials), middle, float(np.median(hours)) if hours else None


def _pivot_hours(run: Run, name: str, found_as: set[str]) -> float | None:
    """Hours from the start of a campaign's pivot to the alert that tells of it."""
    spec = next((c for c in run.scenario.campaign if c.name == name), None)
    if spec is None or spec.pivot is None:
        return None
    begun = run.scenario.start.timestamp() * 1000 + spec.pivot.hour * MS_PER_HOUR
    told = [
        alert.occurred_at
        for alert in run.outcome.alerts
        if alert.kind == "campaign_pivoted"
        and alert.campaign_id in found_as
        and alert.occurred_at >= begun
    ]
    return (min(told) - begun) / MS_PER_HOUR if told else None


def _cohorts(run: Run, links: _Links) -> tuple[CohortFigures, ...]:
    highest: dict[str, int] = {}
    for action in run.outcome.actions:
        account = action.subject.removeprefix(_ACCOUNT)
        highest[account] = max(highest.get(account, 0), RUNGS.index(action.rung))
    ordinary = run.outcome.truth.filter(pl.col("campaign") == "")
    days = dict(
        run.sent.join(ordinary, on="account_id")
        .select("cohort", "account_id", pl.col("time") // MS_PER_DAY)
        .unique()
        .group_by("cohort")
        .len()
        .iter_rows()
    )
    found: dict[str, list[str]] = {}
    for account, cohort in ordinary.select("account_id", "cohort").iter_rows():
        found.setdefault(cohort, []).append(account)
    return tuple(
        CohortFigures(
            cohort=cohort,
            accounts=len(accounts),
            account_days=days.get(cohort, 0),
            rungs=_rungs(accounts, highest),
            linked=sum(account in links.first for account in accounts),
        )
        for cohort, accounts in sorted(found.items())
    )


def _rungs(accounts: list[str], highest: Mapping[str, int]) -> dict[str, int]:
    reached = [highest[account] for account in accounts if account in highest]
    return {
        rung: reached.count(rank) for rank, rung in enumerate(RUNGS) if rank in reached
    }
