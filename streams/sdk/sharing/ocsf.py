"""A campaign as an OCSF Detection Finding, for a SIEM.

Source: Open Cybersecurity Schema Framework 1.2.0, class 2004. Accounts and facets are
in it under the sharing key only (see `shared_facets`), the former as resources, so that
the finding may leave the house too. Without a key it holds counts. Times are
milliseconds since the epoch, as OCSF wants them. Equal input gives equal bytes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streams import __version__
from streams.contracts import Action
from streams.contracts.records import Severity
from streams.sdk.sharing.campaign_history import CampaignHistory
from streams.sdk.sharing.confidence import (
    HIGH,
    MEDIUM,
    campaign_confidence,
    finite_e_value,
)
from streams.sdk.sharing.shared_facets import RECOGNISED_BY, shared_facets
from streams.sdk.sharing.sharing_key import SharingKey
from streams.sdk.sharing.stix import campaign_object_id
from streams.sdk.sharing.tlp import TlpLevel

__all__ = ["OCSF_VERSION", "ocsf_finding"]

OCSF_VERSION: Final = "1.2.0"

_CLASS: Final = 2004
_FEATURE: Final = re.compile(r"[a-z_]+\.[a-z0-9_]+")
"""How names of features look; one that named an id would not leave."""
_STATISTICAL: Final = 3  # type of analytic
_CREATE, _UPDATE, _CLOSE = (1, "Create"), (2, "Update"), (3, "Close")
_NEW, _SUPPRESSED = (1, "New"), (3, "Suppressed")
_CONFIDENCES: Final = ((HIGH, 3, "High"), (MEDIUM, 2, "Medium"), (0, 1, "Low"))
_SEVERITIES: Final[Mapping[Severity, tuple[int, str]]] = {
    "info": (1, "Informational"),
    "warning": (3, "Medium"),
    "critical": (5, "Critical"),
}
_RISKS: Final[Mapping[Severity, tuple[int, str]]] = {
    "info": (0, "Info"),
    "warning": (2, "Medium"),
    "critical": (4, "Critical"),
}
_ATTACKS: Final = [
    {
        "tactic": {"uid": "AML.TA0010", "name": "Exfiltration"},
        "technique": {
            "uid": "AML.T0024",
            "name": "Exfiltration via AI Inference API",
        },
        "sub_technique": {"uid": "AML.T0024.002", "name": "Extract AI Model"},
    }
]


def ocsf_finding(
    history: CampaignHistory,
    *,
    producer: str,
    tlp: TlpLevel = "amber",
    key: SharingKey | None = None,
) -> bytes:
    """Make the finding, JSON in UTF-8.

    ``finding_info.uid`` is the campaign, ``metadata.uid`` this state of it, and
    ``metadata.correlation_uid`` the campaign's id in the STIX bundle. A campaign that
    operators have released is closed and suppressed.
    """
    alert = history.newest
    activity_id, activity_name = _activity(history)
    released = history.state == "released"
    status_id, status = _SUPPRESSED if released else _NEW
    severity_id, severity = _SEVERITIES[alert.severity]
    risk_id, risk = _RISKS[alert.severity]
    score = campaign_confidence(alert.e_value)
    confidence_id, confidence = next(
        (number, name) for least, number, name in _CONFIDENCES if score >= least
    )
    counts = (
        f"{alert.account_count} accounts share templates and coordinate: "
        f"{alert.exchange_count} exchanges, e-value {finite_e_value(alert.e_value):.4g}"
    )
    finding = {
        "metadata": {
            "version": OCSF_VERSION,
            "product": {
                "name": "distillwatch",
                "vendor_name": "distillwatch",
                "version": __version__,
            },
            "tenant_uid": producer,
            "uid": alert.alert_id,
            "sequence": alert.sequence,
            "correlation_uid": campaign_object_id(alert.campaign_id, producer),
            "labels": [f"TLP:{tlp.upper()}"],
        },
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Detection Finding",
        "activity_id": activity_id,
        "activity_name": activity_name,
        "type_uid": 100 * _CLASS + activity_id,
        "type_name": f"Detection Finding: {activity_name}",
        "time": alert.occurred_at,
        "start_time": alert.started_at,
        "end_time": alert.occurred_at,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "confidence_id": confidence_id,
        "confidence": confidence,
        "confidence_score": score,
        "risk_level_id": risk_id,
        "risk_level": risk,
        "risk_details": _risk_details(history),
        "message": counts,
        "finding_info": {
            "uid": alert.campaign_id,
            "title": "Distillation campaign",
            "desc": counts,
            "types": list(alert.families),
            "created_time": history.found_at,
            "modified_time": alert.occurred_at,
            "first_seen_time": alert.started_at,
            "last_seen_time": alert.occurred_at,
            "data_sources": ["llm.requests"],
            "analytic": {
                "name": "group evidence",
                "type_id": _STATISTICAL,
                "type": "Statistical",
                "version": alert.model_version,
            },
            "attacks": _ATTACKS,
        },
        "evidences": [{"data": evidence} for evidence in _evidences(history, key)],
        "resources": _resources(history, key) if key else [],
    }
    return msgspec.json.format(msgspec.json.encode(finding)) + b"\n"


def _activity(history: CampaignHistory) -> tuple[int, str]:
    if history.state == "released":
        return _CLOSE
    return _CREATE if history.newest.sequence == 1 else _UPDATE


def _risk_details(history: CampaignHistory) -> str:
    done = ", ".join(f"{count} {name}" for name, count in history.rungs().items())
    return f"Actions by mode and rung: {done or 'none'}."


def _evidences(
    history: CampaignHistory, key: SharingKey | None
) -> list[dict[str, Any]]:
    alert = history.newest
    features = [
        {
            "name": reason.name,
            "value": reason.value,
            "benign_quantile": reason.benign_quantile,
            "weight": reason.weight,
        }
        for reason in alert.reasons
        if _FEATURE.fullmatch(reason.name)
    ]
    facets = shared_facets(alert.facets, key) if key else []
    return [
        {
            "e_value": finite_e_value(alert.e_value),
            "accounts": alert.account_count,
            "exchanges": alert.exchange_count,
            "features": features,
        },
        *(
            {
                "facet_kind": facet.kind,
                "hmac_sha256": facet.keyed,
                "key_id": key.key_id if key else "",
                "recognised_by": RECOGNISED_BY[facet.kind],
            }
            for facet in facets
        ),
    ]


def _resources(history: CampaignHistory, key: SharingKey) -> list[dict[str, Any]]:
    """Give the campaign's accounts, as alerts named them, and what stands for each."""
    actions = {action.subject: action for action in history.actions}
    return [
        {
            "type": "account",
            "uid": key.keyed("account", account),
            "labels": _labels(actions.get(f"account:{account}")),
        }
        for account in history.accounts
    ]


def _labels(action: Action | None) -> list[str]:
    if action is None:
        return []
    review = ["human_review"] if action.human_review else []
    return [f"rung:{action.rung}", f"mode:{action.mode}", *review]
