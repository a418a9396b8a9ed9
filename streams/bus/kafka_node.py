"""The process of one Kafka node: its settings, its storage, its start and its end.

A home is the folder of one node: ``server.properties``, ``topics``, ``broker.log`` and
what Java itself printed (``broker.out``).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path
from string import Template

import psutil

from streams.bus.kafka_jars import resource
from streams.errors import BrokerStartFailed

__all__ = [
    "CLUSTER_ID",
    "HOST",
    "find_node",
    "log_tail",
    "start_node",
    "stop_node",
    "wipe_topics",
]

HOST = "127.0.0.1"
# base64 of "distillwatch-dev": a random id may begin with a dash, which the format
# tool then reads as an option.
CLUSTER_ID = "ZGlzdGlsbHdhdGNoLWRldg"
HEAP = ("-Xms256m", "-Xmx1g")
STOP_TIMEOUT = 30.0  # s until SIGTERM becomes SIGKILL
LOG_LINES = 5  # lines of the log that an error shows
_SETTINGS = "server.properties"
_TOPICS = "topics"
_LOG = "broker.log"
_OUTPUT = "broker.out"


def start_node(
    java: str, jars: Path, home: Path, *, port: int, controller_port: int
) -> int:
    """Write the settings, format a new home, start the node and return its pid.

    It does not wait until the node answers. Raises `BrokerStartFailed` when the
    storage cannot be formatted.
    """
    home.mkdir(parents=True, exist_ok=True)
    settings = Template(resource(_SETTINGS)).substitute(
        port=port, controller_port=controller_port, log_dir=(home / _TOPICS).as_posix()
    )
    (home / _SETTINGS).write_text(settings, "utf-8")
    logging = home / "log4j2.properties"
    logging.write_text(resource(logging.name), "utf-8")
    options = [
        f"-Ddistillwatch.broker.log={home / _LOG}",
        f"-Dlog4j2.configurationFile={logging}",
        *("-cp", f"{jars}{os.sep}*"),
    ]
    if not (home / _TOPICS / "meta.properties").exists():
        _format([java, *options], home)
    with (home / _OUTPUT).open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own command line
            [java, *HEAP, *options, "kafka.Kafka", str(home / _SETTINGS)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=home,
            start_new_session=True,  # Ctrl-C in the shell is not meant for it
        )
    # It outlives us on purpose; without a code Popen warns when it is collected.
    process.returncode = 0
    return process.pid


def find_node(pid: int, home: Path) -> psutil.Process | None:
    """Return the process if ``pid`` lives and is the node of ``home``, else None.

    The node's command line names the settings file of its home, so a pid that was given
    to another process since cannot match. A start time would shift with the clock.
    """
    try:
        process = psutil.Process(pid)
        return process if str(home / _SETTINGS) in process.cmdline() else None
    except psutil.Error:
        return None


def stop_node(process: psutil.Process) -> None:
    """End a node with SIGTERM, and with SIGKILL if that does not do it."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except psutil.TimeoutExpired:
            process.kill()
            process.wait(STOP_TIMEOUT)


def wipe_topics(home: Path) -> None:
    """Delete all topics of a stopped node.

    Raises `BrokerStartFailed` when the folder was not made by `start_node`.
    """
    topics = home / _TOPICS
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


def log_tail(home: Path) -> str:
    """Return the last error of the node's log, or its last lines, for a message."""
    for file in (home / _LOG, home / _OUTPUT):
        with contextlib.suppress(OSError):
            lines = file.read_text("utf-8", errors="replace").splitlines()
            lines = [line for line in lines if not line.startswith("\tat ")]
            errors = [n for n, line in enumerate(lines) if " ERROR " in line]
            start = errors[-1] if errors else -LOG_LINES
            if shown := lines[start:][:LOG_LINES]:
                return f"{file} says:\n" + "\n".join(shown)
    return f"there is no log in {home}"


def _format(java: list[str], home: Path) -> None:
    tool = ["kafka.tools.StorageTool", "format", "--ignore-formatted"]
    tool += ["--cluster-id", CLUSTER_ID, "--config", str(home / _SETTINGS)]
    done = subprocess.run(  # noqa: S603 - our own command line
        [*java, *tool], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BrokerStartFailed(
            f"Kafka could not format {home / _TOPICS}: {done.stderr.strip()}"
        )
