"""Groups of every kind can be drawn, are of their kind, and share nothing by chance."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.scenarios.honest_groups import (
    KINDS,
    SHARING_KINDS,
    SITES_KINDS,
    honest_cohort,
)
from streams.scenarios.scenario import Cohort

EVERY = sorted({*KINDS, *SHARING_KINDS, *SITES_KINDS})


def draw(kind: str, seed: int, hours: int = 48) -> Cohort:
    chance = Random(seed)  # noqa: S311 - simulation, not cryptography
    return honest_cohort(chance, (kind,), 3, hours)


@given(st.sampled_from(EVERY), st.integers(0, 2**32), st.integers(12, 72))
def test_a_seed_draws_whole_groups_of_the_kind(
    kind: str, seed: int, hours: int
) -> None:
    cohort = draw(kind, seed, hours)
    assert cohort == draw(kind, seed, hours)
    assert cohort.name == f"{kind}-3"
    size, rest = divmod(cohort.accounts, cohort.groups)
    assert rest == 0
    assert 3 <= size <= 250
    assert 0 <= cohort.start_hour <= hours
    assert 0 < cohort.age_days[0] <= cohort.age_days[1]


@pytest.mark.parametrize("kind", sorted({*SITES_KINDS, "company", "swarm", "reseller"}))
def test_what_looks_like_a_campaign_sends_no_organization(kind: str) -> None:
    for seed in range(20):
        cohort = draw(kind, seed)
        assert cohort.organization == "none"


@pytest.mark.parametrize("kind", sorted(set(SITES_KINDS)))
def test_groups_in_several_places_have_people_enough_for_each(kind: str) -> None:
    for seed in range(20):
        cohort = draw(kind, seed)
        assert cohort.accounts >= 15 * cohort.groups
        assert cohort.network == "one"
