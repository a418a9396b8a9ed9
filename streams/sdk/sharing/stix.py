"""A campaign as a STIX 2.1 bundle for other providers.

It holds who says so, the campaign with its counts, the technique (MITRE ATLAS
AML.T0024.002), a sighting, and an indicator for each facet that may leave. No id of an
account and no raw id of a facet is in it: see `shared_facets` for who can recognise
what. Equal input gives equal bytes, and a later bundle of the same campaign has the
same ids with a later ``modified``, so that receivers update what they have. A released
campaign is exported as revoked.
"""

from __future__ import annotations

import datetime as dt
import importlib
import json
from types import ModuleType
from typing import Any, Final

from streams.errors import MissingTool
from streams.sdk.sharing.campaign_history import CampaignHistory
from streams.sdk.sharing.confidence import (
    campaign_confidence,
    facet_confidence,
    finite_e_value,
)
from streams.sdk.sharing.shared_facets import RECOGNISED_BY, SharedFacet, shared_facets
from streams.sdk.sharing.sharing_key import SharingKey
from streams.sdk.sharing.stix_vocabulary import (
    EXTRACT_AI_MODEL,
    FACET_EXTENSION,
    attack_pattern,
    extension_definition,
    identity,
    object_id,
    software_identity,
    stix_time,
)
from streams.sdk.sharing.tlp import TlpLevel, marking_definition, marking_id

__all__ = ["campaign_object_id", "load_stix2", "stix_bundle"]

_MOST_SIGHTED: Final = 999_999_999  # STIX 2.1, section 5.2
_MILLISECOND: Final = dt.timedelta(milliseconds=1)


def stix_bundle(
    history: CampaignHistory,
    *,
    producer: str,
    valid_for: dt.timedelta,
    tlp: TlpLevel = "amber",
    key: SharingKey | None = None,
) -> bytes:
    """Make the bundle, JSON in UTF-8; without a key it holds counts and no indicator.

    Indicators hold from the first alert until ``valid_for`` after the newest one.
    Raises `MissingTool` when stix2 is not installed.
    """
    stix2 = load_stix2()
    objects = _objects(history, producer, tlp)
    if key is not None:
        objects += _indicators(history, producer, tlp, valid_for, key)
    bundle_id = object_id("bundle", _json(objects))
    bundle = {"type": "bundle", "id": bundle_id, "objects": objects}
    # Parsing checks the rules of the specification; the order of what stix2 writes is
    # not the same in every process.
    return _json(json.loads(stix2.parse(bundle).serialize())).encode() + b"\n"


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True)


def _objects(
    history: CampaignHistory, producer: str, tlp: TlpLevel
) -> list[dict[str, Any]]:
    campaign_id = campaign_object_id(history.newest.campaign_id, producer)
    common = _common(history, producer, tlp)
    return [
        marking_definition(tlp),
        identity(producer),
        software_identity(),
        extension_definition(),
        attack_pattern(),
        _campaign(campaign_id, history, producer) | common,
        _relationship(campaign_id, "uses", EXTRACT_AI_MODEL) | common,
        _sighting(campaign_id, identity(producer)["id"], history) | common,
    ]


def _indicators(
    history: CampaignHistory,
    producer: str,
    tlp: TlpLevel,
    valid_for: dt.timedelta,
    key: SharingKey,
) -> list[dict[str, Any]]:
    alert = history.newest
    campaign_id = campaign_object_id(alert.campaign_id, producer)
    common = _common(history, producer, tlp)
    validity = {
        "valid_from": stix_time(history.found_at),
        "valid_until": stix_time(alert.occurred_at + valid_for // _MILLISECOND),
    }
    objects = []
    for facet in shared_facets(alert.facets, key):
        indicator_id = object_id("indicator", f"{campaign_id}|{facet.keyed}")
        indicator = _indicator(indicator_id, facet, key.key_id, alert.e_value)
        objects.append(indicator | validity | common)
        objects.append(_relationship(indicator_id, "indicates", campaign_id) | common)
    return objects


def _common(history: CampaignHistory, producer: str, tlp: TlpLevel) -> dict[str, Any]:
    common = {
        "spec_version": "2.1",
        "created_by_ref": identity(producer)["id"],
        "created": stix_time(history.found_at),
        "modified": stix_time(history.newest.occurred_at),
        "object_marking_refs": [marking_id(tlp)],
    }
    return common | {"revoked": True} if history.state == "released" else common


def load_stix2() -> ModuleType:
    """Import stix2; `MissingTool` says how to install it."""
    try:
        return importlib.import_module("stix2")
    except ImportError as error:
        raise MissingTool(
            "stix2 is not installed; run: pip install 'distillwatch[bridges]'"
        ) from error


def campaign_object_id(campaign_id: str, producer: str) -> str:
    """Give the STIX id of a producer's campaign, the same in every export."""
    return object_id("campaign", f"{producer}|{campaign_id}")


def _campaign(
    identifier: str, history: CampaignHistory, producer: str
) -> dict[str, Any]:
    alert = history.newest
    e_value = finite_e_value(alert.e_value)
    return {
        "type": "campaign",
        "id": identifier,
        "name": f"Distillation campaign {alert.campaign_id}",
        "description": (
            f"{alert.account_count} accounts share templates and coordinate: "
            f"{alert.exchange_count} exchanges, e-value {e_value:.4g}."
        ),
        "confidence": campaign_confidence(alert.e_value),
        "first_seen": stix_time(alert.started_at),
        "last_seen": stix_time(alert.occurred_at),
        "objective": "Train a copy of a model on its outputs.",
        "external_references": [
            {"source_name": producer, "external_id": alert.campaign_id}
        ],
        "extensions": {
            FACET_EXTENSION: {
                "extension_type": "property-extension",
                "accounts": alert.account_count,
                "exchanges": alert.exchange_count,
                "e_value": e_value,
                "families": list(alert.families),
                "actions": history.rungs(),
                "model_version": alert.model_version,
            }
        },
    }


def _sighting(
    campaign_id: str, producer_id: str, history: CampaignHistory
) -> dict[str, Any]:
    alert = history.newest
    return {
        "type": "sighting",
        "id": object_id("sighting", campaign_id),
        "sighting_of_ref": campaign_id,
        "where_sighted_refs": [producer_id],
        "first_seen": stix_time(alert.started_at),
        "last_seen": stix_time(alert.occurred_at),
        "count": min(alert.exchange_count, _MOST_SIGHTED),
        "summary": True,
    }


def _indicator(
    identifier: str, facet: SharedFacet, key_id: str, e_value: float
) -> dict[str, Any]:
    return {
        "type": "indicator",
        "id": identifier,
        "name": f"{facet.kind} of a distillation campaign",
        "description": (
            "Accounts of the campaign share it, and others may too: a reason to look, "
            f"never to act. It is recognised by {RECOGNISED_BY[facet.kind]}."
        ),
        "indicator_types": ["malicious-activity"],
        "confidence": facet_confidence(facet.kind, e_value),
        "pattern": (
            f"[x-distillwatch-facet:kind = '{facet.kind}' AND "
            f"x-distillwatch-facet:hmac_sha256 = '{facet.keyed}']"
        ),
        "pattern_type": "stix",
        "pattern_version": "2.1",
        "extensions": {
            FACET_EXTENSION: {
                "extension_type": "property-extension",
                "kind": facet.kind,
                "hmac_sha256": facet.keyed,
                "key_id": key_id,
                "recognised_by": RECOGNISED_BY[facet.kind],
            }
        },
    }


def _relationship(source: str, name: str, target: str) -> dict[str, Any]:
    return {
        "type": "relationship",
        "id": object_id("relationship", f"{source}|{name}|{target}"),
        "relationship_type": name,
        "source_ref": source,
        "target_ref": target,
    }
