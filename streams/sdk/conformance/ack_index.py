"""The acknowledgements that have come since a run began, by action and outcome."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Mapping
from typing import Any

from streams.bus.records_consumer import RecordsConsumer
from streams.contracts.records import Ack, Outcome, decode_record
from streams.errors import BrokerUnavailable, ContractError

__all__ = ["AckIndex"]

_TOPIC = "llm.acks"
_LOOK = 0.2  # s between two looks at whether the run is over
_ATTEMPTS = 5
_PAUSE = 0.5  # s between two attempts, while a partition's leader changes


class AckIndex:
    """Reads ``llm.acks`` in a thread; raises `BusError` when it cannot begin to."""

    def __init__(
        self, bootstrap: str, kafka_settings: Mapping[str, Any] | None
    ) -> None:
        self._found: dict[tuple[str, str], Ack] = {}
        self._stop = threading.Event()
        self._consumer = _consumer(bootstrap, kafka_settings)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def find(self, action_id: str, outcome: Outcome) -> Ack | None:
        """Give the first acknowledgement of this kind, or None."""
        return self._found.get((action_id, outcome))

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        while not self._stop.is_set():
            for record in self._consumer.records(until_idle=_LOOK):
                try:
                    ack = decode_record(Ack, record.value or b"")
                except ContractError:
                    continue  # another enforcer's; ours is then missed and told
                self._found.setdefault((ack.action_id, ack.outcome), ack)


def _consumer(
    bootstrap: str, kafka_settings: Mapping[str, Any] | None
) -> RecordsConsumer:
    for _ in range(_ATTEMPTS - 1):
        with contextlib.suppress(BrokerUnavailable):
            return RecordsConsumer(bootstrap, [_TOPIC], kafka_settings=kafka_settings)
        time.sleep(_PAUSE)
    return RecordsConsumer(bootstrap, [_TOPIC], kafka_settings=kafka_settings)
