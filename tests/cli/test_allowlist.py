from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from control_bench import now

from streams.bus.control_log import append_entries, read_entries
from streams.bus.records_consumer import RecordsConsumer
from streams.contracts import ControlEntry, decode_record
from streams.policy.control_entries import allowlist_entry, is_closing

if TYPE_CHECKING:
    from conftest import Invoke

DAY = 86_400_000


@pytest.mark.broker
def test_a_subject_is_put_on_listed_and_taken_off(topics: str, invoke: Invoke) -> None:
    at = ("--bootstrap", topics)
    before = now()
    code, out, err = invoke(
        "allowlist", "add", "account:7", *("--why", "our own evaluation"),
        *("--owner", "ana", "--expires", "7d", "--canary"), *at,
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert out.startswith("account:7 is on the allowlist until 20")
    assert out.count("\n") == 1
    assert "Undo: distillwatch allowlist remove account:7 --why ..." in out
    (entry,) = read_entries(topics).values()
    assert (entry.entry_id, entry.kind) == ("allowlist:account:7", "allowlist")
    assert (entry.value, entry.author) == ("canary", "ana")
    assert entry.reason == "our own evaluation"
    assert before <= entry.created_at <= now()
    assert entry.expires_at == entry.created_at + 7 * DAY

    assert invoke("allowlist", "add", "*", "--why", "incident", *at)[0] == 0
    code, out, _ = invoke("allowlist", "list", "--json", *at)
    assert code == 0
    first, second = json.loads(out)
    assert (first["subject"], first["canary"], first["expired"]) == (
        "account:7",
        True,
        False,
    )
    assert (second["subject"], second["expires_at"]) == ("*", None)
    shown = invoke("allowlist", "list", *at)[1]
    assert "our own evaluation" in shown
    assert "for good" in shown

    code, out, _ = invoke("allowlist", "remove", "account:7", "--why", "ended", *at)
    assert code == 0
    assert "Undo: distillwatch allowlist add account:7" in out
    assert list(read_entries(topics)) == ["allowlist:*"]


@pytest.mark.broker
def test_who_takes_a_subject_off_and_why_lies_before_the_tombstone(
    topics: str, invoke: Invoke
) -> None:
    at = ("--bootstrap", topics)
    invoke("allowlist", "add", "account:7", "--why", "known", *at)
    said = ("--why", "it was sold", "--author", "ben")
    assert invoke("allowlist", "remove", "account:7", *said, *at)[0] == 0
    with RecordsConsumer(topics, ["llm.control"], from_beginning=True) as consumer:
        _, closing, tombstone = list(consumer.records_to_end())
    entry = decode_record(ControlEntry, closing.value or b"")
    assert is_closing(entry)
    assert (entry.author, entry.reason) == ("ben", "it was sold")
    assert tombstone.key == closing.key == b"allowlist:account:7"
    assert tombstone.value is None


@pytest.mark.broker
def test_an_entry_whose_time_is_over_is_marked(topics: str, invoke: Invoke) -> None:
    old = allowlist_entry(
        "account:[old]",
        author="ana",
        reason="[bold]pilot[/]",
        created_at=now() - 2 * DAY,
        expires_at=now() - DAY,
    )
    append_entries(topics, [old])
    _, shown, _ = invoke("allowlist", "list", "--bootstrap", topics)
    (line,) = (line for line in shown.splitlines() if "pilot" in line)
    assert "account:[old]" in line
    assert "expired" in line
    assert "[bold]pilot[/]" in line
    _, out, _ = invoke("allowlist", "list", "--json", "--bootstrap", topics)
    assert json.loads(out)[0]["expired"] is True


@pytest.mark.broker
def test_what_cannot_be_done_is_told_in_one_line_and_writes_nothing(
    topics: str, invoke: Invoke
) -> None:
    at = ("--why", "x", "--bootstrap", topics)
    for arguments, told in (
        (("add", "user:7"), "InvalidRecord: subject 'user:7' begins with none"),
        (("add", "account:7", "--expires", "soon"), "ConfigError: --expires soon is"),
        (("add", "account:7", "--expires", "2001-01-01"), "would expire before it"),
        (("remove", "account:7"), "account:7 is not on the allowlist; see: "),
    ):
        code, out, err = invoke("allowlist", *arguments, *at)
        assert (code, out) == (1, "")
        assert told in err
        assert err.count("\n") == 1
    assert read_entries(topics) == {}
    code, out, _ = invoke("allowlist", "list", "--bootstrap", topics)
    assert (code, out) == (0, "Nobody is on the allowlist\n")


def test_without_a_reason_nothing_is_written(invoke: Invoke) -> None:
    code, out, err = invoke("allowlist", "add", "account:7")
    assert code != 0
    assert "--why" in out + err
