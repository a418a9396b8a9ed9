from __future__ import annotations

from typing import Any

import pytest
from confluent_kafka import Producer

from streams.bus.kafka_settings import producer_settings
from streams.bus.published_actions import find_token, standing_actions
from streams.config import Config
from streams.contracts import Action, Evidence, encode_record

NOW = 1_767_268_800_000  # 2026-01-01 12:00:00 UTC


def action(subject: str, sequence: int = 1, **changes: Any) -> Action:
    fields: dict[str, Any] = {
        "action_id": f"{subject}/{sequence}",
        "subject": subject,
        "sequence": sequence,
        "rung": "throttle",
        "mode": "shadow",
        "issued_at": NOW - 100 + sequence,
        "expires_at": NOW + 1,
        "campaign_id": "dc-1",
        "evidence": Evidence(e_value=99.0, budget_spent=0.01),
        "appeal_token": f"token of {subject}",
    }
    return Action(**fields | changes)


def publish(bootstrap: str, *records: Action | tuple[str, bytes | None]) -> None:
    producer = Producer(producer_settings(Config(bootstrap=bootstrap)))
    for each in records:
        if isinstance(each, Action):
            each = each.subject, encode_record(each)  # noqa: PLW2901  one form for both
        key, value = each
        producer.produce("llm.actions", value, key)
    assert producer.flush(20) == 0


@pytest.mark.broker
def test_what_stands_is_the_newest_of_each_subject_that_has_not_expired(
    topics: str,
) -> None:
    newest = [action(f"account:{n}", 2 + n) for n in range(20)]
    publish(
        topics,
        *[action(f"account:{n}") for n in range(20)],
        *reversed(newest),
        action("account:lifted"),
        ("account:lifted", None),
        action("account:over", expires_at=NOW),
        ("account:bad", b"no action"),
    )
    found = standing_actions(topics, NOW)
    assert list(found.items()) == [(each.subject, each) for each in newest]


@pytest.mark.broker
def test_a_token_is_found_on_its_newest_action_even_when_that_was_lifted(
    topics: str,
) -> None:
    publish(
        topics,
        action("account:1"),
        action("account:1", 2),
        ("account:1", None),
        action("account:2", campaign_id="token of account:3"),
        action("account:4", appeal_token=None),
        ("account:5", b"token of account:5"),
    )
    assert find_token(topics, "token of account:1") == action("account:1", 2)
    for unknown in ("token of account", "token of account:3", "", "token of account:5"):
        assert find_token(topics, unknown) is None
