"""``distillwatch indicators``: watch facets that other providers name."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from cyclopts import App, Parameter, validators

from streams.cli.control_writes import (
    DEFAULT_WRITING,
    Cluster,
    Writing,
    command,
    now_ms,
    standing_entries,
    withdraw_entry,
    write_entries,
)
from streams.errors import ConfigError, InvalidRecord

if TYPE_CHECKING:
    from streams.contracts import ControlEntry
    from streams.sdk.sharing.indicators import BundleReport, WatchedFacet

__all__ = ["app"]

_Flag = Annotated[bool, Parameter(negative=())]
_MAX_WHY: Final = 1500  # characters; who shared it is told behind
_MAX_TOLD: Final = 5  # indicators of each reason; the rest is a count

app = App(
    name="indicators",
    help="Watch facets that other providers name; never a reason to act alone.",
)


@app.command(name="import")
def import_(
    file: Path,
    *,
    why: str,
    min_confidence: Annotated[
        int, Parameter(validator=validators.Number(lte=100))
    ] = 50,
    sharing_key_file: Path | None = None,
    known: Path | None = None,
    how: Writing = DEFAULT_WRITING,
) -> None:
    """Read a STIX 2.1 bundle, and watch those of its facets that are known here.

    An indicator names a facet by an HMAC. It is looked up among the facets of your own
    alerts, and those of --known. What is revoked is withdrawn.

    Parameters
    ----------
    file
        A bundle of `distillwatch campaign export`, or with the same extension.
    why
        The reason, for who reads it later.
    min_confidence
        Take no indicator of less confidence, 0 to 100.
    sharing_key_file
        Hexadecimal digits of the secret that the producer has too.
    known
        Facets besides those of your own alerts, one a line: KIND:ID, or an ID alone
        that may be a network, a TLS fingerprint or a client.
    """
    from streams.policy.control_entries import indicator_entry
    from streams.sdk.sharing.indicators import read_indicators
    from streams.sdk.sharing.sharing_key import SharingKey

    if not why.strip() or len(why) > _MAX_WHY:
        raise InvalidRecord(f"--why takes 1 to {_MAX_WHY} characters")
    key = None if sharing_key_file is None else SharingKey.read(sharing_key_file)
    now = now_ms()
    report = read_indicators(
        _read(file),
        place=str(file),
        known=_known(known, how.servers),
        key=key,
        now=now,
        min_confidence=min_confidence,
    )
    _tell_kept_out(report)
    _withdraw_revoked(report, why, how)
    entries = [
        indicator_entry(
            each.stix_id,
            f"facet:{each.label}",
            author=how.who,
            reason=f"{why.strip()} ({_origin(each)})",
            created_at=now,
            expires_at=each.valid_until,
        )
        for each in report.watched
    ]
    watched = "1 facet is" if len(entries) == 1 else f"{len(entries)} facets are"
    told = (
        f"{watched} watched: a group that uses one is tested first, and nothing is "
        "done because of that alone. See: distillwatch indicators list"
    )
    if entries:
        write_entries(entries, told, how=how)
    else:
        print(f"No facet of {file} is watched")


@app.command(name="list")
def list_(*, json: _Flag = False, cluster: Cluster = DEFAULT_WRITING) -> None:
    """List the facets that are watched; entries whose time is over are marked.

    Parameters
    ----------
    json
        Print JSON, one object per facet, instead of a table.
    """
    from streams.cli.listings import print_json, print_rows
    from streams.cli.record_lines import time_text

    rows = [_row(each, now_ms()) for each in _entries(cluster).values()]
    if json:
        print_json(rows)
    elif not rows:
        print("No facet is watched")
    else:
        headings = ("facet and indicator", "since", "until", "author", "why")
        cells = [
            (
                f"{row['subject']}\n{row['indicator']}",
                time_text(row["created_at"]),
                time_text(row["expires_at"]) + (" expired" if row["expired"] else ""),
                row["author"],
                row["reason"],
            )
            for row in rows
        ]
        print_rows(headings, cells)


@app.command
def remove(indicator: str, *, why: str, how: Writing = DEFAULT_WRITING) -> None:
    """Watch for an indicator no longer.

    Parameters
    ----------
    indicator
        Its STIX id, as `indicators list` shows it.
    why
        The reason, for who reads it later.
    """
    entry = _entries(how).get(indicator)
    if entry is None:
        raise InvalidRecord(
            f"nothing is watched for {indicator}; see: distillwatch indicators list"
        )
    told = (
        f"{entry.subject} is not watched for {indicator} any more. Undo: "
        f"{command('indicators', 'import', 'FILE')}"
    )
    withdraw_entry(entry, why, told, how=how)


def _entries(cluster: Cluster) -> dict[str, ControlEntry]:
    """Give the standing entries of this kind by the STIX ids of their indicators."""
    entries = standing_entries(cluster.servers).values()
    return {each.value: each for each in entries if each.kind == "indicator"}


def _row(entry: ControlEntry, now: int) -> dict[str, Any]:
    return {
        "indicator": entry.value,
        "subject": entry.subject,
        "created_at": entry.created_at,
        "expires_at": entry.expires_at or 0,
        "expired": entry.expires_at is not None and entry.expires_at <= now,
        "author": entry.author,
        "reason": entry.reason,
    }


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from None


def _known(path: Path | None, servers: str) -> Iterator[str]:
    """Yield the facets of one's own alerts, and those of a file."""
    from streams.features.account_row import FACET_KINDS, INFRASTRUCTURE_KINDS
    from streams.sdk.sharing.campaign_source import facets_of_broker

    def complain(told: str) -> None:
        print(f"left out: {told}", file=sys.stderr)

    yield from facets_of_broker(servers, on_unreadable=complain)
    if path is None:
        return
    for line in _read(path).decode("utf-8", "replace").splitlines():
        label = line.strip()
        if label.partition(":")[0] in FACET_KINDS:
            yield label
        elif label:
            yield from (f"{kind}:{label}" for kind in INFRASTRUCTURE_KINDS)


def _origin(watched: WatchedFacet) -> str:
    from streams.cli.record_lines import printable

    return printable(
        f"{watched.producer}, confidence {watched.confidence}, "
        f"TLP:{watched.tlp.upper()}"
    )


def _tell_kept_out(report: BundleReport) -> None:
    """Tell on stderr what is not taken, by reason, most frequent first."""
    from streams.cli.record_lines import printable
    from streams.sdk.sharing.indicators import KEPT_OUT

    for why, count in Counter(each.why for each in report.kept_out).most_common():
        some = [each for each in report.kept_out if each.why == why][:_MAX_TOLD]
        shown = ", ".join(
            each.stix_id + (f" ({each.detail})" if each.detail else "") for each in some
        )
        more = f" and {count - len(some)} more" if count > len(some) else ""
        told = f"{count} kept out as {why.replace('_', ' ')}, {KEPT_OUT[why]}: {shown}"
        print(printable(told + more), file=sys.stderr)


def _withdraw_revoked(report: BundleReport, why: str, how: Writing) -> None:
    if not report.revoked:
        return
    standing = _entries(how)
    for stix_id in report.revoked:
        entry = standing.get(stix_id)
        if entry is not None:
            told = f"{entry.subject} is not watched any more: {stix_id} is revoked"
            withdraw_entry(entry, f"revoked by its producer; {why}", told, how=how)
