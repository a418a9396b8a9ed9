from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from campaign_bench import JA4, alert, publish_alerts, write_folder, write_key
from control_bench import confirming, now

from streams.bus.control_log import read_entries
from streams.contracts import Alert

if TYPE_CHECKING:
    from conftest import Invoke

WHY = ("--why", "shared by Aurora")


class Exchange:
    """Another provider that exports, and one's own cluster that imports."""

    def __init__(self, topics: str, invoke: Invoke, folder: Path) -> None:
        self.topics, self.invoke, self.folder = topics, invoke, folder
        self.at = ("--bootstrap", topics)
        self.key = write_key(folder / "key")

    def export(self, *alerts: Alert, tlp: str = "amber", valid_for: str = "30d") -> str:
        out = self.folder / "bundle.json"
        code, _, err = self.invoke(
            "campaign", "export", "dc-1", "--format", "stix", "--out", str(out),
            *("--folder", write_folder(self.folder, *alerts), "--tlp", tlp),
            *("--sharing-key-file", self.key, "--producer", "Aurora AI"),
            *("--valid-for", valid_for),
        )  # fmt: skip
        assert (code, err) == (0, "")
        return str(out)

    def take(self, bundle: str, *options: str, key: str = "") -> tuple[int, str, str]:
        keyed = ("--sharing-key-file", key or self.key)
        return self.invoke(
            "indicators", "import", bundle, *WHY, *keyed, *self.at, *options
        )

    def watched(self) -> list[dict[str, Any]]:
        code, out, err = self.invoke("indicators", "list", "--json", *self.at)
        assert (code, err) == (0, "")
        listed: list[dict[str, Any]] = json.loads(out)
        return listed


@pytest.fixture
def exchange(topics: str, invoke: Invoke, tmp_path: Path) -> Exchange:
    return Exchange(topics, invoke, tmp_path)


@pytest.mark.broker
def test_a_facet_of_an_own_alert_is_watched_until_the_indicator_ends(
    exchange: Exchange,
) -> None:
    publish_alerts(
        exchange.topics, alert(1, campaign_id="dc-own", facets=(f"tls:{JA4}",))
    )
    before = now()
    code, out, err = exchange.take(exchange.export(alert(1)), "--author", "ana")
    assert code == 0
    assert out.startswith("1 facet is watched: a group that uses one is tested first")
    assert err.startswith(
        "1 kept out as unknown, a facet that has not been seen here; "
    )
    assert "(kind template_head)" in err
    (entry,) = read_entries(exchange.topics).values()
    assert (entry.kind, entry.subject) == ("indicator", f"facet:tls:{JA4}")
    assert entry.entry_id == f"indicator:{entry.value}"
    assert entry.value.startswith("indicator--")
    assert entry.author == "ana"
    assert entry.reason == "shared by Aurora (Aurora AI, confidence 50, TLP:AMBER)"
    assert entry.expires_at == alert(1).occurred_at + 30 * 86_400_000
    assert before <= entry.created_at <= now()


@pytest.mark.broker
def test_facets_that_are_known_otherwise_come_from_a_file(exchange: Exchange) -> None:
    known = exchange.folder / "known.txt"
    known.write_text(f"\n{JA4}\n  template_head:00000000000000ff \nnetwork:x\n")
    code, out, err = exchange.take(exchange.export(alert(1)), "--known", str(known))
    assert (code, err) == (0, "")
    assert out.startswith("2 facets are watched")
    assert {row["subject"] for row in exchange.watched()} == {
        f"facet:tls:{JA4}",
        "facet:template_head:00000000000000ff",
    }
    shown = exchange.invoke("indicators", "list", *exchange.at)[1]
    assert f"facet:tls:{JA4}" in shown


@pytest.mark.broker
def test_importing_again_changes_nothing_but_the_time(exchange: Exchange) -> None:
    publish_alerts(exchange.topics, alert(1))
    exchange.take(exchange.export(alert(1)))
    first = exchange.watched()
    exchange.take(exchange.export(alert(1), alert(2)))
    second = exchange.watched()
    assert [row["indicator"] for row in first] == [row["indicator"] for row in second]
    assert len(second) == 2
    assert second[0]["expires_at"] - first[0]["expires_at"] == 3_600_000


@pytest.mark.broker
def test_what_is_revoked_later_is_withdrawn(exchange: Exchange) -> None:
    publish_alerts(exchange.topics, alert(1))
    exchange.take(exchange.export(alert(1)))
    assert len(exchange.watched()) == 2
    released = exchange.export(alert(1), alert(2, kind="campaign_released"))
    code, out, err = exchange.take(released)
    assert (code, err) == (0, "")
    assert out.count(" is revoked\n") == 2
    assert out.endswith("is watched\n")
    assert exchange.watched() == []
    again = exchange.take(released)
    assert again == (0, f"No facet of {released} is watched\n", "")


@pytest.mark.broker
def test_one_is_removed_by_hand(exchange: Exchange) -> None:
    publish_alerts(exchange.topics, alert(1))
    exchange.take(exchange.export(alert(1)))
    first, second = exchange.watched()
    name = first["indicator"]
    code, out, _ = exchange.invoke("indicators", "remove", name, *WHY, *exchange.at)
    assert code == 0
    assert out.startswith(f"{first['subject']} is not watched for {name} any more")
    assert [row["indicator"] for row in exchange.watched()] == [second["indicator"]]
    code, _, err = exchange.invoke("indicators", "remove", name, *WHY, *exchange.at)
    assert code == 1
    assert err.startswith(f"InvalidRecord: nothing is watched for {name}; see: ")
    empty = exchange.invoke(
        "indicators", "remove", second["indicator"], *WHY, *exchange.at
    )
    assert empty[0] == 0
    listed = exchange.invoke("indicators", "list", *exchange.at)
    assert listed == (0, "No facet is watched\n", "")


@pytest.mark.broker
def test_what_is_kept_out_is_told_and_nothing_is_written(exchange: Exchange) -> None:
    publish_alerts(exchange.topics, alert(1))
    bundle = exchange.export(alert(1))
    other = write_key(exchange.folder / "other", 1)
    assert "2 kept out as other key" in exchange.take(bundle, key=other)[2]
    code, _, err = exchange.invoke("indicators", "import", bundle, *WHY, *exchange.at)
    assert code == 0
    assert "2 kept out as no key" in err
    assert (
        "1 kept out as low confidence"
        in exchange.take(bundle, "--min-confidence", "76", "--author", "ana")[2]
    )
    exchange.invoke(
        "indicators", "remove", exchange.watched()[0]["indicator"], *WHY, *exchange.at
    )
    red = exchange.export(alert(1), tlp="red")
    code, out, err = exchange.take(red)
    assert (code, out) == (0, f"No facet of {red} is watched\n")
    assert "2 kept out as red, TLP:RED is for the person addressed only" in err
    old = exchange.export(alert(1), valid_for="1h")
    assert (
        "2 kept out as expired, no longer valid: indicator--" in exchange.take(old)[2]
    )
    assert exchange.watched() == []


@pytest.mark.broker
def test_it_waits_for_the_workers_if_asked_to(exchange: Exchange) -> None:
    publish_alerts(exchange.topics, alert(1))
    bundle = exchange.export(alert(1))
    with confirming(exchange.topics):
        code, out, err = exchange.take(bundle, "--wait", "20")
    assert (code, err) == (0, "")
    assert out.count(" applied indicator:indicator--") == 2


@pytest.mark.broker
def test_a_foreign_name_cannot_move_the_cursor(exchange: Exchange) -> None:
    publish_alerts(exchange.topics, alert(1))
    path = Path(exchange.export(alert(1)))
    bundle = json.loads(path.read_text())
    for each in bundle["objects"]:
        if each.get("name") == "Aurora AI":
            each["name"] = "Aurora\x1b[2J\nAI"
        if each["type"] == "indicator" and "tls" in each["name"]:
            each["id"] = "indicator\x1b[2J"
    path.write_text(json.dumps(bundle))
    code, out, err = exchange.take(str(path))
    assert code == 0
    assert "1 kept out as malformed" in err
    assert "\x1b" not in out + err
    (row,) = exchange.watched()
    assert "Aurora\N{REPLACEMENT CHARACTER}[2J" in row["reason"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("absent.json", *WHY), "ConfigError: absent.json: No such file"),
        (("b.json", "--why", " "), "InvalidRecord: --why takes 1 to 1500 characters"),
    ],
)
def test_what_is_wrong_is_told_before_the_broker_is_asked(
    invoke: Invoke, words: tuple[str, ...], told: str
) -> None:
    code, out, err = invoke(
        "indicators", "import", *words, "--bootstrap", "127.0.0.1:1"
    )
    assert (code, out) == (1, "")
    assert err.startswith(told)
