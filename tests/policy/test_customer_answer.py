"""A customer reads reasons in words, and nothing of how they were found."""

from __future__ import annotations

import re
from typing import Any, get_args

import msgspec
import pytest
from explain_samples import CAMPAIGN, MEMBERS, SUBJECT, action, known
from hypothesis import given
from hypothesis import strategies as st

from streams.campaigns.group_features import FEATURES
from streams.campaigns.member_features import MEMBER_FEATURES
from streams.contracts.records import Rung
from streams.engine.campaign_records import REASON_CODES
from streams.models.reference import DETECTORS, load_reference
from streams.policy.customer_answer import (
    REASON_WORDS,
    RUNG_WORDS,
    CustomerAnswer,
    customer_answer,
)
from streams.policy.explain import explain
from streams.policy.policy_file import default_policy

REFERENCE = load_reference()
RUNGS: tuple[Rung, ...] = get_args(Rung)
PUBLIC = {"rung", "until", "reasons", "restricted", "restriction", "how_to_appeal"}


def _answer(**changes: Any) -> CustomerAnswer:
    log = known(stands=action(**changes))
    return customer_answer(explain(SUBJECT, log, REFERENCE))


def test_every_code_and_every_rung_has_words() -> None:
    assert set(REASON_CODES.values()) == set(REASON_WORDS)
    assert set(RUNG_WORDS) == set(RUNGS)
    for words in (*REASON_WORDS.values(), *RUNG_WORDS.values()):
        assert not re.search(r"\d", words)


def test_a_restriction_is_told_with_reasons_end_and_a_way_to_appeal() -> None:
    answer = _answer()
    assert answer.restricted
    assert answer.rung == "throttle"
    assert answer.until == action().expires_at
    assert list(answer.reasons) == ["SHARED_PAYMENT", "COORDINATED_TIMING"]
    assert answer.appeal_token == action().appeal_token
    assert "appeal token" in answer.how_to_appeal


@pytest.mark.parametrize(
    "changes",
    [{"mode": "shadow"}, {"human_review": True}, {"rung": "observe"}],
    ids=str,
)
def test_what_restricts_nobody_is_not_told(changes: dict[str, Any]) -> None:
    free = CustomerAnswer(
        restricted=False, restriction="The account is not restricted."
    )
    assert _answer(**changes) == free


@given(
    rung=st.sampled_from(RUNGS),
    codes=st.lists(st.sampled_from(sorted(REASON_WORDS)) | st.just("NEW_CODE")),
    parameter=st.integers(101, 999),
    sequence=st.integers(1000, 9999),
)
def test_nothing_internal_leaks(
    rung: Rung, codes: list[str], parameter: int, sequence: int
) -> None:
    answer = _answer(
        rung=rung,
        sequence=sequence,
        reason_codes=tuple(codes),
        parameters={"requests_per_minute": str(parameter)},
    )
    told = msgspec.json.encode(answer).decode()
    log = known()
    internal = {
        *(CAMPAIGN, SUBJECT, *MEMBERS, *log.alerts[0].facets, *log.alerts[0].families),
        *(REFERENCE.version, default_policy().version, "default"),
        *(name for decision in log.decisions for name in _names(decision.features)),
        *("e_value", "e-value", "benign", "quantile", "budget", "reference", "score"),
        *(f"{parameter}", f"{sequence}", "requests_per_minute", action().action_id),
        *("21845", "campaign", "detector", "model"),
    }
    # The time of the end and the token are the only figures.
    told = told.replace(str(answer.until), "").replace(str(answer.appeal_token), "")
    assert not re.search(r"\d", told)
    lower = told.lower()
    assert [word for word in sorted(internal) if word.lower() in lower] == []
    fields = set(msgspec.json.decode(msgspec.json.encode(answer)))
    assert fields == PUBLIC | {"appeal_token"}


def _names(features: tuple[object, ...]) -> list[str]:
    return [str(getattr(each, "name", "")) for each in features]


def test_no_feature_is_named_by_its_own_name() -> None:
    words = " ".join((*REASON_WORDS.values(), *RUNG_WORDS.values())).lower().split()
    detectors = {name for name in DETECTORS if name != "template"}
    spoken = {"network", "payment", "client", "software"}
    spoken |= {"young", "even", "templates", "share"}
    named = {*FEATURES, *MEMBER_FEATURES, *detectors} - spoken
    assert named & set(words) == set()
