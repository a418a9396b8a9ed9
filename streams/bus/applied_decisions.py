"""Learn from ``llm.decisions`` that the workers have taken an operator's entry."""

from __future__ import annotations

import time
from collections.abc import Collection
from typing import Final, Self

from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer, read_to_end
from streams.contracts import Decision, decode_record
from streams.errors import ContractError

__all__ = ["DECISIONS_TOPIC", "AppliedDecisions", "read_applied"]

DECISIONS_TOPIC: Final = "llm.decisions"
"""Each step in the life of a decision; append-only."""

_CONTROL: Final = b"control:"  # begins the key of a decision about an entry
_IDLE: Final = 0.2  # s between two looks at the clock


class AppliedDecisions:
    """Decisions of kind ``applied`` that come after the constructor has returned.

    Make it before the entry is written: a worker may be faster than whoever waits.
    Raises `BrokerUnavailable` and `TopicMismatch` as `RecordsConsumer` does.
    """

    def __init__(self, bootstrap: str) -> None:
        self._consumer = RecordsConsumer(bootstrap, [DECISIONS_TOPIC])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._consumer.close()

    def wait_for(
        self, entry_ids: Collection[str], seconds: float
    ) -> dict[str, Decision]:
        """Wait until each entry was applied; give the decisions by entry id.

        After ``seconds`` it gives what has come; what is missing was not applied.
        """
        deadline = time.monotonic() + seconds
        missing, found = set(entry_ids), {}
        while missing and time.monotonic() < deadline:
            for record in self._consumer.records(until_idle=_IDLE):
                decision = _applied(record)
                if decision is not None and decision.entry_id in missing:
                    found[decision.entry_id] = decision
                    missing.discard(decision.entry_id)
                if not missing or time.monotonic() >= deadline:
                    break
        return found


def read_applied(bootstrap: str) -> list[Decision]:
    """List the ``applied`` decisions that the topic holds, oldest first.

    A worker that began anew may have written one twice: it is listed once.
    """
    found = {
        decision.decision_id: decision
        for record in read_to_end(bootstrap, [DECISIONS_TOPIC])
        if (decision := _applied(record)) is not None
    }
    return list(found.values())


def _applied(record: ReceivedRecord) -> Decision | None:
    # Most decisions are about tests and actions: their keys tell, without decoding.
    if not (record.key or b"").startswith(_CONTROL):
        return None
    try:
        decision = decode_record(Decision, record.value or b"")
    except ContractError:
        return None  # another reader's matter: it can be none that was waited for
    return decision if decision.kind == "applied" else None
