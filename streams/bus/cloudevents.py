"""CloudEvents attributes as Kafka headers (binary content mode).

Source: CloudEvents 1.0.2, Kafka Protocol Binding, section 3.2: each attribute is a
header with the prefix ``ce_``, the value keeps its own format, which ``content-type``
names.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from streams.errors import InvalidRecord

__all__ = ["CONTENT_TYPE", "CloudEvent", "HeaderMaker", "headers", "parse"]

CONTENT_TYPE: Final = "application/avro"
_SPEC_VERSION: Final = "1.0"
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_SECOND: Final = 1000  # milliseconds
_TO_SECONDS: Final = len("2026-01-01T00:00:00")
_FRACTIONS: Final = [b".%03dZ" % milliseconds for milliseconds in range(_SECOND)]
_SPEC_HEADER: Final = ("ce_specversion", _SPEC_VERSION.encode())
_CONTENT_HEADER: Final = ("content-type", CONTENT_TYPE.encode())


@dataclasses.dataclass(frozen=True, slots=True)
class CloudEvent:
    """The attributes of one event; ``time_ms`` counts from the Unix epoch, UTC."""

    event_id: str
    event_type: str
    source: str
    time_ms: int


def headers(
    event_id: str, event_type: str, source: str, time_ms: int
) -> list[tuple[str, bytes]]:
    """Return the headers of an event; ``time_ms`` is milliseconds since the epoch.

    >>> dict(headers("a1", "llm.action", "distillwatch", 1_767_225_600_123))["ce_time"]
    b'2026-01-01T00:00:00.123Z'
    """
    return HeaderMaker(event_type, source)(event_id, time_ms)


class HeaderMaker:
    """Makes the headers of events of one type and source; threads may share it.

    >>> make = HeaderMaker("llm.action", "distillwatch")
    >>> make("a1", 1_767_225_600_123) == headers(
    ...     "a1", "llm.action", "distillwatch", 1_767_225_600_123
    ... )
    True
    """

    __slots__ = ("_last", "_source", "_type")

    def __init__(self, event_type: str, source: str) -> None:
        self._type = ("ce_type", event_type.encode())
        self._source = ("ce_source", source.encode())
        # Events come by the thousand in one second; one object, so that no other
        # thread sees half of a change.
        self._last = (0, _to_the_second(0))

    def __call__(self, event_id: str, time_ms: int) -> list[tuple[str, bytes]]:
        """Return the headers of an event; ``time_ms`` since the Unix epoch."""
        second = time_ms // _SECOND
        last, begin = self._last
        if second != last:
            begin = _to_the_second(second)
            self._last = (second, begin)
        return [
            _SPEC_HEADER,
            ("ce_id", event_id.encode()),
            self._type,
            self._source,
            ("ce_time", begin + _FRACTIONS[time_ms % _SECOND]),
            _CONTENT_HEADER,
        ]


@lru_cache
def _to_the_second(second: int) -> bytes:
    moment = _EPOCH + dt.timedelta(seconds=second)
    return moment.isoformat()[:_TO_SECONDS].encode()


def parse(received: Iterable[tuple[str, bytes | str | None]]) -> CloudEvent:
    """Read the attributes back; headers of others are passed over.

    Raises `InvalidRecord` that names the header when one is missing or malformed.
    """
    found = dict(received)
    if (version := _text(found, "ce_specversion")) != _SPEC_VERSION:
        raise InvalidRecord(
            f"header ce_specversion is {version!r}; only {_SPEC_VERSION!r} is known"
        )
    return CloudEvent(
        event_id=_text(found, "ce_id"),
        event_type=_text(found, "ce_type"),
        source=_text(found, "ce_source"),
        time_ms=_milliseconds(_text(found, "ce_time")),
    )


def _text(found: dict[str, bytes | str | None], name: str) -> str:
    value = found.get(name)
    if value is None:
        raise InvalidRecord(f"header {name} is missing; CloudEvents 1.0 wants it")
    try:
        return value if isinstance(value, str) else value.decode()
    except UnicodeDecodeError as error:
        raise InvalidRecord(f"header {name} is not UTF-8") from error


def _milliseconds(text: str) -> int:
    try:
        moment = dt.datetime.fromisoformat(text.upper())  # t, z: RFC 3339
        return (moment - _EPOCH) // _MILLISECOND
    except (ValueError, TypeError) as error:  # TypeError: it has no time zone
        raise InvalidRecord(
            "header ce_time is no RFC 3339 time with a zone, such as "
            "2026-01-01T00:00:00.123Z"
        ) from error
