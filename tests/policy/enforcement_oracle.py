"""What reconciliation should tell, from all records at once and in plain steps."""

from __future__ import annotations

from typing import NamedTuple

from enforcement_samples import (
    ENFORCERS,
    LIMIT,
    OUTCOMES,
    SUBJECTS,
    Published,
    Record,
)

from streams.contracts.records import Ack


class Wanted(NamedTuple):
    """The newest record of a subject that counts."""

    sequence: int
    since: int
    until: int
    asked: bool

    def stands(self, now: int) -> bool:
        return self.asked and now < self.until


class Told(NamedTuple):
    """One row of what is told of a subject and an enforcer."""

    subject: str
    enforcer: str
    status: str
    since: int
    latency: float | None
    detail: str | None
    overdue: bool


def wanted_of(records: list[Record], subject: str) -> Wanted | None:
    """Say what is wanted of a subject; None without any record."""
    wanted: Wanted | None = None
    over_sequence, over_at = -1, 0
    for record in records:
        if not isinstance(record, Published) or record.subject != subject:
            continue
        made, at = record.action, record.at
        if made is None:
            wanted = wanted or Wanted(-1, at, at, asked=False)
            wanted = wanted._replace(until=min(wanted.until, at))
            over_sequence, over_at = wanted.sequence, at
            continue
        same = wanted if wanted and wanted.sequence == made.sequence else None
        lower = wanted is not None and made.sequence < wanted.sequence
        if lower or (over_sequence == made.sequence and over_at <= at):
            continue
        over_sequence, over_at = made.sequence, made.expires_at
        obeyed = made.mode == "enforce" and not made.human_review
        if obeyed and made.expires_at > at:
            since = same.since if same and same.asked else at
            wanted = Wanted(made.sequence, since, made.expires_at, asked=True)
        else:
            until = min(at, wanted.until) if wanted else at
            wanted = Wanted(made.sequence, at, until, asked=False)
    return wanted


def oracle(records: list[Record], now: int) -> set[Told]:
    """Judge each subject and each enforcer that has said anything."""
    found = set()
    for enforcer in ENFORCERS:
        acks = [e for e in records if isinstance(e, Ack) and e.enforcer == enforcer]
        for subject in SUBJECTS if acks else ():
            wanted = wanted_of(records, subject)
            told = None if wanted is None else _judge(wanted, acks, subject, now)
            if told is not None:
                found.add(told._replace(enforcer=enforcer))
    return found


def _judge(wanted: Wanted, acks: list[Ack], subject: str, now: int) -> Told | None:
    of_it = [each for each in acks if each.subject == subject]
    last = _last(of_it)
    if wanted.stands(now):
        joined = min(each.occurred_at for each in acks)
        status, since = "pending", max(wanted.since, joined)
        if last and last.sequence >= wanted.sequence:
            status, since = {
                "applied": ("enforced", last.occurred_at),
                "refused": ("refused", max(wanted.since, last.occurred_at)),
            }.get(last.outcome, ("pending", max(since, last.occurred_at)))
    else:
        if last is None or last.outcome != "applied":
            return None
        status, since = "held", max(wanted.until, last.occurred_at)
        began = _start(acks)
        if since <= began and last.occurred_at < began:
            return None
    applied = [
        each.occurred_at
        for each in of_it
        if last and each.sequence == last.sequence and each.outcome == "applied"
    ]
    latency = None
    if applied and last and last.sequence == wanted.sequence:
        latency = max(0, min(applied) - wanted.since) / 1000
    overdue = status in {"pending", "held"} and now - since > LIMIT
    detail = last.detail if last and status == "refused" else None
    return Told(subject, "", status, since, latency, detail, overdue)


def _last(acks: list[Ack]) -> Ack | None:
    """Give the answer that counts: highest sequence, then latest."""
    return max(acks, key=lambda e: (e.sequence, *_rank(e)), default=None)


def _rank(each: Ack) -> tuple[int, int, str]:
    return each.occurred_at, OUTCOMES.index(each.outcome), each.detail or ""


def _start(acks: list[Ack]) -> int:
    """Say when an enforcer has begun anew, as far as its answers tell; -1 if never."""
    began = -1
    for place, new in enumerate(acks):
        last = _last([e for e in acks[:place] if e.subject == new.subject])
        if (
            last is not None
            and last.sequence == new.sequence
            and last.outcome == new.outcome == "applied"
            and began <= last.occurred_at < new.occurred_at
        ):
            began = new.occurred_at
    return began
