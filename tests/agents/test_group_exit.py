"""The broker lets a member go when another process says that it is dead."""

from __future__ import annotations

import logging
import threading
import time

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient, NewTopic

from streams.agents.group_exit import leave_for, leave_for_later, member_name
from streams.bus.kafka_settings import client_settings
from streams.config import Config

_DEADLINE = 60.0  # s


def _joined(config: Config, name: str) -> Consumer:
    topic = f"{config.app_id}.in"
    admin = AdminClient(client_settings(config))
    admin.create_topics([NewTopic(topic, 1)])[topic].result()
    member = Consumer(
        client_settings(config) | {"group.id": config.app_id, "client.id": name}
    )
    member.subscribe([topic])
    deadline = time.monotonic() + _DEADLINE
    while not member.assignment():
        assert time.monotonic() < deadline, "it does not join"
        member.poll(0.1)
    return member


def test_only_the_member_of_that_name_leaves(broker: str) -> None:
    config = Config(bootstrap=broker, app_id="group-exit")
    member = _joined(config, member_name(0, 77))
    try:
        assert leave_for(config, member_name(0, 78)) == 0
        assert leave_for(config, member_name(0, 77)) == 1
    finally:
        member.close()


def test_a_broker_that_is_away_is_only_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    config = Config(bootstrap="127.0.0.1:1", app_id="group-exit")
    with caplog.at_level(logging.WARNING, "streams.agents.group_exit"):
        leave_for_later(config, "worker")
        for thread in threading.enumerate():
            if thread.name == "leave-for":
                thread.join()
    assert "cannot tell the group that worker has died" in caplog.text
