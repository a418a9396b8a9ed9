from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from streams.contracts import iter_datums, write_container
from streams.errors import ConfigError, InvalidRecord, UndecodableRecord
from streams.sdk import RequestReporter
from streams.sdk.container_loader import count_events, load_container

NOW = 1_760_000_000_000


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class Recorder(RequestReporter):
    """Notes what is sent and when; Kafka plays no part in the pace."""

    def __init__(self, clock: Clock) -> None:
        super().__init__("127.0.0.1:1")
        self.clock = clock
        self.sent: list[tuple[float, str]] = []
        self.values: list[bytes] = []

    def report_encoded(self, values: Any, *, event_ids: Any, **_columns: Any) -> int:
        self.sent += [(self.clock.now - 100.0, each) for each in event_ids]
        self.values += values
        return len(values)


def container(path: Path, times: list[int], **more: Any) -> Path:
    records = [
        {
            "event_id": str(number),
            "occurred_at": NOW + time,
            "account_id": "a",
            "request_model": "m",
            **more,
        }
        for number, time in enumerate(times)
    ]
    write_container(path, "RequestEvent", records)
    return path


def load(path: Path, speed: float) -> Recorder:
    clock = Clock()
    counts: list[int] = []
    with Recorder(clock) as reporter:
        sent = load_container(
            path,
            reporter,
            speed=speed,
            on_sent=counts.append,
            sleep=clock.sleep,
            clock=clock,
        )
        assert sent == sum(counts) == len(reporter.sent) == count_events(path)
        assert reporter.values == list(iter_datums(path))
    return reporter


def test_at_full_speed_nothing_is_waited_for(tmp_path: Path) -> None:
    path = container(tmp_path / "e.avro", [number * 1000 for number in range(10_000)])
    reporter = load(path, math.inf)
    assert reporter.clock.slept == []
    assert [each for _, each in reporter.sent] == [str(n) for n in range(10_000)]


def test_events_are_sent_when_their_time_has_come(tmp_path: Path) -> None:
    path = container(tmp_path / "e.avro", [0, 5, 1000, 60_000, 59_000, 61_000])
    reporter = load(path, 10.0)
    # 59,000 lies behind 60,000 in the file and is sent with it; 5 ms are one slot.
    assert [each for _, each in reporter.sent] == ["0", "1", "2", "3", "4", "5"]
    sent_at = [at for at, _ in reporter.sent]
    assert sent_at == pytest.approx([0.0, 0.0, 0.1, 6.0, 6.0, 6.1])


@pytest.mark.parametrize("speed", [0.0, -1.0, math.nan])
def test_a_speed_that_is_none_is_refused(tmp_path: Path, speed: float) -> None:
    path = container(tmp_path / "e.avro", [0])
    with pytest.raises(ConfigError, match="speed"):
        load(path, speed)


def test_a_bad_file_or_record_is_named(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.avro"
    foreign.write_bytes(b"Obj\x01 and then nothing of the kind")
    with pytest.raises(UndecodableRecord, match=r"foreign\.avro"):
        count_events(foreign)
    bad = container(tmp_path / "bad.avro", [0, 0, -NOW - 1])
    with pytest.raises(InvalidRecord, match=r"bad\.avro, record 2: .*before 1970"):
        load(bad, math.inf)
