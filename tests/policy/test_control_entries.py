from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.campaigns.link_nodes import FacetNode
from streams.campaigns.link_views import facet_label
from streams.contracts import ControlEntry, decode_record, encode_record
from streams.errors import InvalidRecord
from streams.features.account_row import FACET_KINDS
from streams.policy.control_entries import (
    MAX_REASON_CHARS,
    Subject,
    allowlist_entry,
    closing_entry,
    indicator_entry,
    is_closing,
    label_entry,
    mode_entry,
    parse_subject,
    policy_entry,
    release_entry,
    review_entry,
)

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
WHO: dict[str, Any] = {"author": "ana", "reason": "known", "created_at": NOON}

ids = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=512)
named = ids.filter(str.strip)
hashes = st.text("0123456789abcdef", min_size=16, max_size=24)
owned = st.builds(
    "{}:{}".format, st.sampled_from(["account", "organization", "campaign"]), hashes
)
facets = st.builds("facet:{}:{}".format, st.sampled_from(FACET_KINDS), hashes)
subjects = owned | facets
texts = st.text(min_size=1, max_size=MAX_REASON_CHARS).filter(str.strip)
times = st.integers(0, 1 << 42)


@given(st.sampled_from(["account", "organization", "campaign"]), named)
def test_an_id_may_hold_whatever_requests_may_hold(type_: str, identity: str) -> None:
    text = f"{type_}:{identity}"
    try:
        subject = parse_subject(text)
    except InvalidRecord as error:
        assert "raw secret" in str(error)  # noqa: PT017  few ids are refused
        return
    assert subject == Subject(type_, identity)  # type: ignore[arg-type]
    assert str(subject) == text


@given(st.integers(0, len(FACET_KINDS) - 1), named, st.integers(1, (1 << 64) - 1))
def test_each_facet_that_an_alert_names_is_a_subject(
    kind: int, name: str, facet: int
) -> None:
    for label in (
        facet_label(facet, FacetNode(kind, "", 9, 9, 1.0)),
        facet_label(facet, FacetNode(kind, f"x{name}"[:512], 9, 9, 1.0)),
    ):
        assert parse_subject(f"facet:{label}") == ("facet", label)
        assert parse_subject(f"facet:{label}").rest.startswith(FACET_KINDS[kind])


def test_the_star_is_everybody() -> None:
    assert parse_subject("*") == ("*", "")
    assert str(parse_subject("*")) == "*"


@given(st.text())
def test_whatever_is_typed_is_a_subject_or_refused_with_a_reason(text: str) -> None:
    try:
        assert str(parse_subject(text)) == text
    except InvalidRecord as error:
        assert "subject" in str(error)  # noqa: PT017  both outcomes are good


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "none of the known types; a subject is account:ID"),
        ("7", "none of the known types"),
        ("Account:7", "none of the known types"),
        ("account", "has no ID"),
        ("account:", "has no ID"),
        ("account: ", "has no ID"),
        ("facet:payment", "has no ID; a subject is .*facet:KIND:ID"),
        ("facet:payment:", "has no ID"),
        ("facet:colour:red", "KIND one of template_head, .*, payment$"),
        ("*:x", "none of the known types"),
        ("account:" + "x" * 700, "708 characters is longer than 640"),
    ],
)
def test_what_is_no_subject_is_told_with_what_is_allowed(text: str, told: str) -> None:
    with pytest.raises(InvalidRecord, match=told):
        parse_subject(text)


def test_a_secret_is_not_taken_as_an_id_and_not_repeated() -> None:
    secret = "sk-" + "a1" * 12
    for subject in (f"account:{secret}", f"facet:payment:{secret}"):
        with pytest.raises(InvalidRecord, match="raw secret") as caught:
            parse_subject(subject)
        assert secret not in str(caught.value)


@given(subjects, texts, times, st.integers(1, 1 << 40) | st.none(), st.booleans())
def test_an_allowlist_entry_is_one_for_its_subject_and_goes_over_the_wire(
    subject: str, reason: str, created: int, lasts: int | None, canary: bool
) -> None:
    entry = allowlist_entry(
        subject,
        author="ana",
        reason=reason,
        created_at=created,
        expires_at=None if lasts is None else created + lasts,
        canary=canary,
    )
    assert entry.entry_id == f"allowlist:{subject}"
    assert entry.value == ("canary" if canary else "")
    assert entry.reason == reason.strip()
    assert not is_closing(entry)
    assert decode_record(ControlEntry, encode_record(entry)) == entry


@given(subjects, times, times)
def test_releases_of_different_times_are_different_entries(
    subject: str, first: int, second: int
) -> None:
    made = {
        release_entry(subject, author="a", reason="b", created_at=at).entry_id
        for at in (first, second)
    }
    assert len(made) == len({first, second})


@given(subjects, times)
def test_an_entry_takes_the_place_of_the_earlier_one_of_its_kind(
    subject: str, later: int
) -> None:
    after = WHO | {"created_at": NOON + later, "reason": "other"}
    for first, second in (
        (
            label_entry(subject, "benign", **WHO),
            label_entry(subject, "distillation", **after),
        ),
        (mode_entry(subject, "shadow", **WHO), mode_entry(subject, "enforce", **after)),
        (
            review_entry("a1", subject, "approve", **WHO),
            review_entry("a1", subject, "deny", **after),
        ),
        (policy_entry("a = 1", **WHO), policy_entry("a = 2", **after)),
    ):
        assert first.entry_id == second.entry_id
        assert first.value != second.value


@given(subjects)
def test_kinds_do_not_share_ids(subject: str) -> None:
    made = [
        allowlist_entry(subject, **WHO),
        release_entry(subject, **WHO),
        label_entry(subject, "benign", **WHO),
        mode_entry(subject, "shadow", **WHO),
        review_entry("a1", subject, "deny", **WHO),
        policy_entry("", **WHO),
    ]
    assert len({entry.entry_id for entry in made}) == len(made)
    assert all(entry.entry_id.startswith(entry.kind) for entry in made)


def test_labels_of_two_authors_stand_beside_each_other() -> None:
    one = label_entry("account:1", "benign", **WHO)
    other = label_entry("account:1", "benign", **WHO | {"author": "ben"})
    assert one.entry_id != other.entry_id
    same = label_entry("account:1", "distillation", **WHO | {"author": " ana "})
    assert one.entry_id == same.entry_id


@given(subjects, times)
def test_a_closing_entry_ends_when_it_begins(subject: str, at: int) -> None:
    entry = allowlist_entry(subject, **WHO)
    closing = closing_entry(entry, author="ben", reason=" over ", created_at=at)
    assert is_closing(closing)
    assert (closing.entry_id, closing.subject) == (entry.entry_id, subject)
    assert (closing.author, closing.reason) == ("ben", "over")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"author": " "}, "needs an author"),
        ({"author": "a\nb"}, "no line break"),
        ({"author": "a: b"}, "colon and space"),
        ({"author": "a" * 201}, "at most 200"),
        ({"reason": "\n"}, "allowlist needs a reason"),
        ({"reason": "x" * 2001}, "at most 2000 characters, not 2001"),
        ({"created_at": -1}, "before 1970"),
        ({"expires_at": NOON}, "would expire before it begins"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidRecord, match=told):
        allowlist_entry("account:1", **WHO | changes)


def test_values_and_subjects_that_make_no_sense_are_named() -> None:
    with pytest.raises(InvalidRecord, match="label 'good' is none of benign, distil"):
        label_entry("account:1", "good", **WHO)  # type: ignore[arg-type]
    with pytest.raises(InvalidRecord, match="mode 'off' is none of shadow, enforce"):
        mode_entry("*", "off", **WHO)  # type: ignore[arg-type]
    with pytest.raises(InvalidRecord, match="review 'ok' is none of approve, deny"):
        review_entry("a1", "account:1", "ok", **WHO)  # type: ignore[arg-type]
    with pytest.raises(InvalidRecord, match="id of its action"):
        review_entry("", "account:1", "deny", **WHO)
    with pytest.raises(
        InvalidRecord, match=r"release takes no subject '\*'; .*campaign"
    ):
        release_entry("*", **WHO)
    with pytest.raises(InvalidRecord, match=r"label takes no subject '\*'"):
        label_entry("*", "benign", **WHO)


@given(facets, hashes)
def test_an_indicator_watches_a_facet_and_replaces_its_earlier_version(
    facet: str, stix_id: str
) -> None:
    entry = indicator_entry(stix_id, facet, **WHO, expires_at=NOON + 1)
    assert (entry.kind, entry.subject, entry.value) == ("indicator", facet, stix_id)
    later = indicator_entry(stix_id, facet, **WHO, expires_at=NOON + 2)
    assert later.entry_id == entry.entry_id
    assert decode_record(ControlEntry, encode_record(entry)) == entry


@given(owned)
def test_an_indicator_watches_nothing_but_facets(subject: str) -> None:
    with pytest.raises(InvalidRecord, match="indicator takes no subject"):
        indicator_entry("indicator--1", subject, **WHO, expires_at=NOON + 1)
    with pytest.raises(InvalidRecord, match="needs its STIX id"):
        indicator_entry("", "facet:tls:t13d", **WHO, expires_at=NOON + 1)
