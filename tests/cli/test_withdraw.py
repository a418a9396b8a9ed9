from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from streams.bus.control_log import append_entries, read_entries
from streams.bus.records_consumer import RecordsConsumer
from streams.contracts import ControlEntry, decode_record
from streams.policy.appeals import appeal_entry
from streams.policy.control_entries import (
    allowlist_entry,
    is_closing,
    label_entry,
    mode_entry,
    policy_entry,
    release_entry,
    review_entry,
)

if TYPE_CHECKING:
    from conftest import Invoke

WHO: dict[str, Any] = {"author": "ana", "reason": "known", "created_at": 1}


@pytest.mark.broker
def test_every_entry_but_a_release_can_be_taken_back_by_its_id(
    topics: str, invoke: Invoke
) -> None:
    entries = [
        allowlist_entry("account:a b", **WHO),
        appeal_entry("t1", "account:1", "open", **WHO),
        label_entry("account:1", "benign", **WHO),
        mode_entry("*", "shadow", **WHO),
        policy_entry("a = 1", **WHO),
        review_entry("id-1", "account:1", "deny", **WHO),
    ]
    release = release_entry("account:1", **WHO)
    append_entries(topics, [*entries, release])
    said = ("--why", "a mistake", "--author", "ben", "--bootstrap", topics)
    for entry in entries:
        code, out, err = invoke("withdraw", entry.entry_id, *said)
        assert (code, err) == (0, "")
        assert out.startswith(f"{entry.entry_id} of ana is withdrawn: ")
        assert out.count("\n") == 1
    code, out, err = invoke("withdraw", release.entry_id, *said)
    assert (code, out) == (1, "")
    assert "a release cannot be taken back" in err
    assert list(read_entries(topics).values()) == [release]
    with RecordsConsumer(topics, ["llm.control"], from_beginning=True) as consumer:
        records = list(consumer.records_to_end())[len(entries) + 1 :]
    for entry, closing, tombstone in zip(
        entries, records[::2], records[1::2], strict=True
    ):
        closed = decode_record(ControlEntry, closing.value or b"")
        assert (closed.entry_id, closed.author) == (entry.entry_id, "ben")
        assert is_closing(closed)
        assert (tombstone.key, tombstone.value) == (closing.key, None)
