"""How well a run did: campaigns found, accounts right and wrong, exchanges that leaked.

**Which campaign is meant.** A campaign of the run links the accounts that its alerts
name and that its account actions concern. It *is* a campaign of the truth when the
majority of these accounts belong to that one, and at least three do (a tenth of the
true campaign's accounts, if that is more, but never more than ten). A campaign of the
run whose majority is ordinary is a *false campaign*.

**Times** are event times, those of alerts and actions the end of the minute that they
are about, for then they are decided; shadow actions count as what would have been done.
An account is *actioned* by any rung above ``observe``; ``throttle`` and stronger rungs
are *effective*. An exchange is *before* an alert or action when it is earlier, so that
a share of 1 means there was none at all. Lifted actions are not seen here: they are
no lines of the file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import msgspec
import numpy as np
import polars as pl

from streams.contracts.time_units import MS_PER_HOUR
from streams.policy.ladder import RUNGS
from streams.scenarios.outcomes import Action, Outcome

__all__ = ["LEAST_MEMBERS", "CampaignScore", "CohortScore", "Score", "score"]

LEAST_MEMBERS, MEMBER_SHARE, ENOUGH_MEMBERS = 3, 0.1, 10
ACTIONED = RUNGS.index("observe") + 1
EFFECTIVE = RUNGS.index("throttle")
SUSPENDED = RUNGS.index("suspend")
_ACCOUNT = "account:"


class CampaignScore(msgspec.Struct, frozen=True):
    """One campaign of the truth.

    ``delay_*`` run from its first exchange to the first alert: hours, and its own
    exchanges. ``share_before_own_action`` is of exchanges before an effective action
    on their *own* account; ``share_not_covered`` of those outside any effective
    action's time. None means that there was no alert.
    """

    name: str
    found_as: tuple[str, ...]
    accounts: int
    exchanges: int
    accounts_actioned: int
    accounts_effective: int
    delay_hours: float | None
    delay_exchanges: int | None
    share_before_alert: float
    share_before_action: float
    share_before_effective: float
    share_before_own_action: float
    share_not_covered: float

    @property
    def found(self) -> bool:
        """Whether a campaign of the run is this one."""
        return bool(self.found_as)


class CohortScore(msgspec.Struct, frozen=True):
    """The accounts of one cohort by the highest rung they got; ``none`` included."""

    cohort: str
    accounts: int
    actioned: int
    rungs: dict[str, int]


class Score(msgspec.Struct, frozen=True):
    """A whole run; precision and recall are of accounts, None where undefined."""

    events: int
    accounts: int
    ordinary_account_days: int
    campaigns: tuple[CampaignScore, ...]
    cohorts: tuple[CohortScore, ...]
    campaigns_found: int
    false_campaigns: tuple[str, ...]
    right_accounts: int
    wrong_accounts: int
    wrong_effective: int
    wrong_suspended: int
    precision: float | None
    recall: float | None
    wrong_per_million_account_days: float | None
    unknown_accounts: int
    other_subjects: int
    actions: int
    alerts: int


def score(outcome: Outcome) -> Score:
    """Compare a run with the truth."""
    truth = dict(outcome.truth.select("account_id", "campaign").iter_rows())
    highest, unknown = _highest(outcome.actions, truth)
    links = _links(outcome)
    matched = {run: _match(members, truth) for run, members in links.items()}
    campaigns = tuple(
        _campaign(name, outcome, truth, matched)
        for name in sorted(set(truth.values()) - {""})
    )
    actioned = {a for a, rung in highest.items() if rung >= ACTIONED}
    right = sum(bool(truth[account]) for account in actioned)
    wrong = [highest[account] for account in actioned if not truth[account]]
    guilty = sum(map(bool, truth.values()))
    days = outcome.account_days
    return Score(
        events=outcome.events,
        accounts=len(truth),
        ordinary_account_days=days,
        campaigns=campaigns,
        cohorts=_cohorts(outcome.truth, highest),
        campaigns_found=sum(campaign.found for campaign in campaigns),
        false_campaigns=tuple(sorted(r for r, of in matched.items() if of == "")),
        right_accounts=right,
        wrong_accounts=len(wrong),
        wrong_effective=sum(rung >= EFFECTIVE for rung in wrong),
        wrong_suspended=sum(rung >= SUSPENDED for rung in wrong),
        precision=right / len(actioned) if actioned else None,
        recall=right / guilty if guilty else None,
        wrong_per_million_account_days=len(wrong) / days * 1e6 if days else None,
        unknown_accounts=unknown,
        other_subjects=len({a.subject for a in outcome.actions if not _of_account(a)}),
        actions=len(outcome.actions),
        alerts=len(outcome.alerts),
    )


def _of_account(action: Action) -> bool:
    return action.subject.startswith(_ACCOUNT)


def _account(action: Action) -> str:
    return action.subject.removeprefix(_ACCOUNT)


def _rank(action: Action) -> int:
    return RUNGS.index(action.rung)


def _highest(
    actions: Iterable[Action], truth: dict[str, str]
) -> tuple[dict[str, int], int]:
    """Each account's highest rung, and how many accounts the truth does not know."""
    highest: dict[str, int] = {}
    for action in filter(_of_account, actions):
        account = _account(action)
        highest[account] = max(highest.get(account, 0), _rank(action))
    known = {a: rung for a, rung in highest.items() if a in truth}
    return known, len(highest) - len(known)


def _links(outcome: Outcome) -> dict[str, set[str]]:
    """Collect the accounts that each campaign of the run links."""
    links: dict[str, set[str]] = {}
    for alert in outcome.alerts:
        links.setdefault(alert.campaign_id, set()).update(alert.accounts)
    for action in filter(_of_account, outcome.actions):
        if _rank(action) >= ACTIONED:
            links.setdefault(action.campaign_id, set()).add(_account(action))
    return links


def _match(members: set[str], truth: dict[str, str]) -> str | None:
    """Say what a campaign of the run is: a name, "" for ordinary, None for unclear."""
    counts = Counter(truth[account] for account in members if account in truth)
    if not counts:
        return None
    name, count = counts.most_common(1)[0]
    if 2 * count <= counts.total():
        return None
    if not name:
        return ""
    size = sum(campaign == name for campaign in truth.values())
    needed = max(LEAST_MEMBERS, min(ENOUGH_MEMBERS, round(MEMBER_SHARE * size)))
    return name if count >= needed else None


def _campaign(
    name: str,
    outcome: Outcome,
    truth: dict[str, str],
    matched: dict[str, str | None],
) -> CampaignScore:
    found_as = {run for run, of in matched.items() if of == name}
    exchanges = outcome.exchanges.filter(campaign=name)
    times = exchanges["time"].to_numpy()
    actions = [
        action
        for action in outcome.actions
        if _of_account(action)
        and truth.get(_account(action)) == name
        and _rank(action) >= ACTIONED
    ]
    effective = [action for action in actions if _rank(action) >= EFFECTIVE]
    alert = _first(a.occurred_at for a in outcome.alerts if a.campaign_id in found_as)

    def before(when: int | None) -> float:
        if not len(times) or when is None:
            return 1.0
        return float((times < when).mean())

    own, covered = _own_shares(exchanges, effective)
    return CampaignScore(
        name=name,
        found_as=tuple(sorted(found_as)),
        accounts=sum(campaign == name for campaign in truth.values()),
        exchanges=len(times),
        accounts_actioned=len({action.subject for action in actions}),
        accounts_effective=len({action.subject for action in effective}),
        delay_hours=(
            None if alert is None or not len(times)
            else float(alert - times[0]) / MS_PER_HOUR
        ),
        delay_exchanges=None if alert is None else int((times < alert).sum()),
        share_before_alert=before(alert),
        share_before_action=before(_first(a.issued_at for a in actions)),
        share_before_effective=before(_first(a.issued_at for a in effective)),
        share_before_own_action=own,
        share_not_covered=covered,
    )  # fmt: skip


def _first(times: Iterable[int]) -> int | None:
    return min(times, default=None)


def _own_shares(
    exchanges: pl.DataFrame, effective: list[Action]
) -> tuple[float, float]:
    """Shares of exchanges before an effective action on their account, and outside."""
    if exchanges.is_empty():
        return 1.0, 1.0
    intervals: dict[str, list[Action]] = {}
    for action in effective:
        intervals.setdefault(_account(action), []).append(action)
    before = outside = 0
    for (account,), part in exchanges.group_by("account_id", maintain_order=True):
        times = part["time"].to_numpy()
        covered = np.zeros(len(times), dtype=bool)
        since = np.zeros(len(times), dtype=bool)
        for action in intervals.get(str(account), ()):
            after = times >= action.issued_at
            since |= after
            covered |= after & (times < action.expires_at)
        before += int((~since).sum())
        outside += int((~covered).sum())
    return before / len(exchanges), outside / len(exchanges)


def _cohorts(truth: pl.DataFrame, highest: dict[str, int]) -> tuple[CohortScore, ...]:
    counts: dict[str, Counter[str]] = {}
    for account, cohort in truth.select("account_id", "cohort").iter_rows():
        rung = RUNGS[highest[account]] if account in highest else "none"
        counts.setdefault(cohort, Counter())[rung] += 1
    untouched = ("none", *RUNGS[:ACTIONED])
    return tuple(
        CohortScore(
            cohort=cohort,
            accounts=rungs.total(),
            actioned=rungs.total() - sum(rungs[name] for name in untouched),
            rungs={name: rungs[name] for name in ("none", *RUNGS) if rungs[name]},
        )
        for cohort, rungs in sorted(counts.items())
    )
