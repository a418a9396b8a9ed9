"""From the raw records of a chunk to the numeric columns that the engine keeps.

The first half of a chunk's way: bytes -> checked places of fields -> numbers.
The second half, numbers -> state and outputs, is in `accounts_stage`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from streams.contracts import WriterSchemas
from streams.contracts.byte_column import ByteColumn
from streams.contracts.fields import DecodedFields, decode_fields
from streams.contracts.time_units import MINUTES_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
from streams.engine.stage import Chunk, Rejected
from streams.errors import InvalidRecord
from streams.features.account_row import MODEL_SLOTS
from streams.features.account_table import AccountTable
from streams.features.event_columns import EventColumns
from streams.features.facet_directory import FacetDirectory
from streams.features.key_table import SEED, KeyTable
from streams.features.model_traffic import model_hash
from streams.features.stable_hash import stable_hash, stable_hashes
from streams.sketch.catalogue import CatalogueIndex
from streams.sketch.columns import sketch_columns
from streams.sketch.layout import SKETCH_BYTES, SKETCH_VERSION

__all__ = ["SILENT_MINUTES", "EventIntake"]

_INFRASTRUCTURE_FIELDS: Final = ("network", "tls_ja4", "client", "payment")
_FIELDS: Final = (
    *("occurred_at", "account_id", "organization_id", "account_created_at"),
    *_INFRASTRUCTURE_FIELDS,
    *("request_model", "enforced_action_id", "sketch"),
    *("usage_input_tokens", "usage_output_tokens", "usage_reasoning_output_tokens"),
)

SILENT_MINUTES: Final = 30 * MINUTES_PER_DAY
"""Minutes of silence after which an account or a facet may be forgotten."""


class EventIntake:
    """Decoder of one partition: knows its accounts, facets and models by number.

    ``catalogued`` counts events that used a template of the catalogue, and
    ``strange_keys`` those with a sketch of a key that it was not built with; both are
    for information, as what is delivered again counts again.
    """

    def __init__(
        self,
        accounts: AccountTable,
        directory: FacetDirectory,
        max_future_ms: int,
        writers: WriterSchemas | None = None,
        catalogue: CatalogueIndex | None = None,
    ) -> None:
        self.catalogued = self.strange_keys = 0
        self.accounts = accounts
        self.directory = directory
        self.max_future_ms = max_future_ms
        self._writers = writers
        self._catalogue = catalogue
        self.models: list[str] = []
        self.model_bucket = np.zeros(0, np.int64)
        self.model_hashes = np.zeros(0, np.uint64)
        self._model_numbers = KeyTable()

    def decode(
        self, chunk: Chunk, floor: int = -1
    ) -> tuple[EventColumns | None, list[Rejected]]:
        """Decode a chunk; `EventColumns.minute` is still each event's own minute.

        ``floor`` is the earliest minute in which its events will count. A retriable
        error of the resolver in ``writers`` changes nothing here.
        """
        fields = decode_fields(
            "RequestEvent",
            chunk.values,
            _FIELDS,
            writers=self._writers,
            sketch_bytes=SKETCH_BYTES,
        )
        offsets = np.fromiter(chunk.offsets, np.int64, len(chunk.offsets))
        rejected = [Rejected(int(offsets[at]), error) for at, error in fields.rejected]
        if not len(fields.kept):
            return None, rejected
        offset = offsets[fields.kept]
        occurred = fields.longs["occurred_at"].values
        sent = np.fromiter(chunk.timestamps, np.int64, len(offsets))[fields.kept]
        ahead = occurred - sent
        # Kafka gives -1 where a record has no timestamp: then nothing is known.
        wild = (ahead > self.max_future_ms) & (sent >= 0)
        if wild.any():
            for at in np.flatnonzero(wild).tolist():
                hours = int(ahead[at]) / MS_PER_HOUR
                error = InvalidRecord(
                    f"occurred_at is {hours:.1f} h ahead of the record's timestamp: "
                    f"check the gateway's clock and unit (milliseconds); the limit is "
                    f"the setting max_future"
                )
                rejected.append(Rejected(int(offset[at]), error))
            fields, offset = fields.select(~wild), offset[~wild]
            if not len(offset):
                return None, rejected
        return self._columns(fields, offset, floor), rejected

    def _columns(
        self, fields: DecodedFields, offset: npt.NDArray[np.int64], floor: int
    ) -> EventColumns:
        texts, longs = fields.bytes, fields.longs
        minute = longs["occurred_at"].values // MS_PER_MINUTE
        slot = self.accounts.slots_of(texts["account_id"])
        matrix = texts["sketch"].matrix(SKETCH_BYTES)
        matrix[matrix[:, 0] != SKETCH_VERSION] = 0
        sketch = sketch_columns(matrix)
        templates = np.stack(
            [sketch.head, sketch.tail, sketch.band0, sketch.band1, sketch.system], 1
        )
        if self._catalogue is not None:
            templates, public = self._catalogue.without(templates)
            self.catalogued += int(public.sum())
            strange = ~self._catalogue.epochs[sketch.key_epoch] & (sketch.version > 0)
            self.strange_keys += int(strange.sum())
        infrastructure = np.stack(
            [
                self.directory.numbers_of(kind, texts[field])
                for kind, field in enumerate(_INFRASTRUCTURE_FIELDS)
            ],
            1,
        )
        created, known = longs["account_created_at"]
        return EventColumns(
            offset=offset,
            minute=minute,
            slot=slot,
            owner=self._owners(
                slot, np.maximum.accumulate(np.maximum(minute, floor)), texts
            ),
            created_minute=np.where(known, created // MS_PER_MINUTE, -1),
            refused=texts["enforced_action_id"].present,
            model=self._models(texts["request_model"]),
            tokens_in=np.maximum(longs["usage_input_tokens"].values, 0),
            tokens_out=np.maximum(longs["usage_output_tokens"].values, 0),
            tokens_reasoning=np.maximum(
                longs["usage_reasoning_output_tokens"].values, 0
            ),
            markers=sketch.markers,
            templates=templates,
            shared=np.zeros(templates.shape, bool),
            exact=sketch.exact,
            infrastructure=infrastructure,
        )

    def _owners(
        self,
        slot: npt.NDArray[np.int64],
        minute: npt.NDArray[np.int64],
        texts: Mapping[str, ByteColumn],
    ) -> npt.NDArray[np.uint64]:
        """Hash the owner of accounts without a row, or with one that may be forgotten.

        ``minute`` is the one in which each event counts. Only an account's first event
        of a day gets the owner: no other can begin a row.
        """
        owner = np.zeros(len(slot), np.uint64)
        rows = self.accounts.rows
        unknown = rows["version"][slot] == 0
        unknown |= rows["last_minute"][slot] < minute[-1] - SILENT_MINUTES
        candidates = np.flatnonzero(unknown)
        if not len(candidates):
            return owner
        days = minute[candidates] // MINUTES_PER_DAY - minute[0] // MINUTES_PER_DAY
        key = slot[candidates] * (int(days[-1]) + 1) + days
        _, first = np.unique(key, return_index=True)
        at = candidates[first]
        member = texts["organization_id"].present[at]
        for field, prefix, some in (
            ("organization_id", b"organization:", at[member]),
            ("account_id", b"account:", at[~member]),
        ):
            owner[some] = stable_hashes(texts[field].select(some), prefix=prefix)
        return owner

    def _models(self, names: ByteColumn) -> npt.NDArray[np.int64]:
        numbers, new = self._model_numbers.find_or_number(
            names.hashes(SEED), len(self.models)
        )
        for at in new.tolist():
            name = names.text(at) or ""
            self.models.append(name)
            bucket = stable_hash(name) % MODEL_SLOTS
            self.model_bucket = np.append(self.model_bucket, bucket)
            hashed = np.uint64(model_hash(name))
            self.model_hashes = np.append(self.model_hashes, hashed)
        return numbers
