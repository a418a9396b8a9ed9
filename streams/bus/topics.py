"""Bring the broker's topics in line with ``topics.toml``, and say where they differ."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping
from concurrent.futures import Future
from typing import TypeVar

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourceType,
)

from streams.bus.kafka_settings import admin_client
from streams.contracts import Topic, load_topics
from streams.errors import BrokerUnavailable, BusError, TopicMismatch

__all__ = ["Difference", "apply_topics", "check_topics", "plan"]

_T = TypeVar("_T")

ANSWER_TIMEOUT = 8.0  # s until a silent broker counts as not there
LEADER_TIMEOUT = 30.0  # s for the leaders of new partitions
LEADER_POLL = 0.05  # s

PARTITIONS = "partitions"
REPLICATION = "replication factor"
MISSING = "topic"


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a topic on the broker is not as topics.toml has it.

    ``setting`` is ``topic`` when the whole topic is missing (``actual`` is None then),
    ``partitions``, ``replication factor`` or a topic setting as Kafka spells it.
    """

    topic: str
    setting: str
    expected: str
    actual: str | None

    @property
    def repairable(self) -> bool:
        """Whether `apply_topics` can put it right without harm."""
        return self.setting not in (PARTITIONS, REPLICATION)


def check_topics(
    bootstrap: str, *, replication_factor: int | None = None
) -> list[Difference]:
    """Compare the broker with topics.toml and change nothing.

    The replication factor is compared only when one is given. Raises
    `BrokerUnavailable` after 8 s without an answer.
    """
    return plan(admin_client(bootstrap), load_topics(), replication_factor)


def apply_topics(
    bootstrap: str, *, replication_factor: int | None = None
) -> list[Difference]:
    """Create missing topics, alter differing settings, return what was put right.

    By default new topics get topics.toml's replication factor. Partitions of a topic
    that exists are never changed: then, and before anything else is changed, it raises
    `TopicMismatch`. Returns when each new partition has a leader and each altered
    setting shows. Raises
    `BrokerUnavailable` after 8 s without an answer.
    """
    admin = admin_client(bootstrap)
    topics = load_topics()
    differences = plan(admin, topics, replication_factor)
    if lasting := [each for each in differences if not each.repairable]:
        raise TopicMismatch(_explain(lasting))
    missing = [each.topic for each in differences if each.setting == MISSING]
    _create(admin, [topics[name] for name in missing], replication_factor)
    _alter(admin, [each for each in differences if each.setting != MISSING])
    _wait_for_leaders(admin, missing)
    _wait_until_seen(admin, differences)
    return differences


def plan(
    admin: AdminClient,
    topics: Mapping[str, Topic],
    replication_factor: int | None = None,
) -> list[Difference]:
    """Return what differs, in the order of ``topics``; other topics do not matter."""
    try:
        found = admin.list_topics(timeout=ANSWER_TIMEOUT).topics
    except KafkaException as error:
        raise BrokerUnavailable(
            f"no Kafka broker answers within {ANSWER_TIMEOUT:.0f} s "
            f"({error.args[0].str()}); start one with `distillwatch broker up`, or "
            "name yours: --bootstrap HOST:PORT"
        ) from error
    present = [topic for topic in topics.values() if topic.name in found]
    configs = _configs(admin, [topic.name for topic in present])
    differences = []
    for topic in topics.values():
        if topic.name not in found:
            shape = f"{topic.partitions} partitions, {topic.cleanup}"
            differences.append(Difference(topic.name, MISSING, shape, None))
            continue
        partitions = found[topic.name].partitions
        compared = {PARTITIONS: (topic.partitions, len(partitions))}
        if replication_factor is not None:
            least = min(len(each.replicas) for each in partitions.values())
            compared[REPLICATION] = (replication_factor, least)
        pairs = {name: (str(a), str(b)) for name, (a, b) in compared.items()}
        pairs |= {
            name: (value, configs[topic.name][name])
            for name, value in topic.config.items()
        }
        differences += [
            Difference(topic.name, name, expected, actual)
            for name, (expected, actual) in pairs.items()
            if expected != actual
        ]
    return differences


def _configs(admin: AdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    asked = [ConfigResource(ResourceType.TOPIC, name) for name in names]
    answers = admin.describe_configs(asked, request_timeout=ANSWER_TIMEOUT)
    return {
        resource.name: {
            entry.name: entry.value for entry in _result(future, resource.name).values()
        }
        for resource, future in answers.items()
    }


def _create(
    admin: AdminClient, topics: list[Topic], replication_factor: int | None
) -> None:
    if not topics:
        return
    new = [
        NewTopic(
            topic.name,
            num_partitions=topic.partitions,
            replication_factor=replication_factor or topic.replication_factor,
            config=topic.config,
        )
        for topic in topics
    ]
    answers = admin.create_topics(new, request_timeout=ANSWER_TIMEOUT)
    for name, future in answers.items():
        error = future.exception()
        if error is None or _code(error) != KafkaError.TOPIC_ALREADY_EXISTS:
            _result(future, name)  # else another `topics apply` was faster


def _alter(admin: AdminClient, differences: list[Difference]) -> None:
    resources: dict[str, ConfigResource] = {}
    for each in differences:
        resource = resources.setdefault(
            each.topic, ConfigResource(ResourceType.TOPIC, each.topic)
        )
        resource.add_incremental_config(
            ConfigEntry(
                each.setting,
                each.expected,
                incremental_operation=AlterConfigOpType.SET,
            )
        )
    if resources:
        answers = admin.incremental_alter_configs(
            list(resources.values()), request_timeout=ANSWER_TIMEOUT
        )
        for resource, future in answers.items():
            _result(future, resource.name)


def _wait_for_leaders(admin: AdminClient, names: list[str]) -> None:
    # The controller answers before every broker has heard of the topic; a producer
    # that comes sooner gets UNKNOWN_TOPIC_OR_PART.
    deadline = time.monotonic() + LEADER_TIMEOUT
    while names:
        found = admin.list_topics(timeout=ANSWER_TIMEOUT).topics
        names = [
            name
            for name in names
            if name not in found
            or any(each.leader < 0 for each in found[name].partitions.values())
        ]
        if time.monotonic() > deadline:
            raise BusError(
                f"topic {names[0]} has partitions without a leader after "
                f"{LEADER_TIMEOUT:.0f} s; look into the broker's log"
            )
        time.sleep(LEADER_POLL if names else 0)


def _wait_until_seen(admin: AdminClient, differences: list[Difference]) -> None:
    # A broker answers from its own copy of the controller's log, a moment behind.
    altered = [each for each in differences if each.setting != MISSING]
    deadline = time.monotonic() + LEADER_TIMEOUT
    while altered:
        found = _configs(admin, sorted({each.topic for each in altered}))
        altered = [
            each for each in altered
            if found[each.topic][each.setting] != each.expected
        ]  # fmt: skip
        if altered and time.monotonic() > deadline:
            raise BusError(
                f"topic {altered[0].topic} still has {altered[0].setting} = "
                f"{found[altered[0].topic][altered[0].setting]} after "
                f"{LEADER_TIMEOUT:.0f} s; look into the broker's log"
            )
        time.sleep(LEADER_POLL if altered else 0)


def _result(future: Future[_T], name: str) -> _T:
    try:
        return future.result()
    except KafkaException as error:
        raise BusError(f"topic {name}: {error.args[0].str()}") from error


def _code(error: BaseException) -> int | None:
    return error.args[0].code() if isinstance(error, KafkaException) else None


def _explain(lasting: list[Difference]) -> str:
    first, others = lasting[0], len(lasting) - 1
    told = f"{first.topic} has {first.setting} = {first.actual}, not {first.expected}"
    if others:
        told += f" (and {others} more; `topics check` lists them)"
    if first.setting == PARTITIONS:
        return (
            f"{told}. Another number of partitions sends keys to other partitions, "
            "away from their state, so nothing was changed. Recreate the topic with "
            "the state of its readers, or bring topics.toml in line with it"
        )
    return (
        f"{told}. Copies are moved with kafka-reassign-partitions, which is for the "
        "cluster's operators; nothing was changed. Without --replication-factor it is "
        "not compared"
    )
