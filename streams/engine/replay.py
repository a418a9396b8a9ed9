"""The whole pipeline in one process, without a broker.

The same stage objects that the agents drive, fed with the same bytes, partitioned by
the same murmur2: a replay gives the actions of the live run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final, NamedTuple, cast

from streams.config import Config
from streams.contracts import WriterSchemas
from streams.contracts.fields import decode_fields
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.accounts_stage import AccountsStage
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.control_stage import ControlRecord, forward
from streams.engine.murmur2 import partition_of
from streams.engine.stage import Chunk, Output, Rejected, Stage
from streams.engine.stages import STAGES, Topology
from streams.policy.policy import Policy

__all__ = ["Pipeline", "ScheduledEntry", "flushes", "history_batches", "replay"]

_PLACING_FIELDS: Final = ("account_id", "occurred_at")
"""What a record's partition and timestamp are made of."""
_BATCH: Final = 20_000
"""Events between two flushes: large batches of minutes are cheaper to apply."""


class ScheduledEntry(NamedTuple):
    """An entry (None: its withdrawal) that takes effect ``after`` a minute."""

    after: int
    entry_id: str
    value: bytes | None


class Pipeline:
    """All partitions of all stages, wired to each other in memory."""

    def __init__(
        self,
        config: Config | None = None,
        topology: Topology | None = None,
        writers: WriterSchemas | None = None,
        *,
        policy: Policy | None = None,
    ) -> None:
        config = config or Config()
        self.topology = topology or Topology.shipped()
        self.stages: dict[str, list[Stage]] = {
            spec.input_topic: [
                spec.make(partition, self.topology, config, writers)
                for partition in range(count)
            ]
            for spec, count in zip(STAGES, self.topology, strict=True)
        }
        if policy is not None:
            for stage in self.stages["llm.links"]:
                cast(CampaignsStage, stage).use_policy(policy)
        self.rejected: list[Rejected] = []
        self.internal_records = 0
        self.internal_bytes = 0
        self._writers = writers
        self._ends = {topic: [0] * len(stages) for topic, stages in self.stages.items()}

    def feed(self, values: list[bytes], timestamps: list[int] | None = None) -> None:
        """Append RequestEvent records to llm.requests, each to its partition.

        Without timestamps every record is as old as its event.
        """
        decoded = decode_fields(
            "RequestEvent", values, _PLACING_FIELDS, writers=self._writers
        )
        kept = decoded.kept.tolist()
        home = [0] * len(values)
        if kept:
            partitions = self.topology.request_partitions
            for at, key in zip(kept, decoded.bytes["account_id"].texts(), strict=True):
                home[at] = partition_of(key or "", partitions)
        if timestamps is None:
            timestamps = [0] * len(values)
            if kept:
                times = decoded.longs["occurred_at"].values.tolist()
                for at, time in zip(kept, times, strict=True):
                    timestamps[at] = time
        parts: list[tuple[list[bytes], list[int]]] = [
            ([], []) for _ in range(self.topology.request_partitions)
        ]
        for at, value in enumerate(values):
            records, stamps = parts[home[at]]
            records.append(value)
            stamps.append(timestamps[at])
        for partition, (records, stamps) in enumerate(parts):
            self._append("llm.requests", partition, records, stamps)

    def feed_history(self, records: Sequence[tuple[bytes, int | None]]) -> None:
        """Append records with their Kafka timestamps, None for all of a file."""
        stamps = [stamp for _, stamp in records if stamp is not None]
        values = [value for value, _ in records]
        self.feed(values, stamps if len(stamps) == len(records) else None)

    def _append(
        self, topic: str, partition: int, values: list[bytes], timestamps: list[int]
    ) -> None:
        if not values:
            return
        end = self._ends[topic][partition]
        offsets = range(end, end + len(values))
        self._ends[topic][partition] += len(values)
        stage = self.stages[topic][partition]
        self.rejected += stage.take(Chunk(offsets, values, timestamps))

    @property
    def catalogued(self) -> tuple[int, int]:
        """Count events with a catalogued template, and with a key it does not have."""
        stages = self.stages["llm.requests"]
        intakes = [cast(AccountsStage, stage).intake for stage in stages]
        return (
            sum(intake.catalogued for intake in intakes),
            sum(intake.strange_keys for intake in intakes),
        )

    def schedule(self, entries: Iterable[ScheduledEntry]) -> None:
        """Let operators' entries take effect, each after its minute of event time.

        A live run tells these minutes on llm.decisions, in the records of kind applied.
        """
        for offset, entry in enumerate(entries):
            record = ControlRecord(offset, entry.entry_id, entry.value, entry.after)
            output = forward(record, max(entry.after, 0) * MS_PER_MINUTE)
            self._append(output.topic, 0, [output.value or b""], [output.timestamp])

    def flush(self) -> list[Output]:
        """Run every stage as far as its closed minutes allow; give what leaves."""
        leaving: list[Output] = []
        for stages in self.stages.values():
            for stage in stages:
                for output in stage.advance():
                    if output.topic in self.stages and output.value is not None:
                        self.internal_records += 1
                        self.internal_bytes += len(output.value)
                        partition = output.partition or 0
                        values, times = [output.value], [output.timestamp]
                        self._append(output.topic, partition, values, times)
                    else:
                        leaving.append(output)
        return leaving

    def close(self) -> list[Output]:
        """End the stream like an idle one: close up to the last open minute."""
        sources = self.stages["llm.requests"]
        minutes = [s.open_minute for s in sources if s.open_minute is not None]
        for stage in sources:
            stage.close_idle(max(minutes, default=0) - 1)
        return self.flush()


def history_batches(
    history: Iterable[tuple[bytes, int | None]],
) -> Iterator[list[tuple[bytes, int | None]]]:
    """Cut records with their Kafka timestamps into batches for `Pipeline`."""
    source = iter(history)
    while batch := list(islice(source, _BATCH)):
        yield batch


def flushes(
    history: Iterable[tuple[bytes, int | None]], pipeline: Pipeline
) -> Iterator[tuple[int, list[Output]]]:
    """Run records through the pipeline; after each batch give its size and outputs.

    The last one, of 0 records, is what the end of the stream gives.
    """
    for batch in history_batches(history):
        pipeline.feed_history(batch)
        yield len(batch), pipeline.flush()
    yield 0, pipeline.close()


def replay(
    values: Iterable[bytes],
    pipeline: Pipeline,
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> Iterator[Output]:
    """Run events through the pipeline; yield alerts and actions as they arise.

    ``progress`` is told how many more events are done.
    """
    for count, outputs in flushes(((value, None) for value in values), pipeline):
        yield from outputs
        progress(count)
