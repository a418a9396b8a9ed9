from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from streams.features.account_row import FACET_KINDS
from streams.sdk.sharing.confidence import (
    campaign_confidence,
    facet_confidence,
    finite_e_value,
)

e_values = st.floats()


@given(e_values, e_values)
def test_more_evidence_never_gives_less_confidence(one: float, other: float) -> None:
    low, high = sorted((finite_e_value(one), finite_e_value(other)))
    assert 0 <= campaign_confidence(low) <= campaign_confidence(high) <= 100


@given(st.sampled_from(FACET_KINDS), e_values)
def test_a_facet_is_at_most_as_sure_as_its_campaign(kind: str, e_value: float) -> None:
    assert 0 <= facet_confidence(kind, e_value) <= campaign_confidence(e_value)


def test_what_honest_customers_share_too_stays_in_the_middle() -> None:
    assert {facet_confidence(k, 1e9) for k in ("network", "tls", "client")} == {50}


@given(e_values)
def test_what_leaves_is_a_number_that_json_has(e_value: float) -> None:
    assert math.isfinite(finite_e_value(e_value))
    assert finite_e_value(e_value) >= 0
