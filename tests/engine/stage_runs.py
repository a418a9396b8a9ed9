"""Drives a stage as the shell would: chunks, flushes, crashes, restarts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from event_streams import Record, chunk, lists_of
from hypothesis import strategies as st

from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.model_mix import ModelUses
from streams.contracts.stage_batch import decode_batch
from streams.engine.facet_uses import SUM_COLUMNS, FacetNews
from streams.engine.link_news import LinkNews, MinuteLinks
from streams.engine.stage import Output, Row, Stage
from streams.features.account_row import INFRASTRUCTURE_KINDS

__all__ = [
    "LinkRow",
    "Minutes",
    "Run",
    "Step",
    "UseRow",
    "as_log",
    "interleave",
    "minutes",
    "run",
    "steps",
]

_CRASH_KINDS = 3
_ABOUT = ("minute", "facet", "account", "kind", "name", "model", "count")
_OWN = ("owner", "created", "events", "templated", "likeness", "markers")


class Step(NamedTuple):
    """What the shell does next; ``amount`` is how much, or which way."""

    kind: str
    amount: int


class Run(NamedTuple):
    """What came of it; outputs as sent, so with repeats after a crash."""

    stage: Any
    outputs: list[Output]
    rejected: set[int]
    rows: list[Row]


def steps(*, crashes: bool, most: int = 12) -> st.SearchStrategy[list[Step]]:
    """Draw what the shell does before it takes the rest of the log at once."""
    kinds = ["take", "take", "take", "advance", "flush", "rewind"]
    kinds += ["crash", "crash"] * crashes
    step = st.builds(Step, st.sampled_from(kinds), st.integers(0, 40))
    return lists_of(step, most)


class _Shell:
    def __init__(self, make: Callable[[], Stage], log: Sequence[Record]) -> None:
        self.make, self.log = make, log
        self.stage = make()
        self.at = 0
        self.committed = 0
        self.outputs: list[Output] = []
        self.rejected: set[int] = set()
        self.flushes: list[list[Row]] = []

    def take(self, count: int) -> None:
        some = self.log[self.at : self.at + count]
        self.at += len(some)
        self.rejected.update(r.offset for r in self.stage.take(chunk(some)))

    def advance(self) -> None:
        self.outputs += self.stage.advance()

    def flush(self) -> None:
        self.advance()
        rows = list(self.stage.dirty_rows())
        if rows:
            self.flushes.append(rows)
        self.committed = self.stage.applied_offset

    def rewind(self, count: int) -> None:
        self.at = max(self.at - count, 0)

    def crash(self, way: int) -> None:
        """Lose the stage, perhaps after its outputs and part of a flush were sent."""
        torn: list[Row] = []
        if way % _CRASH_KINDS:
            self.advance()
        if way % _CRASH_KINDS == 2:
            rows = list(self.stage.dirty_rows())
            torn = rows[: min(len(rows) * (way % 5) // 4, len(rows) - 1)]
        self.stage = self.make()
        for rows in self._changelog(compacted=way % 2 == 0, backwards=way % 4 < 2):
            self.stage.restore(rows)
        self.stage.restore(torn)
        self.stage.restored()
        assert self.stage.applied_offset == self.committed
        begin = max(self.committed - way, 0)  # the broker may repeat earlier records
        self.at = sum(record.offset < begin for record in self.log)

    def _changelog(self, *, compacted: bool, backwards: bool) -> Iterable[list[Row]]:
        """Give the rows of the log; their order before their marker is no matter."""
        flushes = self.flushes
        if compacted:
            rows = [row for flush in flushes for row in flush]
            last = {row.key: row for row in rows}
            ordered = dict.fromkeys(row.key for row in reversed(rows))
            flushes = [[last[key] for key in reversed(ordered)]]
        for flush in flushes:
            yield [*flush[:-1][::-1], *flush[-1:]] if backwards else flush


def run(
    make: Callable[[], Stage], log: Sequence[Record], plan: Sequence[Step] = ()
) -> Run:
    """Follow the plan, then take the rest of the log at once and flush."""
    shell = _Shell(make, log)
    for kind, amount in plan:
        match kind:
            case "take":
                shell.take(amount)
            case "advance":
                shell.advance()
            case "flush":
                shell.flush()
            case "rewind":
                shell.rewind(amount)
            case "crash":
                shell.crash(amount)
    shell.take(len(log))
    shell.flush()
    assert not shell.stage.dirty_rows()
    rows = [row for flush in shell.flushes for row in flush]
    return Run(shell.stage, shell.outputs, shell.rejected, rows)


class Minutes(NamedTuple):
    """What the next stage understands: the rows, sorted, and the last closed minute."""

    rows: list[tuple[Any, ...]]
    closed: int


def minutes(outputs: Iterable[Output]) -> dict[int, Minutes]:
    """Read the batches of one source as the next stage does, by its partition."""
    rows: dict[int, list[tuple[Any, ...]]] = {}
    closed: dict[int, int] = {}
    unfinished: dict[int, list[tuple[Any, ...]]] = {}
    for output in outputs:
        assert output.value is not None
        assert output.partition is not None
        at = output.partition
        batch = decode_batch(output.type.rpartition(".")[2], output.value)
        if batch.part == 0:
            unfinished[at] = []
        if output.topic == "llm.facets":
            unfinished[at] += facet_rows(batch.payload)
        else:
            unfinished[at] += link_rows(batch.payload)
        if batch.last:
            known = closed.get(at, -1)
            fresh = [row for row in unfinished.pop(at) if row[0] > known]
            assert all(row[0] <= batch.closed_minute for row in fresh)
            rows.setdefault(at, []).extend(fresh)
            closed[at] = max(known, batch.closed_minute)
    return {at: Minutes(sorted(rows[at]), closed[at]) for at in rows}


def facet_rows(payload: bytes) -> list[tuple[Any, ...]]:
    """Read uses and sums as sortable tuples; a sum has an empty account."""
    return rows_of(FacetNews.read(payload))


def rows_of(news: FacetNews) -> list[tuple[Any, ...]]:
    """List uses and sums as sortable tuples; a sum has an empty account."""
    uses = {name: column.tolist() for name, column in news.uses.items()}
    for name, texts in news.texts.items():
        uses[name] = [texts[number] for number in uses[name]]
    exact, rows = news.exact.tolist(), list[tuple[Any, ...]]()
    own = zip(*(uses[name] for name in _OWN), strict=True)
    used = zip(*(uses[name] for name in INFRASTRUCTURE_KINDS), strict=True)
    about = zip(*(uses[name] for name in _ABOUT), strict=True)
    for of, mine, kinds, count in zip(about, own, used, uses["fillings"], strict=True):
        rows.append((*of, (*mine, kinds), tuple(exact[:count])))
        del exact[:count]
    sums = (news.sums[name].tolist() for name in SUM_COLUMNS)
    for minute, kind, facet, events, accounts in zip(*sums, strict=True):
        rows.append((minute, facet, "", kind, events, accounts))
    return rows


class LinkRow(NamedTuple):
    """What is told of an account's membership in a suspect facet."""

    minute: int
    facet: int
    account: str
    kind: int
    name: str
    degree: int
    samples: int
    distinct: float
    families: int
    owner: int
    created: int
    first: int
    last: int
    count: int
    events: int
    templated: int
    likeness: int
    slots: int
    infrastructure: tuple[int, int, int, int]


class UseRow(NamedTuple):
    """What is told of a minute's uses of a suspect template, or of all traffic."""

    minute: int
    facet: int
    model: str | int
    uses: ModelUses


def link_rows(payload: bytes) -> list[tuple[Any, ...]]:
    """Read links, uses and traffic as sortable tuples; traffic has the facet 0."""
    graph, rows = LinkGraph(), list[tuple[Any, ...]]()
    for told in LinkNews.read(payload).by_minute(graph):
        at = told.minute
        for state, link in _linked(told):
            link["account"] = graph.names[link["account"]]
            state["name"] = graph.facet_names[state.pop("number")]
            link["infrastructure"] = tuple(link["infrastructure"])
            row = LinkRow(at, **state, **link)
            rows.append((at, 0, row.facet, row.account, row))
        for facet, models in told.models.items():
            for name, *uses in models:
                row_ = UseRow(at, facet, name, ModelUses.of([(name, *uses)]))
                rows.append((at, 1, facet, name, row_))
        for model, events in told.traffic:
            row = UseRow(at, 0, model, ModelUses(events))
            rows.append((at, 2, model, "", row))
    return rows


def _linked(told: MinuteLinks) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Give each link with the state of its facet, by the names of their columns."""
    states = {name: column.tolist() for name, column in told.facets.items()}
    begins, ends = states.pop("begin"), states.pop("end")
    own = {name: column.tolist() for name, column in told.links.items()}
    for number, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        for at in range(begin, end):
            state = {name: column[number] for name, column in states.items()}
            yield state, {name: column[at] for name, column in own.items()}


def interleave(
    sources: Sequence[Sequence[Output]], choices: Sequence[int]
) -> list[Output]:
    """Merge the outputs of several sources, each in its own order, as chosen."""
    waiting = [list(outputs) for outputs in sources]
    merged = []
    for choice in choices:
        source = waiting[choice % len(waiting)]
        merged += source[:1]
        del source[:1]
    return merged + [output for source in waiting for output in source]


def as_log(outputs: Iterable[Output], partition: int = 0) -> list[Record]:
    """Make the log of the next stage's partition of what a stage sent."""
    mine = [output for output in outputs if output.partition == partition]
    return [
        Record(offset, output.value, output.timestamp, good=True)
        for offset, output in enumerate(mine)
    ]
