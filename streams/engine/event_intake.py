"""From the raw records of a chunk to the numeric columns that the engine keeps.

The first half of a chunk's way: bytes -> Avro block -> polars columns -> numbers.
The second half, numbers -> state and outputs, is in `accounts_stage`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from streams.contracts import WriterSchemas, decode_chunk
from streams.engine.stage import Chunk, Rejected
from streams.errors import InvalidRecord
from streams.features.account_row import MODEL_SLOTS
from streams.features.account_table import AccountTable
from streams.features.event_columns import EventColumns
from streams.features.facet_directory import FacetDirectory
from streams.features.stable_hash import stable_hash
from streams.sketch.columns import sketch_columns, sketch_matrix
from streams.sketch.layout import SKETCH_BYTES

__all__ = ["EventIntake"]

MILLISECONDS_PER_MINUTE: Final = 60_000
_INFRASTRUCTURE_FIELDS: Final = ("network", "tls_ja4", "client", "payment")


class EventIntake:
    """Decoder of one partition: knows its accounts, facets and models by number."""

    def __init__(
        self,
        accounts: AccountTable,
        directory: FacetDirectory,
        max_future_ms: int,
        writers: WriterSchemas | None = None,
    ) -> None:
        self.accounts = accounts
        self.directory = directory
        self.max_future_ms = max_future_ms
        self._writers = writers
        self.models: list[str] = []
        self.model_bucket = np.zeros(0, np.int64)
        self._model_numbers: dict[str, int] = {}

    def decode(self, chunk: Chunk) -> tuple[EventColumns | None, list[Rejected]]:
        """Decode a chunk; `EventColumns.minute` is still each event's own minute.

        A retriable error of the resolver in ``writers`` changes nothing here.
        """
        frame, kept, refused = decode_chunk(
            "RequestEvent",
            chunk.values,
            writers=self._writers,
            sketch_bytes=SKETCH_BYTES,
        )
        offsets = np.asarray(chunk.offsets, np.int64)
        rejected = [Rejected(int(offsets[at]), error) for at, error in refused]
        offset = offsets[kept]
        occurred = frame["occurred_at"].to_numpy()
        sent = np.asarray(chunk.timestamps, np.int64)[kept]
        ahead = occurred - sent
        # Kafka gives -1 where a record has no timestamp: then nothing is known.
        wild = (ahead > self.max_future_ms) & (sent >= 0)
        if wild.any():
            for at in np.flatnonzero(wild).tolist():
                hours = int(ahead[at]) / 3_600_000
                error = InvalidRecord(
                    f"occurred_at is {hours:.1f} h ahead of the record's timestamp: "
                    f"check the gateway's clock and unit (milliseconds); the limit is "
                    f"the setting max_future"
                )
                rejected.append(Rejected(int(offset[at]), error))
            frame, offset = frame.filter(pl.Series(~wild)), offset[~wild]
        if not len(offset):
            return None, rejected
        return self._columns(frame, offset), rejected

    def _columns(
        self, frame: pl.DataFrame, offset: npt.NDArray[np.int64]
    ) -> EventColumns:
        account_ids = frame["account_id"].to_list()
        slot = self.accounts.slots(account_ids)
        matrix, _ = sketch_matrix(frame["sketch"])
        sketch = sketch_columns(matrix)
        templates = np.stack(
            [sketch.head, sketch.tail, sketch.band0, sketch.band1, sketch.system], 1
        )
        infrastructure = np.stack(
            [
                self.directory.numbers(kind, frame[field].to_list())
                for kind, field in enumerate(_INFRASTRUCTURE_FIELDS)
            ],
            1,
        )
        created = frame["account_created_at"].fill_null(-MILLISECONDS_PER_MINUTE)
        return EventColumns(
            offset=offset,
            minute=frame["occurred_at"].to_numpy() // MILLISECONDS_PER_MINUTE,
            slot=slot,
            owner=self._owners(slot, account_ids, frame["organization_id"].to_list()),
            created_minute=created.to_numpy() // MILLISECONDS_PER_MINUTE,
            refused=frame["enforced_action_id"].is_not_null().to_numpy(),
            model=self._models(frame["request_model"].to_list()),
            tokens_in=_tokens(frame["usage_input_tokens"]),
            tokens_out=_tokens(frame["usage_output_tokens"]),
            tokens_reasoning=_tokens(frame["usage_reasoning_output_tokens"]),
            markers=sketch.markers,
            templates=templates,
            exact=sketch.exact,
            infrastructure=infrastructure,
        )

    def _owners(
        self,
        slot: npt.NDArray[np.int64],
        account_ids: Sequence[str],
        organizations: Sequence[str | None],
    ) -> npt.NDArray[np.uint64]:
        """Hash the owner of accounts without a row; a known row has its owner."""
        owner = np.zeros(len(slot), np.uint64)
        unknown = np.flatnonzero(self.accounts.rows["version"][slot] == 0)
        for at in unknown.tolist():
            organization = organizations[at]
            owner[at] = stable_hash(
                f"account:{account_ids[at]}"
                if organization is None
                else f"organization:{organization}"
            )
        return owner

    def _models(self, names: Sequence[str]) -> npt.NDArray[np.int64]:
        known = self._model_numbers
        for name in dict.fromkeys(names):
            if name not in known:
                known[name] = len(self.models)
                self.models.append(name)
                bucket = stable_hash(name) % MODEL_SLOTS
                self.model_bucket = np.append(self.model_bucket, bucket)
        return np.array([known[name] for name in names], np.int64)


def _tokens(column: pl.Series) -> npt.NDArray[np.int64]:
    counts: npt.NDArray[np.int64] = column.fill_null(0).to_numpy()
    return np.maximum(counts, 0)
