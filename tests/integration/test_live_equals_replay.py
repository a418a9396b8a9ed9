"""The live run on a real broker publishes what a replay of its events gives."""

from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path

from pipeline_bench import PipelineBench, Published

from streams.contracts import Action, decode_record


def _check(published: Published, replayed: Published) -> None:
    assert published == replayed
    rungs = Counter(
        decode_record(Action, value).rung
        for values in replayed["llm.actions"].values()
        for value in values
        if value
    )
    assert replayed["llm.alerts"]
    # Equal because nothing was decided would prove nothing.
    assert rungs["observe"] == 40
    assert rungs["suspend"]


def test_two_workers_publish_what_a_replay_gives(topics: str, tmp_path: Path) -> None:
    bench = PipelineBench(topics, tmp_path)
    with bench.workers(2):
        bench.send()
        bench.wait_until_published()
    _check(bench.published(), bench.replayed())


def test_a_worker_killed_in_mid_stream_changes_nothing(
    topics: str, tmp_path: Path
) -> None:
    bench = PipelineBench(topics, tmp_path)
    victims: list[int] = []
    with bench.workers(2) as supervisor:

        def kill(sent: int) -> None:
            due = (len(victims) + 1) * bench.count // 3
            pid = supervisor.pids[len(victims) % 2]
            if len(victims) < 2 and sent >= due and pid is not None:
                victims.append(pid)
                os.kill(pid, signal.SIGKILL)

        bench.send(event_hours_per_second=0.3, on_sent=kill)
        bench.wait_until_published()
    assert len(victims) == 2
    _check(bench.published(), bench.replayed())
