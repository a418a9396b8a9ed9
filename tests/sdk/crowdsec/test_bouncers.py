from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from action_samples import action, publish
from custom_bouncer import Call, CustomBouncer
from pycrowdsec.client import QueryClient, StreamClient
from waiting import until

COMMAND = [sys.executable, "-c", "from streams.cli import main; main()", "bridge"]
KEYS = {name: f"{name}-0123456789abcdef" for name in ("edge", "proxy", "script")}
HOUR = 3_600_000


def now() -> int:
    return int(time.time() * 1000)


def enforced(subject: str, sequence: int = 1, **changes: Any) -> Any:
    return action(
        subject,
        sequence,
        **{"issued_at": now(), "expires_at": now() + HOUR} | changes,
    )


class Bridge:
    """A process of `distillwatch bridge crowdsec`."""

    def __init__(self, folder: Path, port: int, bootstrap: str, *options: str) -> None:
        keys = folder / "keys"
        keys.write_text("".join(f"{name}:{key}\n" for name, key in KEYS.items()))
        self.url = f"http://127.0.0.1:{port}/"
        self.process = subprocess.Popen(  # noqa: S603  our own command line
            [
                *(*COMMAND, "crowdsec", "--listen", f"127.0.0.1:{port}"),
                *("--api-key-file", str(keys), "--bootstrap", bootstrap, *options),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line == f"crowdsec bridge of {bootstrap} at {self.url}\n"

    def health(self) -> int:
        try:
            return httpx.get(f"{self.url}health").status_code
        except httpx.ConnectError:
            return 0

    def stop(self) -> str:
        """Ask it to end; give what it wrote besides its first line."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        assert self.process.stdout is not None
        told = self.process.stdout.read()
        assert self.process.wait(30) in (0, -signal.SIGTERM)
        self.process.stdout.close()
        return told


@pytest.fixture
def start(
    free_ports: Callable[[int], list[int]], tmp_path: Path
) -> Iterator[Callable[..., Bridge]]:
    (port,) = free_ports(1)
    started: list[Bridge] = []

    def begin(bootstrap: str, *options: str) -> Bridge:
        started.append(Bridge(tmp_path, port, bootstrap, *options))
        return started[-1]

    yield begin
    for bridge in started:
        if not bridge.process.stdout.closed:  # type: ignore[union-attr]  a pipe
            told = bridge.stop()
            assert not [key for key in KEYS.values() if key in told]


@pytest.fixture
def stream(request: pytest.FixtureRequest) -> Callable[..., StreamClient]:
    def make(bridge: Bridge, name: str, *scopes: str) -> StreamClient:
        chosen = {"scopes": scopes} if scopes else {}
        client = StreamClient(KEYS[name], lapi_url=bridge.url, **chosen)
        request.addfinalizer(client.session.close)
        return client

    return make


def pull(client: StreamClient) -> dict[str, str]:
    client.cycle("false")
    held: dict[str, str] = client.get_current_decisions()
    return held


def test_pycrowdsec_holds_what_stands(
    topics: str, start: Callable[..., Bridge], stream: Callable[..., StreamClient]
) -> None:
    publish(
        topics,
        enforced("account:a1", rung="throttle"),
        enforced("account:a2", mode="shadow"),
        enforced("account:a3", human_review=True),
        enforced("facet:network:192.0.2.0/24"),
        enforced("facet:network:2001:db8::7", rung="challenge"),
    )
    bridge = start(topics, "--type", "throttle=slow", "--omit", "observe")
    until(lambda: bridge.health() == 200)
    # Its default scopes are ip and range.
    firewall, gateway = stream(bridge, "edge"), stream(bridge, "proxy", "account")
    for client in (firewall, gateway):
        client.cycle("true")
    assert firewall.get_action_for("192.0.2.77") == "ban"
    assert firewall.get_action_for("2001:db8::7") == "captcha"
    assert gateway.get_current_decisions() == {"a1": "slow"}
    asked = QueryClient(KEYS["script"], lapi_url=bridge.url)
    assert asked.get_action_for("192.0.2.77") == "ban"
    assert asked.get_decisions_for("198.51.100.1") is None
    asked.session.close()

    publish(
        topics,
        enforced("account:a1", 2),
        enforced("account:a4", expires_at=now() + 3_000),
        enforced("account:a5", rung="observe"),
        enforced("account:a2", 2, rung="step_up_verification"),
        ("facet:network:192.0.2.0/24", None),
    )
    stands = {"a1": "ban", "a2": "step_up_verification"}
    until(lambda: pull(gateway) == stands | {"a4": "ban"})
    until(lambda: pull(gateway) == stands)  # a4 has expired
    until(lambda: pull(firewall) == {"2001:db8::7/128": "captcha"})
    publish(topics, ("account:a1", None), enforced("account:a2", 3, mode="shadow"))
    until(lambda: pull(gateway) == {})


def spoken(calls: list[Call]) -> list[str]:
    return [f"{call.verb} {call.value}" for call in calls]


def test_the_custom_bouncer_calls_its_script_for_what_stands_and_ends(
    topics: str, start: Callable[..., Bridge], tmp_path: Path
) -> None:
    publish(
        topics,
        enforced("account:a1", rung="throttle"),
        enforced("account:a2", mode="shadow"),
    )
    snapshot = str(tmp_path / "actions")
    bridge = start(topics, "--snapshot", snapshot)
    until(lambda: bridge.health() == 200)
    with CustomBouncer(tmp_path, bridge.url, KEYS["script"], "account") as custom:
        until(lambda: spoken(custom.calls()) == ["add a1"])
        (first,) = custom.calls()
        assert first.scenario == "distillwatch/c-1"
        assert 3_500 < first.seconds <= 3_600
        told = json.loads(first.decision)
        assert (told["scope"], told["type"], told["origin"]) == (
            *("account", "throttle"),
            "distillwatch",
        )

        def next_calls(*expected: str) -> list[Call]:
            seen = len(before)
            until(lambda: len(custom.calls()) >= seen + len(expected))
            latest = custom.calls()[seen:]
            assert spoken(latest) == list(expected)
            before.extend(latest)
            return latest

        before = [first]
        publish(topics, enforced("account:a1", 2))  # another rung
        gone, new = next_calls("del a1", "add a1")
        assert json.loads(gone.decision)["id"] == told["id"]
        assert json.loads(gone.decision)["type"] == "throttle"
        assert gone.seconds <= 0
        assert json.loads(new.decision)["type"] == "ban"
        publish(topics, ("account:a1", None))
        next_calls("del a1")
        publish(topics, enforced("account:a3", expires_at=now() + 6_000))
        next_calls("add a3")
        next_calls("del a3")  # expired, without any record
        for name in ("a4", "a5"):
            publish(topics, enforced(f"account:{name}"))
            next_calls(f"add {name}")
        # What is lifted while the bridge is away is told by its successor.
        bridge.stop()
        publish(topics, ("account:a4", None), enforced("account:a2", 2, mode="shadow"))
        bridge = start(topics, "--snapshot", snapshot)
        until(lambda: "del a4" in spoken(custom.calls()[len(before) :]))
        after = spoken(custom.calls()[len(before) :])
        assert "del a5" not in after
        assert not any("a2" in call for call in spoken(custom.calls()))
        assert custom.exit_code is None


def test_before_the_topic_was_read_bouncers_are_not_told_that_nothing_stands(
    start: Callable[..., Bridge], stream: Callable[..., StreamClient], tmp_path: Path
) -> None:
    bridge = start("127.0.0.1:1")
    until(lambda: bridge.health() == 503)
    with pytest.raises(requests.HTTPError, match="503"):
        stream(bridge, "edge").run()
    with CustomBouncer(tmp_path, bridge.url, KEYS["script"], "account") as custom:
        # This version does not try again: it must be started after /health is 200.
        until(lambda: "API error: the actions are being read" in custom.log())
        assert custom.calls() == []
