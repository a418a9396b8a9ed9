"""What is told of links travels in parts that fit a record, and comes back the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stage_runs import link_rows

from streams.campaigns.link_graph import LinkGraph
from streams.contracts.column_batch import pack_columns, unpack_columns
from streams.contracts.stage_batch import decode_batch
from streams.engine.link_news import LINK_COLUMNS, LINK_TEXTS, LinkNews
from streams.engine.link_rows import member_links
from streams.errors import UndecodableRecord
from streams.features.account_row import FACET_KINDS
from streams.models.families import FAMILIES

_RECORD_LIMIT = 1_000_000
"""Kafka's default max.message.bytes is a little more than that."""
_BOUNDS = {"kind": len(FACET_KINDS) - 1, "families": 2 ** len(FAMILIES) - 1}


def _numbers(name: str, type_: str) -> st.SearchStrategy[Any]:
    if type_ == "<f8":
        return st.floats(0, 1)
    limits = np.iinfo(type_)
    low = 0 if name == "minute" else int(limits.min)
    return st.integers(low, _BOUNDS.get(name, int(limits.max)))


@st.composite
def _news(draw: st.DrawFn) -> LinkNews:
    tables: dict[str, dict[str, Any]] = {}
    texts: dict[str, list[str]] = {}
    for table, types in LINK_COLUMNS.items():
        rows = draw(st.integers(0, 4))
        for name in LINK_TEXTS[table]:
            texts[name] = draw(st.lists(st.text(), min_size=1, max_size=3, unique=True))
        columns = {
            name: np.array(
                draw(st.lists(_numbers(name, of), min_size=rows, max_size=rows)), of
            )
            for name, of in types.items()
        }
        columns["minute"] %= 6
        for name in LINK_TEXTS[table]:
            number = st.integers(0, len(texts[name]) - 1)
            drawn = draw(st.lists(number, min_size=rows, max_size=rows))
            columns[name] = np.array(drawn, "<u4")
        tables[table] = columns
    return LinkNews(tables, texts)


def _payload(news: LinkNews) -> bytes:
    [output] = member_links(news, source_partition=3, closed_minute=9)
    assert output.value is not None
    batch = decode_batch("MemberLinks", output.value)
    assert (batch.source_partition, batch.closed_minute, batch.last) == (3, 9, True)
    return batch.payload


def _rows(news: LinkNews) -> list[tuple[Any, ...]]:
    """List the rows of all tables with their texts, in no order."""
    rows = []
    for table, columns in news.tables.items():
        lists = {name: column.tolist() for name, column in columns.items()}
        for name in LINK_TEXTS[table]:
            lists[name] = [news.texts[name][number] for number in lists[name]]
        names = sorted(lists)
        of_table = zip(*(lists[name] for name in names), strict=True)
        rows += [(table, *row) for row in of_table]
    return sorted(rows)


@given(_news())
@settings(max_examples=30)
def test_what_is_told_comes_back(news: LinkNews) -> None:
    assert _rows(LinkNews.read(_payload(news))) == _rows(news)


@given(st.lists(_news(), min_size=1, max_size=3), st.integers(-1, 7))
@settings(max_examples=30)
def test_parts_are_joined_and_parted_by_minute(
    parts: list[LinkNews], minute: int
) -> None:
    joined = LinkNews.join(parts)
    assert _rows(joined) == sorted(row for part in parts for row in _rows(part))
    done, rest = joined.split(minute)
    assert sorted(_rows(done) + _rows(rest)) == _rows(joined)
    assert done.latest <= minute
    assert all(told.minute > minute for told in rest.by_minute(LinkGraph()))
    assert bool(done) == bool(_rows(done))


@given(_news())
@settings(max_examples=30)
def test_minutes_are_told_in_order_of_facet_and_account(news: LinkNews) -> None:
    links = news.tables["link"]
    graph = LinkGraph()
    told = list(news.by_minute(graph))
    assert [one.minute for one in told] == sorted({one.minute for one in told})
    assert sum(len(one.links["owner"]) for one in told) == len(links["minute"])
    assert sum(len(one.traffic) for one in told) == len(news.tables["traffic"]["model"])
    for one in told:
        facets = one.facets["facet"].tolist()
        assert facets == sorted(set(facets))
        accounts = [graph.names[at] for at in one.links["account"].tolist()]
        bounds = one.facets["begin"].tolist(), one.facets["end"].tolist()
        keys = [
            (facet, account)
            for facet, begin, end in zip(facets, *bounds, strict=True)
            for account in accounts[begin:end]
        ]
        assert keys == sorted(keys)
        assert len(keys) == len(accounts)


def _many(length: int) -> LinkNews:
    rows = 5000
    columns: dict[str, Any] = {
        name: np.full(rows, 1, of) for name, of in LINK_COLUMNS["link"].items()
    }
    columns["facet"] = np.arange(rows, dtype="<u8")
    columns["account"] = columns["name"] = np.arange(rows, dtype="<u4")
    texts = [f"{number:0{length}}" for number in range(rows)]
    nothing = LinkNews.nothing()
    return LinkNews(
        nothing.tables | {"link": columns},
        nothing.texts | {"account": texts, "name": texts},
    )


@pytest.mark.parametrize("length", [4, 64, 512])
def test_a_large_batch_goes_in_parts_that_fit(length: int) -> None:
    news = _many(length)
    outputs = member_links(news, source_partition=0, closed_minute=9)
    batches = [decode_batch("MemberLinks", o.value) for o in outputs if o.value]
    assert [batch.part for batch in batches] == list(range(len(batches)))
    assert [batch.last for batch in batches] == [*[False] * (len(batches) - 1), True]
    back = LinkNews.join([LinkNews.read(batch.payload) for batch in batches])
    assert _rows(back) == _rows(news)
    sizes = [len(output.value or b"") for output in outputs]
    assert max(sizes) < _RECORD_LIMIT
    assert sum(sizes) > 0.8 * 900_000 * (len(batches) - 1)
    assert len({output.event_id for output in outputs}) == len(outputs)


def test_without_rows_one_record_closes_the_minutes() -> None:
    assert link_rows(_payload(LinkNews.nothing())) == []
    assert not LinkNews.nothing()
    assert LinkNews.nothing().latest == -1


@given(st.binary(max_size=30))
def test_another_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(UndecodableRecord):
        LinkNews.read(payload)


@given(_news(), st.data())
@settings(max_examples=60)
def test_columns_that_do_not_fit_together_are_refused(
    news: LinkNews, data: st.DataObject
) -> None:
    columns = unpack_columns(_payload(news))
    broken = data.draw(st.sampled_from(sorted(columns)))
    match data.draw(st.integers(0, 3)):
        case 0:
            del columns[broken]
        case 1:
            columns[broken] = np.zeros(9, "|i1")
        case 2:
            columns["link_families"] = np.full(
                len(columns["link_minute"]) + 1, 2**31, "<u4"
            )
        case _:
            columns["link_account"] = np.full(
                max(len(columns["link_minute"]), 1), 99, "<u4"
            )
    with pytest.raises(UndecodableRecord):
        LinkNews.read(pack_columns(columns))
