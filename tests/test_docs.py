from __future__ import annotations

import itertools
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.partitioner import DefaultPartitioner
from confluent_kafka import Producer

from streams.bus.cloudevents import parse
from streams.bus.records_consumer import RecordsConsumer
from streams.cli import app
from streams.contracts import decode, encode, load_topics
from streams.policy.policy_file import parse_policy
from streams.sketch import Sketch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BOOTSTRAP = "127.0.0.1:9092"
NOW = 1_760_000_000_000
IN_A_CENTURY = 4_900_000_000_000
PATIENCE = 60.0  # s after which an example that says nothing is ended


def fenced(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def example(name: str) -> str:
    pattern = rf"<!-- example: {name} -->\n```python\n(.*?)^```$"
    (code,) = re.findall(pattern, README, re.DOTALL | re.MULTILINE)
    return str(code)


def command_line(code: str, bootstrap: str) -> list[str]:
    assert BOOTSTRAP in code
    return [sys.executable, "-W", "error", "-c", code.replace(BOOTSTRAP, bootstrap)]


def test_the_tables_are_what_the_code_says() -> None:
    done = subprocess.run(  # noqa: S603  our own file
        [sys.executable, ROOT / "tests/docs/readme_tables.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"run `make docs`:\n{done.stdout}{done.stderr}"


@pytest.mark.broker
def test_the_example_of_a_producer_works(topics: str) -> None:
    done = subprocess.run(  # noqa: S603  the code of our own page
        command_line(example("report"), topics),
        env=os.environ | {"SKETCH_KEY": "00" * 32},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "delivered=1" in done.stdout
    with RecordsConsumer(topics, ["llm.requests"], from_beginning=True) as consumer:
        record = next(consumer.records())
    assert record.value is not None
    event = decode("RequestEvent", record.value)
    assert record.key == event["account_id"].encode()
    partitions = list(range(load_topics()["llm.requests"].partitions))
    partitioner = DefaultPartitioner()
    assert record.partition == partitioner(record.key, partitions, partitions)
    assert parse(record.headers).event_id == event["event_id"]
    assert "step_by_step" in Sketch.from_bytes(event["sketch"]).markers


def action(subject: str, sequence: int, **changes: object) -> bytes:
    fields = {
        "action_id": f"{subject}-{sequence}",
        "subject": subject,
        "sequence": sequence,
        "rung": "throttle",
        "mode": "enforce",
        "issued_at": NOW,
        "expires_at": IN_A_CENTURY,
        "campaign_id": "dc-1",
        "evidence": {"features": [], "e_value": 150.0, "budget_spent": 0.01},
    }
    return encode("Action", fields | changes)


# What is published one after the other, and what the README's consumer makes of it.
STEPS: list[tuple[str, bytes | None, str]] = [
    ("account:a", action("account:a", 2), "throttle"),
    ("account:a", action("account:a", 1, rung="suspend"), "throttle"),  # stale
    ("account:a", action("account:a", 3, rung="challenge"), "challenge"),
    ("account:a", action("account:a", 4, mode="shadow"), "None"),
    ("account:a", action("account:a", 5), "throttle"),
    ("account:a", action("account:a", 6, expires_at=NOW + 1), "None"),
    ("account:a", action("account:a", 7, rung="suspend", human_review=True), "None"),
    ("account:a", action("account:a", 8), "throttle"),
    ("account:a", None, "None"),  # lifted
    ("account:a", action("account:a", 9), "throttle"),
]


@pytest.fixture
def consumer_lines(topics: str) -> Iterator[Iterator[str]]:
    """Run the README's consumer and yield the lines that it prints."""
    with subprocess.Popen(  # noqa: S603  the code of our own page
        command_line(example("consume"), topics),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        guard = threading.Timer(PATIENCE, process.kill)
        guard.start()
        yield process.stdout
        guard.cancel()
        process.terminate()


@pytest.mark.broker
def test_the_example_of_a_consumer_keeps_the_rules(
    topics: str, consumer_lines: Iterator[str]
) -> None:
    producer = Producer({"bootstrap.servers": topics, "partitioner": "murmur2_random"})
    for subject, value, _ in STEPS:
        producer.produce("llm.actions", value, subject)
    assert producer.flush(10.0) == 0
    told = [line.split() for line in itertools.islice(consumer_lines, len(STEPS))]
    assert told == [[subject, rung] for subject, _, rung in STEPS]


def test_the_example_of_a_policy_is_one() -> None:
    pattern = r"^<!-- example: policy -->\n```toml\n(.*?)^```$"
    (text,) = re.findall(pattern, README, re.DOTALL | re.MULTILINE)
    policy = parse_policy(text, place="README.md")
    assert [scenario.mode for scenario in policy.scenarios] == ["inherit", "shadow"]


def commands() -> list[str]:
    lines = "\n".join(fenced("sh")).splitlines()
    return [line for line in lines if line.startswith("distillwatch ")]


@pytest.mark.parametrize("line", commands())
def test_each_command_is_one_that_the_command_line_takes(line: str) -> None:
    app.parse_args(shlex.split(line)[1:], exit_on_error=False, print_error=False)


def test_each_target_of_make_is_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"^make ([a-z-]+)|`make ([a-z-]+)", README, re.MULTILINE))
    targets = {target for pair in named for target in pair if target}
    assert targets >= {"demo", "test"}
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_each_link_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", README, re.MULTILINE)
    anchors = {heading.lower().replace(" ", "-") for heading in headings}
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in anchors, link
        else:
            assert (ROOT / link).exists(), link
