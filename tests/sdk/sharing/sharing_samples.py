"""Campaigns to share, and what Hypothesis makes of them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from hypothesis import strategies as st

from streams.contracts import Action, Alert, Evidence, Feature
from streams.features.account_row import FACET_KINDS
from streams.sdk.sharing.campaign_history import CampaignHistory, campaign_histories
from streams.sdk.sharing.sharing_key import SharingKey

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
HOUR = 3_600_000
MONTH = dt.timedelta(days=30)
KEY = SharingKey(bytes(range(32)))
OTHER_KEY = SharingKey(bytes(range(1, 33)))
JA4 = "t13d1516h2_8daaf6152771_b0da82dd1658"
FACETS = (
    "template_head:00000000000000ff",
    f"tls:{JA4}",
    "network:77ab03",
    "client:python-sdk 1.2",
    "payment:4f1a77ab0355",
)


def alert(sequence: int = 1, **changes: Any) -> Alert:
    fields: dict[str, Any] = {
        "alert_id": f"alert-{sequence}",
        "campaign_id": "dc-a27ec66606bb",
        "sequence": sequence,
        "kind": "campaign_found" if sequence == 1 else "campaign_grown",
        "severity": "critical",
        "occurred_at": NOON + (sequence - 1) * HOUR,
        "started_at": NOON - HOUR,
        "summary": "69 accounts share templates and coordinate",
        "reasons": (
            Feature(name="lockstep.even", value=0.9, benign_quantile=0.99, weight=0.5),
        ),
        "e_value": 320.0,
        "account_count": 69,
        "exchange_count": 101,
        "accounts": ("9f2c51aa00", "9f2c51aa01"),
        "facets": FACETS,
        "families": ("reasoning",),
        "model_version": "2026-11",
    }
    return Alert(**fields | changes)


def action(account: str, sequence: int = 1, **changes: Any) -> Action:
    fields: dict[str, Any] = {
        "action_id": f"{account}/{sequence}",
        "subject": f"account:{account}",
        "sequence": sequence,
        "rung": "throttle",
        "mode": "shadow",
        "issued_at": NOON,
        "expires_at": NOON + HOUR,
        "campaign_id": "dc-a27ec66606bb",
        "evidence": Evidence(e_value=120.0, budget_spent=0.01),
    }
    return Action(**fields | changes)


def history(*alerts: Alert, actions: tuple[Action, ...] = ()) -> CampaignHistory:
    (found,) = campaign_histories(alerts or (alert(),), actions).values()
    return found


# The first letter is in nothing that we write ourselves: a match is a leak.
identifiers = st.text(
    st.characters(min_codepoint=33, max_codepoint=0x2FF, exclude_characters='":\\'),
    min_size=3,
    max_size=40,
).map("\N{OHM SIGN}{}".format)
labels = st.builds("{}:{}".format, st.sampled_from(FACET_KINDS), identifiers)


@st.composite
def histories(draw: st.DrawFn) -> CampaignHistory:
    accounts = draw(st.lists(identifiers, max_size=5, unique=True))
    facets = draw(st.lists(labels, max_size=20, unique=True))
    made = alert(
        kind=draw(st.sampled_from(["campaign_found", "campaign_merged"])),
        severity=draw(st.sampled_from(["info", "warning", "critical"])),
        e_value=draw(st.floats(min_value=0)),
        account_count=draw(st.integers(0, 10**9)),
        exchange_count=draw(st.integers(0, 10**12)),
        accounts=tuple(accounts),
        facets=tuple(facets),
        summary=f"accounts {accounts} and facets {facets}",
        reasons=tuple(
            Feature(name=f"indicator.{name}", value=1, benign_quantile=1, weight=1)
            for name in facets
        ),
    )
    taken = draw(st.lists(st.sampled_from(accounts), unique=True)) if accounts else []
    rungs = st.sampled_from(["observe", "throttle", "suspend"])
    return history(made, actions=tuple(action(a, rung=draw(rungs)) for a in taken))
