from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ReporterClosed
from streams.sdk.report_ledger import ReportLedger
from streams.sdk.reporter_stats import DropReason, ReporterStats

LIMIT = 5
ENDINGS: dict[str, Callable[[ReportLedger], None]] = {
    "deliver": ReportLedger.deliver,
    "fail": ReportLedger.fail,
    "refuse": ReportLedger.refuse,
    "invalid": lambda ledger: ledger.drop(DropReason.INVALID),
    "closed": lambda ledger: ledger.drop(DropReason.CLOSED),
}


def adds_up(stats: ReporterStats) -> bool:
    settled = stats.delivered + stats.failed + stats.dropped_total
    return stats.reported == settled + stats.buffered


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("report"), st.integers(1, 2 * LIMIT)),
            st.tuples(st.sampled_from(sorted(ENDINGS)), st.just(1)),
        )
    )
)
def test_every_event_is_in_one_count_and_no_more_than_the_limit_wait(
    steps: list[tuple[str, int]],
) -> None:
    ledger = ReportLedger(LIMIT)
    reported = 0
    ends: dict[str, int] = dict.fromkeys(ENDINGS, 0)
    for step, count in steps:
        if step == "report":
            reported += count
            taken = ledger.accept(count)
            ledger.overflow(count - taken)
        elif ledger.waiting:
            ends[step] += 1
            ENDINGS[step](ledger)
        stats = ledger.stats()
        assert 0 <= ledger.waiting == stats.buffered <= LIMIT
        assert stats.reported == reported
        assert adds_up(stats)
        assert stats.delivered == ends["deliver"]
        assert stats.failed == ends["fail"] + ends["refuse"]
        assert stats.dropped.get("invalid", 0) == ends["invalid"]
        assert stats.dropped.get("closed", 0) == ends["closed"]


def test_a_closed_ledger_accepts_nothing_and_keeps_its_first_reason() -> None:
    ledger = ReportLedger(LIMIT)
    assert ledger.accept() == 1
    ledger.close("the first")
    ledger.close("the second")
    with pytest.raises(ReporterClosed, match="the first"):
        ledger.accept()
    assert ledger.stats().reported == 1
