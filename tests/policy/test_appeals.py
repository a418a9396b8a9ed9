from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.contracts import ControlEntry, decode_record, encode_record
from streams.errors import InvalidRecord
from streams.policy.appeals import Appeal, AppealState, appeal_entry, read_appeal
from streams.policy.control_entries import release_entry

NOON = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC
HOUR = 3_600_000

words = st.text(min_size=1, max_size=2000).filter(str.strip)
authors = (
    st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), min_size=1)
    .filter(lambda name: name.strip().isprintable() and ": " not in name.strip())
    .map(lambda name: name.strip()[:200].strip())
    .filter(bool)
)
times = st.integers(0, 1 << 42)
states = st.sampled_from(["upheld", "granted"])


def opening(**changes: Any) -> ControlEntry:
    fields = {"author": "jo", "reason": "We grade our models.", "created_at": NOON}
    return appeal_entry("t1", "account:7", "open", **fields | changes)


def deciding(earlier: ControlEntry | None, **changes: Any) -> ControlEntry:
    fields = {"state": "granted", "author": "ana", "reason": "True."}
    fields |= {"created_at": NOON + HOUR}
    return appeal_entry("t1", "account:7", earlier=earlier, **fields | changes)


@given(st.tuples(words, words), st.tuples(authors, authors), times, times, states)
def test_a_decision_keeps_both_sides(
    said: tuple[str, str],
    people: tuple[str, str],
    opened: int,
    decided: int,
    state: AppealState,
) -> None:
    (customer, operator), (jo, ana) = said, people
    first = opening(author=jo, reason=customer, created_at=opened)
    second = deciding(
        first, state=state, author=ana, reason=operator, created_at=decided
    )
    assert second.entry_id == first.entry_id == "appeal:t1"
    second = decode_record(ControlEntry, encode_record(second))
    asked, answered = (" ".join(text.split()) for text in said)
    assert read_appeal(first) == Appeal("t1", "account:7", "open", opened, jo, asked)
    both = ("t1", "account:7", state, opened, jo, asked, decided, ana, answered)
    assert read_appeal(second) == Appeal(*both)


def test_the_reason_is_readable_as_it_is() -> None:
    assert deciding(opening()).reason == (
        "opened 2026-01-01T12:00:00.000Z by jo: We grade our models.\ndecided: True."
    )


def test_a_decision_can_be_corrected_and_still_keeps_the_opening() -> None:
    again = deciding(deciding(opening()), state="upheld", reason="It was not.")
    appeal = read_appeal(again)
    assert (appeal.state, appeal.opened_at) == ("upheld", NOON)
    assert (appeal.words, appeal.decision) == ("We grade our models.", "It was not.")


def test_a_decision_of_somebody_who_kept_no_opening_is_shown_as_it_is() -> None:
    foreign = ControlEntry(
        entry_id="appeal:t1",
        kind="appeal",
        subject="account:7",
        value="upheld",
        author="ben",
        reason="opened long ago by jo: words\ndecided: no",
        created_at=NOON,
    )
    appeal = read_appeal(foreign)
    assert (appeal.opened_at, appeal.words) == (None, "")
    assert appeal.decision == foreign.reason


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(InvalidRecord, match="t1 is not open"):
        deciding(None)
    with pytest.raises(InvalidRecord, match="no opening of appeal t2"):
        appeal_entry(
            "t2",
            "account:7",
            "upheld",
            author="a",
            reason="b",
            created_at=0,
            earlier=opening(),
        )
    with pytest.raises(
        InvalidRecord, match="'closed' is none of open, upheld, granted"
    ):
        deciding(opening(), state="closed")
    with pytest.raises(InvalidRecord, match="appeal needs a reason"):
        opening(reason=" \n ")
    with pytest.raises(InvalidRecord, match="appeal needs a reason"):
        deciding(opening(), reason=" ")
    with pytest.raises(InvalidRecord, match="at most 2000 characters, not 2001"):
        opening(reason="x" * 2001)
    with pytest.raises(InvalidRecord, match="appeal_token of an action"):
        appeal_entry("", "account:7", "open", author="a", reason="b", created_at=0)
    with pytest.raises(InvalidRecord, match="is no appeal"):
        read_appeal(release_entry("account:7", author="a", reason="b", created_at=0))
