from __future__ import annotations

import numpy as np
import pytest

from streams.cli.benchmarks.synthetic import SyntheticEvents, account_ids
from streams.contracts import decode_chunk


@pytest.mark.parametrize(
    ("own_facets", "own_payments"), [(True, False), (False, False), (False, True)]
)
def test_events_are_of_the_accounts_and_minutes_asked_for(
    own_facets: bool, own_payments: bool
) -> None:
    numbers = np.arange(0, 300_000, 97)
    minutes = np.arange(len(numbers)) // 100
    source = SyntheticEvents(own_facets=own_facets, own_payments=own_payments)
    values = source.values(numbers, minutes)
    frame, _, rejected = decode_chunk("RequestEvent", values)
    assert not rejected
    assert frame["account_id"].to_list() == account_ids(numbers)
    at = frame["occurred_at"].to_numpy()
    assert ((at - at[0]) // 60_000 == minutes).all()
    assert frame["event_id"].n_unique() == len(numbers)
    assert frame["sketch"].n_unique() == len(numbers)
    facets = numbers if own_facets else numbers // 20_000
    assert frame["network"].n_unique() == len(np.unique(facets))
    payments = len(numbers) if own_payments else len(np.unique(facets))
    assert frame["payment"].n_unique() == payments


def test_five_million_accounts_have_ids_of_their_own() -> None:
    step = 1_000_003  # a sample over the whole range
    numbers = np.arange(0, 5_000_000) * step % 5_000_000
    assert len(set(account_ids(numbers[:200_000]))) == 200_000


def test_event_ids_go_on_from_call_to_call() -> None:
    events = SyntheticEvents(own_facets=False)
    numbers, minutes = np.arange(10), np.zeros(10, np.int64)
    values = [*events.values(numbers, minutes), *events.values(numbers, minutes)]
    frame = decode_chunk("RequestEvent", values).frame
    assert frame["event_id"].n_unique() == 20
