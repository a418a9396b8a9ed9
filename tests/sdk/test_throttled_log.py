from __future__ import annotations

import logging

import pytest

from streams.sdk.throttled_log import ThrottledLog


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_each_reason_is_told_once_a_minute_with_those_kept_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    log = ThrottledLog(logging.getLogger("test.throttled"), clock=clock)
    assert log.tell("full", "nobody listens", 3)
    assert not log.tell("full", "nobody listens", 4)
    assert log.tell("invalid", "a field is missing")
    clock.now += 59.9
    assert not log.tell("full", "nobody listens")
    clock.now += 0.2
    assert log.tell("full", "still nobody")
    assert [record.getMessage() for record in caplog.records] == [
        "full: nobody listens [3 times]",
        "invalid: a field is missing [1 times]",
        "full: still nobody [6 times]",
    ]
