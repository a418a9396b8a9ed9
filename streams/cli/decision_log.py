"""The public topics of decisions, read from a broker or from the folder of a replay."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeVar

from streams.contracts import Action, Alert, Decision, decode_record, encode
from streams.contracts.json_lines import json_lines
from streams.errors import ContractError

__all__ = ["BrokerLog", "DecisionLog", "FolderLog", "Logged", "decoded", "open_log"]

_RecordT = TypeVar("_RecordT", Action, Alert, Decision)

_FILES: Final = {
    "llm.actions": ("actions.jsonl", "Action", "subject"),
    "llm.alerts": ("alerts.jsonl", "Alert", "campaign_id"),
    "llm.decisions": ("decisions.jsonl", "Decision", "subject"),
}
"""By topic the file of a replay, its records, and the field that is the key."""


class Logged(NamedTuple):
    """A record of a topic, and where it lies; ``value`` None is a tombstone."""

    key: str
    value: bytes | None
    place: str


class DecisionLog(Protocol):
    """Topics that can be read to their present end, as often as needed."""

    def records(self, topic: str) -> Iterator[Logged]:
        """Yield the records of a topic in log order."""


class BrokerLog(NamedTuple):
    """The topics of a broker."""

    servers: str

    def records(self, topic: str) -> Iterator[Logged]:
        """Yield the records of a topic in log order; raises as `read_to_end` does."""
        from streams.bus.records_consumer import read_to_end

        for record in read_to_end(self.servers, [topic]):
            key = (record.key or b"").decode("utf-8", "backslashreplace")
            yield Logged(key, record.value, record.place)


class FolderLog(NamedTuple):
    """The files that `distillwatch replay` writes; no operators' entries there."""

    folder: Path

    def records(self, topic: str) -> Iterator[Logged]:
        """Yield the lines of a topic's file; raises `ConfigError` and `InvalidRecord`.

        A replay writes no tombstones: the decisions tell what was lifted.
        """
        if topic not in _FILES:
            return
        lifted = self._lifted() if topic == "llm.actions" else set[str]()
        _, record, key = _FILES[topic]
        for place, fields in self._lines(topic):
            try:
                value = encode(record, fields)
            except ContractError as error:
                raise type(error)(f"{place}: {error}") from None
            yield Logged(str(fields[key]), value, place)
            if fields.get("action_id") in lifted:
                yield Logged(str(fields[key]), None, place)

    def _lifted(self) -> set[str]:
        return {
            str(fields.get("action_id"))
            for _, fields in self._lines("llm.decisions")
            if fields.get("kind") in ("released", "expired")
        }

    def _lines(self, topic: str) -> Iterator[tuple[str, dict[str, Any]]]:
        return json_lines(self.folder / _FILES[topic][0])


def decoded(record_type: type[_RecordT], logged: Logged) -> _RecordT | None:
    """Decode a record; one that cannot be read is told on stderr, and None."""
    try:
        return decode_record(record_type, logged.value or b"")
    except ContractError as error:
        print(f"left out: {logged.place}: {error}", file=sys.stderr)
        return None


def open_log(folder: Path | None, servers: str) -> DecisionLog:
    """Give the folder's log, or the broker's."""
    return BrokerLog(servers) if folder is None else FolderLog(folder)
