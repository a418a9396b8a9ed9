"""Selecting and joining columns keeps the rows together."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from account_oracle import Event, batch, cuts, event_lists
from hypothesis import given
from hypothesis import strategies as st

from streams.features.event_columns import EventColumns


def same(one: EventColumns, other: EventColumns) -> bool:
    names = [field.name for field in fields(EventColumns) if field.name != "offset"]
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in names)


@given(event_lists(), st.integers(0, 2**60 - 1))
def test_parts_join_to_the_whole(events: list[Event], seed: int) -> None:
    parts = [batch(part) for part in cuts(events, seed)]
    assert same(EventColumns.concatenate(parts), batch(events))


@given(event_lists())
def test_selection(events: list[Event]) -> None:
    odd = np.array([event.tokens % 2 == 1 for event in events])
    chosen = batch(events).select(odd)
    expected = [event for event in events if event.tokens % 2 == 1]
    assert len(chosen) == len(expected)
    assert same(chosen, batch(events).select(np.flatnonzero(odd)))
    assert chosen.tokens_in.tolist() == [event.tokens for event in expected]
