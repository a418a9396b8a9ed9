"""Uses and sums are parted by minute and joined again without losing any."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_runs import rows_of

from streams.contracts.column_batch import pack_columns
from streams.engine.facet_uses import SUM_COLUMNS, USE_COLUMNS, FacetNews

_TEXTS = ("account", "name", "model")


def _column(draw: st.DrawFn, name: str, type_: str, rows: int) -> Any:
    most = {"fillings": 3, "minute": 5, "sum_minute": 5}.get(name, 99)
    drawn = draw(st.lists(st.integers(0, most), min_size=rows, max_size=rows))
    return np.array(drawn, type_)


@st.composite
def _news(draw: st.DrawFn) -> FacetNews:
    uses, sums = draw(st.integers(0, 5)), draw(st.integers(0, 3))
    columns: dict[str, Any] = {}
    if uses:
        columns |= {
            name: _column(draw, name, of, uses) for name, of in USE_COLUMNS.items()
        }
        fillings = int(columns["fillings"].sum())
        columns["exact"] = np.arange(100, 100 + fillings, dtype="<u8")
        for name in _TEXTS:
            texts = draw(st.lists(st.text(), min_size=1, max_size=8, unique=True))
            number = st.integers(0, len(texts) - 1)
            drawn = draw(st.lists(number, min_size=uses, max_size=uses))
            columns |= {name: texts, f"{name}_number": np.array(drawn, "<u4")}
    if sums:
        columns |= {
            name: _column(draw, name, of, sums) for name, of in SUM_COLUMNS.items()
        }
    return FacetNews.read(pack_columns(columns))


def _minutes(news: FacetNews) -> list[int]:
    return [*news.uses["minute"].tolist(), *news.sums["sum_minute"].tolist()]


@given(_news(), st.integers(-1, 6))
@settings(max_examples=60)
def test_rows_are_parted_by_minute(news: FacetNews, minute: int) -> None:
    done, rest = news.split(minute)
    parted = rows_of(done) + rows_of(rest)
    assert sorted(parted, key=repr) == sorted(rows_of(news), key=repr)
    assert all(each <= minute for each in _minutes(done))
    assert all(each > minute for each in _minutes(rest))
    assert (bool(done), bool(rest)) == (bool(rows_of(done)), bool(rows_of(rest)))


@given(_news())
@settings(max_examples=60)
def test_the_first_and_the_last_minute_are_told(news: FacetNews) -> None:
    assert news.latest == max(_minutes(news), default=-1)
    if news:
        assert news.earliest == min(_minutes(news))


@given(st.lists(_news(), min_size=1, max_size=3), st.integers(0, 5))
@settings(max_examples=60)
def test_what_is_left_of_parts_is_joined_with_its_own_texts(
    parts: list[FacetNews], minute: int
) -> None:
    left = [rest for rest in (part.split(minute)[1] for part in parts) if rest]
    if not left:
        return
    joined = FacetNews.join(left)
    assert rows_of(joined) == _in_order(left)
    for name in _TEXTS:
        used = {joined.texts[name][number] for number in joined.uses[name].tolist()}
        few = len(left) > 1 and all(
            len(part.uses[name]) < len(part.texts[name]) for part in left
        )
        assert used <= set(joined.texts[name])
        assert not few or used == set(joined.texts[name])


def _in_order(parts: list[FacetNews]) -> list[tuple[Any, ...]]:
    """List the uses of all parts before their sums, as a joined part has them."""
    rows = [row for part in parts for row in rows_of(part)]
    return sorted(rows, key=lambda row: row[2] == "" and len(row) == _SUM_FIELDS)


_SUM_FIELDS = 6
"""Of a sum's row in `rows_of`; a use's has two more."""
