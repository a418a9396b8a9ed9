"""A bare loop: confluent-kafka in batches of 1,000, and fastavro by record."""

from __future__ import annotations

import io
from typing import Final

import fastavro
from confluent_kafka import Consumer

from streams.bus.kafka_settings import client_settings
from streams.cli.benchmarks.measured import Measured, Stopwatch, Task
from streams.config import Config
from streams.contracts.schemas import schema
from streams.contracts.writers import SINGLE_OBJECT_HEADER_BYTES

__all__ = ["confluent_fastavro"]

_BATCH: Final = 1000


def confluent_fastavro(task: Task) -> Measured:
    """Consume, decode, and throw away; offsets are committed by the library."""
    parsed = fastavro.parse_schema(schema("RequestEvent"))
    watch = Stopwatch(task.limit, task.seconds, task.broker_pid)
    settings = client_settings(Config(bootstrap=task.bootstrap)) | {
        "group.id": f"confluent-{task.run_id}",
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(settings)
    consumer.subscribe(["llm.requests"])
    try:
        while True:
            messages = consumer.consume(_BATCH, timeout=1.0)
            for message in messages:
                value = message.value() or b""
                body = io.BytesIO(value[SINGLE_OBJECT_HEADER_BYTES:])
                fastavro.schemaless_reader(body, parsed, None)
                if watch.tick():
                    return watch.stop()
    finally:
        consumer.close()
