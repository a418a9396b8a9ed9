"""What the later stages share: batches of closed minutes from several sources in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from streams.contracts.stage_batch import StageBatch, decode_batch
from streams.engine.minute_inbox import MinuteInbox
from streams.engine.stage import Chunk, Rejected
from streams.errors import ContractError, UndecodableRecord

__all__ = ["BatchStage"]


class BatchStage(ABC):
    """A stage whose records are batches of closed minutes from several sources.

    A subclass names its ``record`` and decodes payloads to what its inbox takes.
    """

    record: ClassVar[str]

    def __init__(self, partition: int, inbox: MinuteInbox) -> None:
        self.partition = partition
        self._inbox = inbox
        self._sent_minute = -1

    @property
    def applied_offset(self) -> int:
        """Offset of the first record that is not yet wholly in the state."""
        return self._inbox.applied_offset

    @property
    def open_minute(self) -> int | None:
        """One past the latest minute that any source has closed."""
        return self._inbox.open_minute

    def close_idle(self, minute: int) -> None:
        """Do nothing: minutes close by what the stage before says."""
        del minute

    def take(self, chunk: Chunk) -> list[Rejected]:
        """Decode a chunk of batches and buffer its rows."""
        rejected = []
        for offset, value in zip(chunk.offsets, chunk.values, strict=True):
            if offset < self._inbox.next_offset:
                continue
            try:
                if value is None:
                    raise UndecodableRecord(f"there are no tombstones of {self.record}")
                self._receive(offset, decode_batch(self.record, value))
            except ContractError as error:
                self._inbox.skip(offset)
                rejected.append(Rejected(offset, error))
        return rejected

    def _receive(self, offset: int, batch: StageBatch) -> None:
        """Buffer a batch."""
        self._inbox.add(offset, batch, self._decode(batch.payload))

    @abstractmethod
    def _decode(self, payload: bytes) -> list[Any]:
        """Decode the payload of a batch; raise a `ContractError` on anything else."""
