"""News of actions that are not enforced, as threads of alerts: one per enforcer.

All that an alert depends on is the state and the last alert of its thread, so who
starts anew and reads the last alerts back tells nothing twice.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from streams.contracts.records import Alert, Severity
from streams.policy.enforcement_state import EnforcementState, EnforcerState

__all__ = ["ALERT_THREAD", "next_alerts"]

ALERT_THREAD: Final = "enforcement"
"""``campaign_id`` of the thread about nobody's answer; of an enforcer's thread the
part before the colon and its name."""

_PAUSE: Final = 60_000  # ms between two updates of an open thread
_MAX_ACCOUNTS: Final = 100  # as the schema of alerts has it
_MAX_FACETS: Final = 20  # same
_ACCOUNT: Final = "account:"
_OPEN: Final = "critical"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class _News(NamedTuple):
    """What a thread should say now."""

    severity: Severity
    summary: str
    total: int = 0
    since: int | None = None
    accounts: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()


def next_alerts(
    state: EnforcementState, last: Mapping[str, Alert], *, within: float
) -> Iterator[Alert]:
    """Give what is to be published; ``last`` maps threads to their newest alerts.

    A thread opens (critical) when something becomes overdue, is updated at most once a
    minute when the overdue change, and closes when nothing is: with ``info`` when all
    is well, with ``warning`` when that cannot be told. ``within`` is in seconds.
    """
    news = {f"{ALERT_THREAD}:{e.enforcer}": _of(e, within) for e in state.enforcers}
    news[ALERT_THREAD] = _of_nobody(state, within)
    for thread in sorted(news.keys() | last.keys()):
        before = last.get(thread)
        now = news.get(thread) or _News(
            "warning", f"{thread.partition(':')[2]} is no longer expected to enforce"
        )
        if _worth_telling(before, now, state.at):
            yield _alert(thread, before, now, state.at)


def _worth_telling(before: Alert | None, now: _News, at: int) -> bool:
    was_open = before is not None and before.severity == _OPEN
    if now.severity != _OPEN:
        return was_open
    if before is None or not was_open:
        return True
    told = (before.summary, before.account_count, before.accounts, before.facets)
    same = told == (now.summary, now.total, now.accounts, now.facets)
    return not same and at - before.occurred_at >= _PAUSE


def _of(enforcer: EnforcerState, within: float) -> _News:
    name = enforcer.enforcer
    late = [
        _count(enforcer.overdue, "is", "are", "not enforced"),
        _count(enforcer.releases_overdue, "is", "are", "still enforced after the end"),
    ]
    told = " and ".join(part for part in late if part)
    if not told:
        if enforcer.too_old:
            old = f"{enforcer.too_old:,} of its answers are too old to be awaited"
            return _News("warning", f"{name}: nothing else is overdue; {old}")
        return _News("info", f"{name} enforces all that stands and nothing else")
    subjects = [each.subject for each in enforcer.oldest]
    accounts = [s.removeprefix(_ACCOUNT) for s in subjects if s.startswith(_ACCOUNT)]
    others = [s.removeprefix("facet:") for s in subjects if not s.startswith(_ACCOUNT)]
    since = enforcer.oldest[0].since
    return _News(
        _OPEN,
        f"{name}: {told}, {within:g} s after it was due; the oldest since "
        f"{_time(since)}",
        enforcer.overdue + enforcer.releases_overdue,
        since,
        tuple(sorted(accounts[:_MAX_ACCOUNTS])),
        tuple(sorted(others[:_MAX_FACETS])),
    )


def _of_nobody(state: EnforcementState, within: float) -> _News:
    if not state.unanswered:
        return _News("info", "actions are acknowledged again, or none stands")
    heard = "nobody has acknowledged anything"
    if state.heard_at is not None:
        heard += f" since {_time(state.heard_at)}"
    stand = _count(state.unanswered, "stands", "stand", "")
    return _News(
        _OPEN,
        f"{stand} for more than {within:g} s, and {heard}",
        state.unanswered,
        state.unanswered_since,
    )


def _count(number: int, one: str, many: str, what: str) -> str:
    if not number:
        return ""
    noun = "action" if number == 1 else "actions"
    return f"{number:,} {noun} {one if number == 1 else many} {what}".rstrip()


def _time(at: int) -> str:
    return f"{_EPOCH + dt.timedelta(milliseconds=at):%Y-%m-%d %H:%M:%S} UTC"


def _alert(thread: str, before: Alert | None, now: _News, at: int) -> Alert:
    sequence = 1 if before is None else before.sequence + 1
    started = now.since
    if started is None:
        started = at if before is None else before.started_at
    return Alert(
        alert_id=blake2b(f"{thread}:{sequence}".encode(), digest_size=8).hexdigest(),
        campaign_id=thread,
        sequence=sequence,
        kind="not_enforced",
        severity=now.severity,
        occurred_at=at,
        started_at=started,
        summary=now.summary,
        e_value=0.0,
        account_count=now.total,
        exchange_count=0,
        accounts=now.accounts,
        facets=now.facets,
    )
