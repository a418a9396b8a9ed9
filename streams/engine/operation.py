"""What concerns the detector as a whole: budgets, traffic, breakers and canaries."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams.contracts.time_units import MINUTES_PER_DAY
from streams.features.model_traffic import ModelTraffic
from streams.features.traffic_day import TrafficDay
from streams.policy.breakers import Breakers
from streams.policy.budget import WEIGHT_OF_A_TEST, Budget
from streams.policy.policy import Policy

__all__ = ["Operation", "Purse"]


class Purse(NamedTuple):
    """A budget, how much it is a day, and the weight of the tests that it pays for."""

    budget: Budget
    daily: float
    weight: float

    def level(self, minute: int) -> float:
        """Tell the level of the next test."""
        return self.budget.level(minute, self.daily, self.weight)

    @property
    def fresh_level(self) -> float:
        """The level of a first test at midnight."""
        return Budget().level(0, self.daily, self.weight)

    def spend(self, minute: int) -> float:
        """Spend the level of the next test."""
        return self.budget.next_level(minute, self.daily, self.weight)

    def note_find(self) -> None:
        """Take note that the last test found a group."""
        self.budget.note_find()

    def left(self, minute: int) -> float:
        """Tell what is left of the day."""
        return self.budget.left(minute, self.daily)


class Operation(msgspec.Struct, array_like=True):
    """What concerns the detector as a whole.

    ``control_offset`` is the last record of llm.control that was applied, ``notices``
    counts alerts, ``canary_alarms`` has the minutes of those of the last day.
    ``fallen_back``: the canaries failed, and nothing is enforced.
    """

    budget: Budget = msgspec.field(default_factory=Budget)
    watched_budget: Budget = msgspec.field(default_factory=Budget)
    traffic: TrafficDay = msgspec.field(default_factory=TrafficDay)
    breakers: Breakers = msgspec.field(default_factory=Breakers)
    control_offset: int = -1
    notices: int = 0
    canary_alarms: list[int] = []
    fallen_back: bool = False
    exhausted_day: int = -1
    models: ModelTraffic = msgspec.field(default_factory=ModelTraffic)

    def purse(
        self, policy: Policy, stratum: str, *, watched: bool, reserved: bool
    ) -> Purse:
        """Give the budget that a test of a group of a stratum is taken from.

        While there are imported indicators, a share of the day's budget is kept for
        groups that match one: it brings them more tests at good levels, and no
        evidence. (On the day of the first import up to that share comes on top.)
        """
        share = policy.watched_share if reserved else 0.0
        weight = WEIGHT_OF_A_TEST[stratum]
        if watched and share:
            return Purse(self.watched_budget, policy.daily_budget * share, weight)
        return Purse(self.budget, policy.daily_budget * (1 - share), weight)

    def next_notice(self) -> int:
        """Count one more alert about the operation; give its sequence."""
        self.notices += 1
        return self.notices

    def note_canary_alarm(self, minute: int) -> int:
        """Count a canary's alarm; give how many there were within a day."""
        day = (each for each in self.canary_alarms if each > minute - MINUTES_PER_DAY)
        self.canary_alarms = [*day, minute]
        return len(self.canary_alarms)
