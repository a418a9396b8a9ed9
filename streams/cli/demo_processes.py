"""The broker and the workers of the demonstration: started, watched, and ended."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from streams.bus.broker import DevBroker
from streams.bus.kafka_node import HOST
from streams.config import ENV_PREFIX
from streams.errors import BrokerStartFailed, BusError

__all__ = ["APP_ID", "Workers", "demo_broker", "find_port", "running_workers"]

APP_ID = "distillwatch-demo"
_COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "run"]
_READY = " ready: "  # what each worker prints once its partitions are recovered
_READY_TIMEOUT = 240.0  # s; it takes 6, a loaded machine many times that
_STOP_TIMEOUT = 30.0  # s; the supervisor itself kills its workers after 20
_POLL = 0.1  # s
_LOG_LINES = 12  # lines of the log that an error shows
# Below the ports that systems give to outgoing connections, which come and go.
_PORTS = range(20_000, 30_000)


def find_port(first: int | None = None) -> int:
    """Find a port of 127.0.0.1 that is free together with the next one.

    The search begins at ``first``, by default at a place that differs by process, so
    that two demonstrations do not meet. Raises `BrokerStartFailed` if all are taken.
    """
    begin = _PORTS.start + os.getpid() * 2 % len(_PORTS) if first is None else first
    ports = itertools.chain(range(begin, _PORTS.stop, 2), range(_PORTS.start, begin, 2))
    for port in ports:
        if _is_free(port) and _is_free(port + 1):
            return port
    raise BrokerStartFailed(
        f"no two free ports between {_PORTS.start} and {_PORTS.stop}; name one: --port"
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


@contextlib.contextmanager
def demo_broker(
    port: int, home: Path, progress: Callable[[str, str], None], *, keep: bool
) -> Iterator[str]:
    """Run a broker with its data in ``home``; yield its address.

    At the end it is stopped and its data deleted, unless it is to be kept. A broker
    that runs on this port already is refused: its topics are somebody's.
    """
    broker = DevBroker(port, data_dir=home)
    if broker.status().running:
        raise BrokerStartFailed(
            f"a development broker runs at {broker.bootstrap} already, and the "
            "demonstration wants one of its own; name another --port or leave it out"
        )
    try:
        yield broker.up(progress)
    except BaseException:
        broker.down(wipe=True)
        raise
    if not keep:
        broker.down(wipe=True)


class Workers:
    """The processes of one ``distillwatch run``."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self._process = process
        self._log = log

    def check(self) -> None:
        """Raise `BusError` with the end of their log if they have ended."""
        code = self._process.poll()
        if code is not None:
            raise BusError(f"the workers ended with {code}; {self._log_tail()}")

    def wait_until_ready(self, count: int) -> None:
        """Wait until so many workers have recovered; raise `BusError` if they do not.

        A worker that was restarted meanwhile counts once more, which does no harm.
        """
        deadline = time.monotonic() + _READY_TIMEOUT
        while self._log.read_text("utf-8", "replace").count(_READY) < count:
            self.check()
            if time.monotonic() > deadline:
                raise BusError(
                    f"the workers were not ready after {_READY_TIMEOUT:.0f} s; "
                    f"{self._log_tail()}"
                )
            time.sleep(_POLL)

    def cpu_seconds(self) -> float:
        """Return the processor time that they have used so far, in seconds."""
        total = 0.0
        with contextlib.suppress(psutil.NoSuchProcess):
            for child in psutil.Process(self._process.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    times = child.cpu_times()
                    total += times.user + times.system
        return total

    def complaints(self) -> str:
        """Return what they logged besides that they are ready; empty if nothing."""
        lines = self._log.read_text("utf-8", "replace").splitlines()
        told = [line for line in lines if _READY not in line]
        return "\n".join(told[-_LOG_LINES:])

    def stop(self) -> None:
        """End them: with SIGTERM, and with SIGKILL if that does not do it."""
        children = []
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._process.pid).children()
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()

    def _log_tail(self) -> str:
        return f"their last lines are:\n{self.complaints() or '(none)'}"


@contextlib.contextmanager
def running_workers(servers: str, count: int, log: Path) -> Iterator[Workers]:
    """Start the workers as a user would, and end them whatever happens."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ENV_PREFIX)}
    options = ["--workers", str(count), "--bootstrap", servers, "--app-id", APP_ID]
    options += ["--log-level", "ERROR"]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [*_COMMAND, *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            start_new_session=True,  # Ctrl-C is for us; we end them in order
        )
    workers = Workers(process, log)
    try:
        yield workers
    finally:
        workers.stop()
