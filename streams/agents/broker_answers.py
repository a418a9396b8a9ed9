"""Takes whole answers of the broker out of aiokafka's fetcher, as columns.

aiokafka decides what is fetched, checks what came and follows the positions. Its client
is wrapped, so that the bytes of each answer are at hand when it hands over the records;
where they cannot be read as columns, aiokafka's own reader makes them, one by one.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

from aiokafka.consumer.fetcher import READ_UNCOMMITTED, FetchResult
from aiokafka.protocol.fetch import FetchRequest
from faust.types import TP

from streams.bus.record_columns import RecordColumns, read_records

__all__ = ["BrokerAnswers"]

_WORTHWHILE: Final = 1 << 20
"""Bytes that the broker does not wait with. A few records cost as much to take as some
hundreds: answered at once, a worker with little to do would be busy all the time."""

_SMALL: Final = 64 * 1024
"""Bytes of an answer that is taken out of its turn: what stages send each other is
less, and would wait behind some ten thousand requests."""


class BrokerAnswers:
    """Stands for the client of a fetcher, and keeps the last answer per partition.

    ``longest_poll``, in seconds, is how long the broker may wait for more records
    before it answers. Only one request is under way, and partitions that it does not
    ask for wait for its end; Faust sets 1.5 s.
    """

    def __init__(self, fetcher: Any, *, longest_poll: float) -> None:
        self._fetcher = fetcher
        fetcher._fetch_max_wait_ms = max(round(longest_poll * 1000), 1)
        fetcher._fetch_min_bytes = _WORTHWHILE
        self._client = fetcher._client
        self._kept: dict[TP, bytes] = {}
        fetcher._client = self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    async def send(self, node_id: Any, request: Any, **options: Any) -> Any:
        """Send a request; keep what the answer to a fetch brings."""
        answer = await self._client.send(node_id, request, **options)
        if isinstance(request, FetchRequest):
            for topic, partitions in answer.topics:
                for partition, _error, _end, *rest in partitions:
                    self._kept[TP(topic, partition)] = rest[-1]
        return answer

    def take(self, wanted: Container[TP], enough: int) -> dict[TP, RecordColumns]:
        """Take what was fetched for the wanted partitions; ask for more of them.

        After ``enough`` records of large answers only small ones are taken; the others
        come first in the next call. Raises what aiokafka would raise for a partition.
        """
        fetcher = self._fetcher
        taken: dict[TP, RecordColumns] = {}
        count = 0
        for tp in list(fetcher._records):
            result = fetcher._records[tp]
            if tp not in wanted:
                if not fetcher._subscriptions.is_assigned(tp):
                    del fetcher._records[tp]
                continue
            small = len(self._kept.get(tp, b"")) <= _SMALL
            if count >= enough and not small:
                continue
            if isinstance(result, FetchResult):
                columns = self._read(tp, result)
                if columns.offsets:
                    taken[tp] = columns
                    count += 0 if small else len(columns.offsets)
            elif taken:
                break  # the error is for the next call
            del fetcher._records[tp]
            fetcher._notify(fetcher._wait_consume_future)
            if not isinstance(result, FetchResult):
                result.check_raise()
        for tp in self._kept.keys() - fetcher._records.keys():
            del self._kept[tp]
        return taken

    def _read(self, tp: TP, result: Any) -> RecordColumns:
        raw = self._kept.pop(tp, None)
        if raw is not None and result.check_assignment(tp) and result.has_more():
            records = result._partition_records
            if records._isolation_level == READ_UNCOMMITTED:
                read = read_records(bytes(raw), records.next_fetch_offset)
                if read is not None:
                    columns, records.next_fetch_offset = read
                    result._update_position()
                    result._partition_records = None
                    return columns
        found = result.getall()
        return RecordColumns(
            [r.offset for r in found],
            [r.value for r in found],
            [r.timestamp for r in found],
            [r.key for r in found],
            [r.headers for r in found],
        )
