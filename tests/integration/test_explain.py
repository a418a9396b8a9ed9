"""Decisions of real workers on a real broker are explained, and come about again."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer, TopicPartition
from pipeline_bench import PipelineBench

from streams.bus.applied_decisions import AppliedDecisions
from streams.bus.control_log import append_entries
from streams.bus.kafka_settings import admin_client, producer_settings
from streams.bus.records_consumer import read_to_end
from streams.config import Config
from streams.contracts import Action, decode_record
from streams.policy.control_entries import label_entry, mode_entry

_PROGRAM = Path(sys.executable).with_name("distillwatch")
_WAIT = 60.0  # s; only a broken worker needs it

Explain = Callable[..., tuple[int, str, str]]


@pytest.fixture
def explain(topics: str) -> Explain:
    """Return a function that runs ``explain``: exit code, stdout, stderr."""

    def run(*arguments: str) -> tuple[int, str, str]:
        command = [str(_PROGRAM), "explain", *arguments, "--bootstrap", topics]
        done = subprocess.run(  # noqa: S603  our own command line
            command, capture_output=True, text=True, check=False
        )
        return done.returncode, done.stdout, done.stderr

    return run


def _suspended(servers: str) -> Action:
    """Give the newest action on llm.actions that suspends somebody."""
    actions = [
        decode_record(Action, record.value)
        for record in read_to_end(servers, ["llm.actions"])
        if record.value is not None
    ]
    newest = {each.subject: each for each in actions}
    return [each for each in newest.values() if each.rung == "suspend"][-1]


def test_an_operators_question_is_answered_from_the_log(
    topics: str, tmp_path: Path, explain: Explain
) -> None:
    bench = PipelineBench(topics, tmp_path)
    now = time.time_ns() // 1_000_000
    by: dict[str, Any] = {"author": "ana", "created_at": now}
    enforce = mode_entry("*", "enforce", reason="go", **by)
    sent: list[int] = []

    def enforce_in_mid_stream(count: int) -> None:
        if not sent and count >= bench.count // 2:
            sent.append(count)
            append_entries(topics, [enforce])

    with bench.workers(2):
        bench.send(event_hours_per_second=0.5, on_sent=enforce_in_mid_stream)
        bench.wait_until_published()
        action = _suspended(topics)
        assert action.mode == "enforce"
        _is_explained(action, explain)
        label = label_entry(action.subject, "benign", reason="a class", **by)
        with AppliedDecisions(topics) as applied:
            append_entries(topics, [label])
            assert applied.wait_for([label.entry_id], _WAIT)
    code, out, err = explain(action.subject, "--verify")
    assert (code, err) == (0, "")
    assert f"{action.subject} released" in out
    assert "ana: a class" in out
    assert "What would have cleared it" in out
    # Every byte counts; a repeat does not.
    _publish(topics, action.subject, flip=False)
    assert explain(action.subject, "--verify")[0] == 0
    _publish(topics, action.subject, flip=True)
    code, _, err = explain(action.subject, "--verify")
    assert code == 1
    assert "re-computed: NOT identical: Decision" in err
    # The action's own trail ends before.
    code, out, _ = explain(action.action_id, "--verify")
    assert code == 0
    assert "and the action, from" in out
    _forget_the_beginning(topics)
    code, _, err = explain(action.action_id, "--verify")
    assert code == 3
    assert "retention has removed the first 3 records of llm.requests" in err


def _is_explained(action: Action, explain: Explain) -> None:
    code, out, err = explain(action.subject, "--verify", "--json")
    assert code == 0, err
    assert "re-computed: identical" in err
    told = json.loads(out)
    assert told["standing"]["action_id"] == action.action_id
    assert told["own"]["e_value"] == action.evidence.e_value
    modes = [each["mode"] for each in told["timeline"] if each["rung"]]
    assert modes[-1] == "enforce"
    assert told["budget"]["before"] > told["budget"]["after"] > 0
    code, out, _ = explain(action.subject, "--customer")
    assert code == 0
    assert out == "The account is not restricted.\n"  # a person has yet to confirm


def _publish(servers: str, subject: str, *, flip: bool) -> None:
    """Publish the subject's newest decision once more, one bit changed or as it is."""
    value = [
        bytearray(record.value or b"")
        for record in read_to_end(servers, ["llm.decisions"])
        if record.key == subject.encode()
    ][-1]
    place = value.index(b"a class")
    value[place] ^= flip
    producer = Producer(producer_settings(Config(bootstrap=servers)))
    producer.produce("llm.decisions", bytes(value), subject)
    assert producer.flush(20) == 0


def _forget_the_beginning(servers: str) -> None:
    admin = admin_client(servers)
    for done in admin.delete_records([TopicPartition("llm.requests", 0, 3)]).values():
        done.result()
