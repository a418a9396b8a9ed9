"""Measure a view: decide(), memory per action, the time to load a large topic.

Prints and asserts nothing. Run: python tests/sdk/view_bench.py [ACTIONS] with a broker
of its own, on free ports.
"""

# ruff: noqa: T201  printing is what a benchmark does

from __future__ import annotations

import gc
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil
from action_samples import action
from confluent_kafka import Producer

from streams.bus.broker import DevBroker
from streams.bus.kafka_settings import producer_settings
from streams.bus.topics import apply_topics
from streams.config import Config
from streams.contracts import Evidence, Feature, encode_record
from streams.sdk import ActionView

FACETS = {"network": "n-1", "tls_ja4": "t-1", "client": "c-1", "payment": "p-1"}
ROUNDS = 200_000


def publish(bootstrap: str, count: int) -> int:
    """Fill llm.actions with actions as the pipeline makes them; give one's size."""
    evidence = Evidence(
        features=tuple(
            Feature(name=f"joint.f{n}", value=1.5, benign_quantile=0.9, weight=0.1)
            for n in range(7)
        ),
        e_value=1234.5,
        budget_spent=0.01,
    )
    producer = Producer(
        {
            **producer_settings(Config(bootstrap=bootstrap)),
            "queue.buffering.max.messages": count + 1,
        }
    )
    now = int(time.time() * 1000)
    size = 0
    for number in range(count):
        each = action(
            f"account:{number:016x}",
            action_id=f"{number:024x}",
            rung="throttle",
            parameters={"requests_per_minute": "6"},
            issued_at=now,
            expires_at=now + 86_400_000,
            campaign_id=f"campaign-{number % 50}",
            reason_codes=("SHARED_NETWORK", "NEW_ACCOUNT", "TEMPLATED_REQUESTS"),
            evidence=evidence,
            appeal_token=f"{number:020x}",
        )
        value = encode_record(each)
        size = len(value)
        producer.produce("llm.actions", value, each.subject)
    producer.flush()
    return size


def nanoseconds(call: Callable[[], object]) -> str:
    """Give the median and the 99th percentile of one call, without the clock's own."""
    own = min(_times(lambda: None))
    times = sorted(max(0, each - own) for each in _times(call))
    return (
        f"{statistics.median(times):,.0f} ns median, {times[-len(times) // 100]:,} p99"
    )


def _times(call: Callable[[], object]) -> list[int]:
    clock, times = time.perf_counter_ns, []
    for _ in range(ROUNDS):
        began = clock()
        call()
        times.append(clock() - began)
    return times


def resident() -> int:
    """Give the bytes of memory that this process holds."""
    gc.collect()
    return int(psutil.Process().memory_info().rss)


def main(count: int) -> None:
    """Measure with so many actions."""
    port, controller_port = 29_871, 29_872
    with tempfile.TemporaryDirectory() as folder:
        broker = DevBroker(port, controller_port, Path(folder) / "broker")
        try:
            bootstrap = broker.up()
            apply_topics(bootstrap)
            size = publish(bootstrap, count)
            snapshot = Path(folder) / "actions"
            before, began = resident(), time.perf_counter()
            view = ActionView(bootstrap, snapshot_path=snapshot)
            view.wait_ready()
            seconds = time.perf_counter() - began
            grown = resident() - before
            held = view.stats.subjects
            print(f"load: {held:,} actions of {size} bytes in {seconds:.1f} s")
            print(f"memory: {grown / held:,.0f} bytes per action")
            some = f"{count // 2:016x}"
            calls: dict[str, Callable[[], object]] = {
                "no action": lambda: view.decide("nobody"),
                "no action, 4 facets": lambda: view.decide("nobody", FACETS),
                "an action": lambda: view.decide(some),
                "get()": lambda: view.get("account:" + some),
            }
            for name, call in calls.items():
                print(f"decide, {name}: {nanoseconds(call)}")
            began = time.perf_counter()
            print(f"checksum {view.checksum()}", end=" ")
            print(f"in {time.perf_counter() - began:.2f} s")
            began = time.perf_counter()
            view.close()
            print(f"close with snapshot: {time.perf_counter() - began:.2f} s", end=", ")
            print(f"{snapshot.stat().st_size / held:,.0f} bytes per action")
            began = time.perf_counter()
            again = ActionView(bootstrap, snapshot_path=snapshot)
            print(f"start from snapshot: {time.perf_counter() - began:.2f} s")
            print(f"then live after {_wait(again):.1f} s")
            again.close()
        finally:
            broker.down(wipe=True)


def _wait(view: ActionView) -> float:
    began = time.perf_counter()
    view.wait_ready()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300_000)
