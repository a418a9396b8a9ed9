"""Actions for tests of the enforcer's side."""

from __future__ import annotations

from typing import Any

from confluent_kafka import Producer

from streams.bus.kafka_settings import producer_settings
from streams.config import Config
from streams.contracts import Action, Evidence, Feature, encode_record

NOW = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
HOUR = 3_600_000
EVIDENCE = Evidence(
    features=(Feature(name="joint.secret", value=7, benign_quantile=1, weight=1),),
    e_value=123456.5,
    budget_spent=0.01,
)


def action(subject: str = "account:1", sequence: int = 1, **changes: Any) -> Action:
    fields: dict[str, Any] = {
        "action_id": f"id-{subject}-{sequence}",
        "subject": subject,
        "sequence": sequence,
        "rung": "suspend",
        "mode": "enforce",
        "issued_at": NOW,
        "expires_at": NOW + HOUR,
        "campaign_id": "c-1",
        "reason_codes": ("SHARED_NETWORK",),
        "evidence": EVIDENCE,
        "appeal_token": "appeal-1",
    }
    return Action(**fields | changes)


def publish(bootstrap: str, *records: Action | tuple[str, bytes | None]) -> None:
    """Send actions, or pairs of key and value, in order; wait until Kafka has them."""
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for each in records:
        if isinstance(each, Action):
            each = each.subject, encode_record(each)  # noqa: PLW2901  one form for both
        key, value = each
        producer.produce("llm.actions", value, key)
    assert producer.flush(20) == 0
