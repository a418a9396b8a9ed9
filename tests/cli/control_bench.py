"""Records for tests of the operators' verbs, and a worker that only confirms."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from confluent_kafka import Producer

from streams.bus.control_log import decode_entry
from streams.bus.kafka_settings import producer_settings
from streams.bus.records_consumer import RecordsConsumer
from streams.config import Config
from streams.contracts import Action, Decision, Evidence, Feature, encode_record

__all__ = ["HOUR", "action", "applied", "confirming", "now", "publish"]

HOUR = 3_600_000  # ms


def now() -> int:
    return time.time_ns() // 1_000_000


def action(subject: str, number: int = 1, **changes: Any) -> Action:
    fields: dict[str, Any] = {
        "action_id": f"id-{subject}-{number}",
        "subject": subject,
        "sequence": number,
        "rung": "suspend",
        "mode": "enforce",
        "issued_at": now() - HOUR + number,
        "expires_at": now() + HOUR,
        "campaign_id": "dc-1",
        "reason_codes": ("SHARED_NETWORK",),
        "evidence": Evidence(
            features=(
                Feature(name="lockstep", value=12.5, benign_quantile=0.999, weight=1),
            ),
            e_value=4200.0,
            budget_spent=0.01,
        ),
        "human_review": True,
        "appeal_token": f"token-{subject}",
    }
    return Action(**fields | changes)


def publish(
    bootstrap: str, topic: str, records: Sequence[Action | Decision | tuple[str, None]]
) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for each in records:
        if isinstance(each, tuple):
            producer.produce(topic, None, each[0])
        else:
            producer.produce(topic, encode_record(each), each.subject)
    assert producer.flush(20) == 0


def applied(entry_id: str, **changes: Any) -> Decision:
    fields = {
        "decision_id": f"d-{entry_id}-{time.time_ns()}",
        "subject": f"control:{entry_id}",
        "kind": "applied",
        "occurred_at": now(),
        "entry_id": entry_id,
    }
    return Decision(**fields | changes)


@contextmanager
def confirming(bootstrap: str) -> Iterator[None]:
    """Say of each entry that comes that it was applied, as the workers do."""
    stop = threading.Event()

    def confirm(consumer: RecordsConsumer) -> None:
        while not stop.is_set():
            for record in consumer.records(until_idle=0.1):
                if record.value is not None:
                    entry = decode_entry(record)
                    bad = "refused: " if entry.kind == "policy" else ""
                    said = {
                        "reason": f"{bad}{entry.reason}",
                        "author": entry.author,
                    }
                    told = applied(entry.entry_id, **said)
                    other = applied("someone:else")
                    publish(bootstrap, "llm.decisions", [other, told])

    with RecordsConsumer(bootstrap, ["llm.control"]) as consumer:
        thread = threading.Thread(target=confirm, args=(consumer,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
