"""From a record of ``llm.actions`` to what it says about a subject."""

from __future__ import annotations

import sys
from typing import NamedTuple

from streams.bus.records_consumer import ReceivedRecord
from streams.contracts.codec import decode
from streams.contracts.records import Action, from_dict
from streams.contracts.writers import WriterSchemas
from streams.errors import InvalidRecord

__all__ = ["SubjectNews", "read_action_record"]

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

    Raises the dead-letter errors of `contracts`, without the record's place.
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
    # Hundreds of thousands of actions share these strings.
    for name in _SHARED:
        fields[name] = sys.intern(fields[name])
    fields["reason_codes"] = [sys.intern(code) for code in fields["reason_codes"]]
    return SubjectNews(subject, from_dict(Action, fields))
