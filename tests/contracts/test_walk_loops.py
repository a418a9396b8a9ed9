"""The compiled walk gives what the walk in lockstep gives, to the bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.codec import encode_datum
from streams.contracts.compiled import loops, plain_numpy
from streams.contracts.rules import Rules, rules
from streams.contracts.schemas import physical, schema
from streams.contracts.walk import Step, Walked, plan, walk_fields

Records = Callable[[str], st.SearchStrategy[Any]]

ANY = {
    "type": "record",
    "name": "R",
    "fields": [
        {"name": "a", "type": ["null", "long"]},
        {"name": "b", "type": {"type": "array", "items": "string"}},
        {"name": "c", "type": {"type": "enum", "name": "E", "symbols": ["x", "y"]}},
        {"name": "d", "type": ["bytes", "null"]},
        {"name": "e", "type": "boolean"},
        {"name": "f", "type": ["int", "null"]},
        {"name": "g", "type": ["null", "string"]},
        {"name": "h", "type": ["null", "float"]},
    ],
}
MARKED = {"string", "bytes", "int", "long"}


def steps_of(avro: dict[str, Any], limits: Rules, size: int | None) -> tuple[Step, ...]:
    steps = plan(avro, limits, sketch_bytes=size)
    assert steps is not None
    return steps


def assert_same(steps: tuple[Step, ...], datums: Sequence[bytes]) -> None:
    sizes = np.array([len(datum) for datum in datums], np.int64)
    ends = np.cumsum(sizes)
    blob = b"".join(datums)
    wanted = {number for number, step in enumerate(steps) if step.kind in MARKED}
    found = walk_fields(steps, blob, ends - sizes, ends, wanted)
    with plain_numpy():
        plain = walk_fields(steps, blob, ends - sizes, ends, wanted)
        assert found.sure.tolist() == plain.sure.tolist()
        assert found.plain.tolist() == plain.plain.tolist()
        sure = np.flatnonzero(plain.sure)
        expected = [values_of(plain, steps, number, sure) for number in sorted(wanted)]
    assert loops()
    assert [values_of(found, steps, n, sure) for n in sorted(wanted)] == expected


def values_of(walked: Walked, steps: Sequence[Step], number: int, sure: Any) -> Any:
    if steps[number].kind in ("string", "bytes"):
        return walked.bytes_of(number, sure).values()
    values, present = walked.longs_of(number, sure)
    return values.tolist(), present.tolist()


@settings(max_examples=60)
@given(data=st.data())
def test_events_walk_alike(records: Records, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(records("RequestEvent"), min_size=1, max_size=5))
    datums = [encode_datum("RequestEvent", record) for record in drawn]
    size = data.draw(st.sampled_from([None, 88]))
    steps = steps_of(physical(schema("RequestEvent")), rules("RequestEvent"), size)
    at = data.draw(st.integers(0, len(datums) - 1))
    broken = bytearray(datums[at])
    place = data.draw(st.integers(0, len(broken) - 1))
    broken[place] = data.draw(st.integers(0, 255))

    assert_same(steps, datums)
    assert_same(steps, [*datums[:at], bytes(broken), *datums[at + 1 :]])
    assert_same(steps, [*datums[:at], datums[at][:place], *datums[at + 1 :]])


@settings(max_examples=400)
@given(data=st.data())
def test_any_bytes_walk_alike(data: st.DataObject) -> None:
    small = st.lists(st.integers(0, 12) | st.integers(0, 255), max_size=20).map(bytes)
    datums = data.draw(st.lists(small, min_size=1, max_size=6))
    limits = Rules(
        max_chars=data.draw(st.sampled_from([2, 200])),
        required=frozenset(data.draw(st.sets(st.sampled_from("abg")))),
        ids=frozenset(data.draw(st.sets(st.sampled_from("bg")))),
        times=frozenset(data.draw(st.sets(st.sampled_from("af")))),
    )
    assert_same(steps_of(ANY, limits, None), datums)


def test_integers_of_every_width_are_read_alike() -> None:
    numbers = [n for bit in range(63) for n in (1 << bit, -(1 << bit), (1 << bit) - 1)]
    avro = {"type": "record", "name": "R", "fields": [{"name": "a", "type": "long"}]}
    codes = [(n << 1) ^ (n >> 63) for n in numbers]
    assert_same(steps_of(avro, Rules(), None), [varint(code) for code in codes])


def varint(code: int) -> bytes:
    out = bytearray()
    while code > 127:
        out.append(code & 127 | 128)
        code >>= 7
    return bytes([*out, code])
