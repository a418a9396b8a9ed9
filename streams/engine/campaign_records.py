"""The records of the campaigns stage: alerts for people, actions for enforcers."""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Final

import numpy as np

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.link_views import facet_label
from streams.contracts.records import (
    Action,
    Alert,
    AlertKind,
    Evidence,
    Feature,
    Severity,
    encode_record,
)
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.stage import Output
from streams.engine.verdict import Case, Verdict
from streams.models.reference import DETECTOR_OF
from streams.policy.ladder import Step

__all__ = [
    "OPERATION",
    "REASON_CODES",
    "action_id",
    "action_output",
    "alert_output",
    "appeal_token",
    "campaign_features",
    "families_of",
    "notice_output",
    "own_feature",
]

OPERATION: Final = "operation"
"""Stands for the campaign in alerts about the detector itself."""

_MAX_FACETS: Final = 20
_MAX_REASONS: Final = 6
_TOP_REASONS: Final = 3
_SEVERITY: Final[Mapping[AlertKind, Severity]] = {
    "campaign_found": "critical",
    "campaign_grown": "warning",
    "campaign_pivoted": "critical",
    "campaign_merged": "info",
    "campaign_released": "info",
    "control_applied": "info",
    "breaker_tripped": "critical",
    "canary_failed": "critical",
    "labels_disputed": "warning",
    "budget_exhausted": "warning",
}
REASON_CODES: Final[Mapping[str, str]] = {
    "payment": "SHARED_PAYMENT",
    "payer": "SHARED_PAYMENT",
    "network": "SHARED_NETWORK",
    "place": "SHARED_NETWORK",
    "tls": "SHARED_CLIENT_FINGERPRINT",
    "client": "SHARED_CLIENT_FINGERPRINT",
    "sharing_crowd": "SHARED_NETWORK",
    "young": "NEW_ACCOUNT",
    "young_crowd": "NEW_ACCOUNT",
    "burst": "ACCOUNTS_CREATED_TOGETHER",
    "batches": "ACCOUNTS_CREATED_TOGETHER",
    "batch_days": "ACCOUNTS_CREATED_TOGETHER",
    "even": "COORDINATED_VOLUME",
    "lockstep": "COORDINATED_TIMING",
    "complementary": "TEMPLATED_REQUESTS",
    "co_use": "TEMPLATED_REQUESTS",
    "templated": "TEMPLATED_REQUESTS",
    "likeness": "REQUEST_PATTERN",
    "mixing": "SHARED_PAYMENT",
    "watched": "REPORTED_INDICATOR",
}
"""What a customer may be told of a feature; `customer_answer` puts it in words."""


def campaign_features(campaign: Campaign) -> list[Feature]:
    """List a campaign's features, strongest first: far out among benign groups."""
    ranked = sorted(
        campaign.features,
        key=lambda name: (
            -campaign.quantiles.get(name, 0.0),
            -campaign.features[name],
            name,
        ),
    )
    shown = [name for name in ranked if campaign.features[name] > 0][:_MAX_REASONS]
    share = 1 / max(len(shown), 1)
    reasons = [
        Feature(
            name=f"{DETECTOR_OF.get(name, 'joint')}.{name}",
            value=campaign.features[name],
            benign_quantile=campaign.quantiles.get(name, 0.0),
            weight=round(share, 6),
        )
        for name in shown
    ]
    if campaign.watched:
        # It brought the group to a test of its own; it is no evidence, and weighs 0.
        count = float(len(campaign.watched))
        reasons.append(
            Feature(
                name="indicator.watched", value=count, benign_quantile=0.0, weight=0.0
            )
        )
    return reasons


def alert_output(
    kind: AlertKind,
    minute: int,
    campaign: Campaign,
    group: Group,
    groups: Groups,
    *,
    model_version: str,
    summary: str,
    accounts: Sequence[str] = (),
    severity: Severity | None = None,
) -> Output:
    """Make the next alert of a campaign's thread; it names ``accounts``."""
    campaign.sequence += 1
    identity = f"{campaign.identifier}:{campaign.sequence}".encode()
    alert = Alert(
        alert_id=blake2b(identity, digest_size=8).hexdigest(),
        campaign_id=campaign.identifier,
        sequence=campaign.sequence,
        kind=kind,
        severity=severity or _SEVERITY[kind],
        occurred_at=minute * MS_PER_MINUTE,
        started_at=campaign.started * MS_PER_MINUTE,
        summary=summary,
        reasons=tuple(campaign_features(campaign)),
        e_value=campaign.e_value,
        account_count=len(group.uses),
        exchange_count=group.exchanges,
        accounts=tuple(accounts),
        facets=_facets(groups, group),
        families=families_of(groups.graph, group),
        model_version=model_version,
    )
    return Output(
        topic="llm.alerts",
        partition=None,
        key=campaign.identifier.encode(),
        value=encode_record(alert),
        timestamp=alert.occurred_at,
        event_id=alert.alert_id,
        type="io.distillwatch.Alert",
    )


def families_of(graph: LinkGraph, group: Group) -> tuple[str, ...]:
    """Name the families that a group's templates belong to."""
    return tuple(sorted({f for t in group.facets for f in graph.facets[t].families}))


def _facets(groups: Groups, group: Group) -> tuple[str, ...]:
    """List the facets that link the group, most specific first."""
    graph = groups.graph
    facets, users = groups.users_of(group)
    facets, users = facets[users > 1], users[users > 1]
    hashes = graph.facet.at.hash[facets]
    degrees = np.maximum(graph.facet.at.degree[facets], users)
    order = np.lexsort((hashes, -(users**2) / degrees))
    chosen = hashes[order[:_MAX_FACETS]].tolist()
    return tuple(facet_label(facet, graph.facets[facet]) for facet in chosen)


def notice_output(
    kind: AlertKind, minute: int, sequence: int, summary: str, *, model_version: str
) -> Output:
    """Make an alert that concerns no campaign but the operation as a whole."""
    identity = f"{OPERATION}:{sequence}".encode()
    alert = Alert(
        alert_id=blake2b(identity, digest_size=8).hexdigest(),
        campaign_id=OPERATION,
        sequence=sequence,
        kind=kind,
        severity=_SEVERITY[kind],
        occurred_at=max(minute, 0) * MS_PER_MINUTE,
        started_at=max(minute, 0) * MS_PER_MINUTE,
        summary=summary,
        e_value=0.0,
        account_count=0,
        exchange_count=0,
        model_version=model_version,
    )
    return Output(
        topic="llm.alerts",
        partition=None,
        key=OPERATION.encode(),
        value=encode_record(alert),
        timestamp=alert.occurred_at,
        event_id=alert.alert_id,
        type="io.distillwatch.Alert",
    )


def action_id(case: Case, step: Step) -> str:
    """Name the action that a case's standing is at now, the same in every replay."""
    parts = (case.campaign.identifier, case.subject, step.rung, case.standing.sequence)
    return blake2b("|".join(map(str, parts)).encode(), digest_size=12).hexdigest()


def own_feature(case: Case) -> Feature:
    """Tell what an account was decided on, apart from what its campaign is."""
    return Feature(
        name="account.templated_exchanges",
        value=float(case.evidence.uses),
        benign_quantile=round(1 - min(1 / max(case.evidence.e_value, 1.0), 1.0), 6),
        weight=1.0,
    )


def action_output(
    verdict: Verdict,
    features: Sequence[Feature],
    *,
    policy_version: str,
    model_version: str,
    appeal_key: str,
) -> Output:
    """Make the action that a published verdict stands for.

    ``features`` are the campaign's, as `campaign_features` lists them.
    """
    case, step = verdict.case, verdict.step
    standing, campaign, subject = case.standing, case.campaign, case.subject
    codes = [REASON_CODES[one.name.split(".")[1]] for one in features]
    action = Action(
        action_id=standing.action_id,
        subject=subject,
        sequence=standing.sequence,
        rung=step.rung,
        parameters=dict(step.parameters),
        mode=standing.mode,
        issued_at=case.minute * MS_PER_MINUTE,
        expires_at=standing.expires * MS_PER_MINUTE,
        campaign_id=campaign.identifier,
        reason_codes=tuple(dict.fromkeys(codes))[:_TOP_REASONS],
        evidence=Evidence(
            features=(own_feature(case), *features),
            e_value=case.evidence.e_value,
            budget_spent=round(campaign.level, 9),
        ),
        scenario_version=policy_version,
        model_version=model_version,
        human_review=step.human_review and standing.approved != step.rung,
        appeal_token=appeal_token(subject, campaign.identifier, appeal_key),
    )
    return Output(
        topic="llm.actions",
        partition=None,
        key=subject.encode(),
        value=encode_record(action),
        timestamp=action.issued_at,
        event_id=action.action_id,
        type="io.distillwatch.Action",
    )


def appeal_token(subject: str, campaign: str, key: str) -> str:
    """Make the token that a customer may quote; ``key`` keeps it from being guessed.

    >>> appeal_token("account:7", "dc-1", "secret")
    'ee4fb0cbc0a019efeaa7'
    """
    secret = f"{campaign}:{key}" if key else campaign
    return hmac.digest(secret.encode(), subject.encode(), "sha256").hex()[:20]
