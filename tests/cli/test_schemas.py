from __future__ import annotations

import json

import pytest
from apicurio import Apicurio

from streams.cli import app
from streams.errors import ConfigError, RegistryUnavailable


def test_registers_then_agrees(
    registry: Apicurio,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(SystemExit, match="0"):
        app(["schemas", "register", "--registry", registry.url, "--json"])
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["llm.requests-value"]["record"] == "RequestEvent"
    assert all(row["in_line"] for row in rows.values())

    monkeypatch.setenv("DISTILLWATCH_REGISTRY_URL", registry.url)
    with pytest.raises(SystemExit, match="0"):
        app(["schemas", "check"])
    told = capsys.readouterr().out
    for name, row in rows.items():
        (line,) = (line for line in told.splitlines() if name in line.split())
        assert str(row["schema_id"]) in line.split()

    registry.client.set_compatibility("llm.acks-value", "NONE")
    with pytest.raises(SystemExit, match="1"):
        app(["schemas", "check"])


def test_without_a_registry_it_says_how_to_name_one() -> None:
    with pytest.raises(ConfigError, match="--registry"):
        app(["schemas", "check"], exit_on_error=False)
    with pytest.raises(RegistryUnavailable):
        app(["schemas", "register", "--registry", "http://127.0.0.1:1"])
