"""The life of a subject, decision by decision, in the order of event time."""

from __future__ import annotations

from collections.abc import Iterable

from streams.contracts.records import Decision
from streams.policy.explanation import CampaignSeen, TimelineStep

__all__ = ["timeline"]


def timeline(
    subject: str,
    own: Iterable[Decision],
    campaign: CampaignSeen | None,
    decisions: Iterable[Decision],
    decided: Decision | None,
) -> tuple[TimelineStep, ...]:
    """List the ``own`` decisions of a subject, its campaign's tests, and the entries.

    Entries of operators are listed where they concern the subject or its campaign, or
    moved it. ``decided`` is the decision that is asked about.
    """
    names = set() if campaign is None else {campaign.campaign_id}
    entries = {each.entry_id for each in own if each.entry_id}
    about = {subject, *(f"campaign:{name}" for name in names)}
    chosen = [
        each
        for each in decisions
        if each.subject in about
        or (each.kind == "applied" and _concerns(each, about, entries))
    ]
    return tuple(
        TimelineStep(
            at=each.occurred_at,
            subject=each.subject,
            kind=each.kind,
            rung=each.rung,
            mode=each.mode,
            e_value=each.e_value,
            exchanges=each.exchanges,
            reason=each.reason,
            author=each.author,
            entry_id=each.entry_id,
            action_id=each.action_id,
            asked=decided is not None and each.decision_id == decided.decision_id,
        )
        for each in sorted(chosen, key=lambda each: each.occurred_at)
    )


def _concerns(applied: Decision, about: set[str], entries: set[str]) -> bool:
    # An entry's id is its kind and its subject, and more where it needs that.
    entry = applied.entry_id or ""
    rest = entry.partition(":")[2]
    return entry in entries or any(
        rest == subject or rest.startswith(f"{subject}:") for subject in about
    )
