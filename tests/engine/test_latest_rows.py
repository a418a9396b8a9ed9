"""Of each key the latest row is kept, however rows come and memory is freed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.latest_rows import LatestRows
from streams.engine.row_block import RowBlock
from streams.engine.stage import Row

_KEYS = st.sampled_from([b"", b"a", b"ab", b"b", b"abcdefghijk"])
_ROWS = st.lists(st.builds(Row, _KEYS, st.none() | st.binary(max_size=3)), max_size=9)


@given(st.lists(_ROWS, max_size=6), st.integers(1, 5))
def test_the_latest_row_of_each_key_is_given_in_log_order(
    parts: list[list[Row]], squeezed_from: int
) -> None:
    latest = LatestRows(squeezed_from)
    for _ in range(2):  # it begins anew once all is taken
        for part in parts:
            latest.add(RowBlock.of(part))
        rows = [row for part in parts for row in part]
        last = {row.key: place for place, row in enumerate(rows)}
        found = [row for part in latest.take() for row in part]
        assert found == [rows[place] for place in sorted(last.values())]
        assert list(latest.take()) == []
