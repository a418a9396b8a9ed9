from __future__ import annotations

import os

import pytest
from action_samples import NOW, action

from streams.errors import ConfigError, ReporterClosed
from streams.sdk import Acknowledger

NOBODY = "127.0.0.1:1"


def test_without_a_broker_acks_wait_and_what_finds_no_room_is_counted() -> None:
    acknowledger = Acknowledger(NOBODY, enforcer="e", max_buffered=3)
    took = [acknowledger.acknowledge(action(), "applied") for _ in range(5)]
    assert took == [True] * 3 + [False] * 2
    assert not acknowledger.has_room
    stats = acknowledger.stats
    assert (stats.reported, stats.buffered) == (5, 3)
    assert stats.dropped == {"buffer_full": 2}
    assert acknowledger.flush(timeout=0.01) == 3
    assert acknowledger.close(timeout=0) == 3
    assert acknowledger.close() == 0
    with pytest.raises(ReporterClosed, match="before close"):
        acknowledger.acknowledge(action(), "applied")


def test_an_ack_has_the_same_id_after_a_restart_and_another_for_each_outcome() -> None:
    def ids(enforcer: str) -> list[str]:
        with Acknowledger(NOBODY, enforcer=enforcer) as acknowledger:
            made = [
                acknowledger._ack_id(action(sequence=sequence), outcome)
                for sequence in (1, 2)
                for outcome in ("applied", "expired")
            ]
            acknowledger.close(timeout=0)
            return made

    assert ids("a") == ids("a")
    assert len({*ids("a"), *ids("b")}) == 8


def test_settings_that_make_no_sense_are_named() -> None:
    with pytest.raises(ConfigError, match="enforcer is empty"):
        Acknowledger(NOBODY, enforcer="")
    with pytest.raises(ConfigError, match="max_buffered"):
        Acknowledger(NOBODY, enforcer="e", max_buffered=0)
    with pytest.raises(ConfigError, match="partitioner"):
        Acknowledger(NOBODY, enforcer="e", kafka_settings={"partitioner": "random"})


def test_after_a_fork_the_child_only_says_that_it_cannot() -> None:
    acknowledger = Acknowledger(NOBODY, enforcer="e")
    acknowledger.acknowledge(action(), "applied", occurred_at=NOW)
    child = os.fork()
    if not child:
        try:
            acknowledger.acknowledge(action(), "applied")
        except ReporterClosed as error:
            os._exit(0 if "fork" in str(error) and acknowledger.close() == 0 else 2)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert acknowledger.stats.buffered == 1
    acknowledger.close(timeout=0)
