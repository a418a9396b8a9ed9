"""Where campaigns are read from: the topics of a broker, or the folder of a replay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from streams.bus.records_consumer import ReceivedRecord, newest_records, read_to_end
from streams.contracts import Action, Alert, decode_record, from_dict
from streams.contracts.json_lines import json_lines
from streams.errors import ContractError
from streams.sdk.sharing.campaign_history import CampaignHistory, campaign_histories

__all__ = ["campaigns_of_broker", "campaigns_of_folder", "facets_of_broker"]

_ALERTS: Final = "llm.alerts"
_ACTIONS: Final = "llm.actions"

_RecordT = TypeVar("_RecordT", Alert, Action)


def campaigns_of_broker(
    bootstrap: str, *, on_unreadable: Callable[[str], object]
) -> dict[str, CampaignHistory]:
    """Read both topics to their present end.

    A record that cannot be read is left out and told, with its place. Raises
    `BrokerUnavailable` when nobody answers, `TopicMismatch` when a topic is missing.
    """
    alerts = list(_alerts_of_broker(bootstrap, on_unreadable))
    standing = newest_records(bootstrap, _ACTIONS).values()
    return campaign_histories(alerts, _decoded(Action, standing, on_unreadable))


def facets_of_broker(
    bootstrap: str, *, on_unreadable: Callable[[str], object]
) -> set[str]:
    """Give the facets, KIND:ID, that any alert on the broker names; raises likewise."""
    alerts = _alerts_of_broker(bootstrap, on_unreadable)
    return {label for alert in alerts for label in alert.facets}


def campaigns_of_folder(folder: Path) -> dict[str, CampaignHistory]:
    """Read alerts.jsonl and actions.jsonl, as `distillwatch replay` writes them.

    Raises `ConfigError` when one is missing, `InvalidRecord` with file and line.
    """
    alerts = [_record(Alert, *line) for line in json_lines(folder / "alerts.jsonl")]
    actions: dict[str, Action] = {}
    for place, fields in json_lines(folder / "actions.jsonl"):
        if fields.get("lifted"):
            actions.pop(str(fields.get("subject")), None)
            continue
        action = _record(Action, place, fields)
        actions[action.subject] = action
    return campaign_histories(alerts, actions.values())


def _alerts_of_broker(
    bootstrap: str, on_unreadable: Callable[[str], object]
) -> Iterator[Alert]:
    return _decoded(Alert, read_to_end(bootstrap, [_ALERTS]), on_unreadable)


def _decoded(
    record_type: type[_RecordT],
    records: Iterable[ReceivedRecord],
    on_unreadable: Callable[[str], object],
) -> Iterator[_RecordT]:
    for record in records:
        if record.value is None:
            continue
        try:
            yield decode_record(record_type, record.value)
        except ContractError as error:
            on_unreadable(f"{record.place}: {error}")


def _record(
    record_type: type[_RecordT], place: str, fields: dict[str, Any]
) -> _RecordT:
    try:
        return from_dict(record_type, fields)
    except ContractError as error:
        raise type(error)(f"{place}: {error}") from None
