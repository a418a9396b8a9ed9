from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from streams.agents import supervisor as module
from streams.agents.placed_stage import PlacedStage
from streams.agents.supervisor import Supervisor, backoff
from streams.config import Config


def _nothing_to_load(_config: Config) -> list[PlacedStage]:
    raise RuntimeError("these stages cannot be loaded")


def test_a_worker_that_fails_is_started_again_until_told_to_stop() -> None:
    supervisor = Supervisor(Config(), 1, _nothing_to_load, log_level="CRITICAL")
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    pids: set[int | None] = set()
    while len(pids - {None}) < 2:
        pids.update(supervisor.pids)
        time.sleep(0.01)
    supervisor.stop()
    thread.join()


def test_a_signal_ends_it_and_gives_the_handlers_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    supervisor = Supervisor(Config(), 0, _nothing_to_load)
    threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGTERM)).start()
    assert supervisor.run() == 0
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("failures", range(1, 12))
def test_the_wait_grows_and_has_an_end(failures: int) -> None:
    assert backoff(failures) <= backoff(failures + 1) <= module._LONGEST_BACKOFF
