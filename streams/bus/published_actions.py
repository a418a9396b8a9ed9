"""Look actions up on ``llm.actions``: what stands, and whom a token belongs to."""

from __future__ import annotations

from typing import Final

from streams.bus.records_consumer import newest_records, read_to_end
from streams.contracts import Action, decode_record
from streams.errors import ContractError

__all__ = ["ACTIONS_TOPIC", "find_token", "standing_actions"]

ACTIONS_TOPIC: Final = "llm.actions"
"""Compacted, keyed by subject."""


def standing_actions(bootstrap: str, now: int) -> dict[str, Action]:
    """Read what stands at ``now`` (ms since the epoch), by subject, oldest first.

    What has expired or cannot be read is left out: enforcers do the same.
    """
    found = {}
    for record in newest_records(bootstrap, ACTIONS_TOPIC).values():
        try:
            action = decode_record(Action, record.value or b"")
        except ContractError:
            continue
        if action.expires_at > now:
            found[action.subject] = action
    return dict(sorted(found.items(), key=lambda item: item[1].issued_at))


def find_token(bootstrap: str, token: str) -> Action | None:
    """Find the newest action that carries an appeal token; None without one.

    Replaced and lifted actions are found too, until Kafka has compacted the topic.
    """
    encoded, found = token.encode(), None
    for record in read_to_end(bootstrap, [ACTIONS_TOPIC]):
        # Strings lie in Avro as they are: few records need to be decoded.
        if record.value is None or encoded not in record.value:
            continue
        try:
            action = decode_record(Action, record.value)
        except ContractError:
            continue
        if action.appeal_token == token:
            found = action
    return found
