"""Circuit breakers: how much may be enforced before a person has to look.

Beyond a cap nothing more is enforced: further actions are published as shadow, and an
alert says so. What stands is left alone, so that nobody can lift actions by causing
more of them.
"""

from __future__ import annotations

import msgspec

from streams.contracts.time_units import MINUTES_PER_HOUR
from streams.policy.policy import Caps

__all__ = ["Breakers"]


class Breakers(msgspec.Struct, array_like=True):
    """Enforced actions of one hour of event time, and the traffic they concern.

    ``daily`` is the sum of the exchanges a day of the accounts that stand under an
    enforced action at throttle or above.
    """

    hour: int = -1
    issued: int = 0
    by_owner: dict[int, int] = {}
    told: list[str] = []
    daily: int = 0

    def exceeded(
        self, caps: Caps, minute: int, owner: int, *, adds: int, traffic: int
    ) -> str:
        """Tell which cap one more enforced action would break; empty: none.

        ``adds`` is the account's traffic and ``traffic`` that of all, both in exchanges
        a day; without knowledge of the latter (0) its share is not limited.
        """
        self._begin(minute)
        if caps.actions_per_hour is not None and self.issued >= caps.actions_per_hour:
            return f"{caps.actions_per_hour} enforced actions in an hour"
        most = caps.actions_per_hour_and_owner
        if most is not None and self.by_owner.get(owner, 0) >= most:
            return f"{most} enforced actions of one organization in an hour"
        share = caps.traffic_share
        if share is not None and traffic and self.daily + adds > share * traffic:
            return f"{share:.1%} of the traffic under enforced actions"
        return ""

    def count(self, minute: int, owner: int, *, adds: int) -> None:
        """Count one more enforced action."""
        self._begin(minute)
        self.issued += 1
        self.by_owner[owner] = self.by_owner.get(owner, 0) + 1
        self.daily += adds

    def is_news(self, minute: int, reason: str) -> bool:
        """Whether this hour's alert about a cap is still to be sent; then it counts."""
        self._begin(minute)
        if reason in self.told:
            return False
        self.told.append(reason)
        return True

    def _begin(self, minute: int) -> None:
        hour = minute // MINUTES_PER_HOUR
        if hour > self.hour:
            self.hour, self.issued, self.by_owner, self.told = hour, 0, {}, []
