"""The records of the campaigns stage: alerts for people, actions for enforcers."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import blake2b
from typing import Final, NamedTuple

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph, facet_label
from streams.contracts.records import (
    Action,
    Alert,
    AlertKind,
    Evidence,
    Feature,
    Mode,
    Severity,
    encode_record,
)
from streams.engine.stage import Output
from streams.models.reference import DETECTORS
from streams.policy.ladder import POLICY_VERSION, Standing, Step

__all__ = ["Verdict", "action_output", "alert_output"]

_MILLISECONDS: Final = 60_000
_MAX_ACCOUNTS: Final = 100
_MAX_FACETS: Final = 20
_MAX_REASONS: Final = 6
_TOP_REASONS: Final = 3
_SEVERITY: Final[Mapping[AlertKind, Severity]] = {
    "campaign_found": "critical",
    "campaign_grown": "warning",
    "campaign_pivoted": "critical",
    "campaign_merged": "info",
}
_REASON_CODES: Final[Mapping[str, str]] = {
    "payment": "SHARED_PAYMENT",
    "network": "SHARED_NETWORK",
    "tls": "SHARED_CLIENT_FINGERPRINT",
    "client": "SHARED_CLIENT_FINGERPRINT",
    "sharing_crowd": "SHARED_NETWORK",
    "young": "NEW_ACCOUNT",
    "young_crowd": "NEW_ACCOUNT",
    "burst": "ACCOUNTS_CREATED_TOGETHER",
    "even": "COORDINATED_VOLUME",
    "lockstep": "COORDINATED_TIMING",
    "complementary": "TEMPLATED_REQUESTS",
    "templated": "TEMPLATED_REQUESTS",
    "likeness": "REQUEST_PATTERN",
}


class Verdict(NamedTuple):
    """A step of the ladder that an account was moved to, and the evidence for it."""

    account: str
    minute: int
    step: Step
    standing: Standing
    e_value: float
    uses: int


def _reasons(campaign: Campaign) -> list[Feature]:
    """Strongest features first: far out among benign groups, and large."""
    detectors = {name: key for key, names in DETECTORS.items() for name in names}
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
    return [
        Feature(
            name=f"{detectors.get(name, 'joint')}.{name}",
            value=campaign.features[name],
            benign_quantile=campaign.quantiles.get(name, 0.0),
            weight=round(share, 6),
        )
        for name in shown
    ]


def alert_output(
    kind: AlertKind,
    minute: int,
    campaign: Campaign,
    group: Group,
    graph: LinkGraph,
    *,
    model_version: str,
    summary: str,
) -> Output:
    """Make the next alert of a campaign's thread."""
    campaign.sequence += 1
    identity = f"{campaign.identifier}:{campaign.sequence}".encode()
    accounts = sorted(group.uses, key=lambda name: (-group.uses[name], name))
    alert = Alert(
        alert_id=blake2b(identity, digest_size=8).hexdigest(),
        campaign_id=campaign.identifier,
        sequence=campaign.sequence,
        kind=kind,
        severity=_SEVERITY[kind],
        occurred_at=minute * _MILLISECONDS,
        started_at=campaign.started * _MILLISECONDS,
        summary=summary,
        reasons=tuple(_reasons(campaign)),
        e_value=campaign.e_value,
        account_count=len(group.uses),
        exchange_count=group.exchanges,
        accounts=tuple(accounts[:_MAX_ACCOUNTS]),
        facets=_facets(graph, group),
        families=_families(graph, group),
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


def _families(graph: LinkGraph, group: Group) -> tuple[str, ...]:
    return tuple(sorted({f for t in group.facets for f in graph.facets[t].families}))


def _facets(graph: LinkGraph, group: Group) -> tuple[str, ...]:
    """List the facets that link the group, most specific first."""
    users: dict[int, int] = {}
    for account in group.uses:
        for facet in graph.accounts[account].edges:
            users[facet] = users.get(facet, 0) + 1
    ranked = sorted(
        (f for f in users if users[f] > 1),
        key=lambda f: (-(users[f] ** 2) / max(graph.facets[f].degree, users[f]), f),
    )
    return tuple(facet_label(f, graph.facets[f]) for f in ranked[:_MAX_FACETS])


def action_output(
    verdict: Verdict, campaign: Campaign, *, mode: Mode, model_version: str
) -> Output:
    """Make the action that a verdict asks for."""
    subject = f"account:{verdict.account}"
    step, standing = verdict.step, verdict.standing
    identity = f"{campaign.identifier}|{subject}|{step.rung}|{standing.sequence}"
    action_id = blake2b(identity.encode(), digest_size=12).hexdigest()
    reasons = _reasons(campaign)
    codes = [_REASON_CODES[reason.name.split(".")[1]] for reason in reasons]
    own = Feature(
        name="account.templated_exchanges",
        value=float(verdict.uses),
        benign_quantile=round(1 - min(1 / max(verdict.e_value, 1.0), 1.0), 6),
        weight=1.0,
    )
    action = Action(
        action_id=action_id,
        subject=subject,
        sequence=standing.sequence,
        rung=step.rung,
        parameters=dict(step.parameters),
        mode=mode,
        issued_at=verdict.minute * _MILLISECONDS,
        expires_at=standing.expires * _MILLISECONDS,
        campaign_id=campaign.identifier,
        reason_codes=tuple(dict.fromkeys(codes))[:_TOP_REASONS],
        evidence=Evidence(
            features=(own, *reasons),
            e_value=verdict.e_value,
            budget_spent=round(campaign.level, 9),
        ),
        scenario_version=POLICY_VERSION,
        model_version=model_version,
        human_review=step.human_review,
        appeal_token=hmac.digest(
            campaign.identifier.encode(), subject.encode(), "sha256"
        ).hex()[:20],
    )
    return Output(
        topic="llm.actions",
        partition=None,
        key=subject.encode(),
        value=encode_record(action),
        timestamp=action.issued_at,
        event_id=action_id,
        type="io.distillwatch.Action",
    )
