from __future__ import annotations

import pytest
from action_samples import action

from streams.sdk.crowdsec.decision import DecisionMaker
from streams.sdk.crowdsec.decision_filter import DecisionFilter


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({}, True),
        ({"scopes": ""}, True),
        ({"scopes": "ip,Range"}, True),
        ({"scopes": "account"}, False),
        ({"scope": "IP"}, True),
        ({"scope": "range"}, False),
        ({"origins": "crowdsec,Distillwatch"}, True),
        ({"origins": "crowdsec,CAPI"}, False),
        ({"scenarios_containing": "ssh, C-1"}, True),
        ({"scenarios_containing": "ssh"}, False),
        ({"scenarios_not_containing": "ssh"}, True),
        ({"scenarios_not_containing": "ssh,distillwatch/c"}, False),
        ({"type": "ban"}, True),
        ({"type": "captcha"}, False),
        ({"scopes": "ip", "type": "ban", "unknown": "x"}, True),
        ({"scopes": "ip", "type": "captcha"}, False),
    ],
)
def test_a_decision_is_wanted_if_it_meets_all_criteria(
    query: dict[str, str], wanted: bool
) -> None:
    decision = DecisionMaker().make(action("facet:network:192.0.2.1"))
    assert decision is not None
    assert DecisionFilter.from_query(query).wants(decision) is wanted
