"""The development broker: one Apache Kafka node on 127.0.0.1, without containers.

A node that is broker and controller (KRaft) runs from Maven Central's jars. The folder
``brokers`` in the user's cache folder holds, per port, a small record of the process
that was started, so any later command finds it again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psutil
from confluent_kafka import KafkaException
from filelock import FileLock

from streams.bus.kafka_jars import Progress, cache_dir, fetch_jars, find_java
from streams.bus.kafka_node import (
    HOST,
    find_node,
    log_tail,
    start_node,
    stop_node,
    wipe_topics,
)
from streams.bus.kafka_settings import admin_client
from streams.errors import BrokerStartFailed

__all__ = ["BrokerStatus", "DevBroker"]

READY_TIMEOUT = 60.0  # s; it takes 3, a loaded machine many times that
POLL_INTERVAL = 0.1  # s
_LOOKS = 3  # at a process before it counts as ended
METADATA_TIMEOUT = 2.0  # s for one answer of a broker that accepts connections


class _Record(msgspec.Struct, frozen=True):
    """What is known of a started broker; one JSON file per port."""

    pid: int
    home: str


@dataclasses.dataclass(frozen=True, slots=True)
class BrokerStatus:
    """What `DevBroker.status` found.

    ``running`` is true when the process of this port lives, ``topics`` is None until it
    answers.
    """

    running: bool
    bootstrap: str
    home: Path
    pid: int | None = None
    topics: int | None = None


class DevBroker:
    """One broker for development and tests, known by its port.

    Several may run at once on different ports. The controller listens on the next port
    unless told otherwise. ``data_dir`` takes the topics, the settings and the log; by
    default it lies in the user's cache folder.
    """

    def __init__(
        self,
        port: int = 9092,
        controller_port: int | None = None,
        data_dir: Path | str | None = None,
    ) -> None:
        self.port = port
        self.controller_port = controller_port or port + 1
        self._state_dir = cache_dir() / "brokers"
        default = self._state_dir / str(port)
        self._home_is_asked_for = data_dir is not None
        self.home = Path(data_dir).absolute() if data_dir else default

    @property
    def bootstrap(self) -> str:
        """The address for clients."""
        return f"{HOST}:{self.port}"

    def up(self, progress: Progress | None = None, *, wipe: bool = False) -> str:
        """Start the broker unless it runs, wait until it answers, return its address.

        With ``wipe`` a running one is stopped and the topics are deleted first. Raises
        `MissingTool` without Java or Maven, and `BrokerStartFailed` when a foreign
        process holds a port or the broker does not answer.
        """
        progress = progress or (lambda _step, _detail: None)
        if wipe:
            self.down(wipe=True)
        started = False
        try:
            if self._find() is None:
                java = find_java()  # before the download, which would be in vain
                jars = fetch_jars(progress)
                progress(f"Starting Kafka at {self.bootstrap}", "")
                with self._lock():
                    if self._find() is None:  # else another process was faster
                        started = True
                        self._start(java, jars)
            self._adopt_home()
            self._wait_until_ready()
        except BaseException:
            if started:
                self.down()
            raise
        return self.bootstrap

    def down(self, *, wipe: bool = False) -> bool:
        """Stop the broker, with ``wipe`` delete its topics; False if none was running.

        It gets SIGTERM, and SIGKILL if that does not end it. A process that is not this
        broker is never signalled, whatever the record says.
        """
        with self._lock():
            process = self._find()
            home = Path(self._record().home) if process else self.home
            if process is not None:
                stop_node(process)
            self._record_file.unlink(missing_ok=True)
            if wipe:
                wipe_topics(home)
        return process is not None

    def status(self) -> BrokerStatus:
        """Look whether the process lives and what it answers; changes nothing."""
        process = self._find()
        if process is None:
            return BrokerStatus(running=False, bootstrap=self.bootstrap, home=self.home)
        return BrokerStatus(
            running=True,
            bootstrap=self.bootstrap,
            home=Path(self._record().home),
            pid=process.pid,
            topics=self._count_topics(),
        )

    @property
    def _record_file(self) -> Path:
        return self._state_dir / f"{self.port}.json"

    def _record(self) -> _Record:
        return msgspec.json.decode(self._record_file.read_bytes(), type=_Record)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        # One lock for all ports: it is held for a second, and lock files cannot be
        # deleted safely, so one per port would pile up.
        self._state_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(self._state_dir / "lock"):
            yield

    def _find(self) -> psutil.Process | None:
        """Return our live process, or None; a record that went stale is no error."""
        try:
            record = self._record()
        except (OSError, msgspec.DecodeError):
            return None
        return find_node(record.pid, Path(record.home))

    def _adopt_home(self) -> None:
        """Take over the folder of a broker that another call has started."""
        if self._find() is None or (home := Path(self._record().home)) == self.home:
            return
        if self._home_is_asked_for:
            raise BrokerStartFailed(
                f"the broker at {self.bootstrap} runs already, with its data in {home} "
                f"and not in {self.home}; stop it first: distillwatch broker down "
                f"--port {self.port}"
            )
        self.home = home

    def _start(self, java: str, jars: Path) -> None:
        for port in (self.port, self.controller_port):
            _refuse_taken_port(port)
        pid = start_node(
            java,
            jars,
            self.home,
            port=self.port,
            controller_port=self.controller_port,
        )
        partial = self._record_file.with_suffix(".part")
        partial.write_bytes(msgspec.json.encode(_Record(pid, str(self.home))))
        partial.replace(self._record_file)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while self._count_topics() is None:
            if self._has_ended():
                raise BrokerStartFailed(
                    f"the broker at {self.bootstrap} ended while starting; "
                    f"{log_tail(self.home)}"
                )
            if time.monotonic() > deadline:
                raise BrokerStartFailed(
                    f"the broker at {self.bootstrap} did not answer within "
                    f"{READY_TIMEOUT:.0f} s; {log_tail(self.home)}"
                )
            time.sleep(POLL_INTERVAL)

    def _has_ended(self) -> bool:
        """Whether the process is gone, seen more than once.

        A process that maps its memory can look as if it had no command line.
        """
        for _ in range(_LOOKS):
            if self._find() is not None:
                return False
            time.sleep(POLL_INTERVAL)
        return True

    def _count_topics(self) -> int | None:
        """Return how many topics there are, internal ones apart; None: no answer."""
        if not _answers(self.port):  # keeps librdkafka from logging refusals
            return None
        try:
            listed = admin_client(self.bootstrap).list_topics(timeout=METADATA_TIMEOUT)
        except KafkaException:
            return None
        if not listed.brokers:
            return None
        return sum(not name.startswith("__") for name in listed.topics)


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 1.0):
        return True
    return False


def _refuse_taken_port(port: int) -> None:
    if _answers(port):
        raise BrokerStartFailed(
            f"another process listens on {HOST}:{port}; stop it, give the development "
            "broker other ports (--port, --controller-port), or, if it is a Kafka "
            f"broker, use it as it is: --bootstrap {HOST}:{port}"
        )
