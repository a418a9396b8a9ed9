"""The changelog topics: ours to make, since recovery depends on their settings."""

from __future__ import annotations

import time
from collections.abc import Iterable

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient, NewTopic, TopicMetadata

from streams.agents.placed_stage import PlacedStage
from streams.bus.kafka_settings import admin_client
from streams.config import Config
from streams.errors import BrokerUnavailable, BusError, TopicMismatch

__all__ = ["changelog_name", "ensure_changelogs"]

_ANSWER_TIMEOUT = 8.0  # s
_LEADER_TIMEOUT = 30.0  # s
_LEADER_POLL = 0.05  # s
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
    found = _list(admin, config.bootstrap)
    changelogs = {changelog_name(config.app_id, s.name): s for s in stages}
    for stage in changelogs.values():
        _check_input(stage, found)
    new = [
        NewTopic(
            name,
            num_partitions=stage.partitions,
            replication_factor=replication_factor,
            config=_CHANGELOG_CONFIG,
        )
        for name, stage in changelogs.items()
        if name not in found
    ]
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
    found = _wait_for_leaders(admin, config.bootstrap, list(changelogs))
    for name, stage in changelogs.items():
        count = len(found[name].partitions)
        if count != stage.partitions:
            raise TopicMismatch(
                f"{name} has {count} partitions, its input {stage.input_topic} has "
                f"{stage.partitions}; state would not meet its keys. Delete the "
                "changelog to build the state anew, or use another app_id"
            )


def _list(admin: AdminClient, bootstrap: str) -> dict[str, TopicMetadata]:
    try:
        return admin.list_topics(timeout=_ANSWER_TIMEOUT).topics
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no Kafka broker answers at {bootstrap} ({error.args[0].str()}); "
            "start one with `distillwatch broker up`, or name yours: --bootstrap "
            "HOST:PORT"
        ) from error


def _wait_for_leaders(
    admin: AdminClient, bootstrap: str, names: list[str]
) -> dict[str, TopicMetadata]:
    # Faust leaves a topic that is not known everywhere yet out of its assignment.
    deadline = time.monotonic() + _LEADER_TIMEOUT
    while True:
        found = _list(admin, bootstrap)
        missing = [
            name
            for name in names
            if name not in found
            or any(p.leader < 0 for p in found[name].partitions.values())
        ]
        if not missing:
            return found
        if time.monotonic() > deadline:
            raise BusError(
                f"topic {missing[0]} has no leaders after {_LEADER_TIMEOUT:.0f} s; "
                "look into the broker's log"
            )
        time.sleep(_LEADER_POLL)


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
