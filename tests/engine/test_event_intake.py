"""From bytes to columns: what is absent, who owns an account, which model."""

from __future__ import annotations

import numpy as np
from event_streams import EPOCH, event

from streams.contracts.codec import encode
from streams.contracts.schemas import schema
from streams.contracts.writers import WriterSchemas
from streams.engine.event_intake import EventIntake
from streams.engine.stage import Chunk
from streams.features.account_row import MODEL_SLOTS
from streams.features.account_table import AccountTable
from streams.features.event_columns import EventColumns
from streams.features.facet_directory import FacetDirectory
from streams.features.stable_hash import stable_hash
from streams.sketch.layout import SKETCH_BYTES

_HOUR = 3_600_000


def _intake() -> EventIntake:
    return EventIntake(AccountTable(), FacetDirectory(), 24 * _HOUR)


def _decode(intake: EventIntake, *events: dict[str, object]) -> EventColumns:
    values = [encode("RequestEvent", fields) for fields in events]
    stamps = [EPOCH * 60_000] * len(values)
    columns, rejected = intake.decode(Chunk(range(len(values)), values, stamps))
    assert columns is not None
    assert rejected == []
    return columns


def test_what_is_absent_has_a_number_of_its_own() -> None:
    nothing = dict.fromkeys(("network", "tls_ja4", "client", "payment"))
    columns = _decode(
        _intake(),
        event(0, EPOCH, 1, **nothing, account_created_at=None, sketch=None),
        event(1, EPOCH, 2, usage_input_tokens=None, sketch=b"\x63" * 88),
    )
    assert columns.infrastructure[0].tolist() == [-1] * 4
    assert (columns.infrastructure[1] >= 0).all()
    assert columns.created_minute.tolist() == [-1, EPOCH - 600]
    assert columns.tokens_in.tolist() == [101, 0]
    assert not columns.templates.any()  # the second is of an unknown sketch version
    assert not columns.exact.any()


def test_the_owner_is_the_organization_or_the_account_itself() -> None:
    columns = _decode(
        _intake(),
        event(0, EPOCH, 1),
        event(1, EPOCH, 2, organization_id="o"),
        event(2, EPOCH, 3, organization_id="o"),
        event(3, EPOCH, 4, organization_id="account-0"),
    )
    assert int(columns.owner[0]) == stable_hash("account:account-0")
    assert columns.owner[1] == columns.owner[2]
    assert len(set(columns.owner.tolist())) == 3


def test_models_share_buckets_by_their_names_in_any_order() -> None:
    names = [f"model-{n}" for n in range(12)]
    one, other = _intake(), _intake()
    _decode(one, *(event(0, EPOCH, 1, request_model=name) for name in names))
    for name in reversed(names):
        _decode(other, event(0, EPOCH, 1, request_model=name))
    assert one.models == names == other.models[::-1]
    assert one.model_bucket.tolist() == other.model_bucket.tolist()[::-1]
    assert one.model_bucket.tolist() == [stable_hash(n) % MODEL_SLOTS for n in names]


def test_a_clock_may_be_ahead_up_to_the_limit() -> None:
    intake = _intake()
    values = [
        encode(
            "RequestEvent", event(0, EPOCH, 0) | {"occurred_at": EPOCH * 60_000 + at}
        )
        for at in (24 * _HOUR, 24 * _HOUR + 1, 0)
    ]
    columns, rejected = intake.decode(Chunk([4, 5, 6], values, [EPOCH * 60_000] * 3))
    assert columns is not None
    assert columns.offset.tolist() == [4, 6]
    assert [refusal.offset for refusal in rejected] == [5]


def test_a_chunk_of_nothing_good_has_no_columns() -> None:
    columns, rejected = _intake().decode(Chunk([1, 2], [None, b"?"], [0, 0]))
    assert columns is None
    assert len(rejected) == 2


def test_a_sketch_of_a_wrong_size_is_refused() -> None:
    values = [
        encode("RequestEvent", event(number, EPOCH, 1, sketch=b"\x01" * size))
        for number, size in enumerate((SKETCH_BYTES - 1, SKETCH_BYTES, 1))
    ]
    columns, rejected = _intake().decode(Chunk([7, 8, 9], values, [EPOCH * 60_000] * 3))
    assert columns is not None
    assert columns.offset.tolist() == [8]
    assert [refusal.offset for refusal in rejected] == [7, 9]
    assert all("sketch" in str(refusal.error) for refusal in rejected)


def test_writers_of_a_registry_are_accepted_and_without_them_refused() -> None:
    value = encode("RequestEvent", event(0, EPOCH, 1), schema_id=7)
    chunk = Chunk([3], [value], [EPOCH * 60_000])
    assert _intake().decode(chunk)[0] is None
    writers = WriterSchemas(
        "RequestEvent", resolver={7: schema("RequestEvent")}.__getitem__
    )
    intake = EventIntake(AccountTable(), FacetDirectory(), 24 * _HOUR, writers)
    columns, rejected = intake.decode(chunk)
    assert columns is not None
    assert rejected == []


def test_hashes_are_the_same_in_every_process() -> None:
    assert stable_hash("model-large") == 15_295_623_770_038_788_386
    assert np.uint64(stable_hash("")) > 0
