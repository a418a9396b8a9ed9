from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import stix2
from campaign_bench import FACETS, alert, publish_alerts, write_folder, write_key
from control_bench import action, publish
from ocsf.events.findings.detection import DetectionFinding

if TYPE_CHECKING:
    from conftest import Invoke


@pytest.mark.broker
def test_campaigns_of_a_broker_are_listed_by_their_newest_alert(
    topics: str, invoke: Invoke
) -> None:
    at = ("--bootstrap", topics)
    assert invoke("campaign", "list", *at) == (0, "No campaign has been found\n", "")
    released = alert(2, campaign_id="dc-2", kind="campaign_released")
    first = alert(1, campaign_id="dc-2", started_at=0)
    publish_alerts(topics, alert(1), first, alert(3), alert(2), released)
    publish(topics, "llm.actions", [action("account:9f2c51aa00")])

    code, out, err = invoke("campaign", "list", "--json", *at)
    assert (code, err) == (0, "")
    one, other = json.loads(out)
    assert one == {
        "campaign_id": "dc-1",
        "state": "active",
        "merged_into": "",
        "started_at": alert().started_at,
        "found_at": alert(1).occurred_at,
        "occurred_at": alert(3).occurred_at,
        "kind": "campaign_grown",
        "account_count": 69,
        "exchange_count": 1010,
        "e_value": 320.0,
        "families": ["reasoning"],
        "actions": {"enforce suspend": 1},
    }
    assert (other["campaign_id"], other["state"]) == ("dc-2", "released")

    code, out, err = invoke("campaign", "list", *at)
    assert (code, err) == (0, "")
    (line,) = (line for line in out.splitlines() if "dc-1" in line)
    for told in ("active", "69", "1,010", "320", "reasoning", "1 enforce suspend"):
        assert told in line


@pytest.mark.broker
def test_a_campaign_of_a_broker_is_exported(
    topics: str, invoke: Invoke, tmp_path: Path
) -> None:
    publish_alerts(topics, alert(1))
    publish(topics, "llm.actions", [action("account:9f2c51aa00")])
    out = tmp_path / "bundle.json"
    code, told, err = invoke(
        "campaign", "export", "dc-1", "--format", "stix", "--out", str(out),
        *("--sharing-key-file", write_key(tmp_path / "key"), "--producer", "Aurora AI"),
        *("--tlp", "amber+strict", "--valid-for", "12h", "--bootstrap", topics),
    )  # fmt: skip
    assert (code, err) == (0, "")
    assert told.startswith(
        "STIX 2.1 bundle of dc-1, TLP:AMBER+STRICT, 2 of 3 facets under key "
    )
    assert told.endswith(f": {out}\n")
    bundle = stix2.parse(out.read_text())
    indicators = [each for each in bundle.objects if each.type == "indicator"]
    assert len(indicators) == 2
    assert (indicators[0].valid_until - indicators[0].modified).total_seconds() == (
        12 * 3600
    )
    text = out.read_text()
    assert [facet for facet in FACETS if facet.partition(":")[2] in text] == []
    assert "9f2c51aa" not in text


def test_a_replay_is_exported_without_a_broker(invoke: Invoke, tmp_path: Path) -> None:
    folder = ("--folder", write_folder(tmp_path, alert(1), alert(2)))
    code, told, err = invoke("campaign", "list", *folder)
    assert (code, err) == (0, "")
    assert "dc-1" in told
    out = tmp_path / "finding.json"
    key = write_key(tmp_path / "key")
    code, told, err = invoke(
        "campaign", "export", "dc-1", "--format", "ocsf", "--out", str(out),
        "--sharing-key-file", key, *folder,
    )  # fmt: skip
    assert (code, err) == (0, "receivers see no name: give --producer\n")
    finding = json.loads(out.read_text())
    DetectionFinding.model_validate(finding)
    assert finding["resources"][0]["labels"] == [
        "rung:suspend",
        "mode:enforce",
        "human_review",
    ]
    assert "9f2c51aa" not in out.read_text()
    once = out.read_bytes()
    invoke(
        "campaign", "export", "dc-1", "--format", "ocsf", "--out", str(out),
        "--sharing-key-file", key, *folder,
    )  # fmt: skip
    assert out.read_bytes() == once


def test_without_a_key_it_says_that_there_are_counts_only(
    invoke: Invoke, tmp_path: Path
) -> None:
    out = tmp_path / "bundle.json"
    code, told, _ = invoke(
        "campaign", "export", "dc-1", "--format", "stix", "--out", str(out),
        "--folder", write_folder(tmp_path, alert(1)),
    )  # fmt: skip
    assert code == 0
    assert "counts only, as there is no --sharing-key-file" in told
    assert "indicator--" not in out.read_text()


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"campaign": "dc-9"},
            "ConfigError: no campaign dc-9; see: distillwatch campa",
        ),
        ({"--valid-for": "0d"}, "ConfigError: --valid-for 0d is no time at all"),
        ({"--valid-for": "soon"}, "PolicyError: 'soon' is no duration"),
        ({"--sharing-key-file": "absent"}, "ConfigError: absent: No such file"),
        ({"--out": "absent/b.json"}, "FileNotFoundError: "),
    ],
)
def test_what_is_wrong_is_told_in_one_line(
    invoke: Invoke,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, str],
    told: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    options = {
        "campaign": "dc-1",
        "--format": "stix",
        "--out": "b.json",
        "--folder": write_folder(tmp_path, alert(1)),
        "--sharing-key-file": write_key(tmp_path / "key"),
    } | changes
    name = options.pop("campaign")
    words = [word for option in options.items() for word in option]
    code, out, err = invoke("campaign", "export", name, *words)
    assert (code, out) == (1, "")
    assert err.startswith(told)
    assert err.count("\n") == 1
