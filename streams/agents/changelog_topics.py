"""The changelog topics: ours to make, since recovery depends on their settings."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import NewTopic, TopicMetadata

from streams.agents.placed_stage import PlacedStage
from streams.bus.kafka_settings import admin_client
from streams.config import Config
from streams.errors import BrokerUnavailable, BusError, TopicMismatch

__all__ = ["changelog_name", "ensure_changelogs"]

_ANSWER_TIMEOUT = 8.0  # s
_CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "compression.type": "lz4",
    # Rows of a flush that was cut off win over older ones until the next owner has
    # written them anew; for so long nothing may be compacted away.
    "min.compaction.lag.ms": str(10 * 60 * 1000),
    # Compaction leaves the open segment alone, and recovery reads all that it leaves.
    "segment.bytes": str(64 * 1024 * 1024),
    "segment.ms": str(60 * 60 * 1000),
    "min.cleanable.dirty.ratio": "0.3",
}


def changelog_name(app_id: str, stage: str) -> str:
    """Return the name of a stage's changelog, as Faust names it.

    >>> changelog_name("distillwatch", "accounts")
    'distillwatch-accounts-changelog'
    """
    return f"{app_id}-{stage}-changelog"


def ensure_changelogs(
    config: Config, stages: Iterable[PlacedStage], *, replication_factor: int = 1
) -> None:
    """Create missing changelogs with the partitions of their input topics.

    Raises `BrokerUnavailable` after 8 s without an answer, and `TopicMismatch` if an
    input topic or a changelog has another number of partitions.
    """
    admin = admin_client(config.bootstrap)
    try:
        found = admin.list_topics(timeout=_ANSWER_TIMEOUT).topics
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no Kafka broker answers at {config.bootstrap} ({error.args[0].str()}); "
            "start one with `distillwatch broker up`, or name yours: --bootstrap "
            "HOST:PORT"
        ) from error
    new = []
    for stage in stages:
        _check_input(stage, found)
        name = changelog_name(config.app_id, stage.name)
        if name not in found:
            new.append(
                NewTopic(
                    name,
                    num_partitions=stage.partitions,
                    replication_factor=replication_factor,
                    config=_CHANGELOG_CONFIG,
                )
            )
        elif (count := len(found[name].partitions)) != stage.partitions:
            raise TopicMismatch(
                f"{name} has {count} partitions, its input {stage.input_topic} has "
                f"{stage.partitions}; state would not meet its keys. Delete the "
                "changelog to build the state anew, or use another app_id"
            )
    answers = admin.create_topics(new, request_timeout=_ANSWER_TIMEOUT) if new else {}
    for name, answer in answers.items():
        try:
            answer.result()
        except KafkaException as error:
            # Else another `distillwatch run` was faster.
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BusError(
                    f"cannot create topic {name}: {error.args[0].str()}"
                ) from error


def _check_input(stage: PlacedStage, found: dict[str, TopicMetadata]) -> None:
    topic = found.get(stage.input_topic)
    if topic is None:
        raise TopicMismatch(
            f"topic {stage.input_topic} is missing; run `distillwatch topics apply`"
        )
    count = len(topic.partitions)
    if count != stage.partitions:
        raise TopicMismatch(
            f"topic {stage.input_topic} has {count} partitions, not "
            f"{stage.partitions}; run `distillwatch topics apply` for the way out"
        )
