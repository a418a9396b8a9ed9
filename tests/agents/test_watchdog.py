from __future__ import annotations

from streams.agents.watchdog import StallDetector


def test_what_moves_or_stops_waiting_does_not_stall() -> None:
    detector = StallDetector(10.0)
    for second in range(0, 40, 5):
        assert detector.stalled(second, {"moves": second}) is None
    assert detector.stalled(40, {"waits": 1}) is None
    assert detector.stalled(45, {}) is None
    assert detector.stalled(50, {"waits": 1}) is None
    assert detector.stalled(60, {"waits": 1, "moves": 1}) == "waits"


def test_time_in_which_nobody_had_a_turn_does_not_count() -> None:
    detector = StallDetector(10.0)
    assert detector.stalled(0, {"waits": 1}) is None
    detector.excuse(50.0)
    assert detector.stalled(55, {"waits": 1}) is None
    assert detector.stalled(60, {"waits": 1}) == "waits"
