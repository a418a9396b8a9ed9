"""Complaints about a system that runs: a broker, two workers, and their operators."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import town
from pipeline_bench import PipelineBench
from waiting import until

from streams.agents.supervisor import Supervisor
from streams.bus.applied_decisions import AppliedDecisions
from streams.bus.control_log import append_entries
from streams.bus.records_consumer import ReceivedRecord, read_to_end
from streams.cli.heartbeat import heartbeat
from streams.contracts import Action, Alert, ControlEntry, Decision, decode_record
from streams.policy.control_entries import allowlist_entry, mode_entry, release_entry
from streams.sdk import ActionView

WAIT = 240.0  # s; it takes some 20, a loaded machine many times that


class Running:
    """Two workers that have taken in all the events of a town, and go on running."""

    def __init__(
        self, bench: PipelineBench, supervisor: Supervisor, folder: Path
    ) -> None:
        self.bootstrap = bench.config.bootstrap
        self.supervisor = supervisor
        self.members = town.members(folder)
        self.spared = self.members[0]

    def operator(self) -> dict[str, Any]:
        now = int(time.time() * 1000)
        return {"author": "ana", "reason": "tests", "created_at": now}

    def apply(self, *entries: ControlEntry) -> None:
        """Write entries, and wait until the workers have applied them."""
        with AppliedDecisions(self.bootstrap) as applied:
            append_entries(self.bootstrap, entries)
            names = {each.entry_id for each in entries}
            assert applied.wait_for(names, WAIT).keys() == names

    def records(self, topic: str) -> list[ReceivedRecord]:
        return list(read_to_end(self.bootstrap, [topic]))

    def life(self, account: str) -> list[Action | None]:
        """Give all that was published about an account, in order."""
        return [
            decode_record(Action, each.value) if each.value else None
            for each in self.records("llm.actions")
            if each.key == f"account:{account}".encode()
        ]

    def view(self) -> ActionView:
        """Make an enforcer that heeds the workers only."""
        return ActionView(self.bootstrap, allowlist=False)


@pytest.fixture(scope="module")
def running(
    module_topics: str, town_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    bench = PipelineBench(module_topics, tmp_path_factory.mktemp("bench"))
    with ExitStack() as stack:
        supervisor = stack.enter_context(bench.workers(2))
        made = Running(bench, supervisor, town_folder)
        made.apply(
            mode_entry("*", "enforce", **made.operator()),
            allowlist_entry(f"account:{made.spared}", **made.operator()),
        )
        bench.events = bench.events.with_name("now.avro")
        town.move_to_now(town_folder, bench.events)
        bench.send()
        bench.wait_until_published()
        yield made


def test_complaint_01_allowlisted_subjects_are_never_actioned(running: Running) -> None:
    """crowdsec#3656: whitelisted, still banned; #3462: two entries about one IP."""
    assert running.life(running.spared) == []
    told = [
        decode_record(Decision, each.value or b"")
        for each in running.records("llm.decisions")
        if each.key == f"account:{running.spared}".encode()
    ]
    assert {each.kind for each in told} == {"withheld"}
    assert "is allowlisted" in told[0].reason
    # An entry that comes late revokes what stands, at the enforcer too.
    late = running.members[1]
    assert running.life(late)[-1] is not None
    with running.view() as view:
        assert view.wait_ready(WAIT)
        assert view.get(f"account:{late}")
        running.apply(allowlist_entry(f"account:{late}", **running.operator()))
        until(lambda: not view.get(f"account:{late}"), "it still stands")
    assert running.life(late)[-1] is None
    # One subject has one newest record: the lifting or an action, never both.
    newest = {each.key: each.value for each in running.records("llm.actions")}
    assert newest[f"account:{late}".encode()] is None


def test_complaint_02_a_campaign_is_one_alert(running: Running) -> None:
    """crowdsec#4363, detection-rules#6195, kibana#90753: storms and duplicates."""
    alerts = {
        each.alert_id: each
        for record in running.records("llm.alerts")
        if (each := decode_record(Alert, record.value or b""))
    }
    # A heartbeat, which another test of this system sends, is a campaign of its own.
    found = [
        each
        for each in alerts.values()
        if each.kind.startswith("campaign_")
        and not any(name.startswith("heartbeat") for name in each.accounts)
    ]
    assert len({each.campaign_id for each in found}) == 1
    kinds = [each.kind for each in found]
    assert kinds.count("campaign_found") == 1
    assert [each.sequence for each in found] == [*range(1, len(found) + 1)]
    actions = {
        (action.subject, action.sequence)
        for record in running.records("llm.actions")
        if record.value
        for action in [decode_record(Action, record.value)]
    }
    assert len(found) * 20 < len(actions)


def test_complaint_03_a_release_reaches_enforcers_and_stays(running: Running) -> None:
    """cs-haproxy-spoa-bouncer#152: still banned over an hour after the deletion."""
    freed = running.members[2]
    with running.view() as view:
        assert view.wait_ready(WAIT)
        assert view.get(f"account:{freed}")
        running.apply(release_entry(f"account:{freed}", **running.operator()))
        until(lambda: not view.get(f"account:{freed}"), "it still stands")
    life = running.life(freed)
    assert life.count(None) == 1
    assert life[-1] is None


def test_complaint_04_sequences_have_no_gap_and_views_agree(running: Running) -> None:
    """crowdsec#2014, #3373: decisions that exist and are not in the stream."""
    for account in running.members[5:]:
        told = {each.sequence for each in running.life(account) if each}
        assert told == {*range(1, len(told) + 1)}
    with running.view() as one, running.view() as other:
        assert one.wait_ready(WAIT)
        assert other.wait_ready(WAIT)
        until(lambda: one.checksum(0) == other.checksum(0), "they differ")
        assert len(one.actions()) > 30


def test_complaint_08_killed_workers_come_back_and_nobody_is_banned_anew(
    running: Running,
) -> None:
    """fail2ban#1382, #3164, #4117, faust#333, #432: storms, lost or stuck state."""
    before = running.records("llm.actions")
    alerts = len(running.records("llm.alerts"))
    victims = list(running.supervisor.pids)
    assert len(victims) == 2
    for pid in victims:
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
    until(
        lambda: not {*victims, None} & {*running.supervisor.pids}, "nobody comes back"
    )
    # What stands is known again: an entry finds it, and only that is lifted.
    late = running.members[3]
    assert running.life(late)[-1] is not None
    running.apply(allowlist_entry(f"account:{late}", **running.operator()))
    until(lambda: running.life(late)[-1] is None, "the state is lost")
    added = running.records("llm.actions")
    known = {(each.partition, each.offset) for each in before}
    fresh = [each for each in added if (each.partition, each.offset) not in known]
    assert [(each.key, each.value) for each in fresh] == [
        (f"account:{late}".encode(), None)
    ]
    assert len(running.records("llm.alerts")) == alerts + 1  # that it was applied


def test_complaint_10_a_heartbeat_tells_an_armed_pipeline(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    """model-hotel#797: armed and completely broken gave the same empty list."""
    with pytest.raises(SystemExit) as ended:
        heartbeat(within=WAIT, bootstrap=running.bootstrap)
    told = capsys.readouterr()
    assert ended.value.code == 0, told.err
    assert told.out.startswith("armed: 48 exchanges found")
    # Nothing was done to anybody because of it.
    assert not [
        each
        for each in running.records("llm.actions")
        if (each.key or b"").startswith(b"account:heartbeat-")
    ]
