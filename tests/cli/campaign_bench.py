"""A campaign on a broker or in a folder, for tests of the verbs that share it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Producer
from control_bench import HOUR, action, now

from streams.bus.kafka_settings import producer_settings
from streams.config import Config
from streams.contracts import Alert, encode_record, to_dict

__all__ = ["FACETS", "JA4", "alert", "publish_alerts", "write_folder", "write_key"]

JA4 = "t13d1516h2_8daaf6152771_b0da82dd1658"
FACETS = ("template_head:00000000000000ff", f"tls:{JA4}", "payment:4f1a77ab0355")


def alert(sequence: int = 1, **changes: Any) -> Alert:
    began = now() // HOUR * HOUR - 10 * HOUR
    fields: dict[str, Any] = {
        "alert_id": f"alert-{sequence}",
        "campaign_id": "dc-1",
        "sequence": sequence,
        "kind": "campaign_found" if sequence == 1 else "campaign_grown",
        "severity": "critical",
        "occurred_at": began + sequence * HOUR,
        "started_at": began,
        "summary": "69 accounts share templates and coordinate",
        "e_value": 320.0,
        "account_count": 69,
        "exchange_count": 1010,
        "accounts": ("9f2c51aa00", "9f2c51aa01"),
        "facets": FACETS,
        "families": ("reasoning",),
    }
    return Alert(**fields | changes)


def publish_alerts(bootstrap: str, *alerts: Alert) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for each in alerts:
        producer.produce("llm.alerts", encode_record(each), each.campaign_id)
    assert producer.flush(20) == 0


def write_folder(folder: Path, *alerts: Alert) -> str:
    """Write what a replay writes; one account of the campaign is suspended."""
    lines = [msgspec.json.encode(to_dict(each)) for each in alerts]
    (folder / "alerts.jsonl").write_bytes(b"\n".join(lines))
    taken = to_dict(action("account:9f2c51aa00"))
    (folder / "actions.jsonl").write_bytes(msgspec.json.encode(taken))
    return str(folder)


def write_key(path: Path, first: int = 0) -> str:
    path.write_text(bytes(range(first, first + 32)).hex())
    return str(path)
