from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from control_bench import applied, confirming, publish
from hypothesis import given
from hypothesis import strategies as st

from streams.bus.control_log import read_entries
from streams.cli.control_writes import Writing, parse_expiry, write_entries
from streams.errors import ConfigError
from streams.policy.control_entries import label_entry, mode_entry, policy_entry

if TYPE_CHECKING:
    from conftest import Invoke

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
TICK = dt.timedelta(milliseconds=1)


@pytest.mark.broker
def test_waiting_ends_when_the_workers_have_applied_it(
    topics: str, invoke: Invoke
) -> None:
    at = ("--why", "a lab", "--bootstrap", topics)
    with confirming(topics):
        for verb in (
            ("allowlist", "add", "account:7"),
            ("release", "account:7"),
            ("allowlist", "remove", "account:7"),
        ):
            code, out, err = invoke(*verb, *at, "--wait")
            assert (code, err) == (0, "")
            _, confirmed = out.splitlines()
            assert " applied " in confirmed
            assert verb[0] in confirmed
            assert confirmed.endswith(": a lab")


@pytest.mark.broker
def test_an_entry_that_the_workers_refuse_is_told_by_exit_code_1(
    topics: str, capsys: pytest.CaptureFixture[str]
) -> None:
    who: dict[str, Any] = {"author": "ana", "reason": "x", "created_at": 1}
    entries = [policy_entry("a = 1", **who), mode_entry("*", "shadow", **who)]
    with confirming(topics), pytest.raises(SystemExit, match="1"):
        write_entries(entries, "told", how=Writing(bootstrap=topics, wait=[30]))
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first == "told"
    assert second.endswith(" applied mode:*: x")
    assert err == "refused by the workers: policy: x\n"


@pytest.mark.broker
def test_many_entries_are_confirmed_with_a_count(
    topics: str, capsys: pytest.CaptureFixture[str]
) -> None:
    who: dict[str, Any] = {"author": "ana", "reason": "x", "created_at": 1}
    entries = [label_entry(f"account:{n}", "benign", **who) for n in range(7)]
    with confirming(topics):
        write_entries(entries, "told", how=Writing(bootstrap=topics, wait=[60]))
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 7
    assert lines[-1] == "and 2 more applied"


@pytest.mark.broker
def test_an_entry_that_was_not_applied_in_time_is_told_by_exit_code_4(
    topics: str, invoke: Invoke
) -> None:
    # What was applied before the entry was written confirms nothing.
    publish(topics, "llm.decisions", [applied("allowlist:account:7")])
    at = ("--why", "a lab", "--wait", "0.5", "--bootstrap", topics)
    code, out, err = invoke("allowlist", "add", "account:7", *at)
    assert code == 4
    assert out.count("\n") == 1
    assert err == (
        "not applied within 0.5 s: allowlist:account:7; it stays on llm.control and "
        "counts when the workers read it: do they run?\n"
    )
    assert list(read_entries(topics)) == ["allowlist:account:7"]


@pytest.mark.broker
def test_without_a_broker_nothing_is_promised(invoke: Invoke) -> None:
    for waiting in ((), ("--wait", "1")):
        at = ("--why", "x", "--bootstrap", "127.0.0.1:1", *waiting)
        code, out, err = invoke("release", "account:7", *at)
        assert (code, out) == (1, "")
        assert err.startswith("BrokerUnavailable: no broker answers at 127.0.0.1:1")


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_a_wait_is_longer_than_nothing(invoke: Invoke, seconds: str) -> None:
    code, out, err = invoke("release", "account:7", "--why", "x", f"--wait={seconds}")
    assert code != 0
    assert "--wait" in out + err


@given(st.integers(1, 9999), st.sampled_from("mhd"), st.integers(0, 1 << 42))
def test_a_duration_counts_from_now(count: int, unit: str, now: int) -> None:
    if unit == "d":
        count = min(count, 3650)
    minutes = count * {"m": 1, "h": 60, "d": 1440}[unit]
    assert parse_expiry(f"{count}{unit}", now) == now + minutes * 60_000


@given(st.datetimes())
def test_a_date_without_a_zone_is_in_utc(moment: dt.datetime) -> None:
    utc = moment.replace(tzinfo=dt.UTC)
    found = parse_expiry(moment.isoformat(), 0)
    assert found == parse_expiry(utc.isoformat(), 0)
    assert dt.timedelta(0) <= utc - EPOCH - dt.timedelta(milliseconds=found) < TICK


@given(st.text(max_size=12))
def test_whatever_is_typed_is_a_time_or_refused(text: str) -> None:
    try:
        assert isinstance(parse_expiry(text, 0), int)
    except ConfigError as error:
        assert "--expires" in str(error)  # noqa: PT017  both outcomes are good
