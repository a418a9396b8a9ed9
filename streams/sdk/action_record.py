"""From a record of ``llm.actions`` to what it says about a subject."""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import NamedTuple

import msgspec

from streams.bus.records_consumer import ReceivedRecord
from streams.contracts.codec import decode
from streams.contracts.records import Action, from_dict
from streams.contracts.writers import WriterSchemas
from streams.errors import InvalidRecord

__all__ = ["SubjectNews", "read_action_record"]

_CACHED = 1024  # combinations of reasons and parameters; the ladder has a few dozen
_SHARED = ("campaign_id", "scenario_version", "model_version")


class SubjectNews(NamedTuple):
    """The subject of a record and its action; None for a tombstone."""

    subject: str
    action: Action | None


def read_action_record(
    record: ReceivedRecord,
    writers: WriterSchemas | None = None,
    *,
    keep_evidence: bool = False,
) -> SubjectNews:
    """Decode a record; without ``keep_evidence`` its evidence has no features.

    Actions share equal parameters, so they must not be changed. Raises the dead-letter
    errors of `contracts`, without the record's place.
    """
    if record.key is None:
        raise InvalidRecord("Action: it has no key; the key is the subject")
    try:
        subject = record.key.decode()
    except UnicodeDecodeError:
        raise InvalidRecord("Action: its key is not UTF-8") from None
    if record.value is None:
        return SubjectNews(subject, None)
    fields = decode("Action", record.value, writers=writers)
    if fields["subject"] != subject:
        raise InvalidRecord("Action.subject is not the record's key")
    if not keep_evidence:
        fields["evidence"]["features"] = []
    # Hundreds of thousands of actions have these strings in common.
    for name in _SHARED:
        fields[name] = sys.intern(fields[name])
    action = from_dict(Action, fields)
    shared = _shared(action.reason_codes, tuple(action.parameters.items()))
    reason_codes, parameters = shared
    return SubjectNews(
        subject,
        msgspec.structs.replace(
            action, reason_codes=reason_codes, parameters=parameters
        ),
    )


@lru_cache(_CACHED)
def _shared(
    reason_codes: tuple[str, ...], parameters: tuple[tuple[str, str], ...]
) -> tuple[tuple[str, ...], dict[str, str]]:
    """Give the same objects for the same content: many actions differ in no other."""
    return reason_codes, dict(parameters)
