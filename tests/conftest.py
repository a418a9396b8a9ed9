"""Fixtures for every test: the real broker, and how Hypothesis searches."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import settings

if TYPE_CHECKING:
    from apicurio import Apicurio

    from streams.bus.broker import DevBroker

# Helpers for several folders of tests lie beside those that they belong to.
sys.path.insert(0, str(Path(__file__).parent / "bus"))

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores it for what it starts in the background, and so would every child
    # that a test interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("developer", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "developer")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs the broker, so that ``-m "not broker"`` is the quick part."""
    for item in items:
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("broker")


@pytest.fixture(scope="session")
def free_ports() -> Callable[[int], list[int]]:
    """Return a function that finds ports on 127.0.0.1 that nobody listens on."""
    return _free_ports


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a real Kafka broker on free ports and yield its bootstrap address.

    It is not skipped where Java or Maven is missing: the error says what to install.
    """
    from streams.bus.broker import DevBroker

    port, controller_port = _free_ports(2)
    broker = DevBroker(port, controller_port, tmp_path_factory.mktemp("broker"))
    shown = sys.__stderr__ or sys.stderr

    def progress(step: str, detail: str) -> None:
        print(f"{step}  {detail}", file=shown, flush=True)

    try:
        yield broker.up(progress)
    finally:
        broker.down(wipe=True)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[tuple[DevBroker, str]]:
    """Start a broker that the test may stop; yield it and its bootstrap address."""
    from streams.bus.broker import DevBroker
    from streams.bus.topics import apply_topics

    port, controller_port = _free_ports(2)
    broker = DevBroker(port, controller_port, tmp_path / "broker")
    try:
        bootstrap = broker.up(lambda *_: None)
        apply_topics(bootstrap)
        yield broker, bootstrap
    finally:
        broker.down(wipe=True)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apicurio]:
    """Start a real schema registry, in memory, on a free port."""
    from apicurio import Apicurio

    (port,) = _free_ports(1)
    with Apicurio(port, tmp_path_factory.mktemp("registry")) as registry:
        yield registry


@pytest.fixture
def topics(broker: str) -> Iterator[str]:
    """Create the topics of topics.toml, yield the bootstrap address, delete all.

    Topics that the test or its workers made besides are deleted too.
    """
    yield from _fresh_topics(broker)


@pytest.fixture(scope="module")
def module_topics(broker: str) -> Iterator[str]:
    """Do the same once for all tests of a module; none of them may use `topics`."""
    yield from _fresh_topics(broker)


def _fresh_topics(broker: str) -> Iterator[str]:
    from streams.bus.kafka_settings import admin_client
    from streams.bus.topics import apply_topics
    from streams.errors import BusError

    apply_topics(broker)
    yield broker
    admin = admin_client(broker)
    made = {name for name in _listed(admin) if not name.startswith("__")}
    for deleted in admin.delete_topics(list(made)).values() if made else ():
        deleted.result()
    for _ in range(200):  # 10 s; a name is free again once metadata forgot it
        if not made & _listed(admin):
            return
        time.sleep(0.05)
    raise BusError(f"{broker} still lists deleted topics: {sorted(made)}")


def _listed(admin: AdminClient) -> set[str]:
    return set(admin.list_topics(timeout=10).topics)


# Below what Linux and macOS give to outgoing connections: such a port, found free,
# could be a client's by the time Kafka wants it. Each test process begins elsewhere,
# neighbours far apart: a broker that a test has stopped for a while looks free, too.
_PORTS = itertools.cycle(range(20_000, 30_000))
for _ in range(os.getpid() * 4_099 % 10_000):
    next(_PORTS)


def _free_ports(count: int) -> list[int]:
    return list(itertools.islice(filter(_is_free, _PORTS), count))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
