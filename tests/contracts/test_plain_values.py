from __future__ import annotations

import io

import fastavro
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streams.contracts.plain_values import (
    FIRST,
    GROUP,
    LIMIT,
    LONG_BITS,
    PAIR,
    SHORT,
    NotPlainError,
    refuse,
    varint,
)


@given(st.integers(-LIMIT, LIMIT - 1))
@example(PAIR // 2)
@example(PAIR * PAIR // 2)
@example(-LIMIT)
def test_a_long_is_written_as_fastavro_writes_it(value: int) -> None:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, "long", value)
    assert varint(value << 1 ^ value >> LONG_BITS) == out.getvalue()


def test_the_tables_hold_the_groups_of_each_code() -> None:
    for code in range(PAIR):
        assert SHORT[code] == varint(code)
        low, high = FIRST[code]
        assert (low & 127) | (high & 127) << GROUP == code
        assert low & high & 128


def test_a_refusal_says_that_a_value_is_not_plain() -> None:
    with pytest.raises(NotPlainError):
        refuse()
