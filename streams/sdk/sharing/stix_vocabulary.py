"""The objects that every STIX bundle of ours holds, and how ids and times are made.

STIX has no observable for a JA4 fingerprint or a prompt template. The extension
definition here adds one, ``x-distillwatch-facet``, for patterns, and the same
properties to each indicator.
"""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any, Final

from streams.sdk.sharing.shared_facets import RECOGNISED_BY

__all__ = [
    "EXTRACT_AI_MODEL",
    "FACET_EXTENSION",
    "attack_pattern",
    "extension_definition",
    "identity",
    "object_id",
    "software_identity",
    "stix_time",
]

FACET_EXTENSION: Final = "extension-definition--e008ac66-5b6e-4f1f-b6a0-275858e444a1"
EXTRACT_AI_MODEL: Final = "attack-pattern--228a436f-9c53-47dd-a32e-b54508dcd24f"
"""MITRE ATLAS AML.T0024.002, which has no STIX id that everybody uses."""

_DISTILLWATCH: Final = "identity--5031b8ce-0b05-4a6e-ad35-89e91a2680c4"
_NAMESPACE: Final = uuid.UUID("a2d66b8d-f87f-4806-a460-2178c7daff8c")
_DEFINED: Final = "2026-01-01T00:00:00.000Z"  # of objects that never change
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)

_SCHEMA: Final = (
    "Properties of x-distillwatch-facet and, as a property extension, of an indicator: "
    "kind (string): what the accounts of a campaign share. hmac_sha256 (64 hexadecimal "
    "digits): HMAC-SHA256 of the facet's id with the sharing key, of the bytes "
    "'distillwatch-sharing-1', 0, kind, 0, id. key_id (16 hexadecimal digits): the "
    "first 8 bytes of the HMAC-SHA256 of 'distillwatch-sharing-1' with the same key. "
    "recognised_by (string): who can recognise it, as an id may itself be a keyed hash "
    "made by the producer: "
    + "; ".join(f"{kind}: {who}" for kind, who in RECOGNISED_BY.items())
    + ". Properties of a campaign: accounts, exchanges (integer), e_value (number), "
    "families (list of string), actions (integer by mode and rung), model_version."
)


def stix_time(milliseconds: int) -> str:
    """Write ms since the epoch as STIX does.

    >>> stix_time(1_767_225_600_123)
    '2026-01-01T00:00:00.123Z'
    """
    moment = _EPOCH + milliseconds * _MILLISECOND
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def object_id(kind: str, name: str) -> str:
    """Derive an id from a name: equal names, equal ids."""
    return f"{kind}--{uuid.uuid5(_NAMESPACE, f'{kind}|{name}')}"


def identity(name: str) -> dict[str, Any]:
    """Make the organization of this name."""
    return _identity(object_id("identity", name), name, "organization")


def software_identity() -> dict[str, Any]:
    """Make the author of the extension."""
    return _identity(_DISTILLWATCH, "distillwatch", "system")


def _identity(identifier: str, name: str, identity_class: str) -> dict[str, Any]:
    return {
        "type": "identity",
        "spec_version": "2.1",
        "id": identifier,
        "created": _DEFINED,
        "modified": _DEFINED,
        "name": name,
        "identity_class": identity_class,
    }


def extension_definition() -> dict[str, Any]:
    """Make the definition of `FACET_EXTENSION`."""
    return {
        "type": "extension-definition",
        "spec_version": "2.1",
        "id": FACET_EXTENSION,
        "created_by_ref": _DISTILLWATCH,
        "created": _DEFINED,
        "modified": _DEFINED,
        "name": "Facets of distillation campaigns",
        "description": (
            "What accounts share that together collect the outputs of a model, as "
            "HMACs with a key that producer and receivers have agreed on."
        ),
        "schema": _SCHEMA,
        "version": "1.0.0",
        "extension_types": ["new-sco", "property-extension"],
    }


def attack_pattern() -> dict[str, Any]:
    """Make the technique, as MITRE ATLAS numbers it."""
    return {
        "type": "attack-pattern",
        "spec_version": "2.1",
        "id": EXTRACT_AI_MODEL,
        "created_by_ref": _DISTILLWATCH,
        "created": _DEFINED,
        "modified": _DEFINED,
        "name": "Extract AI Model",
        "description": "A model is copied by training another one on its outputs.",
        "kill_chain_phases": [
            {"kill_chain_name": "mitre-atlas", "phase_name": "exfiltration"}
        ],
        "external_references": [
            {"source_name": "mitre-atlas", "external_id": "AML.T0024.002"}
        ],
    }
