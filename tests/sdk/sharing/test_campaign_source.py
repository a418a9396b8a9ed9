from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer
from sharing_samples import FACETS, action, alert, history

from streams.bus.kafka_settings import producer_settings
from streams.config import Config
from streams.contracts import Action, Alert, encode_record, to_dict
from streams.errors import ConfigError, DistillwatchError, InvalidRecord
from streams.sdk.sharing.campaign_source import (
    campaigns_of_broker,
    campaigns_of_folder,
    facets_of_broker,
)


def write(folder: Path, name: str, *records: Alert | Action) -> None:
    lines = [msgspec.json.encode(to_dict(each)) + b"\n" for each in records]
    (folder / name).write_bytes(b"".join(lines))


def unexpected(told: str) -> None:
    raise AssertionError(told)


def test_a_replay_tells_what_its_records_say(tmp_path: Path) -> None:
    write(tmp_path, "alerts.jsonl", alert(1), alert(2))
    write(tmp_path, "actions.jsonl", action("a", 1), action("a", 2), action("b"))
    with (tmp_path / "actions.jsonl").open("ab") as file:
        file.write(b'{"subject": "account:b", "lifted": true}\n')
    (found,) = campaigns_of_folder(tmp_path).values()
    assert found == history(alert(1), alert(2), actions=(action("a", 2),))


BROKEN: dict[str, Callable[[Path], object]] = {
    "alerts.jsonl: No such file": lambda folder: (folder / "alerts.jsonl").unlink(),
    "alerts.jsonl:2 is no JSON object": lambda folder: (
        folder / "alerts.jsonl"
    ).write_bytes(msgspec.json.encode(to_dict(alert())) + b"\n{{\n"),
    "actions.jsonl:1 is no JSON object": lambda folder: (
        folder / "actions.jsonl"
    ).write_bytes(b"[]"),
    "actions.jsonl:1: Action: Object missing": lambda folder: (
        folder / "actions.jsonl"
    ).write_bytes(b"{}"),
}


@pytest.mark.parametrize("told", BROKEN)
def test_what_is_missing_or_broken_is_named_with_its_place(
    tmp_path: Path, told: str
) -> None:
    write(tmp_path, "alerts.jsonl", alert(1))
    write(tmp_path, "actions.jsonl", action("a"))
    BROKEN[told](tmp_path)
    with pytest.raises(DistillwatchError, match=told) as caught:
        campaigns_of_folder(tmp_path)
    assert isinstance(caught.value, ConfigError | InvalidRecord)


@pytest.mark.broker
def test_a_broker_tells_the_same_and_what_cannot_be_read(topics: str) -> None:
    producer = Producer(producer_settings(Config(bootstrap=topics)))
    for each in (alert(1), alert(2)):
        producer.produce("llm.alerts", encode_record(each), each.campaign_id)
    producer.produce("llm.alerts", b"no alert", "dc-9")
    for act in (action("a", 1), action("b", 1), action("a", 2)):
        producer.produce("llm.actions", encode_record(act), act.subject)
    producer.produce("llm.actions", None, "account:b")
    assert producer.flush(20) == 0
    told: list[str] = []
    (found,) = campaigns_of_broker(topics, on_unreadable=told.append).values()
    assert found == history(alert(1), alert(2), actions=(action("a", 2),))
    assert [each.split(":")[0] for each in told] == ["llm.alerts[0]@2"]
    assert facets_of_broker(topics, on_unreadable=told.append) == set(FACETS)


@pytest.mark.broker
def test_an_empty_broker_has_no_campaign(topics: str) -> None:
    assert campaigns_of_broker(topics, on_unreadable=unexpected) == {}
