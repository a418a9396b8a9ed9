"""The records of the public topics as typed, frozen objects.

Same names, types and defaults as the schemas (a test holds them equal); times are int
milliseconds since the epoch. A field's meaning is told once, in its schema.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias, TypeVar

import msgspec

from streams.contracts.codec import decode, encode
from streams.contracts.writers import WriterSchemas
from streams.errors import InvalidRecord

__all__ = [
    "Ack",
    "Action",
    "Alert",
    "AlertKind",
    "ControlEntry",
    "ControlKind",
    "Decision",
    "DecisionKind",
    "Evidence",
    "Feature",
    "Mode",
    "Outcome",
    "Record",
    "RequestEvent",
    "Rung",
    "Severity",
    "decode_record",
    "encode_record",
    "from_dict",
    "to_dict",
]

Rung: TypeAlias = Literal[
    "observe",
    "label",
    "throttle",
    "challenge",
    "summarise_reasoning",
    "watermark",
    "step_up_verification",
    "suspend",
]
Mode: TypeAlias = Literal["shadow", "enforce"]
AlertKind: TypeAlias = Literal[
    "campaign_found",
    "campaign_grown",
    "campaign_pivoted",
    "campaign_merged",
    "budget_exhausted",
    "notice",
    "campaign_released",
    "control_applied",
    "breaker_tripped",
    "labels_disputed",
    "canary_failed",
    "not_enforced",
]
Severity: TypeAlias = Literal["info", "warning", "critical"]
Outcome: TypeAlias = Literal["applied", "refused", "expired", "released"]
ControlKind: TypeAlias = Literal[
    "allowlist",
    "policy",
    "mode",
    "label",
    "release",
    "review",
    "appeal",
    "indicator",
]
DecisionKind: TypeAlias = Literal[
    "tested",
    "issued",
    "extended",
    "escalated",
    "released",
    "expired",
    "withheld",
    "applied",
]


class RequestEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange with the API, without its text."""

    event_id: str
    occurred_at: int
    account_id: str
    organization_id: str | None = None
    api_key_id: str | None = None
    account_created_at: int | None = None
    network: str | None = None
    tls_ja4: str | None = None
    client: str | None = None
    payment: str | None = None
    operation_name: str | None = None
    provider_name: str | None = None
    request_model: str
    response_model: str | None = None
    conversation_id: str | None = None
    request_max_tokens: int | None = None
    request_temperature: float | None = None
    request_top_p: float | None = None
    request_choice_count: int | None = None
    request_seed: int | None = None
    request_stream: bool | None = None
    output_type: str | None = None
    response_finish_reasons: tuple[str, ...] = ()
    response_time_to_first_chunk: float | None = None
    usage_input_tokens: int | None = None
    usage_output_tokens: int | None = None
    usage_reasoning_output_tokens: int | None = None
    usage_cache_read_input_tokens: int | None = None
    tool_count: int = 0
    tools_hash: str | None = None
    logprobs: bool = False
    status_code: int | None = None
    enforced_action_id: str | None = None
    sketch: bytes | None = None


class Feature(msgspec.Struct, frozen=True, kw_only=True):
    """One reason, with what it was measured against."""

    name: str
    value: float
    benign_quantile: float
    weight: float


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """Why: top features, e-value, budget."""

    features: tuple[Feature, ...] = ()
    e_value: float
    budget_spent: float


class Action(msgspec.Struct, frozen=True, kw_only=True):
    """What enforcement should do to one subject."""

    action_id: str
    subject: str
    sequence: int
    rung: Rung
    parameters: dict[str, str] = {}
    mode: Mode
    issued_at: int
    expires_at: int
    campaign_id: str
    reason_codes: tuple[str, ...] = ()
    evidence: Evidence
    scenario_version: str = ""
    model_version: str = ""
    human_review: bool = False
    appeal_token: str | None = None


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """News of a campaign, for people."""

    alert_id: str
    campaign_id: str
    sequence: int
    kind: AlertKind
    severity: Severity
    occurred_at: int
    started_at: int
    summary: str
    reasons: tuple[Feature, ...] = ()
    e_value: float
    account_count: int
    exchange_count: int
    accounts: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    model_version: str = ""


class Ack(msgspec.Struct, frozen=True, kw_only=True):
    """What an enforcer did with an action."""

    ack_id: str
    subject: str
    action_id: str
    sequence: int
    outcome: Outcome
    enforcer: str
    occurred_at: int
    detail: str | None = None


class ControlEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An operator's entry: what people tell the detector."""

    entry_id: str
    kind: ControlKind
    subject: str
    value: str = ""
    author: str
    reason: str
    created_at: int
    expires_at: int | None = None


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """One step in the life of a decision, with all that it was decided on."""

    decision_id: str
    subject: str
    kind: DecisionKind
    occurred_at: int
    campaign_id: str = ""
    action_id: str | None = None
    sequence: int = 0
    rung: Rung | None = None
    mode: Mode | None = None
    e_value: float = 0.0
    threshold: float = 0.0
    level: float = 0.0
    budget_left: float = 0.0
    daily_budget: float = 0.0
    exchanges: int = 0
    look: int = -1
    confirmations: int = 0
    features: tuple[Feature, ...] = ()
    scenario: str = ""
    reason: str = ""
    entry_id: str | None = None
    author: str = ""
    scenario_version: str = ""
    model_version: str = ""


Record: TypeAlias = RequestEvent | Action | Alert | Ack | ControlEntry | Decision
RecordT = TypeVar("RecordT", RequestEvent, Action, Alert, Ack, ControlEntry, Decision)


def to_dict(record: Record) -> dict[str, Any]:
    """Give a record as plain values, in the order of its schema; bytes stay bytes.

    >>> entry = ControlEntry(entry_id="e", kind="release", subject="account:1",
    ...                      author="ana", reason="appeal", created_at=0)
    >>> to_dict(entry)["kind"]
    'release'
    """
    plain: dict[str, Any] = msgspec.to_builtins(record, builtin_types=(bytes,))
    return plain


def from_dict(record_type: type[RecordT], values: dict[str, Any]) -> RecordT:
    """Make a record of plain values; `InvalidRecord` names the field that does not fit.

    >>> from_dict(Ack, {"ack_id": "a"})
    Traceback (most recent call last):
    streams.errors.InvalidRecord: Ack: Object missing required field `subject`
    """
    try:
        return msgspec.convert(values, record_type, builtin_types=(bytes,))
    except msgspec.ValidationError as error:
        # msgspec's message names the type and the path, and quotes an enum's value at
        # most, which is one of our own words or foreign: then only the path is kept.
        told, _, path = str(error).partition(" - at ")
        told = "Invalid value" if told.startswith("Invalid") else told
        where = f" - at {path}" if path else ""
        raise InvalidRecord(f"{record_type.__name__}: {told}{where}") from None


def encode_record(record: Record, *, schema_id: int | None = None) -> bytes:
    """Encode a record with single-object framing, or Confluent's for a registry id."""
    return encode(type(record).__name__, to_dict(record), schema_id=schema_id)


def decode_record(
    record_type: type[RecordT],
    value: bytes,
    *,
    writers: WriterSchemas | None = None,
    sketch_bytes: int | None = None,
) -> RecordT:
    """Decode one value to a typed record; see `codec.decode` for what is refused."""
    name = record_type.__name__
    record = decode(name, value, writers=writers, sketch_bytes=sketch_bytes)
    return from_dict(record_type, record)
