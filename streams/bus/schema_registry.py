"""Writers' schemas by their id in a schema registry with Confluent's API.

The pipeline only reads from a registry: each id once, when the first event with it
arrives. What can go wrong is kept apart, since the events are treated differently:

* the registry says that it has no such id, or something other than an Avro record: the
  event cannot be read and is dead-lettered;
* it does not answer, or not as a registry does: the event may be good, so it waits.

An id never changes its schema, so a schema is kept for good. A "no" is kept for a
while, since the id may be registered later.
"""

from __future__ import annotations

import json
import time
import weakref
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import urlsplit

import fastavro
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from streams.contracts import WriterSchemas
from streams.errors import ConfigError, RegistryUnavailable, UnknownSchema

__all__ = [
    "SchemaRegistry",
    "public_url",
    "registry_client",
    "request_writers",
    "unavailable",
]

_ANSWER_TIMEOUT: Final = 3.0  # s; the caller waits, and may be an event loop
_PAUSE: Final = 0.4  # s without questions after a failure; callers try again later
_UNKNOWN_FOR: Final = 30.0  # s that a "no" is kept
_MOST_UNKNOWN: Final = 100
"""Unknown ids asked for within `_UNKNOWN_FOR`. Bytes that are no Avro at all look like
new ids, one a record: they must not turn into one question each."""
_LARGEST_ID: Final = 2**31 - 1
_NO_SUCH_ID: Final = 40403  # "Schema not found" of Confluent's API
_AVRO: Final = "AVRO"


def registry_client(url: str) -> SchemaRegistryClient:
    """Return a client of the registry at ``url`` that gives up after 3 s.

    Raises `ConfigError` when it is not a URL.
    """
    try:
        # Its own retries would sleep in the caller, up to 20 s.
        return SchemaRegistryClient(
            {"url": url, "timeout": _ANSWER_TIMEOUT, "max.retries": 0}
        )
    except ValueError as error:
        raise ConfigError(
            f"registry_url = {public_url(url)!r} is not the URL of a schema registry, "
            "such as http://127.0.0.1:8081"
        ) from error


def public_url(url: str) -> str:
    """Return the URL without the user and password that it may hold.

    >>> public_url("https://user:secret@registry:8081/v7")
    'https://registry:8081/v7'
    """
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def unavailable(url: str, error: Exception) -> RegistryUnavailable:
    """Make the error for a registry that gave no answer to go by."""
    return RegistryUnavailable(
        f"the schema registry at {public_url(url)} does not answer as one "
        f"({type(error).__name__}: {error}); start it, or put the setting registry_url "
        "right"
    )


class SchemaRegistry:
    """Finds writers' schemas by id; the ``resolver`` of `WriterSchemas`.

    ``clock`` gives seconds that only rise.
    """

    def __init__(
        self, url: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._client = registry_client(url)
        weakref.finalize(self, self._client.close)
        self._clock = clock
        self._known: dict[int, dict[str, Any]] = {}
        self._refused: dict[int, tuple[float, str | None]] = {}  # until when, and why
        self._failed: RegistryUnavailable | None = None
        self._ask_again = 0.0

    def __call__(self, schema_id: int) -> dict[str, Any]:
        """Return the Avro schema with this id, asking the registry if need be.

        Raises `KeyError` when there is none, `UnknownSchema` when it is not an Avro
        record, `RegistryUnavailable` (retriable) when the registry does not say.
        """
        if schema_id in self._known:
            return self._known[schema_id]
        now = self._clock()
        if schema_id not in self._refused or self._refused[schema_id][0] <= now:
            self._ask(schema_id, now)
        if schema_id in self._known:
            return self._known[schema_id]
        _, reason = self._refused[schema_id]
        if reason is None:
            raise KeyError(schema_id)
        raise UnknownSchema(f"registry id {schema_id}: {reason}")

    def _ask(self, schema_id: int, now: float) -> None:
        if schema_id > _LARGEST_ID:
            raise KeyError(schema_id)
        if self._failed is not None and now < self._ask_again:
            raise self._failed
        self._refused = {
            each: refusal for each, refusal in self._refused.items() if refusal[0] > now
        }
        if len(self._refused) >= _MOST_UNKNOWN:
            raise UnknownSchema(
                f"registry id {schema_id} was not looked up: more than {_MOST_UNKNOWN} "
                f"others of the last {_UNKNOWN_FOR:.0f} s were unknown, so this is "
                "hardly Confluent's framing; serialise with Avro"
            )
        until = now + _UNKNOWN_FOR
        try:
            self._known[schema_id] = _record(self._client.get_schema(schema_id))
        except UnknownSchema as error:
            self._refused[schema_id] = until, str(error)
        except SchemaRegistryError as error:
            if error.error_code != _NO_SUCH_ID:
                raise self._fail(error) from error
            self._refused[schema_id] = until, None
        except Exception as error:
            # The client lets the exceptions of its own HTTP library through.
            raise self._fail(error) from error
        self._failed = None

    def _fail(self, error: Exception) -> RegistryUnavailable:
        self._failed = unavailable(self._url, error)
        self._ask_again = self._clock() + _PAUSE
        return self._failed


def request_writers(url: str) -> WriterSchemas:
    """Return the writers of request events, with those of the registry at ``url``.

    An empty URL means that there is no registry: single-object framing only.
    """
    resolver = SchemaRegistry(url) if url else None
    return WriterSchemas("RequestEvent", resolver=resolver)


def _record(found: Schema) -> dict[str, Any]:
    """Return the schema as a record's; raise `UnknownSchema` if it is none."""
    if found.schema_type not in (None, _AVRO):
        raise UnknownSchema(f"the registry has a {found.schema_type} schema, not Avro")
    try:
        avro = json.loads(found.schema_str or "")
        fastavro.parse_schema(avro)
    except (ValueError, fastavro.schema.SchemaParseException) as error:
        raise UnknownSchema(
            f"the registry has a schema that is not whole ({type(error).__name__}); "
            "references to other schemas are not followed"
        ) from error
    if not isinstance(avro, dict) or avro.get("type") != "record":
        raise UnknownSchema("the registry has a schema that is not a record's")
    return avro
