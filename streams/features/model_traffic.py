"""All traffic of the newest minute and hours by model, whoever sent it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from streams.contracts.time_units import MINUTES_PER_HOUR
from streams.features.stable_hash import stable_hash

__all__ = ["REMEMBERED_HOURS", "ModelTraffic", "model_hash"]

REMEMBERED_HOURS: Final = 3
"""The open hour and two before it: a campaign that was silent for an hour still finds
what everybody did in the hour that it closes."""

_HASHED_MODELS: Final = 4096
"""Names whose hashes are kept: far more models than anybody offers."""


@lru_cache(maxsize=_HASHED_MODELS)
def model_hash(model: str) -> int:
    """Hash a model's name to 64 bits, the same in every process and version."""
    return stable_hash(f"model:{model}")


class ModelTraffic(msgspec.Struct, array_like=True):
    """Exchanges by hour since the epoch and hash of the model, and of one minute.

    >>> traffic = ModelTraffic()
    >>> traffic.add(60, model_hash("large"), 8)
    >>> traffic.of_hour(1, ["large", "small"])
    (8, {'large': 8})
    """

    hours: dict[int, dict[int, int]] = {}
    minute: int = -1
    newest: dict[int, int] = {}

    def add(self, minute: int, model: int, events: int) -> None:
        """Count the events of a minute; minutes never fall."""
        if minute != self.minute:
            self.minute, self.newest = minute, {}
        self.newest[model] = self.newest.get(model, 0) + events
        hour = minute // MINUTES_PER_HOUR
        if hour not in self.hours:
            self.hours[hour] = {}
            for old in [at for at in self.hours if at <= hour - REMEMBERED_HOURS]:
                del self.hours[old]
        counts = self.hours[hour]
        counts[model] = counts.get(model, 0) + events

    def of_hour(self, hour: int, models: Iterable[str]) -> tuple[int, dict[str, int]]:
        """Give all exchanges of an hour, and those of some models."""
        return self._total(self.hours.get(hour, {}), models)

    def events_in(self, minute: int) -> int:
        """Give all exchanges of a minute, if it is the newest."""
        return sum(self.newest.values()) if minute == self.minute else 0

    def uses_in(self, minute: int, model: str) -> int:
        """Give the exchanges of a minute with a model, if it is the newest."""
        if minute != self.minute:
            return 0
        return self.newest.get(model_hash(model), 0)

    @staticmethod
    def _total(
        counts: Mapping[int, int], models: Iterable[str]
    ) -> tuple[int, dict[str, int]]:
        named = {name: counts.get(model_hash(name), 0) for name in models}
        return sum(counts.values()), {name: n for name, n in named.items() if n}
