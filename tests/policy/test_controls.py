"""Entries in force: found by any scope, ended by time or by hand."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import ControlEntry
from streams.features.facet_directory import facet_hash
from streams.features.stable_hash import stable_hash
from streams.policy.control_entries import (
    allowlist_entry,
    checked_entry,
    mode_entry,
    parse_subject,
)
from streams.policy.controls import Controls, Facts, subject_key

_WHO: dict[str, Any] = {"author": "ana", "reason": "tests", "created_at": 0}
_FACTS = Facts(
    "7",
    owner=stable_hash("organization:acme"),
    facets=frozenset({facet_hash("payment", "card"), 255}),
    campaign="dc-1",
)
_COVERING = (
    "account:7",
    "campaign:dc-1",
    "organization:acme",
    "facet:payment:card",
    "facet:template_head:00000000000000ff",
    "*",
)
_OTHERS = (
    "account:8",
    "campaign:dc-2",
    "organization:7",
    "facet:network:card",
    "facet:template_head:00000000000000fe",
)


@pytest.mark.parametrize("subject", _COVERING)
def test_an_allowlist_covers_every_scope(subject: str) -> None:
    controls = Controls()
    entry = allowlist_entry(subject, **_WHO)
    controls.put(entry)
    assert controls.allowlisted(_FACTS, 0) == entry
    assert controls.withdraw(entry.entry_id) == entry
    assert controls.allowlisted(_FACTS, 0) is None
    assert controls.withdraw(entry.entry_id) is None


@pytest.mark.parametrize("subject", _OTHERS)
def test_what_is_about_others_covers_nobody_else(subject: str) -> None:
    controls = Controls()
    controls.put(allowlist_entry(subject, **_WHO))
    controls.put(mode_entry(subject, "enforce", **_WHO))
    assert controls.allowlisted(_FACTS, 0) is None
    assert controls.specific_mode(_FACTS, 0) is None


def test_the_most_specific_mode_wins() -> None:
    controls = Controls()
    for at, subject in enumerate(reversed(_COVERING)):
        mode = ("shadow", "enforce")[at % 2]
        controls.put(mode_entry(subject, mode, **_WHO))  # type: ignore[arg-type] # one of the two
        if subject == "*":
            assert controls.specific_mode(_FACTS, 0) is None
            assert controls.general_mode(0, "enforce") == mode
        elif not subject.startswith("facet"):
            assert controls.specific_mode(_FACTS, 0) == mode


def test_canaries_are_allowlisted_and_known_as_such() -> None:
    controls = Controls()
    controls.put(allowlist_entry("account:7", **_WHO))
    assert not controls.is_canary(_FACTS, 0)
    controls.put(allowlist_entry("organization:acme", canary=True, **_WHO))
    assert controls.is_canary(_FACTS, 0)
    assert controls.allowlisted(_FACTS, 0) is not None


def test_indicators_are_found_by_their_facet() -> None:
    controls = Controls()
    assert not controls.has_indicators
    entry = checked_entry(
        "indicator",
        "indicator:i",
        "facet:payment:card",
        value="i",
        expires_at=60_000 * 5,
        **_WHO,
    )
    controls.put(entry)
    assert controls.has_indicators
    assert list(controls.watched(_FACTS.facets, 4)) == [entry]
    assert list(controls.watched(_FACTS.facets, 5)) == []


_ENTRY = st.builds(
    lambda subject, kind, lasts, name: ControlEntry(
        entry_id=f"{kind}:{name}",
        kind=kind,
        subject=subject,
        value="enforce",
        author="ana",
        reason="tests",
        created_at=0,
        expires_at=lasts and lasts * 60_000,
    ),
    st.sampled_from([*_COVERING, *_OTHERS]),
    st.sampled_from(["allowlist", "mode", "label"]),
    st.none() | st.integers(1, 9),
    st.integers(0, 5),
)


@given(st.lists(_ENTRY | st.sampled_from(["allowlist:0", "mode:1"])), st.integers(0, 9))
def test_the_index_says_what_a_look_through_all_entries_would(
    steps: list[ControlEntry | str], minute: int
) -> None:
    controls, entries = Controls(), dict[str, ControlEntry]()
    for step in steps:
        if isinstance(step, str):
            assert controls.withdraw(step) == entries.pop(step, None)
        else:
            controls.put(step)
            entries[step.entry_id] = step
    assert controls.entries == entries
    held = [
        entry
        for entry in entries.values()
        if entry.expires_at is None or minute * 60_000 < entry.expires_at
    ]
    keys = set(_FACTS.keys())
    about = [one for one in held if subject_key(parse_subject(one.subject)) in keys]
    allowed = [one for one in about if one.kind == "allowlist"]
    assert (controls.allowlisted(_FACTS, minute) in allowed) == bool(allowed)
    labels = {one.entry_id for one in held if one.kind == "label"}
    assert {one.entry_id for one in controls.of_kind("label", minute)} == labels
