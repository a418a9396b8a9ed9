"""The records of llm.decisions: each step in the life of a decision."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.contracts.records import Decision, DecisionKind, Feature, encode_record
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.stage import Output

__all__ = ["TestTaken", "decision_output", "tested_output", "tombstone_output"]


def decision_output(
    kind: DecisionKind, subject: str, minute: int, **fields: Any
) -> Output:
    """Make the record of a decision; ``fields`` are those of `Decision`."""
    decision = Decision(
        decision_id="",
        subject=subject,
        kind=kind,
        occurred_at=max(minute, 0) * MS_PER_MINUTE,
        **fields,
    )
    content = msgspec.msgpack.encode(decision)
    identity = blake2b(content, digest_size=12).hexdigest()
    decision = msgspec.structs.replace(decision, decision_id=identity)
    return Output(
        topic="llm.decisions",
        partition=None,
        key=subject.encode(),
        value=encode_record(decision),
        timestamp=decision.occurred_at,
        event_id=identity,
        type="io.distillwatch.Decision",
    )


class TestTaken(NamedTuple):
    """A test that a group took: which look, at which level, and what is left then.

    ``budget_left`` is 0 for a look that confirms a campaign: it costs nothing. What
    paid for the others holds ``daily_budget`` a day.
    """

    minute: int
    look: int
    level: float
    budget_left: float
    daily_budget: float


def tested_output(
    test: TestTaken,
    group: Group,
    campaign: Campaign | None,
    e_value: float,
    *,
    features: Callable[[], tuple[Feature, ...]],
    policy_version: str,
    model_version: str,
) -> Output:
    """Make the ledger's record of a test; ``campaign`` is None when it found none.

    ``features`` is asked for what was measured, which is recorded for campaigns only.
    """
    name = f"group:{group.number}"
    return decision_output(
        "tested",
        name if campaign is None else f"campaign:{campaign.identifier}",
        test.minute,
        campaign_id="" if campaign is None else campaign.identifier,
        e_value=e_value,
        threshold=round(1 / test.level, 6),
        level=test.level,
        budget_left=test.budget_left,
        daily_budget=test.daily_budget,
        exchanges=group.exchanges,
        look=test.look,
        confirmations=0 if campaign is None else campaign.confirmations,
        features=() if campaign is None else features(),
        reason=f"{len(group.uses)} accounts",
        scenario_version=policy_version,
        model_version=model_version,
    )


def tombstone_output(subject: str, minute: int, action_id: str) -> Output:
    """Make the tombstone that lifts what stands for a subject."""
    return Output(
        topic="llm.actions",
        partition=None,
        key=subject.encode(),
        value=None,
        timestamp=max(minute, 0) * MS_PER_MINUTE,
        event_id=f"{action_id}-lifted",
        type="io.distillwatch.Action",
    )
