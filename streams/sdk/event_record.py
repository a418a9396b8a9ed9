"""From an accepted call to a Kafka record: sketch, fill in, check, encode.

This runs on the reporter's own thread, never on the caller's.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from streams.contracts.records import RequestEvent, to_dict
from streams.contracts.row_encoder import RowEncoder
from streams.contracts.rules import is_content_field
from streams.errors import ContentRefused, InvalidRecord

if TYPE_CHECKING:
    from streams.sketch import Sketcher

__all__ = [
    "Accepted",
    "Content",
    "EventRecord",
    "event_ids",
    "event_records",
    "sketches",
]

Content: TypeAlias = tuple[str, Any, Any, Any]
"""What a sketch is made of: prompt, system, tools, turns."""

Accepted: TypeAlias = tuple[RequestEvent | dict[str, Any], int, bytes | None]
"""An event, when it was accepted (milliseconds since the epoch), and its sketch."""

EventRecord: TypeAlias = tuple[bytes, str, int, str]
"""What goes to Kafka: framed value, key, time in milliseconds, event id."""

_NAME: Final = "RequestEvent"
_FIELDS: Final = frozenset(RequestEvent.__struct_fields__)
_ID_BYTES: Final = 8  # half of an id is random, half counts
_encode: Final = RowEncoder(
    _NAME,
    direct=(
        *("event_id", "occurred_at", "account_id", "organization_id", "api_key_id"),
        *("account_created_at", "payment", "conversation_id", "request_seed"),
        *("tools_hash", "enforced_action_id"),
    ),
)


def event_ids() -> Iterator[str]:
    """Give ids without end, of 32 hexadecimal digits; no other iterator gives them.

    64 random bits tell iterators apart, so make one in each process, after a fork.

    >>> first, second = itertools.islice(event_ids(), 2)
    >>> first[:16] == second[:16], second[16:]
    (True, '0000000000000001')
    """
    start = secrets.token_hex(_ID_BYTES)
    return (f"{start}{number:0{2 * _ID_BYTES}x}" for number in itertools.count())


def sketches(
    sketcher: Sketcher, contents: Sequence[Content]
) -> Sequence[bytes | Exception]:
    """Sketch all at once; what cannot be sketched gives its error instead."""
    if not contents:
        return ()
    try:
        prompts, systems, tools, turns = zip(*contents, strict=True)
        made = sketcher.sketch_many(prompts, systems=systems, tools=tools, turns=turns)
    except Exception as error:  # noqa: BLE001  whatever a sketcher raises, the others go on
        if len(contents) == 1:
            return (error,)
        return [each for one in contents for each in sketches(sketcher, [one])]
    return [bytes(sketch) for sketch in made]


def event_records(
    accepted: Iterable[Accepted], new_ids: Iterator[str], *, framing: bytes
) -> list[EventRecord | Exception]:
    """Check and encode events; a dict without id or time is given them, in place.

    The time of acceptance stands in for a missing ``occurred_at``, the next of
    ``new_ids`` for a missing ``event_id``; a sketch replaces the event's own. In place
    of an event that cannot be sent stands why: `ContentRefused` for a field that is for
    prompt or output text, `InvalidRecord` for most other misfits. No message repeats a
    value.

    >>> event = {"account_id": "a-1", "request_model": "m"}
    >>> accepted = [(event, 1_760_000_000_000, None)]
    >>> (record,) = event_records(accepted, event_ids(), framing=b"")
    >>> value, key, timestamp, event_id = record
    >>> key, timestamp, event_id == event["event_id"]
    ('a-1', 1760000000000, True)
    """
    filled = [_filled(*one, new_ids) for one in accepted]
    return [
        (value, fields["account_id"], fields["occurred_at"], fields["event_id"])
        if isinstance(value, bytes)
        else _reason(value, fields)
        for value, fields in zip(
            _encode.many(filled, framing=framing), filled, strict=True
        )
    ]


def _filled(
    event: RequestEvent | dict[str, Any],
    received_at: int,
    sketch: bytes | None,
    new_ids: Iterator[str],
) -> dict[str, Any]:
    if isinstance(event, RequestEvent):
        fields = to_dict(event)
    else:
        fields = event
        if fields.get("event_id") is None:
            fields["event_id"] = next(new_ids)
        if fields.get("occurred_at") is None:
            fields["occurred_at"] = received_at
    if sketch is not None:
        fields["sketch"] = sketch
    return fields


def _reason(error: Exception, fields: Mapping[str, Any]) -> Exception:
    unknown = fields.keys() - _FIELDS
    if not unknown:
        return error
    # Only a name from our own list is told: a key may itself be text.
    if any(is_content_field(str(name)) for name in unknown):
        return ContentRefused(
            f"{_NAME} with a field for prompt or output text; report the event "
            "without it and hand the text over as prompt=, which only sketches it"
        )
    return InvalidRecord(
        f"{_NAME} with {len(unknown)} unknown fields; "
        "schemas/RequestEvent.avsc lists the known ones"
    )
