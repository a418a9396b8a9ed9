"""Actions and acknowledgements for tests of reconciliation."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

from streams.contracts.records import Ack, Action, Evidence, Outcome

START = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
SECOND = 1000
HOUR = 3600 * SECOND
DAY = 24 * HOUR
LIMIT = 10 * SECOND

SUBJECTS = ("account:1", "account:2", "facet:network:n")
ENFORCERS = ("edge-1", "edge-2")
OUTCOMES: tuple[Outcome, ...] = ("applied", "refused", "expired", "released")


class Published(NamedTuple):
    """A record of llm.actions; None lifts."""

    subject: str
    action: Action | None
    at: int


Record: TypeAlias = Published | Ack


def action(subject: str = "account:1", sequence: int = 1, **changes: Any) -> Action:
    fields: dict[str, Any] = {
        "action_id": f"{subject}-{sequence}",
        "subject": subject,
        "sequence": sequence,
        "rung": "throttle",
        "mode": "enforce",
        "issued_at": START - DAY,  # event time, which nothing here may depend on
        "expires_at": START + HOUR,
        "campaign_id": "c-1",
        "evidence": Evidence(e_value=100.0, budget_spent=0.01),
    }
    return Action(**fields | changes)


def ack(
    outcome: Outcome,
    at: int,
    subject: str = "account:1",
    sequence: int = 1,
    *,
    enforcer: str = "edge-1",
    detail: str | None = None,
) -> Ack:
    return Ack(
        ack_id=f"{enforcer}-{subject}-{sequence}-{outcome}",
        subject=subject,
        action_id=f"{subject}-{sequence}",
        sequence=sequence,
        outcome=outcome,
        enforcer=enforcer,
        occurred_at=at,
        detail=detail,
    )
