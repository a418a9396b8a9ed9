"""What a policy would have done, told from a file and from Kafka."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tiny_scenario import simulate_tiny

from streams.bus.control_log import append_entries
from streams.policy.control_entries import allowlist_entry, policy_entry
from streams.policy.policy_file import default_text

if TYPE_CHECKING:
    from conftest import Invoke

HALF = 'version = "half"\n[[scenario]]\nname = "default"\npercentage = 50\n'
NONE = 'version = "none"\n[[scenario]]\nname = "none"\nwhen = "false"\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenario")
    simulate_tiny(folder)
    for name, text in (("shipped", default_text()), ("half", HALF), ("none", NONE)):
        (folder / f"{name}.toml").write_text(text, encoding="utf-8")
    return folder


def test_files_are_compared_without_a_broker(folder: Path, invoke: Invoke) -> None:
    out_file = folder / "changes.jsonl"
    arguments = (
        *("policy", "backtest", str(folder / "half.toml")),
        *("--events", str(folder / "events.avro")),
        *("--against", str(folder / "shipped.toml")),
        *("--mode", "enforce"),
    )
    code, out, err = invoke(*arguments, "--out", str(out_file))
    assert (code, err) == (0, "")
    changes = [json.loads(line) for line in out_file.read_text("utf-8").splitlines()]
    assert changes
    assert {each["kind"] for each in changes} == {"shadow"}
    assert f"{len(changes)} accounts are treated differently" in out
    assert "1 under default-2, 1 under half" in out
    assert ("more; --out FILE and --json have all" in out) == (len(changes) > 20)
    code, out, _ = invoke(*arguments, "--json")
    told = json.loads(out)
    assert told["changes"] == changes
    shares = [each["enforced"] for each in told["rungs"]]
    assert sum(before for before, _ in shares) > sum(after for _, after in shares) > 0


def test_in_shadow_mode_it_says_so(folder: Path, invoke: Invoke) -> None:
    code, out, _ = invoke(
        *("policy", "backtest", str(folder / "half.toml")),
        *("--events", str(folder / "events.avro")),
        *("--against", str(folder / "shipped.toml")),
    )
    assert code == 0
    assert "The mode is shadow: nothing is to be enforced; try --mode enforce" in out
    assert "No account is treated differently" in out


@pytest.mark.broker
def test_history_and_the_operators_entries_come_from_kafka(
    topics: str, folder: Path, invoke: Invoke
) -> None:
    at = ("--bootstrap", topics)
    assert invoke("produce", str(folder / "events.avro"), *at)[0] == 0
    none = ("policy", "backtest", str(folder / "none.toml"), "--json", *at)

    def changes(*history: str) -> dict[str, Any]:
        code, out, _ = invoke(*none, *history)
        assert code == 0
        told: dict[str, Any] = json.loads(out)
        return told

    of_file = changes("--events", str(folder / "events.avro"))
    of_kafka = changes("--since", "2d")
    assert of_kafka == of_file
    subjects = [each["subject"] for each in of_file["changes"]]
    assert subjects
    # What operators wrote counts, but for policies: the one in force is `present`.
    spared = allowlist_entry(subjects[0], author="ana", reason="ours", created_at=0)
    policy = policy_entry(HALF, author="ana", reason="a half", created_at=0)
    append_entries(topics, [spared, policy])
    again = changes("--since", "2d")
    assert [each["subject"] for each in again["changes"]] == subjects[1:]
    recent = changes("--since", "1h")
    assert 0 < recent["events"] < of_kafka["events"]


@pytest.mark.parametrize("history", [(), ("--since", "1d", "--events", "x.avro")])
def test_one_history_is_wanted(
    folder: Path, history: tuple[str, ...], invoke: Invoke
) -> None:
    code, _, err = invoke(
        *("policy", "backtest", str(folder / "half.toml"), *history),
        *("--against", str(folder / "shipped.toml")),
    )
    assert code == 1
    assert "give either --events FILE or --since DURATION" in err


@pytest.mark.parametrize(
    ("history", "told"),
    [
        (("--events", "nowhere.avro"), "nowhere.avro is not a file"),
        (("--since", "1w"), "'1w' is no duration; write 30m, 24h or 7d"),
    ],
)
def test_a_history_that_is_none_is_told(
    folder: Path, history: tuple[str, ...], told: str, invoke: Invoke
) -> None:
    code, _, err = invoke(
        *("policy", "backtest", str(folder / "half.toml"), *history),
        *("--against", str(folder / "shipped.toml")),
    )
    assert code == 1
    assert told in err
