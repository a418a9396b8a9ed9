from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.models.label_model import MAX_EXAMPLES, on_grid
from streams.policy.label_book import (
    BENIGN,
    DISTILLATION,
    LabelBook,
    LabelledAccount,
    LabelRecord,
)

_HONEST = ("ana", "bo", "cy")
_PRIOR = 4.0


def _account(number: int, *, old: bool, evident: bool = True) -> LabelledAccount:
    features = {"old": on_grid(0.9 * old), "share": on_grid(number % 40 / 40)}
    return LabelledAccount(f"a{number}", features, _PRIOR, "observe", evident)


def _label(
    number: int, value: str, author: str, *, old: bool | None = None, place: int = 0
) -> LabelRecord:
    """Old accounts are ordinary, unless ``old`` says what the account is."""
    is_old = value == BENIGN if old is None else old
    subject = f"account:a{number}"
    return LabelRecord(
        f"label:{subject}:{author}",
        subject,
        author,
        value,
        place or number,
        0,
        [_account(number, old=is_old)],
    )


def _book(labels: Iterable[LabelRecord]) -> LabelBook:
    book = LabelBook()
    for label in labels:
        book.put(label)
    return book


def _right(count: int) -> list[LabelRecord]:
    values = (BENIGN, DISTILLATION)
    return [_label(n, values[n // 3 % 2], _HONEST[n % 3]) for n in range(count)]


_labels = st.builds(
    _label,
    st.integers(0, 9),
    st.sampled_from([BENIGN, DISTILLATION]),
    st.sampled_from(["ana", "bo"]),
    old=st.booleans(),
    place=st.integers(1, 99),
)


def test_without_labels_nothing_is_lowered() -> None:
    assert LabelBook().factor({"old": 1.0}, prior=_PRIOR) == 1.0
    assert _book(_right(3)).factor({"old": 1.0}, prior=_PRIOR) == 1.0


@given(st.lists(_labels, max_size=8), st.lists(_labels, max_size=4))
@settings(max_examples=40)
def test_what_is_withdrawn_leaves_no_trace(
    kept: list[LabelRecord], gone: list[LabelRecord]
) -> None:
    ids = {each.entry_id for each in gone}
    kept = [each for each in kept if each.entry_id not in ids]
    book = _book([*kept, *gone])
    assert 0 < book.factor({"old": 1.0}, prior=_PRIOR) <= 1
    for entry_id in ids:
        book.withdraw(entry_id)
    assert book.model == _book(kept).model
    assert book.least_factor == _book(kept).least_factor
    assert book.records == _book(kept).records


def test_each_author_lowers_evidence_by_a_factor_of_eight_at_most() -> None:
    one = [_label(n, (BENIGN, DISTILLATION)[n % 2], "ana") for n in range(20)]
    assert _book(one).factor({"old": 1.0}, prior=_PRIOR) == 1 / 8
    assert _book(_right(40)).factor({"old": 1.0}, prior=_PRIOR) == round(1 / 512, 9)


def test_one_author_weighs_a_quarter_at_most() -> None:
    book = _book([*_right(120), *(_label(n, BENIGN, "dan") for n in range(200, 500))])
    weights = {each.author: 0.0 for each in book._examples()}
    for each in book._examples():
        weights[each.author] += each.weight
    assert weights["dan"] / sum(weights.values()) == pytest.approx(0.25)
    alone = _book(_label(n, BENIGN, "dan") for n in range(100))
    assert sum(each.weight for each in alone._examples()) == pytest.approx(25)


def test_accounts_that_people_label_differently_teach_nothing() -> None:
    torn = [_label(1, BENIGN, "ana"), _label(1, DISTILLATION, "bo", old=True)]
    assert _book(torn).taught == 0
    ((other, accounts),) = _book(torn).conflicts(torn[0])
    assert (other, accounts) == ("bo", ["a1"])


def _compared(labels: Iterable[LabelRecord]) -> tuple[LabelBook, list[str]]:
    book, found = LabelBook(), []
    for label in labels:
        book.put(label)
        odd = book.compare(label.author)
        if odd is not None:
            book.dispute(odd.author, 0)
            found.append(odd.author)
        book.settle(label)
    return book, found


def test_who_contradicts_all_others_stands_out_and_teaches_nothing() -> None:
    lies = [_label(n, BENIGN, "mallory", old=False) for n in range(200, 206)]
    book, found = _compared([*_right(90), *lies])
    assert found == ["mallory"]
    assert book.model == _book(_right(90)).model
    assert _compared(_right(200))[1] == []


def test_between_two_authors_nobody_stands_out() -> None:
    lies = [_label(n, BENIGN, "mallory", old=False) for n in range(200, 230)]
    mine = [_label(n, (BENIGN, DISTILLATION)[n % 2], "ana") for n in range(60)]
    assert _compared([*mine, *lies])[1] == []


def test_a_dispute_ends_when_others_bear_it_out_or_the_labels_go() -> None:
    lies = [_label(n, BENIGN, "mallory", old=False) for n in range(200, 206)]
    book, _ = _compared([*_right(90), *lies])
    for at in range(3):
        assert "mallory" in book.disputes.since
        said = _label(200 + at, BENIGN, "ana", old=False)
        book.put(said)
        book.settle(said)
    assert "mallory" not in book.disputes.since
    book, _ = _compared([*_right(90), *lies])
    for lie in lies:
        book.withdraw(lie.entry_id)
        book.settle(lie)
    assert "mallory" not in book.disputes.since


def _more(count: int) -> list[LabelRecord]:
    values = (BENIGN, DISTILLATION)
    return [_label(500 + n, values[n // 3 % 2], _HONEST[n % 3]) for n in range(count)]


def test_a_lone_author_against_the_evidence_is_told_of() -> None:
    labels = [_label(n, BENIGN, "mallory") for n in range(25)]
    assert _book(labels[:24]).unsupported("mallory") is None
    dispute = _book(labels).unsupported("mallory")
    assert dispute is not None
    assert dispute.accounts == 25
    # Others who say enough decide by what they teach.
    assert _book([*labels, *_more(90)]).unsupported("mallory") is None
    borne = [_label(n, BENIGN, "ana") for n in range(5)]
    assert _book([*labels, *borne]).unsupported("mallory") is None


def test_the_oldest_labels_go_when_there_are_too_many() -> None:
    book = _book(_label(n, BENIGN, "ana") for n in range(MAX_EXAMPLES + 3))
    assert book.overflow() == [f"label:account:a{n}:ana" for n in range(3)]
    assert book.overflow() == []
    assert len(book.records) == MAX_EXAMPLES


def test_an_alert_is_news_once_a_day() -> None:
    book = LabelBook()
    told = [book.is_news("ana", day) for day in (5, 5, 6, 4)]
    assert told == [True, False, True, False]
