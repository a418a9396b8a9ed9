"""What the facets stages tell of suspect facets, as columns.

*Links* are memberships of accounts in suspect facets: each row is the whole state of
one of them at the end of a minute, not a change to it, so that taking it twice, or only
the newest of many, gives the same result. *Uses* say which models the exchanges of a
suspect template went to in a minute, and *traffic* how many events a minute had by
model, whoever sent them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.model_mix import ToldUses
from streams.contracts.column_batch import Columns, read_columns
from streams.features.account_row import FACET_KINDS, INFRASTRUCTURE_KINDS
from streams.features.segments import run_starts
from streams.models.families import FAMILIES

__all__ = [
    "LINK_COLUMNS",
    "LINK_TEXTS",
    "LinkNews",
    "MinuteLinks",
]

LINK_COLUMNS: Final[Mapping[str, Mapping[str, str]]] = {
    "link": {
        "minute": "<i4",
        "facet": "<u8",
        "kind": "|u1",
        "degree": "<u4",  # accounts that use the facet at all
        "samples": "<u4",
        "distinct": "<f8",  # share of distinct fillings among the samples
        "families": "<u4",  # bit i: the facet is of family i
        "owner": "<u8",  # from here on as in `MEMBER_ROW`
        "created": "<i4",
        "first": "<i4",
        "last": "<i4",
        "count": "<u4",
        "events": "<u4",
        "templated": "<u4",
        "likeness": "<i2",
        "slots": "<u8",
        **dict.fromkeys(INFRASTRUCTURE_KINDS, "<u8"),
    },
    "use": {
        "minute": "<i4",
        "facet": "<u8",
        "count": "<u4",
        "owners": "<u4",
        "owner": "<u8",  # if it was one, else 0
    },
    "traffic": {
        "minute": "<i4",
        "model": "<u8",  # its hash
        "events": "<u4",
    },
}
"""Columns of each table as they travel, besides numbers of texts."""

LINK_TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "link": ("account", "name"),
    "use": ("model",),
    "traffic": (),
}
"""Columns of each table that are numbers of texts; ``name`` is the facet's."""

Column = npt.NDArray[Any]


class MinuteLinks(NamedTuple):
    """All that is told of a minute, in order of facet and account, or of model.

    ``facets`` are the columns of the suspect facets at its end, with the bounds
    ``begin`` and ``end`` of each one's rows in ``links``. Accounts and the ``number``
    of a facet are those of the graph. ``models`` has uses of suspect templates by
    facet, in order of the model; ``traffic`` are pairs of a model's hash and events.
    """

    minute: int
    facets: dict[str, Column]
    links: dict[str, Column]
    models: dict[int, list[ToldUses]]
    traffic: list[tuple[Any, ...]]


class LinkNews(NamedTuple):
    """Rows of whole minutes by table; ``texts`` are what numbers of texts stand for."""

    tables: dict[str, dict[str, Column]]
    texts: dict[str, list[str]]

    @classmethod
    def read(cls, payload: bytes) -> Self:
        """Read a payload; raise `UndecodableRecord` on anything else."""
        return read_columns(payload, cls._of, "links")

    @classmethod
    def _of(cls, columns: Columns) -> Self:
        tables: dict[str, dict[str, Column]] = {}
        texts: dict[str, list[str]] = {}
        for table, types in LINK_COLUMNS.items():
            read = tables[table] = {
                name: _typed(columns[f"{table}_{name}"], type_)
                for name, type_ in types.items()
            }
            for name in LINK_TEXTS[table]:
                texts[name] = list(columns[f"{name}_texts"])
                if not all(type(text) is str for text in texts[name]):
                    raise TypeError(name)
                read[name] = _typed(columns[f"{table}_{name}"], "<u4")
                _check_below(read[name], len(texts[name]))
            if len({len(column) for column in read.values()}) != 1:
                raise ValueError(table)
        _check_below(tables["link"]["kind"], len(FACET_KINDS))
        _check_below(tables["link"]["families"], 1 << len(FAMILIES))
        return cls(tables, texts)

    @property
    def _minutes(self) -> list[Column]:
        return [columns["minute"] for columns in self.tables.values()]

    def __bool__(self) -> bool:
        return any(map(len, self._minutes))

    @property
    def latest(self) -> int:
        """The latest minute of all rows, -1 without any."""
        return max(int(column.max(initial=-1)) for column in self._minutes)

    @staticmethod
    def nothing() -> LinkNews:
        """Give tables without rows, always the same ones."""
        return _NOTHING

    def split(self, minute: int) -> tuple[LinkNews, LinkNews]:
        """Part the rows up to ``minute``, inclusive, from the later ones."""
        if self.latest <= minute:
            return self, self.nothing()
        done = {
            name: columns["minute"] <= minute for name, columns in self.tables.items()
        }
        return self._take(done), self._take({name: ~own for name, own in done.items()})

    def _take(self, chosen: Mapping[str, Column]) -> LinkNews:
        return self._replace(
            tables={
                table: {name: column[chosen[table]] for name, column in columns.items()}
                for table, columns in self.tables.items()
            }
        )

    @classmethod
    def join(cls, parts: Sequence[LinkNews]) -> LinkNews:
        """Join some parts; texts get one table each."""
        if len(parts) == 1:
            return parts[0]
        texts: dict[str, list[str]] = {}
        joined = {
            table: {
                name: np.concatenate([part.tables[table][name] for part in parts])
                for name in types
            }
            for table, types in LINK_COLUMNS.items()
        }
        for table, names in LINK_TEXTS.items():
            for name in names:
                known: dict[str, int] = {}
                numbers = []
                for part in parts:
                    own = [known.setdefault(t, len(known)) for t in part.texts[name]]
                    numbers.append(np.array(own, "<u4")[part.tables[table][name]])
                texts[name] = list(known)
                joined[table][name] = np.concatenate(numbers)
        return cls(joined, texts)

    def by_minute(self, graph: LinkGraph) -> Iterator[MinuteLinks]:
        """Give what is told of each minute, in order, by the numbers of a graph.

        Accounts and facets that it does not know get their numbers in it.
        """
        link = _sorted(self.tables["link"], "facet", _ranks(self.texts, "account"))
        use = _sorted(self.tables["use"], "facet", _ranks(self.texts, "model"))
        traffic = _sorted(self.tables["traffic"], "model")
        infrastructure = [link.pop(kind) for kind in INFRASTRUCTURE_KINDS]
        link["infrastructure"] = np.stack(infrastructure, axis=1)
        facet_begin = run_starts(link["minute"], link["facet"])
        state = {name: link[name][facet_begin] for name in _STATE_COLUMNS}
        state["number"] = self._numbers(graph, state, link["name"][facet_begin])
        state["begin"] = facet_begin
        state["end"] = np.append(facet_begin[1:], len(link["facet"]))
        own = {name: link[name] for name in _OWN_COLUMNS}
        accounts = [graph.number(account) for account in self.texts["account"]]
        own["account"] = np.array(accounts, np.int64)[link["account"]]
        tables = ({"minute": link["minute"][facet_begin]}, link, use, traffic)
        minutes = np.unique(np.concatenate([table["minute"] for table in tables]))
        ends = [np.searchsorted(table["minute"], minutes, "right") for table in tables]
        begins = [np.append(0, end)[:-1] for end in ends]
        cuts = np.stack([minutes, *begins, *ends], axis=1)
        for minute, *cut in cuts.tolist():
            facets, links, uses, events = map(slice, cut[:4], cut[4:])
            about = {name: column[facets] for name, column in state.items()}
            about["begin"] = about["begin"] - links.start
            about["end"] = about["end"] - links.start
            yield MinuteLinks(
                minute,
                about,
                {name: column[links] for name, column in own.items()},
                self._models(use, uses),
                _tuples(traffic, ("model", "events"), events),
            )

    def _numbers(
        self, graph: LinkGraph, state: dict[str, Column], names: Column
    ) -> Column:
        """Give the numbers of the facets of some states."""
        facets, first, which = np.unique(
            state["facet"], return_index=True, return_inverse=True
        )
        texts = [self.texts["name"][name] for name in names[first].tolist()]
        about = facets.tolist(), state["kind"][first].tolist(), texts
        numbers = list(map(graph.facet_number, *about))
        return np.array(numbers, np.int64)[which]

    def _models(self, use: dict[str, Column], rows: slice) -> dict[int, list[ToldUses]]:
        models: dict[int, list[ToldUses]] = {}
        if rows.start == rows.stop:
            return models
        names = map(self.texts["model"].__getitem__, use["model"][rows].tolist())
        told = zip(names, *_lists(use, ("owners", "owner", "count"), rows), strict=True)
        for facet, uses in zip(use["facet"][rows].tolist(), told, strict=True):
            models.setdefault(facet, []).append(uses)
        return models


_STATE_COLUMNS: Final = (
    *("facet", "kind", "degree", "samples", "distinct", "families"),
)
_OWN_COLUMNS: Final = (
    *("account", "owner", "created", "first", "last", "count", "events", "templated"),
    *("likeness", "slots", "infrastructure"),
)


def _typed(column: Any, type_: str) -> Column:
    if column.dtype != np.dtype(type_):
        raise ValueError(type_)
    taken: Column = column
    return taken


def _check_below(column: Column, end: int) -> None:
    if int(column.max(initial=0)) >= max(end, 1):
        raise ValueError("a number is out of range")


def _ranks(texts: Mapping[str, list[str]], name: str) -> tuple[str, Column]:
    """Give the rank of each text of a table, with the column that it is for."""
    table = texts[name]
    ranks = np.zeros(len(table), np.int64)
    ranks[sorted(range(len(table)), key=table.__getitem__)] = np.arange(len(table))
    return name, ranks


def _sorted(
    columns: dict[str, Column], key: str, text: tuple[str, Column] | None = None
) -> dict[str, Column]:
    """Sort a table by minute, ``key`` and the ranks of texts."""
    keys = [columns[key], columns["minute"]]
    if text is not None:
        name, ranks = text
        keys.insert(0, ranks[columns[name]])
    order = np.lexsort(keys)
    return {name: column[order] for name, column in columns.items()}


def _lists(
    columns: dict[str, Column], names: Sequence[str], rows: slice
) -> list[list[Any]]:
    """Give some rows of some columns, column by column."""
    return [columns[name][rows].tolist() for name in names]


def _tuples(
    columns: dict[str, Column], names: Sequence[str], rows: slice
) -> list[tuple[Any, ...]]:
    """Give some rows of some columns as tuples."""
    if rows.start == rows.stop:
        return []
    return list(zip(*_lists(columns, names, rows), strict=True))


_NOTHING: Final = LinkNews(
    {
        table: {
            **{name: np.zeros(0, type_) for name, type_ in types.items()},
            **{name: np.zeros(0, "<u4") for name in LINK_TEXTS[table]},
        }
        for table, types in LINK_COLUMNS.items()
    },
    {name: [] for names in LINK_TEXTS.values() for name in names},
)
