from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from streams.agents.changelog_topics import ensure_changelogs
from streams.agents.placed_stage import place_stages
from streams.bus.kafka_settings import admin_client
from streams.cli.run import run
from streams.config import Config
from streams.errors import BrokerUnavailable, TopicMismatch


def test_without_a_broker_it_says_how_to_start_one() -> None:
    with pytest.raises(BrokerUnavailable, match="distillwatch broker up"):
        run(bootstrap="127.0.0.1:1")


def test_missing_topics_are_named_with_the_way_out(broker: str) -> None:
    config = Config(bootstrap=broker, app_id="lonely")
    stage = place_stages(config)[0]._replace(input_topic="llm.nowhere")
    with pytest.raises(TopicMismatch, match="distillwatch topics apply"):
        ensure_changelogs(config, [stage])


def test_other_partitions_than_the_changelog_has_are_refused(topics: str) -> None:
    config = Config(bootstrap=topics, app_id="resized")
    accounts, facets, *_ = place_stages(config)
    ensure_changelogs(config, [accounts])
    ensure_changelogs(config, [accounts])  # a second time changes nothing
    with pytest.raises(TopicMismatch, match="resized-accounts-changelog has 8"):
        ensure_changelogs(config, [facets._replace(name="accounts")])


def test_it_runs_until_told_to_stop(topics: str) -> None:
    command = [sys.executable, "-c", "from streams.cli import main; main()", "run"]
    with subprocess.Popen(  # noqa: S603 - our own command
        command,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"DISTILLWATCH_BOOTSTRAP": topics},
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
    assert line.startswith("worker 0 ready: ")
    for part in ("llm.requests 0,1,2,3,4,5,6,7", "llm.facets 0,1,2,3", "llm.links 0"):
        assert part in line
    names = admin_client(topics).list_topics(timeout=10).topics
    assert "distillwatch-campaigns-changelog" in names
