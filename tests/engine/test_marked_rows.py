from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.engine.marked_rows import MARKER, Flush, MarkedRows
from streams.engine.stage import Row

_ROWS = st.lists(
    st.builds(
        Row,
        st.sampled_from([b"a", b"b", MARKER]),
        st.sampled_from([b"1", b"2"]),
    ),
    max_size=20,
)


def _expected(rows: list[Row]) -> list[Flush]:
    flushes, held = [], []
    for row in rows:
        if row.key == MARKER:
            assert row.value is not None
            flushes.append(Flush(held, row.value))
            held = []
        else:
            held.append(row)
    return flushes


@given(_ROWS, st.integers(0, 20))
def test_flushes_are_the_same_however_the_rows_are_cut(
    rows: list[Row], cut: int
) -> None:
    held = MarkedRows()
    flushes = [*held.add(rows[:cut]), *held.add(rows[cut:])]
    assert flushes == _expected(rows)


@given(_ROWS, _ROWS)
def test_dropped_rows_are_in_no_later_flush(first: list[Row], then: list[Row]) -> None:
    held = MarkedRows()
    list(held.add(first))
    held.drop()
    assert list(held.add(then)) == _expected(then)


def test_a_marker_without_a_value_ends_nothing() -> None:
    held = MarkedRows()
    assert list(held.add([Row(b"a", b"1"), Row(MARKER, None)])) == []
