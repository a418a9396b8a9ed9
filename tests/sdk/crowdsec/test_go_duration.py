from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from parsed_duration import parsed_duration

from streams.sdk.crowdsec.go_duration import go_duration


def test_it_is_written_as_go_does() -> None:
    written = {
        0: "0s",
        1: "1ms",
        999: "999ms",
        1_000: "1s",
        1_001: "1.001s",
        90_500: "1m30.5s",
        3_600_000: "1h0m0s",
        86_400_000: "24h0m0s",
        -60_010: "-1m0.01s",
    }
    assert {each: go_duration(each) for each in written} == written


@given(st.integers(-(10**13), 10**13))
def test_nothing_is_lost(milliseconds: int) -> None:
    assert parsed_duration(go_duration(milliseconds)) == milliseconds
