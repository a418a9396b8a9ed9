from __future__ import annotations

import psutil

from streams.cli.benchmarks.memory import measure_memory


def test_an_account_takes_at_least_its_row() -> None:
    room = psutil.virtual_memory().available
    too_many = room  # accounts; each would have to live in a byte
    result = measure_memory([10_000, too_many])
    assert result.left_out == [str(too_many)]
    assert set(result.bytes_per_account) == {"10000"}
    from streams.features.account_row import ACCOUNT_ROW

    assert result.bytes_per_account["10000"] > ACCOUNT_ROW.itemsize
    assert result.with_own_facets["10000"] > 0
    assert result.microseconds_per_event["10000"] > 0
    assert result.after_silence == {}  # what an empty pipeline keeps ready is more
