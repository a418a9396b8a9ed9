from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from ocsf import OCSF_VERSION as REFEREE_VERSION
from ocsf.events.findings.detection import DetectionFinding
from sharing_samples import (
    HOUR,
    JA4,
    KEY,
    NOON,
    action,
    alert,
    histories,
    history,
)

from streams.sdk.sharing.campaign_history import CampaignHistory
from streams.sdk.sharing.ocsf import OCSF_VERSION, ocsf_finding
from streams.sdk.sharing.sharing_key import SharingKey
from streams.sdk.sharing.stix import campaign_object_id


def exported(found: CampaignHistory, key: SharingKey | None = KEY) -> dict[str, Any]:
    finding: dict[str, Any] = json.loads(
        ocsf_finding(found, producer="Aurora AI", key=key)
    )
    return finding


def unknown(ours: Any, theirs: Any, place: str = "finding") -> list[str]:
    """Name what we wrote and the referee's model has no place for."""
    if isinstance(ours, dict):
        if not isinstance(theirs, dict):
            return [place]
        return [
            each
            for name, value in ours.items()
            for each in (
                unknown(value, theirs[name], f"{place}.{name}")
                if name in theirs
                else [f"{place}.{name}"]
            )
        ]
    if isinstance(ours, list):
        pairs = zip(ours, theirs, strict=True)
        return [e for one, other in pairs for e in unknown(one, other, f"{place}[]")]
    return []


@given(histories())
def test_the_referee_takes_every_field(found: CampaignHistory) -> None:
    finding = exported(found)
    model = DetectionFinding.model_validate(finding)
    assert unknown(finding, model.model_dump(mode="json")) == []
    derived = ("type_uid", "type_name", "category_name")
    for name in derived:
        assert finding[name] == getattr(model, name)
    assert REFEREE_VERSION == OCSF_VERSION == finding["metadata"]["version"]


@given(histories())
def test_no_raw_id_of_an_account_or_a_facet_is_in_it(found: CampaignHistory) -> None:
    text = json.dumps(exported(found), ensure_ascii=False)
    for raw in (*found.newest.accounts, *found.newest.facets):
        assert (raw.partition(":")[2] or raw) not in text


def test_it_says_what_is_known() -> None:
    suspended = action("9f2c51aa01", rung="suspend", mode="enforce", human_review=True)
    finding = exported(history(actions=(action("9f2c51aa00"), suspended)))
    assert (finding["class_uid"], finding["type_uid"]) == (2004, 200401)
    assert (finding["severity"], finding["severity_id"]) == ("Critical", 5)
    assert (finding["confidence"], finding["confidence_score"]) == ("High", 76)
    assert (finding["status"], finding["risk_level"]) == ("New", "Critical")
    assert finding["risk_details"] == (
        "Actions by mode and rung: 1 enforce suspend, 1 shadow throttle."
    )
    (attack,) = finding["finding_info"]["attacks"]
    assert attack["sub_technique"]["uid"] == "AML.T0024.002"
    assert finding["metadata"]["correlation_uid"] == campaign_object_id(
        "dc-a27ec66606bb", "Aurora AI"
    )
    assert (finding["start_time"], finding["time"]) == (NOON - HOUR, NOON)
    assert finding["resources"] == [
        {
            "type": "account",
            "uid": KEY.keyed("account", "9f2c51aa00"),
            "labels": ["rung:throttle", "mode:shadow"],
        },
        {
            "type": "account",
            "uid": KEY.keyed("account", "9f2c51aa01"),
            "labels": ["rung:suspend", "mode:enforce", "human_review"],
        },
    ]
    group, *facets = (each["data"] for each in finding["evidences"])
    assert group["features"] == [
        {"name": "lockstep.even", "value": 0.9, "benign_quantile": 0.99, "weight": 0.5}
    ]
    assert [each["facet_kind"] for each in facets] == [
        "template_head",
        "tls",
        "network",
        "client",
    ]
    assert facets[1]["hmac_sha256"] == KEY.keyed("tls", JA4)


@pytest.mark.parametrize(
    ("severity", "expected"),
    [("info", (1, 0)), ("warning", (3, 2)), ("critical", (5, 4))],
)
def test_severity_and_risk_follow_the_alert(
    severity: str, expected: tuple[int, int]
) -> None:
    finding = exported(history(alert(severity=severity)))
    assert (finding["severity_id"], finding["risk_level_id"]) == expected


@pytest.mark.parametrize(
    ("e_value", "confidence"), [(1.0, "Low"), (60.0, "Medium"), (300.0, "High")]
)
def test_confidence_follows_the_e_value(e_value: float, confidence: str) -> None:
    assert exported(history(alert(e_value=e_value)))["confidence"] == confidence


def test_an_update_and_a_release_are_activities_of_the_same_finding() -> None:
    first = exported(history(alert(1)))
    grown = exported(history(alert(1), alert(2)))
    released = exported(history(alert(1), alert(2, kind="campaign_released")))
    states = [(f["activity_name"], f["status"]) for f in (first, grown, released)]
    assert states == [("Create", "New"), ("Update", "New"), ("Close", "Suppressed")]
    assert len({f["finding_info"]["uid"] for f in (first, grown, released)}) == 1
    assert grown["finding_info"]["created_time"] == NOON


def test_without_a_key_it_holds_counts_only() -> None:
    finding = exported(history(), key=None)
    assert finding["resources"] == []
    (group,) = finding["evidences"]
    assert group["data"]["accounts"] == 69


def test_equal_input_gives_equal_bytes() -> None:
    one, other = (ocsf_finding(history(), producer="a", key=KEY) for _ in range(2))
    assert one == other
