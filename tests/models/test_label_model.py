from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.label_model import Example, LabelModel, cautious, fit, on_grid

_NAMES = ("always", "old", "young", "share")
_values = st.floats(-1, 1).map(on_grid)
_features = st.dictionaries(st.sampled_from(_NAMES), _values, min_size=1)
_examples = st.lists(
    st.builds(
        Example,
        account=st.integers(0, 10**6).map(str),
        author=st.sampled_from(["ana", "bo"]),
        features=_features,
        prior=st.floats(0, 9).map(on_grid),
        distillation=st.booleans(),
        weight=st.floats(0.05, 1),
    ),
    max_size=12,
    unique_by=lambda each: (each.account, each.author),
)


@given(_examples, _features, st.floats(0, 9).map(on_grid))
@settings(max_examples=50)
def test_a_factor_is_never_above_one_and_never_below_the_least(
    examples: list[Example], features: dict[str, float], prior: float
) -> None:
    model = fit(examples)
    factor = model.factor(features, prior, least=1 / 64)
    assert round(1 / 64, 9) <= factor <= 1
    if len({each.distillation for each in examples}) < 2:
        assert factor == 1


@given(st.floats(0, 1e6), st.floats(0.001, 1))
def test_what_labels_leave_of_an_e_value_is_not_more(
    e_value: float, factor: float
) -> None:
    assert cautious(e_value, factor) <= round(e_value, 6) or factor == 1
    assert cautious(e_value, 1.0) == e_value


@given(_examples, st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_the_order_of_examples_leaves_no_trace(
    examples: list[Example], chance: object
) -> None:
    shuffled = list(examples)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]  # a Random
    assert fit(shuffled) == fit(examples)


def _separable() -> Sequence[Example]:
    return [
        Example(
            str(number),
            "ana",
            {"old": on_grid(0.9 * (number % 2)), "share": on_grid(number / 40)},
            prior=4.0,
            distillation=number % 2 == 0,
        )
        for number in range(40)
    ]


def test_what_looks_like_benign_examples_loses_evidence_and_the_rest_does_not() -> None:
    model = fit(_separable())
    assert model.separates
    assert model.factor({"old": 1.0, "share": 0.5}, 4.0, least=1 / 64) == 1 / 64
    assert model.factor({"share": 0.5}, 4.0, least=1 / 64) == 1.0


def test_labels_that_contradict_each_other_have_no_say() -> None:
    torn = [
        msgspec.structs.replace(each, author="bo", distillation=not each.distillation)
        for each in _separable()
    ]
    model = fit([*_separable(), *torn])
    assert not model.separates
    assert model.factor({"old": 1.0}, 4.0, least=1 / 64) == 1.0


def test_another_process_learns_the_same_bits() -> None:
    code = (
        "import sys, msgspec; from streams.models.label_model import *; "
        "examples = msgspec.json.decode(sys.stdin.buffer.read(), type=list[Example]); "
        "print(msgspec.json.encode(fit(examples)).decode())"
    )
    ended = subprocess.run(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", code],
        input=msgspec.json.encode(list(_separable())),
        capture_output=True,
        check=True,
    )
    assert msgspec.json.decode(ended.stdout, type=LabelModel) == fit(_separable())
