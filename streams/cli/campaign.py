"""``distillwatch campaign``: list campaigns, and export one for others."""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import App, Parameter

from streams.cli.control_writes import DEFAULT_WRITING, Cluster
from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.sdk.sharing.campaign_history import CampaignHistory
    from streams.sdk.sharing.sharing_key import SharingKey

__all__ = ["app"]

_Flag = Annotated[bool, Parameter(negative=())]
_Tlp = Literal["clear", "green", "amber", "amber+strict", "red"]
_HEADINGS: Final = (
    *("campaign", "state", "since", "newest alert", "accounts", "exchanges"),
    *("e-value", "families", "actions"),
)
_UNNAMED: Final = "unnamed provider"

app = App(name="campaign", help="List campaigns; export one to STIX 2.1 or OCSF.")


@app.command(name="list")
def list_(
    *,
    json: _Flag = False,
    folder: Path | None = None,
    cluster: Cluster = DEFAULT_WRITING,
) -> None:
    """List each campaign as its newest alert describes it, oldest first.

    Parameters
    ----------
    json
        Print JSON, one object per campaign, instead of a table.
    folder
        Read alerts.jsonl and actions.jsonl of a replay, instead of a broker.
    """
    from streams.cli.listings import print_json, print_rows
    from streams.cli.record_lines import time_text

    rows = [_row(each) for each in _campaigns(folder, cluster).values()]
    if json:
        print_json(rows)
    elif not rows:
        print("No campaign has been found")
    else:
        cells = [
            (
                row["campaign_id"],
                f"{row['state']} {row['merged_into']}".rstrip(),
                time_text(row["started_at"]),
                f"{time_text(row['occurred_at'])} {row['kind']}",
                f"{row['account_count']:,}",
                f"{row['exchange_count']:,}",
                f"{row['e_value']:.4g}",
                ", ".join(row["families"]),
                "\n".join(f"{n:,} {name}" for name, n in row["actions"].items()),
            )
            for row in rows
        ]
        print_rows(_HEADINGS, cells)


@app.command
def export(
    campaign: str,
    *,
    format_: Annotated[Literal["stix", "ocsf"], Parameter(name="--format")],
    out: Path,
    tlp: _Tlp = "amber",
    sharing_key_file: Path | None = None,
    valid_for: str = "30d",
    producer: str = _UNNAMED,
    folder: Path | None = None,
    cluster: Cluster = DEFAULT_WRITING,
) -> None:
    """Write a campaign as a STIX 2.1 bundle or an OCSF Detection Finding.

    Facets leave as HMACs under the sharing key only, accounts so or not at all,
    payments never; without a key there are counts and nothing to match. Everybody with
    the key can recognise a JA4 fingerprint; a network, a client or a prompt template
    only who hashes or sketches it with the same keys as you.

    Parameters
    ----------
    campaign
        Its id, as `campaign list` shows it.
    format_
        stix for other providers, ocsf for a SIEM.
    out
        The file to write.
    tlp
        Traffic Light Protocol 2.0: how far it may go.
    sharing_key_file
        Hexadecimal digits, at least 64, of the secret that the receivers have too.
    valid_for
        How long after the newest alert the indicators hold: 12h, 30d.
    producer
        Who says so. Ids depend on it: always give the same name.
    folder
        Read alerts.jsonl and actions.jsonl of a replay, instead of a broker.
    """
    from streams.policy.durations import parse_duration
    from streams.sdk.sharing.ocsf import ocsf_finding
    from streams.sdk.sharing.sharing_key import SharingKey
    from streams.sdk.sharing.stix import stix_bundle

    validity = dt.timedelta(minutes=parse_duration(valid_for))
    if not validity:
        raise ConfigError(f"--valid-for {valid_for} is no time at all")
    key = None if sharing_key_file is None else SharingKey.read(sharing_key_file)
    history = _campaigns(folder, cluster).get(campaign)
    if history is None:
        raise ConfigError(f"no campaign {campaign}; see: distillwatch campaign list")
    if format_ == "stix":
        content = stix_bundle(
            history, producer=producer, valid_for=validity, tlp=tlp, key=key
        )
    else:
        content = ocsf_finding(history, producer=producer, tlp=tlp, key=key)
    out.write_bytes(content)
    what = {"stix": "STIX 2.1 bundle", "ocsf": "OCSF Detection Finding"}[format_]
    print(
        f"{what} of {campaign}, TLP:{tlp.upper()}, {_facets_told(history, key)}: {out}"
    )
    if producer == _UNNAMED:
        print("receivers see no name: give --producer", file=sys.stderr)


def _facets_told(history: CampaignHistory, key: SharingKey | None) -> str:
    from streams.sdk.sharing.shared_facets import shared_facets

    if key is None:
        return "counts only, as there is no --sharing-key-file"
    total = len(history.newest.facets)
    shared = len(shared_facets(history.newest.facets, key))
    return f"{shared} of {total} facets under key {key.key_id}"


def _campaigns(folder: Path | None, cluster: Cluster) -> dict[str, CampaignHistory]:
    from streams.sdk.sharing.campaign_source import (
        campaigns_of_broker,
        campaigns_of_folder,
    )

    def complain(told: str) -> None:
        print(f"left out: {told}", file=sys.stderr)

    if folder is not None:
        return campaigns_of_folder(folder)
    return campaigns_of_broker(cluster.servers, on_unreadable=complain)


def _row(history: CampaignHistory) -> dict[str, Any]:
    alert = history.newest
    return {
        "campaign_id": alert.campaign_id,
        "state": history.state,
        "merged_into": history.merged_into,
        "started_at": alert.started_at,
        "found_at": history.found_at,
        "occurred_at": alert.occurred_at,
        "kind": alert.kind,
        "account_count": alert.account_count,
        "exchange_count": alert.exchange_count,
        "e_value": alert.e_value,
        "families": alert.families,
        "actions": history.rungs(),
    }
