"""What a run left in a folder: its events, their truth, and what was decided.

Reads ``events.avro``, ``truth.csv``, ``exchanges.csv`` (as ``simulate`` writes them),
``actions.jsonl`` and ``alerts.jsonl`` (one object a line, with the names of
``Action.avsc`` and ``Alert.avsc``, times in milliseconds; other keys are ignored).
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, Self, TypeVar

import msgspec
import polars as pl
from msgspec.structs import replace

from streams.contracts.containers import read_container
from streams.contracts.records import Rung
from streams.contracts.time_units import MS_PER_DAY, MS_PER_MINUTE
from streams.errors import ScenarioError
from streams.scenarios.simulate import EVENTS, EXCHANGES, TRUTH

__all__ = ["ACTIONS", "ALERTS", "Action", "Alert", "Outcome"]

ACTIONS, ALERTS = "actions.jsonl", "alerts.jsonl"
_EXCHANGES = ["event_id", "account_id", "campaign"]
_TRUTH = ["account_id", "cohort", "campaign"]

_T = TypeVar("_T")


class Action(msgspec.Struct, frozen=True):
    """The part of an action that is scored."""

    subject: str
    rung: Rung
    issued_at: int
    expires_at: int
    campaign_id: str = ""
    human_review: bool = False


class Alert(msgspec.Struct, frozen=True):
    """The part of an alert that is scored."""

    campaign_id: str
    kind: str
    occurred_at: int
    accounts: tuple[str, ...] = ()


class Outcome(NamedTuple):
    """A folder, read.

    ``truth``: account_id, cohort, campaign (empty for ordinary accounts).
    ``exchanges``: account_id, campaign, time (ms) of campaign exchanges, in time order.
    ``account_days``: days, of ordinary accounts with at least one event on them.
    Actions and alerts have the time at which their minute was over.
    """

    truth: pl.DataFrame
    exchanges: pl.DataFrame
    events: int
    account_days: int
    actions: list[Action]
    alerts: list[Alert]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read a folder; raise `ScenarioError` with the file that is not there."""
        truth = _csv(folder / TRUTH, _TRUTH)
        path = _there(folder / EVENTS, "distillwatch simulate writes it")
        events = pl.concat(
            frame.select("event_id", "account_id", pl.col("occurred_at").cast(pl.Int64))
            for frame in read_container(path)
        )
        exchanges = events.join(truth.filter(campaign="").select("account_id"),
                                on="account_id", how="anti")  # fmt: skip
        if (folder / EXCHANGES).is_file():
            marked = _csv(folder / EXCHANGES, _EXCHANGES)
            exchanges = events.join(
                marked.select("event_id", "campaign"), on="event_id"
            )
        else:
            exchanges = exchanges.join(truth, on="account_id").drop("cohort")
        day = pl.col("occurred_at") // MS_PER_DAY
        ordinary = events.join(
            truth.filter(campaign="").select("account_id"), on="account_id"
        )
        # What is decided about a minute carries its first millisecond, and is decided
        # when the minute is over: that is when it stops an exchange.
        return cls(
            truth=truth,
            exchanges=exchanges.select(
                "account_id", "campaign", time="occurred_at"
            ).sort("time", maintain_order=True),
            events=len(events),
            account_days=len(ordinary.select("account_id", day).unique()),
            actions=[
                replace(each, issued_at=each.issued_at + MS_PER_MINUTE)
                for each in _lines(folder / ACTIONS, Action)
            ],
            alerts=[
                replace(each, occurred_at=each.occurred_at + MS_PER_MINUTE)
                for each in _lines(folder / ALERTS, Alert)
            ],
        )


def _there(path: Path, way_out: str) -> Path:
    if not path.is_file():
        raise ScenarioError(f"{path} is not there; {way_out}")
    return path


def _csv(path: Path, columns: list[str]) -> pl.DataFrame:
    _there(path, "distillwatch simulate writes it")
    table = pl.read_csv(path, infer_schema=False).fill_null("")
    if table.columns != columns:
        raise ScenarioError(f"{path}: the header is not {','.join(columns)}")
    return table


def _lines(path: Path, kind: type[_T]) -> list[_T]:
    _there(path, "a run over events.avro writes it: distillwatch replay")
    decoder = msgspec.json.Decoder(kind)
    found = []
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    found.append(decoder.decode(line))
                except msgspec.DecodeError as error:
                    raise ScenarioError(f"{path}:{number}: {error}") from error
    return found
