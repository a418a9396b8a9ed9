"""The log of one campaign and one account, made by hand."""

from __future__ import annotations

from typing import Any, Final

from streams.campaigns.member_features import MEMBER_FEATURES
from streams.contracts import Action, Alert, Decision, Evidence, Feature
from streams.engine.evidence_records import group_evidence, member_evidence
from streams.models.reference import load_reference
from streams.policy.budget import DAILY_BUDGET, Budget
from streams.policy.explain import Known
from streams.policy.policy_file import default_policy

__all__ = ["CAMPAIGN", "HOUR", "MEMBERS", "START", "SUBJECT", "action", "known"]

HOUR: Final = 3_600_000
START: Final = 1_772_409_600_000
SUBJECT: Final = "account:0f0f0f0f0f0f0f0f"
CAMPAIGN: Final = "dc-c0ffeec0ffee"
MEMBERS: Final = tuple(f"{number:016x}" for number in range(7, 27))
_REFERENCE: Final = load_reference()
_GROUP: Final = {
    **dict.fromkeys(("payment", "network", "young", "burst", "lockstep"), 0.91),
    **dict.fromkeys(("sharing_crowd", "young_crowd", "co_use"), 0.41),
    **dict.fromkeys(("payer", "place"), 0.25),
    "batches": 0.9,
    "batch_days": 0.9,
    "even": 0.72,
    "complementary": 1.0,
    "templated": 0.7,
    "likeness": 0.66,
    "tls": 0.12,
    "client": 0.0,
}
_MEMBER: Final = dict.fromkeys(MEMBER_FEATURES, 0.5) | {"young": 1.0}


def action(rung: str = "throttle", sequence: int = 2, **changes: Any) -> Action:
    fields: dict[str, Any] = {
        "action_id": f"ac{sequence:022x}",
        "subject": SUBJECT,
        "sequence": sequence,
        "rung": rung,
        "parameters": {"requests_per_minute": "6"},
        "mode": "enforce",
        "issued_at": START + 2 * HOUR,
        "expires_at": START + 26 * HOUR,
        "campaign_id": CAMPAIGN,
        "reason_codes": ("SHARED_PAYMENT", "COORDINATED_TIMING"),
        "evidence": Evidence(features=(), e_value=21845.333313, budget_spent=0.0039),
        "scenario_version": default_policy().version,
        "model_version": _REFERENCE.version,
        "appeal_token": "feedfacefeedfacefeed",
    }
    return Action(**fields | changes)


def _moved(kind: str, rung: str | None, number: int, **changes: Any) -> Decision:
    own = Feature(
        name="account.templated_exchanges",
        value=float(2 + number),
        benign_quantile=0.99995,
        weight=1.0,
    )
    fields: dict[str, Any] = {
        "decision_id": f"dd{number:022x}",
        "subject": SUBJECT,
        "kind": kind,
        "occurred_at": START + number * HOUR,
        "campaign_id": CAMPAIGN,
        "action_id": f"ac{number:022x}",
        "sequence": number,
        "rung": rung,
        "mode": "enforce",
        "e_value": _REFERENCE.assess_member(_MEMBER),
        "threshold": 20.0 if rung == "observe" else 100.0,
        "exchanges": 2 + number,
        "confirmations": 1,
        "features": (own, *member_evidence(_MEMBER, _REFERENCE)),
        "scenario": "default",
        "scenario_version": default_policy().version,
        "model_version": _REFERENCE.version,
    }
    return Decision(**fields | changes)


def _tested() -> Decision:
    budget = Budget()
    minute = START // 60_000
    for _ in range(9):
        budget.next_level(minute)
    level = budget.next_level(minute)
    found = _REFERENCE.assess_group(_GROUP, 0, level)
    return Decision(
        decision_id="ee" * 12,
        subject=f"campaign:{CAMPAIGN}",
        kind="tested",
        occurred_at=START,
        campaign_id=CAMPAIGN,
        e_value=found.e_value,
        threshold=round(1 / level, 6),
        level=level,
        budget_left=budget.left(minute),
        daily_budget=DAILY_BUDGET,
        exchanges=26,
        look=0,
        confirmations=1,
        features=group_evidence(_GROUP, found.quantiles, (), _REFERENCE),
        reason="20 accounts",
        scenario_version=default_policy().version,
        model_version=_REFERENCE.version,
    )


def _alert() -> Alert:
    return Alert(
        alert_id="a1",
        campaign_id=CAMPAIGN,
        sequence=1,
        kind="campaign_found",
        severity="critical",
        occurred_at=START,
        started_at=START - HOUR,
        summary="20 accounts share templates and coordinate",
        e_value=2300.0,
        account_count=len(MEMBERS) + 1,
        exchange_count=26,
        accounts=(*MEMBERS, SUBJECT.partition(":")[2]),
        facets=("payment:77aa77aa77aa", "network:55bb55bb55bb"),
        families=("coding", "rubric"),
    )


def known(*more: Decision, stands: Action | None = None, **changes: Any) -> Known:
    """Tested, issued, escalated; ``more`` comes after, ``stands`` is on the topic."""
    decisions = (
        _tested(),
        _moved("issued", "observe", 1),
        _moved("escalated", "throttle", 2),
        *more,
    )
    fields: dict[str, Any] = {
        "decisions": decisions,
        "actions": {} if stands is None else {SUBJECT: stands},
        "alerts": (_alert(),),
        "policies": {default_policy().version: default_policy()},
    }
    return Known(**fields | changes)
