"""What libraries do at a first use, done before a worker holds any partition.

Compiled loops are loaded from disk or, the first time on a machine, compiled: seconds
in which the event loop would stand still, and with it heartbeats and other partitions.
"""

from __future__ import annotations

from typing import Final

from streams.contracts import encode
from streams.engine.replay import Pipeline

__all__ = ["warm_up"]

_ACCOUNTS: Final = 64
_MINUTE: Final = 60_000  # ms


def warm_up() -> None:
    """Let an engine that nobody keeps take a few minutes of made-up events."""
    pipeline = Pipeline()
    for minute in range(3):
        pipeline.feed([_event(minute, number) for number in range(_ACCOUNTS)])
        pipeline.flush()
    pipeline.close()


def _event(minute: int, number: int) -> bytes:
    return encode(
        "RequestEvent",
        {
            "event_id": f"{minute}-{number}",
            "occurred_at": minute * _MINUTE + number,
            "account_id": f"account-{number % (_ACCOUNTS // 2)}",
            "request_model": "model",
            "network": f"network-{number % 2}",
            "client": "client",
        },
    )
