from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import psutil
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewTopic

from streams.bus.broker import DevBroker
from streams.bus.kafka_jars import cache_dir
from streams.bus.kafka_node import CLUSTER_ID
from streams.bus.kafka_settings import admin_client, client_settings, producer_settings
from streams.config import Config
from streams.errors import BrokerStartFailed


@pytest.fixture
def dev_broker(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> Iterator[DevBroker]:
    port, controller_port = free_ports(2)
    broker = DevBroker(port, controller_port, tmp_path / "home")
    try:
        yield broker
    finally:
        broker.down()


def record_file(broker: DevBroker) -> Path:
    return cache_dir() / "brokers" / f"{broker.port}.json"


@pytest.mark.broker
def test_topics_outlive_a_stop_and_a_crash_but_not_a_wipe(
    dev_broker: DevBroker,
) -> None:
    steps: list[str] = []
    bootstrap = dev_broker.up(lambda step, _detail: steps.append(step))
    assert steps[-1] == f"Starting Kafka at {bootstrap}"
    admin = admin_client(bootstrap)
    admin.create_topics([NewTopic("kept", 1)])["kept"].result()
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    producer.produce("kept", b"value", key=b"key")
    assert producer.flush(10) == 0
    assert admin.list_topics(timeout=5).cluster_id == CLUSTER_ID

    assert dev_broker.down()
    assert not dev_broker.down()
    assert not dev_broker.status().running

    dev_broker.up()
    pid = dev_broker.status().pid
    assert pid is not None
    psutil.Process(pid).kill()
    psutil.Process(pid).wait(10)
    assert not dev_broker.status().running

    dev_broker.up()
    assert dev_broker.status().topics == 1
    settings = client_settings(Config(bootstrap=bootstrap))
    consumer = Consumer({**settings, "group.id": "reader"})
    consumer.assign([TopicPartition("kept", 0, 0)])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert (message.key(), message.value()) == (b"key", b"value")

    dev_broker.up(wipe=True)
    assert dev_broker.status().topics == 0


@pytest.mark.broker
def test_simultaneous_ups_of_several_processes_start_one_broker(
    dev_broker: DevBroker,
) -> None:
    where = ["--port", str(dev_broker.port)]
    where += ["--controller-port", str(dev_broker.controller_port)]
    where += ["--data-dir", str(dev_broker.home)]
    command = [sys.executable, "-c", "from streams.cli import main; main()"]

    def run(_: int) -> tuple[int, str]:
        done = subprocess.run(  # noqa: S603 - our own command line
            [*command, "broker", "up", *where],
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stderr

    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(run, range(3)))
    assert [code for code, _ in results] == [0, 0, 0], results
    ours = [
        process.pid
        for process in psutil.process_iter()
        if str(dev_broker.home / "server.properties") in _command(process)
    ]
    assert ours == [dev_broker.status().pid]


def _command(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []


@pytest.mark.broker
def test_a_running_broker_is_found_without_its_data_dir_and_not_given_another(
    dev_broker: DevBroker, tmp_path: Path
) -> None:
    dev_broker.up()
    same = DevBroker(dev_broker.port)
    same.up()
    assert same.home == dev_broker.home
    assert same.status() == dev_broker.status()
    with pytest.raises(BrokerStartFailed, match="runs already, with its data in"):
        DevBroker(dev_broker.port, data_dir=tmp_path / "other").up()
    assert same.down()


@pytest.mark.broker
def test_a_start_that_fails_shows_the_log_and_leaves_no_record(
    dev_broker: DevBroker,
) -> None:
    topics = dev_broker.home / "topics"
    topics.mkdir(parents=True)
    meta = f"version=1\ncluster.id={CLUSTER_ID}\nnode.id=7\n"
    (topics / "meta.properties").write_text(meta)
    with pytest.raises(BrokerStartFailed, match=r"(?s)ended while starting.*node id 7"):
        dev_broker.up()
    assert not record_file(dev_broker).exists()


def test_a_foreign_process_on_the_port_is_named_with_a_way_out(
    dev_broker: DevBroker,
) -> None:
    with socket.create_server(("127.0.0.1", dev_broker.port)):
        with pytest.raises(BrokerStartFailed, match=r"another process.*--bootstrap"):
            dev_broker.up()
        assert not dev_broker.status().running


def test_a_record_whose_pid_went_to_another_process_does_no_harm(
    dev_broker: DevBroker,
) -> None:
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=-1)
    record = {"pid": bystander.pid, "home": str(dev_broker.home)}
    record_file(dev_broker).parent.mkdir(parents=True, exist_ok=True)
    record_file(dev_broker).write_bytes(msgspec.json.encode(record))
    try:
        assert not dev_broker.status().running
        assert not dev_broker.down()
        assert bystander.poll() is None
        assert not record_file(dev_broker).exists()
    finally:
        bystander.communicate(b"\n")


def test_a_broken_record_counts_as_none(dev_broker: DevBroker) -> None:
    record_file(dev_broker).parent.mkdir(parents=True, exist_ok=True)
    record_file(dev_broker).write_bytes(b'{"pid": ')
    assert not dev_broker.status().running
    assert not dev_broker.down()


def test_wipe_leaves_alone_what_the_broker_has_not_made(dev_broker: DevBroker) -> None:
    precious = dev_broker.home / "topics" / "precious"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    with pytest.raises(BrokerStartFailed, match="left alone"):
        dev_broker.down(wipe=True)
    assert precious.read_text() == "mine"


def test_the_controller_takes_the_next_port_and_the_cache_folder_the_data() -> None:
    broker = DevBroker(40_000)
    assert broker.controller_port == 40_001
    assert broker.home == cache_dir() / "brokers" / "40000"
    assert DevBroker(data_dir="relative").home.is_absolute()
