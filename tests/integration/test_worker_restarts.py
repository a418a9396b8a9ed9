"""Nothing is lost and nothing counts twice, whatever happens to the workers."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest
from counting_bench import PARTITIONS, Bench, headers_of
from counting_stage import load_failing_stages, record_value

KEYS = 300
_A_RECENT_TIME = 1_700_000_000_000  # ms


def _feed(bench: Bench, minutes: range, per_minute: int, pause: float = 0.0) -> None:
    """Send minutes of records with a fixed seed; the last minute stays open."""
    source = random.Random(minutes.start)  # noqa: S311 - a test's data
    for minute in minutes:
        for _ in range(per_minute):
            key = f"k{source.randrange(KEYS)}"
            bench.produce(
                source.randrange(PARTITIONS), record_value(minute, key, size=60)
            )
        bench.producer.flush()
        time.sleep(pause)


def _close(bench: Bench, minute: int) -> None:
    for partition in range(PARTITIONS):
        bench.produce(partition, record_value(minute, "close"))
    bench.producer.flush()


def _check(bench: Bench) -> None:
    bench.wait_until_committed()
    outputs, state = bench.expected()
    assert bench.emitted() == outputs
    assert bench.changelog_state() == state


def test_commits_exactly_to_the_end_of_each_partition(broker: str) -> None:
    bench = Bench(broker, "exact")
    with bench.workers(1):
        _feed(bench, range(20), per_minute=500)
        _close(bench, 20)
        _check(bench)
    for messages in bench.read(bench.output).values():
        for message in messages:
            headers = dict(headers_of(message))
            # Event time is 1970 here; retention must not see that.
            assert (headers["ce_time"] or b"").startswith(b"1970-01-01T00:")
            assert message.timestamp()[1] > _A_RECENT_TIME


def test_killed_workers_lose_nothing_and_double_nothing(broker: str) -> None:
    bench = Bench(broker, "killed")
    with bench.workers(2) as supervisor:
        bench.wait_for_members(2)
        for round_ in range(4):
            before = bench.committed()
            _feed(bench, range(round_ * 10, round_ * 10 + 10), 1000, pause=0.05)
            bench.wait_for_progress(before)
            victim = supervisor.pids[round_ % 2]
            assert victim is not None
            os.kill(victim, signal.SIGKILL)
            bench.wait_for_members(2)
        _feed(bench, range(40, 60), per_minute=1000, pause=0.1)
        _close(bench, 60)
        _check(bench)


def test_partitions_move_between_workers_in_the_middle(broker: str) -> None:
    bench = Bench(broker, "moving")
    with bench.workers(1):
        bench.wait_for_members(1)
        _feed(bench, range(10), per_minute=1000, pause=0.1)
        with bench.workers(1):
            bench.wait_for_members(2)
            before = bench.committed()
            _feed(bench, range(10, 30), per_minute=1000, pause=0.1)
            bench.wait_for_progress(before)
            _feed(bench, range(30, 40), per_minute=1000, pause=0.1)
        _feed(bench, range(40, 50), per_minute=1000, pause=0.1)
        _close(bench, 50)
        _check(bench)


def test_a_worker_that_slept_through_its_session_writes_nothing_that_counts(
    broker: str,
) -> None:
    bench = Bench(broker, "asleep")
    with bench.workers(2) as supervisor:
        bench.wait_for_members(2)
        before = bench.committed()
        _feed(bench, range(10), per_minute=1000, pause=0.1)
        bench.wait_for_progress(before)
        sleeper = supervisor.pids[0]
        assert sleeper is not None
        os.kill(sleeper, signal.SIGSTOP)
        bench.wait_for_members(1)
        before = bench.committed()
        _feed(bench, range(10, 40), per_minute=500, pause=0.1)
        bench.wait_for_progress(before)
        os.kill(sleeper, signal.SIGCONT)
        _feed(bench, range(40, 50), per_minute=500, pause=0.1)
        _close(bench, 50)
        _check(bench)


def test_an_unreadable_record_goes_to_the_dead_letters_as_it_came(
    broker: str,
) -> None:
    bench = Bench(broker, "poisoned")
    poison, headers = b"\xff no number at all", {"trace": b"\x00\x01", "empty": b""}
    with bench.workers(1):
        _feed(bench, range(3), per_minute=200)
        bench.produce(2, poison, headers)
        _feed(bench, range(3, 6), per_minute=200)
        _close(bench, 6)
        _check(bench)
    letters = [
        letter
        for letters in bench.read("llm.requests.dlq").values()
        for letter in letters
        if letter.value() == poison
    ]
    assert letters
    for letter in letters:
        found = dict(headers_of(letter))
        assert letter.key() == b"key of it"
        assert headers_of(letter)[:2] == list(headers.items())
        assert found["__connect.errors.topic"] == bench.input.encode()
        assert found["__connect.errors.partition"] == b"2"


def test_a_silent_partition_is_closed_up_to_the_others(broker: str) -> None:
    bench = Bench(broker, "silent", idle_timeout=1.0)
    with bench.workers(1):
        bench.produce(0, record_value(5, "early"))
        bench.produce(1, record_value(9, "late"))
        bench.producer.flush()
        bench.wait_until(lambda: bench.committed().get(0) == 1, "partition 0 is closed")
        assert bench.committed()[1] != 1
    assert set(bench.emitted()) == {"0-5-early"}


def test_a_flush_that_fails_is_told_with_its_place_and_never_committed_past(
    broker: str, capfd: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(broker, "failing", chunk_records=1)
    told = ""
    with bench.workers(1, load_failing_stages):
        bench.produce(0, record_value(1, "a"))
        bench.produce(0, record_value(2, "a"))
        bench.producer.flush()
        bench.wait_until(lambda: bench.committed().get(0) == 1, "minute 1 is committed")
        bench.produce(0, record_value(3, "a"))
        bench.produce(0, record_value(4, "a"))
        bench.producer.flush()

        def failed_twice() -> bool:
            nonlocal told
            told += capfd.readouterr().err
            return told.count("CRITICAL streams.agents.app: failing.in[0]@") >= 2

        bench.wait_until(failed_twice, "the worker has failed twice")
        assert bench.committed()[0] <= 2
    assert "ArithmeticError: minute 3 does not add up" in told
    assert set(bench.emitted()) <= {"0-1-a", "0-2-a"}


def test_a_hundred_thousand_rows_are_recovered(broker: str) -> None:
    keys = 100_000
    bench = Bench(broker, "rows", chunk_records=1000)
    with bench.workers(1):
        for i in range(keys):
            bench.produce(i % PARTITIONS, record_value(1, f"{i}"))
            if i % 10_000 == 0:
                bench.producer.flush()
        _close(bench, 1)
        bench.wait_until_committed()
    with bench.workers(1):
        for partition in range(PARTITIONS):
            bench.produce(partition, record_value(2, f"{partition}"))
        _close(bench, 2)
        _check(bench)
