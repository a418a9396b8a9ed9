"""The development broker: one Apache Kafka node on 127.0.0.1, without containers.

A node that is broker and controller (KRaft) runs from Maven Central's jars. The folder
``brokers`` in the user's cache folder holds, per port, a small record of the process
that was started, so any later command finds it again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from string import Template

import msgspec
import psutil
from confluent_kafka import KafkaException
from filelock import FileLock

from streams.bus.kafka_jars import Progress, cache_dir, fetch_jars, find_java, resource
from streams.bus.kafka_settings import admin_client
from streams.errors import BrokerStartFailed

__all__ = ["CLUSTER_ID", "BrokerStatus", "DevBroker"]

HOST = "127.0.0.1"
# base64 of "distillwatch-dev": a random id may begin with a dash, which the format
# tool then reads as an option.
CLUSTER_ID = "ZGlzdGlsbHdhdGNoLWRldg"
SETTINGS = "server.properties"
HEAP = ("-Xms256m", "-Xmx1g")
READY_TIMEOUT = 60.0  # s; it takes 3, a loaded machine many times that
STOP_TIMEOUT = 30.0  # s until SIGTERM becomes SIGKILL
POLL_INTERVAL = 0.1  # s
METADATA_TIMEOUT = 2.0  # s for one answer of a broker that accepts connections
LOG_LINES = 5  # lines of the log that an error shows


class _Record(msgspec.Struct, frozen=True):
    """What is known of a started broker; one JSON file per port."""

    pid: int
    controller_port: int
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

    @property
    def log_file(self) -> Path:
        """The broker's log."""
        return self.home / "broker.log"

    def up(self, progress: Progress | None = None, *, wipe: bool = False) -> str:
        """Start the broker unless it runs, wait until it answers, return its address.

        With ``wipe`` a running one is stopped and the topics are deleted first. Raises
        `MissingTool` without Java or Maven, and `BrokerStartFailed` when a foreign
        process holds a port or the broker does not answer.
        """
        progress = progress or (lambda _step, _detail: None)
        if wipe:
            self.down(wipe=True)
        started = None
        try:
            if self._find() is None:
                java, jars = find_java(), fetch_jars(progress)
                progress(f"Starting Kafka at {self.bootstrap}", "")
                with self._lock():
                    if self._find() is None:  # else another process was faster
                        started = self._start(java, jars)
            self._adopt_home()
            self._wait_until_ready()
        except BaseException:
            if started is not None:
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
                _stop(process)
            self._record_file.unlink(missing_ok=True)
            if wipe:
                _wipe(home / "topics")
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
            process = psutil.Process(record.pid)
            command = process.cmdline()
        except (OSError, msgspec.DecodeError, psutil.Error):
            return None
        # The settings file is named after the port's home, so a pid that was given to
        # another process since cannot match; start times shift with the clock.
        return process if str(Path(record.home) / SETTINGS) in command else None

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

    def _start(self, java: str, jars: Path) -> int:
        for port in (self.port, self.controller_port):
            _refuse_taken_port(port)
        self.home.mkdir(parents=True, exist_ok=True)
        settings = Template(resource(SETTINGS)).substitute(
            port=self.port,
            controller_port=self.controller_port,
            log_dir=(self.home / "topics").as_posix(),
        )
        (self.home / SETTINGS).write_text(settings, "utf-8")
        logging = self.home / "log4j2.properties"
        logging.write_text(resource(logging.name), "utf-8")
        command = [
            java,
            f"-Ddistillwatch.broker.log={self.log_file}",
            f"-Dlog4j2.configurationFile={logging}",
            "-cp",
            f"{jars}{os.sep}*",
        ]
        self._format(command)
        return self._launch([*command[:1], *HEAP, *command[1:]])

    def _format(self, java: list[str]) -> None:
        if (self.home / "topics" / "meta.properties").exists():
            return
        tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted"]
        tool += ["--cluster-id", CLUSTER_ID, "--config", str(self.home / SETTINGS)]
        done = subprocess.run(  # noqa: S603 - our own command line
            [*java, *tool], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise BrokerStartFailed(
                f"Kafka could not format {self.home / 'topics'}: {done.stderr.strip()}"
            )

    def _launch(self, java: list[str]) -> int:
        with (self.home / "broker.out").open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own command line
                [*java, "kafka.Kafka", str(self.home / SETTINGS)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.home,
                start_new_session=True,  # Ctrl-C in the shell is not meant for it
            )
        record = _Record(process.pid, self.controller_port, str(self.home))
        partial = self._record_file.with_suffix(".part")
        partial.write_bytes(msgspec.json.encode(record))
        partial.replace(self._record_file)
        # It outlives us on purpose; without a code Popen warns when it is collected.
        process.returncode = 0
        return process.pid

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while self._count_topics() is None:
            if self._find() is None:
                raise BrokerStartFailed(
                    f"the broker at {self.bootstrap} ended while starting; "
                    f"{self._log_tail()}"
                )
            if time.monotonic() > deadline:
                raise BrokerStartFailed(
                    f"the broker at {self.bootstrap} did not answer within "
                    f"{READY_TIMEOUT:.0f} s; {self._log_tail()}"
                )
            time.sleep(POLL_INTERVAL)

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

    def _log_tail(self) -> str:
        for file in (self.log_file, self.home / "broker.out"):
            with contextlib.suppress(OSError):
                lines = file.read_text("utf-8", errors="replace").splitlines()
                lines = [line for line in lines if not line.startswith("\tat ")]
                errors = [n for n, line in enumerate(lines) if " ERROR " in line]
                start = errors[-1] if errors else -LOG_LINES
                if shown := lines[start:][:LOG_LINES]:
                    return f"{file} says:\n" + "\n".join(shown)
        return f"there is no log in {self.home}"


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


def _stop(process: psutil.Process) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT)


def _wipe(topics: Path) -> None:
    if not topics.exists():
        return
    meta = topics / "meta.properties"
    # --data-dir may point anywhere: delete only what our format step has made.
    if not meta.is_file() or CLUSTER_ID not in meta.read_text("utf-8"):
        raise BrokerStartFailed(
            f"{topics} was not made by the development broker and is left alone; "
            "delete it by hand or give another --data-dir"
        )
    shutil.rmtree(topics)
