from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sharing_samples import (
    FACETS,
    HOUR,
    JA4,
    KEY,
    MONTH,
    NOON,
    OTHER_KEY,
    alert,
    histories,
    history,
    labels,
)

from streams.errors import InvalidRecord
from streams.sdk.sharing.campaign_history import CampaignHistory
from streams.sdk.sharing.indicators import (
    KEPT_OUT,
    BundleReport,
    Why,
    read_indicators,
)
from streams.sdk.sharing.sharing_key import SharingKey
from streams.sdk.sharing.stix import stix_bundle
from streams.sdk.sharing.stix_vocabulary import FACET_EXTENSION
from streams.sdk.sharing.tlp import TlpLevel, marking_id

SHARED = FACETS[:-1]  # the last one is a payment
DAY = 24 * HOUR


def exported(found: CampaignHistory, tlp: TlpLevel = "amber") -> bytes:
    return stix_bundle(found, producer="Aurora AI", valid_for=MONTH, key=KEY, tlp=tlp)


def read(bundle: bytes, **changes: Any) -> BundleReport:
    options: dict[str, Any] = {
        "place": "b.json",
        "known": FACETS,
        "key": KEY,
        "now": NOON + DAY,
    }
    return read_indicators(bundle, **options | changes)


def reasons(report: BundleReport) -> set[Why]:
    assert report.watched == ()
    return {each.why for each in report.kept_out}


def changed(change: Callable[[dict[str, Any]], object]) -> bytes:
    """Give a bundle whose indicators were changed by others."""
    bundle = json.loads(exported(history()))
    for each in bundle["objects"]:
        if each["type"] == "indicator":
            change(each)
    return json.dumps(bundle).encode()


@given(histories(), st.lists(labels, max_size=5))
def test_with_the_same_key_exactly_the_shared_facets_are_recognised(
    found: CampaignHistory, others: list[str]
) -> None:
    known = [*found.newest.facets, *others]
    report = read(exported(found), known=known, min_confidence=0)
    shared = {f for f in found.newest.facets if not f.startswith("payment:")}
    assert {each.label for each in report.watched} == shared
    assert (report.kept_out, report.revoked) == ((), ())


@given(histories())
def test_with_another_key_none_is(found: CampaignHistory) -> None:
    bundle = exported(found)
    known = found.newest.facets
    report = read(bundle, known=known, key=OTHER_KEY, min_confidence=0)
    assert reasons(report) <= {"other_key"}
    assert reasons(read(bundle, known=known, key=None, min_confidence=0)) <= {"no_key"}


@given(histories(), st.data())
def test_what_is_not_known_here_is_kept_out(
    found: CampaignHistory, data: st.DataObject
) -> None:
    facets = found.newest.facets
    known = data.draw(st.lists(st.sampled_from(facets), unique=True)) if facets else []
    report = read(exported(found), known=known, min_confidence=0)
    assert {each.label for each in report.watched} <= set(known)
    assert {each.why for each in report.kept_out} <= {"unknown"}
    shared = sum(not facet.startswith("payment:") for facet in facets)
    assert len(report.watched) + len(report.kept_out) == shared


def test_a_facet_is_watched_for_as_long_and_as_surely_as_its_indicator_says() -> None:
    report = read(exported(history()))
    tls = next(each for each in report.watched if each.label == f"tls:{JA4}")
    assert tls.valid_until == NOON + 30 * DAY
    assert (tls.confidence, tls.producer, tls.tlp) == (50, "Aurora AI", "amber")


def test_an_equal_id_of_another_kind_is_not_it() -> None:
    report = read(exported(history()), known=[f"client:{JA4}"])
    assert reasons(report) == {"unknown"}


def test_time_decides() -> None:
    bundle = exported(history())
    assert len(read(bundle, now=NOON).watched) == len(SHARED)
    assert reasons(read(bundle, now=NOON - 1)) == {"not_yet_valid"}
    assert reasons(read(bundle, now=NOON + 30 * DAY)) == {"expired"}


def test_too_little_confidence_is_kept_out() -> None:
    report = read(exported(history()), min_confidence=51)
    assert [each.label for each in report.watched] == ["template_head:00000000000000ff"]
    assert {(each.why, each.detail) for each in report.kept_out} == {
        ("low_confidence", "50 of 51")
    }
    unsure = changed(lambda each: each.pop("confidence"))
    assert reasons(read(unsure)) == {"low_confidence"}


def test_the_mark_decides_how_far_it_may_go() -> None:
    assert len(read(exported(history(), "amber+strict")).watched) == len(SHARED)
    assert reasons(read(exported(history(), "red"))) == {"red"}
    assert reasons(read(changed(lambda each: each.pop("object_marking_refs")))) == {
        "unmarked"
    }


def test_a_revoked_indicator_is_told_whatever_else_it_says() -> None:
    released = history(alert(1), alert(2, kind="campaign_released"))
    report = read(exported(released, "red"), key=None, now=NOON + 365 * DAY)
    assert len(report.revoked) == len(SHARED)
    assert (report.watched, report.kept_out) == ((), ())
    active = read(exported(history()))
    assert {each.stix_id for each in active.watched} == set(report.revoked)


def test_the_last_version_of_an_indicator_counts() -> None:
    early = json.loads(exported(history(alert(1))))
    late = json.loads(exported(history(alert(1), alert(2, kind="campaign_released"))))
    for order in (
        early["objects"] + late["objects"],
        late["objects"] + early["objects"],
    ):
        report = read(json.dumps({**early, "objects": order}).encode())
        assert (len(report.revoked), report.watched) == (len(SHARED), ())


def _extension(each: dict[str, Any]) -> dict[str, Any]:
    extension: dict[str, Any] = each["extensions"][FACET_EXTENSION]
    return extension


MALFORMED: dict[str, Callable[[dict[str, Any]], object]] = {
    "no pattern": lambda each: each.pop("pattern"),
    "a pattern of nothing": lambda each: each.update(pattern="[]"),
    "an id of nothing": lambda each: each.update(id="indicator"),
    "no end": lambda each: each.pop("valid_until"),
    "no time": lambda each: each.update(valid_until="tomorrow"),
    "it ends before it begins": lambda each: each.update(
        valid_until="1999-01-01T00:00:00Z"
    ),
    "a confidence of 300": lambda each: each.update(confidence=300),
    "no digest": lambda each: _extension(each).pop("hmac_sha256"),
    "half a digest": lambda each: _extension(each).update(hmac_sha256="c0ffee"),
    "a kind that is not shared": lambda each: _extension(each).update(kind="payment"),
    "an extension of numbers": lambda each: _extension(each).update(key_id=7),
    "a list for a mark": lambda each: each.update(object_marking_refs=[[]]),
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_indicator_is_kept_out_with_the_reason(
    change: Callable[[dict[str, Any]], object],
) -> None:
    report = read(changed(change))
    assert reasons(report) == {"malformed"}
    assert all(each.detail for each in report.kept_out)


def test_indicators_of_others_are_foreign() -> None:
    def strip(each: dict[str, Any]) -> None:
        del each["extensions"]

    report = read(changed(strip))
    assert reasons(report) == {"foreign"}
    assert len(report.kept_out) == len(SHARED)


def test_one_bad_indicator_does_not_hide_the_good_ones() -> None:
    bundle = json.loads(exported(history()))
    bundle["objects"] += [{"type": "indicator"}, "nothing", {"no": "type"}, None]
    report = read(json.dumps(bundle).encode())
    assert len(report.watched) == len(SHARED)
    assert [each.why for each in report.kept_out] == ["malformed"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "b.json is not JSON"),
        (b"[" * 100_000, "b.json is not JSON"),
        (b"[]", "b.json is not a STIX bundle"),
        (b'{"type": "report"}', "b.json is not a STIX bundle"),
        (b'{"type": "bundle", "objects": {}}', "its objects are no list"),
    ],
)
def test_what_is_no_bundle_is_named(content: bytes, told: str) -> None:
    with pytest.raises(InvalidRecord, match=told):
        read(content)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.data(), json_values)
def test_whatever_a_field_holds_the_rest_is_read(
    data: st.DataObject, value: object
) -> None:
    bundle = json.loads(exported(history()))
    indicators = [each for each in bundle["objects"] if each["type"] == "indicator"]
    name = data.draw(st.sampled_from(sorted(indicators[0])))
    indicators[0][name] = value
    report = read(json.dumps(bundle).encode())
    assert len(report.watched) >= len(SHARED) - 1
    assert all(each.why in KEPT_OUT for each in report.kept_out)


def test_keys_are_told_apart_by_their_ids() -> None:
    report = read(exported(history()), key=OTHER_KEY)
    assert {each.detail for each in report.kept_out} == {
        f"{KEY.key_id}, and yours is {SharingKey(bytes(range(1, 33))).key_id}"
    }


def test_a_mark_in_the_middle_of_foreign_ones_is_found() -> None:
    foreign = "marking-definition--5031b8ce-0b05-4a6e-ad35-89e91a2680c4"

    def mark(each: dict[str, Any]) -> None:
        each["object_marking_refs"] = [foreign, marking_id("green")]

    assert {each.tlp for each in read(changed(mark)).watched} == {"green"}


def test_valid_until_is_read_in_utc() -> None:
    def end(each: dict[str, Any]) -> None:
        each["valid_until"] = "2026-02-01T00:00:00Z"

    expected = int(dt.datetime(2026, 2, 1, tzinfo=dt.UTC).timestamp() * 1000)
    assert {each.valid_until for each in read(changed(end)).watched} == {expected}
