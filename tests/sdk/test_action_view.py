from __future__ import annotations

import math
from pathlib import Path

import pytest
from action_samples import HOUR, NOW, action

from streams.errors import ConfigError
from streams.policy.control_entries import allowlist_entry
from streams.sdk import ActionView, Decision
from streams.sdk.decision import NOTHING, actions_checksum
from streams.sdk.view_snapshot import write_snapshot

NOBODY = "127.0.0.1:1"


def test_complaint_8_without_a_broker_the_snapshot_holds_until_its_expiries(
    tmp_path: Path,
) -> None:
    path = tmp_path / "actions"
    long, short = action("account:1"), action("account:2", expires_at=NOW + 10)
    over = action("account:3", expires_at=NOW - 1)
    write_snapshot(
        path, "llm.actions", NOW - 100, {"account:4": 9}, [long, short, over]
    )
    written = path.read_bytes()
    now = NOW / 1000
    with ActionView(NOBODY, snapshot_path=path, clock=lambda: now) as view:
        assert (view.state, view.silent_for) == ("snapshot", math.inf)
        assert view.decide("1") == Decision(long)
        assert view.decide("2") == Decision(short)
        assert view.decide("3") is NOTHING
        assert view.checksum() == actions_checksum([short, long])
        now += 0.010
        assert view.decide("2") is NOTHING
        assert view.checksum() == actions_checksum([long])
        assert view.actions() == [long]
        assert not view.wait_ready(0)
        assert view.stats.state == "snapshot"
    assert view.state == "closed"
    assert view.decide("1") == Decision(long)
    # What was never compared with the topic is not written over.
    assert path.read_bytes() == written


def test_complaint_1_without_a_broker_the_allowlist_of_the_snapshot_holds(
    tmp_path: Path,
) -> None:
    path, now = tmp_path / "actions", NOW / 1000
    entry = allowlist_entry(
        "account:1", author="a", reason="r", created_at=NOW, expires_at=NOW + HOUR
    )
    write_snapshot(path, "llm.actions", NOW, {}, [action()], allowlist=[entry])
    with ActionView(NOBODY, snapshot_path=path, clock=lambda: now) as view:
        assert view.decide("1") == Decision(None, action(), "allowlisted")
        assert view.stats.allowlist == 1
    with ActionView(
        NOBODY, snapshot_path=path, clock=lambda: now, allowlist=False
    ) as view:
        assert view.decide("1") == Decision(action())


def test_a_useless_snapshot_is_told_and_the_view_begins_with_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "actions"
    path.write_bytes(b"something else")
    with ActionView(NOBODY, snapshot_path=path) as view:
        assert view.state == "loading"
        assert view.decide("1") is NOTHING
    assert f"snapshot {path} is of no use: another format" in caplog.text


def test_a_view_hides_its_settings_and_refuses_those_it_needs(tmp_path: Path) -> None:
    secret = {"sasl.password": "correct-horse"}
    with ActionView(
        NOBODY, kafka_settings=secret, snapshot_path=tmp_path / "a"
    ) as view:
        assert repr(view) == ("ActionView('127.0.0.1:1', topic='llm.actions', loading)")
    with pytest.raises(ConfigError, match=r"enable\.partition\.eof is fixed"):
        ActionView(NOBODY, kafka_settings={"enable.partition.eof": False})
    with pytest.raises(ConfigError, match=r"no\.such\.setting"):
        ActionView(NOBODY, kafka_settings={"no.such.setting": 1})
    with pytest.raises(ConfigError, match="max_subjects"):
        ActionView(NOBODY, max_subjects=0)


def test_the_checksum_does_not_depend_on_the_order_and_does_on_what_it_covers() -> None:
    actions = [action(f"account:{number}", number) for number in range(20)]
    told = actions_checksum(actions)
    assert told == actions_checksum(reversed(actions))
    assert len(told) == 32
    for change in (
        {"sequence": 99},
        {"action_id": "other"},
        {"expires_at": NOW + 2 * HOUR},
        {"subject": "account:other"},
    ):
        fields = {"subject": "account:3", "sequence": 3, "action_id": "id-account:3-3"}
        changed = action(**{**fields, **change})
        others = [each for each in actions if each.subject != "account:3"]
        assert actions_checksum([*others, changed]) != told
