"""Keep records whatever their age: for events that are dated in the past.

Kafka deletes by the timestamps of the records, which for us are event times. A file of
last year's events is gone half a minute after it was sent, read or not.
"""

from __future__ import annotations

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from streams.bus.kafka_settings import admin_client
from streams.contracts import load_topics
from streams.errors import BusError

__all__ = ["keep_old_records"]

_ANSWER_TIMEOUT = 8.0  # s
_FOR_GOOD = "-1"  # as Kafka spells it


def keep_old_records(bootstrap: str) -> None:
    """Switch deletion by age off for all topics of topics.toml.

    `topics check` tells it as a difference, and `topics apply` switches it on again.
    Raises `BusError` when the broker refuses.
    """
    entry = ConfigEntry(
        "retention.ms", _FOR_GOOD, incremental_operation=AlterConfigOpType.SET
    )
    resources = [
        ConfigResource(ResourceType.TOPIC, topic.name, incremental_configs=[entry])
        for topic in load_topics().values()
        if topic.retention_ms is not None
    ]
    admin = admin_client(bootstrap)  # its answers come as long as it lives
    answers = admin.incremental_alter_configs(
        resources, request_timeout=_ANSWER_TIMEOUT
    )
    for resource, answer in answers.items():
        try:
            answer.result()
        except KafkaException as error:
            raise BusError(f"topic {resource.name}: {error.args[0].str()}") from error
