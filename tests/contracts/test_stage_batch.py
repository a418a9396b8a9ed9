"""The records between stages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.stage_batch import StageBatch, decode_batch, encode_batch
from streams.errors import ContractError

_NAMES = ("FacetSums", "MemberLinks")
_BATCHES = st.builds(
    StageBatch,
    st.integers(0, 2**31 - 1),
    st.integers(0, 2**31 - 1),
    st.booleans(),
    st.integers(-1, 2**40),
    st.binary(max_size=50),
)


@given(st.sampled_from(_NAMES), _BATCHES)
def test_round_trip(name: str, batch: StageBatch) -> None:
    assert decode_batch(name, encode_batch(name, batch)) == batch


@given(_BATCHES)
def test_a_batch_of_the_other_stage_is_refused(batch: StageBatch) -> None:
    with pytest.raises(ContractError):
        decode_batch("MemberLinks", encode_batch("FacetSums", batch))


@given(_BATCHES, st.integers(0, 60))
def test_a_cut_record_is_refused(batch: StageBatch, size: int) -> None:
    value = encode_batch("FacetSums", batch)
    with pytest.raises(ContractError):
        decode_batch("FacetSums", value[: min(size, len(value) - 1)])
