"""One worker process: an event loop, an app, and a clean end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from itertools import groupby

from streams.agents.app import DetectorApp, make_app
from streams.agents.collector import search_seldom
from streams.agents.owned_partition import OwnedPartition
from streams.agents.placed_stage import PlacedStage
from streams.agents.warm_up import LOAD_THE_REST_AFTER, load_the_rest, warm_up
from streams.config import Config

__all__ = ["EXIT_FAILED", "StageLoader", "describe", "run_worker"]

_log = logging.getLogger(__name__)

StageLoader = Callable[[Config], Sequence[PlacedStage]]
"""Gives the stages inside the worker's process; it must be importable by name."""

EXIT_FAILED = 70  # EX_SOFTWARE of sysexits.h
_PARENT_POLL = 1.0  # s
_SWITCH_INTERVAL = 0.001  # s
"""How long the thread that reads from the broker waits for the interpreter while a
stage computes. It does so at each step of a fetch; Python's 5 ms would add up to more
than the broker waits for records in the low-latency setting."""
# The last flush, the commit and leaving the group take well below a second.
_STOP_TIMEOUT = 15.0  # s
_QUIET = ("faust", "mode", "aiokafka", "asyncio")
# aiokafka logs an error for each answer "not yet" while a broker starts up.
_QUIETER = ("aiokafka.consumer.group_coordinator",)


def run_worker(
    config: Config, load_stages: StageLoader, index: int, log_level: str
) -> None:
    """Run one worker until SIGTERM or SIGINT; end the process with its exit code."""
    _set_up_logging(index, log_level)
    if sys.platform != "win32":
        import uvloop  # noqa: PLC0415 - not installed on Windows

        # The policy, since Faust's consumer thread makes its own loop.
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    search_seldom()
    sys.setswitchinterval(_SWITCH_INTERVAL)
    code = EXIT_FAILED
    try:
        warm_up()
        app = make_app(config, load_stages(config), worker_index=index)
        app.on_ready = _Announcer(index)
        code = asyncio.run(_run(app))
    except Exception:  # noqa: BLE001 - the exit code is the answer, whatever it is
        _log.exception("worker %d failed", index)
    finally:
        logging.shutdown()
        sys.stdout.flush()
        # A thread that hangs must not keep a failed worker, and its partitions, alive.
        os._exit(code)


async def _run(app: DetectorApp) -> int:
    loop = asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    app.on_failure = stopping.set
    orphaned = asyncio.create_task(_watch_parent(stopping))
    starting = asyncio.create_task(app.start())
    starting.add_done_callback(lambda task: _check_start(task, stopping, app))
    watching = asyncio.create_task(app.watchdog.watch())
    await stopping.wait()
    try:
        async with asyncio.timeout(_STOP_TIMEOUT):
            await app.stop()
    except Exception as error:  # noqa: BLE001 - the process ends anyhow
        _log.exception("the worker did not stop cleanly")
        app.failure = app.failure or error
    for task in (orphaned, starting, watching):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task
    return EXIT_FAILED if app.failure else 0


def _check_start(
    task: asyncio.Task[None], stopping: asyncio.Event, app: DetectorApp
) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.critical("the worker did not start: %s", error, exc_info=error)
        app.failure = app.failure or error
        stopping.set()


async def _watch_parent(stopping: asyncio.Event) -> None:
    parent = os.getppid()
    while os.getppid() == parent:  # noqa: ASYNC110 - the system sends no event
        await asyncio.sleep(_PARENT_POLL)
    _log.warning("the supervisor is gone; stopping")
    stopping.set()


class _Announcer:
    """Prints the ready line once; later assignments are logged."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._printed = False

    def __call__(self, owned: list[OwnedPartition]) -> None:
        line = f"worker {self._index} ready: {describe(owned)}"
        if self._printed:
            _log.info("%s", line)
        else:
            print(line, flush=True)  # noqa: T201 - who started us waits for this line
            self._printed = True
            loading = threading.Timer(LOAD_THE_REST_AFTER, load_the_rest)
            loading.daemon = True
            loading.start()


def describe(owned: Sequence[OwnedPartition]) -> str:
    """Name partitions and the rows restored for them, for people.

    >>> describe([])
    'no partitions, 0 rows restored'
    """
    tps = sorted(p.source for p in owned)
    topics = [
        f"{topic} {','.join(str(tp.partition) for tp in of_topic)}"
        for topic, of_topic in groupby(tps, key=lambda tp: tp.topic)
    ]
    rows = sum(p.restored_rows for p in owned)
    return f"{'; '.join(topics) or 'no partitions'}, {rows:,} rows restored"


def _set_up_logging(index: int, level: str) -> None:
    logging.basicConfig(
        stream=sys.stderr,
        level=level,
        format=f"%(asctime)s worker {index} %(levelname)s %(name)s: %(message)s",
    )
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
    for name in _QUIETER:
        logging.getLogger(name).setLevel(logging.CRITICAL)
