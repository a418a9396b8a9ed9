"""A fit finds what separates, and never lets anything speak for innocence."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.campaigns.group_features import FEATURES
from streams.scenarios.prior_fit import Example, fit_prior, group_prior
from streams.scenarios.reference_harvest import Look, nearest_looks


def _looks(seed: int = 1) -> list[Look]:
    """Campaigns are young and share networks; honest groups are even."""
    chance = Random(seed)  # noqa: S311 - made-up groups, not cryptography
    looks = []
    for number in range(80):
        campaign = number % 4 == 0
        features = dict.fromkeys(FEATURES, 0.0)
        features["young"] = chance.uniform(0.4, 1) if campaign else chance.random()
        features["network"] = chance.uniform(0.1, 1 if campaign else 0.4)
        features["even"] = chance.uniform(0, 0.5 if campaign else 1)
        features["likeness"] = chance.random()
        looks.append(Look(0, number % 5, number, str(number), features, campaign))
    return looks


def test_weights_follow_what_separates_and_content_has_its_own() -> None:
    prior = group_prior(_looks(), "sharing")
    assert prior.weights["network"] > 1
    assert prior.weights["young"] > 0.5
    assert prior.weights["even"] == 0
    assert prior.weights["likeness"] == 1
    assert not {"payer", "place"} & set(prior.weights)
    assert list(prior.weights) == sorted(prior.weights)


def test_what_is_left_out_has_no_weight() -> None:
    prior = group_prior(_looks(), "sharing", without=("network", "likeness"))
    assert not {"network", "likeness"} & set(prior.weights)


@given(st.permutations(range(40)), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_neither_order_nor_repeats_of_a_unit_change_the_fit(
    order: list[int], times: int
) -> None:
    looks = _looks()[:40]
    examples = [Example((0, e.name), e.features, e.campaign) for e in looks]
    fitted = fit_prior(examples, 2e-3)
    again = fit_prior([examples[at] for at in order for _ in range(times)], 2e-3)
    assert min(fitted.weights.values()) >= 0
    assert again.intercept == pytest.approx(fitted.intercept, abs=0.02)
    assert again.weights == pytest.approx(fitted.weights, abs=0.02)


def test_each_group_is_taken_once_at_its_look_nearest_to_the_wanted_one() -> None:
    (look, *_) = _looks()
    taken = [look._replace(look=at) for at in (0, 2, 3)]
    found = [[each.look for each in nearest_looks(taken, at)] for at in range(6)]
    assert found == [[0], [0], [2], [3], [3], []]
