"""From an accepted call to a Kafka record: sketch, fill in, check, encode.

This runs on the reporter's own thread, never on the caller's.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, NamedTuple

from streams.contracts.codec import encode_datum
from streams.contracts.records import RequestEvent, to_dict
from streams.contracts.rules import check_record, is_content_field
from streams.errors import ContentRefused, InvalidRecord

__all__ = ["EventRecord", "event_record"]

_NAME = "RequestEvent"
_FIELDS = frozenset(RequestEvent.__struct_fields__)


class EventRecord(NamedTuple):
    """What goes to Kafka; ``datum`` is without framing, ``timestamp`` in ms."""

    datum: bytes
    key: str
    timestamp: int
    event_id: str


def event_record(
    event: RequestEvent | Mapping[str, Any],
    *,
    received_at: int,
    sketch: bytes | None = None,
) -> EventRecord:
    """Check and encode one event; a mapping without id or time is given them.

    ``received_at`` (milliseconds since the epoch) stands in for a missing
    ``occurred_at``; ``sketch`` replaces the event's own. Raises `ContentRefused` for a
    field that is for prompt or output text, `InvalidRecord` for any other misfit; no
    message repeats a value.

    >>> event = {"account_id": "a-1", "request_model": "m"}
    >>> record = event_record(event, received_at=1_760_000_000_000)
    >>> record.key, record.timestamp, len(record.event_id)
    ('a-1', 1760000000000, 32)
    """
    if isinstance(event, RequestEvent):
        fields = to_dict(event)
    else:
        fields = dict(event)
        if not fields.keys() <= _FIELDS:
            _refuse_unknown(fields)
        if fields.get("event_id") is None:
            fields["event_id"] = uuid.uuid4().hex
        if fields.get("occurred_at") is None:
            fields["occurred_at"] = received_at
    if sketch is not None:
        fields["sketch"] = sketch
    reasons = fields.get("response_finish_reasons")
    if isinstance(reasons, tuple):
        fields["response_finish_reasons"] = [*reasons]  # what the check looks into
    datum = encode_datum(_NAME, fields)
    check_record(_NAME, fields)
    return EventRecord(
        datum, fields["account_id"], fields["occurred_at"], fields["event_id"]
    )


def _refuse_unknown(fields: Mapping[str, Any]) -> None:
    # Only a name from our own list is told: a key may itself be text.
    for name in fields.keys() - _FIELDS:
        if is_content_field(str(name)):
            raise ContentRefused(
                f"{_NAME} with a field for prompt or output text; report the event "
                "without it and hand the text over as prompt=, which only sketches it"
            )
    raise InvalidRecord(
        f"{_NAME} with {len(fields.keys() - _FIELDS)} unknown fields; "
        "schemas/RequestEvent.avsc lists the known ones"
    )
