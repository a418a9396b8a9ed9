from __future__ import annotations

import dataclasses

import pytest
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourceType,
)
from waiting import until

from streams.bus.kafka_settings import admin_client
from streams.bus.topics import Difference, apply_topics, check_topics, plan
from streams.contracts import load_topics
from streams.errors import BrokerUnavailable, TopicMismatch


def set_config(admin: AdminClient, topic: str, name: str, value: str) -> None:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    operation = AlterConfigOpType.SET
    resource.add_incremental_config(
        ConfigEntry(name, value, incremental_operation=operation)
    )
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    # A broker answers from its own copy of the controller's log, a moment behind.
    wanted = [ConfigResource(ResourceType.TOPIC, topic)]
    until(
        lambda: admin.describe_configs(wanted)[wanted[0]].result()[name].value == value,
        f"{topic} still has another {name}",
    )


def test_apply_creates_every_topic_as_the_file_says_and_repeats_nothing(
    topics: str,
) -> None:
    found = admin_client(topics).list_topics(timeout=10).topics
    for topic in load_topics().values():
        partitions = found[topic.name].partitions.values()
        assert len(partitions) == topic.partitions
        assert all(each.leader == 1 for each in partitions)
    assert check_topics(topics) == []
    assert check_topics(topics, replication_factor=1) == []
    assert apply_topics(topics) == []


def test_apply_puts_a_changed_setting_right(topics: str) -> None:
    admin = admin_client(topics)
    set_config(admin, "llm.acks", "retention.ms", "1000")
    set_config(admin, "llm.actions", "cleanup.policy", "delete")
    week = str(7 * 86_400_000)
    expected = [
        Difference("llm.actions", "cleanup.policy", "compact", "delete"),
        Difference("llm.acks", "retention.ms", week, "1000"),
    ]
    assert check_topics(topics) == expected
    assert apply_topics(topics) == expected
    assert check_topics(topics) == []


def test_partitions_of_a_topic_that_exists_are_never_changed(topics: str) -> None:
    admin = admin_client(topics)
    admin.create_partitions([NewPartitions("llm.facets", 5)])["llm.facets"].result()
    until(lambda: len(admin.list_topics().topics["llm.facets"].partitions) == 5)
    set_config(admin, "llm.acks", "retention.ms", "1000")
    with pytest.raises(
        TopicMismatch, match=r"llm\.facets has partitions = 5, not 4\..* state"
    ):
        apply_topics(topics)
    settings = [each.setting for each in check_topics(topics)]
    assert settings == ["partitions", "retention.ms"]  # nothing else was changed


def test_another_replication_factor_is_left_to_the_operators(topics: str) -> None:
    with pytest.raises(TopicMismatch, match=r"\(and 8 more.*kafka-reassign-partitions"):
        apply_topics(topics, replication_factor=3)


def test_plan_compares_the_topics_it_is_given_only(topics: str) -> None:
    acks = load_topics()["llm.acks"]
    other = dataclasses.replace(acks, name="llm.other")
    wanted = {acks.name: acks, other.name: other}
    assert plan(admin_client(topics), wanted) == [
        Difference("llm.other", "topic", "4 partitions, delete", None)
    ]


def test_no_broker_is_told_with_the_way_out() -> None:
    with pytest.raises(BrokerUnavailable, match="`distillwatch broker up`"):
        check_topics("127.0.0.1:1")
