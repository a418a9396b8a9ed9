"""Fixtures for every test: the real broker, and how Hypothesis searches."""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import settings

settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real Kafka broker on free ports and yield its bootstrap address.

    It is not skipped where Java or Maven is missing: the error says what to install.
    """
    from streams.bus.broker import DevBroker

    port, controller_port = free_ports(2)
    broker = DevBroker(port, controller_port, tmp_path_factory.mktemp("broker"))
    shown = sys.__stderr__ or sys.stderr

    def progress(step: str, detail: str) -> None:
        print(f"{step}  {detail}", file=shown, flush=True)

    try:
        yield broker.up(progress)
    finally:
        broker.down(wipe=True)


@pytest.fixture
def topics(broker: str) -> Iterator[str]:
    """Create the topics of topics.toml, yield the bootstrap address, delete all.

    Topics that the test or its workers made besides are deleted too.
    """
    from streams.bus.kafka_settings import admin_client
    from streams.bus.topics import apply_topics

    apply_topics(broker)
    yield broker
    admin = admin_client(broker)
    made = [name for name in admin.list_topics().topics if not name.startswith("__")]
    for deleted in admin.delete_topics(made).values():
        deleted.result()
    while any(name in admin.list_topics().topics for name in made):
        time.sleep(0.05)  # s; the name is free once metadata forgot it


def free_ports(count: int) -> list[int]:
    """Find ports on 127.0.0.1 that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
