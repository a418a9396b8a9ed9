"""What libraries do at a first use, done before a worker holds any partition.

Compiled loops are loaded from disk or, the first time on a machine, compiled: seconds
in which the event loop would stand still, and with it heartbeats and other partitions.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import numpy as np

from streams.bus.record_batch import encode_headers, record_batches
from streams.bus.record_columns import byte_column, read_records
from streams.contracts import encode
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.link_news import LINK_COLUMNS, LinkNews
from streams.engine.link_rows import member_links
from streams.engine.replay import Pipeline
from streams.engine.row_block import RowBlock
from streams.engine.stage import Chunk, DirtyRows
from streams.errors import BusError
from streams.features.account_row import FACET_KINDS
from streams.models.reference import GROUP_LOOKS, load_reference

__all__ = ["LOAD_THE_REST_AFTER", "load_the_rest", "warm_up"]

LOAD_THE_REST_AFTER: Final = 5.0
"""Seconds behind a worker's start: the backlog of a start comes first."""

_ACCOUNTS: Final = 64
_LATER: Final = ("river.drift", "river.linear_model")


def warm_up() -> None:
    """Let an engine that nobody keeps take some events, and another take its state."""
    pipeline = Pipeline()
    for minute in range(3):
        pipeline.feed([_event(minute, number) for number in range(_ACCOUNTS)])
        pipeline.flush()
    restored = Pipeline()
    for topic, stages in pipeline.stages.items():
        for stage, copy in zip(stages, restored.stages[topic], strict=True):
            rows = stage.dirty_rows()
            if rows:
                copy.restore(_as_read(rows))
                copy.restored()
    pipeline.close()
    _find_a_campaign(_campaigns(), _campaigns())


def _campaigns() -> CampaignsStage:
    reference = load_reference()
    return CampaignsStage(0, facet_partitions=1, reference=reference, mode="shadow")


def _find_a_campaign(stage: CampaignsStage, copy: CampaignsStage) -> None:
    """Let a stage take a group for a campaign, and another take its state."""
    stage.tests.observer = lambda *_: True
    for minute in range(2):
        told = member_links(_links(minute), source_partition=0, closed_minute=minute)
        values = [output.value for output in told]
        offsets = range(minute * len(values), (minute + 1) * len(values))
        stage.take(Chunk(offsets, values, [0] * len(values)))
        stage.advance()
    copy.restore(_as_read(stage.dirty_rows()))
    copy.restored()
    copy.graph.templates_of("account-0")


def _links(minute: int) -> LinkNews:
    """Tell of accounts that use a template, a network and a payment."""
    kinds = [
        kind
        for kind in (0, FACET_KINDS.index("network"), FACET_KINDS.index("payment"))
        for _ in range(_ACCOUNTS)
    ]
    link: dict[str, Any] = {
        name: np.zeros(len(kinds), of) for name, of in LINK_COLUMNS["link"].items()
    }
    link["minute"] += minute
    link["kind"] += np.array(kinds, "|u1")
    link["facet"] += np.array(kinds, "<u8") + np.uint64(1 + minute * len(FACET_KINDS))
    link["degree"] += _ACCOUNTS
    link["owner"] += np.arange(len(kinds), dtype="<u8") % _ACCOUNTS
    link["count"] += GROUP_LOOKS[0]
    link["account"] = np.arange(len(kinds), dtype="<u4") % _ACCOUNTS
    link["name"] = np.zeros(len(kinds), "<u4")
    texts = [f"account-{number}" for number in range(_ACCOUNTS)]
    nothing = LinkNews.nothing()
    return LinkNews(
        nothing.tables | {"link": link},
        nothing.texts | {"account": texts, "name": [""]},
    )


def load_the_rest() -> None:
    """Load what only few decisions need, and what takes most of a second each."""
    for name in _LATER:
        import_module(name)


def _as_read(rows: DirtyRows) -> RowBlock:
    """Give rows as they come from the broker."""
    tails = [encode_headers([])] * len(rows)
    batches = record_batches(rows.keys, rows.values, tails, 0)
    read = read_records(b"".join(batch._build() for batch in batches), 0)
    if read is None:
        raise BusError("record batches made here cannot be read here")
    return RowBlock(byte_column(read[0].keys), byte_column(read[0].values))


def _event(minute: int, number: int) -> bytes:
    return encode(
        "RequestEvent",
        {
            "event_id": f"{minute}-{number}",
            "occurred_at": minute * MS_PER_MINUTE + number,
            "account_id": f"account-{number % (_ACCOUNTS // 2)}",
            "request_model": "model",
            "network": f"network-{number % 2}",
            "client": "client",
        },
    )
