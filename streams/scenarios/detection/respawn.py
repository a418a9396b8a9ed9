"""An attacker who opens a new account for each one that is challenged or worse.

The closed loop that a recorded scenario lacks: from the batch of events after an
action on, the seat of the account sends under a new id, with a key and (where it was
its own) a payment and network that nobody has seen, opened a few hours before.
Templates, client builds and shared infrastructure stay: they are what the attacker
would have to pay for.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from streams.contracts.records import Rung
from streams.contracts.time_units import MS_PER_HOUR
from streams.policy.ladder import RUNGS
from streams.scenarios.chance import dice
from streams.scenarios.facets import Ids
from streams.scenarios.outcomes import Action

__all__ = ["REPLACED_FROM", "Respawns"]

REPLACED_FROM: Final[Rung] = "challenge"
"""An account is given up from this rung on; a throttle leaves it of use."""
_LEAD_HOURS: Final = 6.0
_ACCOUNT: Final = "account:"


class Respawns:
    """Which account sits on which seat of a campaign, as actions come in.

    ``own``: for each campaign account, the values of ``payment`` and ``network`` that
    no other account uses, and that are thus replaced with it.
    """

    def __init__(self, seed: int, seats: Iterable[str]) -> None:
        self._ids = Ids(seed)
        self._seed = seed
        self._holder = {seat: seat for seat in seats}
        self._seat = dict(self._holder)
        self._fresh: dict[str, dict[str, Any]] = {}
        self.opened: list[str] = []
        """Accounts opened in the place of another, in order."""

    def seat(self, account: str) -> str:
        """Give the seat of an account, which is the id of its first holder."""
        return self._seat[account]

    def take(self, actions: Iterable[Action], now: int) -> None:
        """Give up the accounts that ``actions`` are about, at ``now`` (ms)."""
        least = RUNGS.index(REPLACED_FROM)
        for action in actions:
            account = action.subject.removeprefix(_ACCOUNT)
            seat = self._seat.get(account)
            if seat is None or RUNGS.index(action.rung) < least:
                continue
            if self._holder[seat] == account:
                self._open(seat, now)

    def _open(self, seat: str, now: int) -> None:
        name = ("respawn", seat, len(self.opened))
        account = self._ids.make("account", *name)
        lead = dice(self._seed, *name).random() * _LEAD_HOURS * MS_PER_HOUR
        self._holder[seat] = account
        self._seat[account] = seat
        self._fresh[seat] = {
            "account_id": account,
            "api_key_id": self._ids.make("key", *name, size=8),
            "account_created_at": now - round(lead),
            "payment": self._ids.make("payment", *name, size=8),
            "network": self._ids.make("network", *name, size=8),
        }
        self.opened.append(account)

    def dress(self, record: dict[str, Any], shared: frozenset[str]) -> dict[str, Any]:
        """Send a record from the account that now sits on its seat.

        ``shared`` are payments and networks that several accounts use: these stay.
        """
        fresh = self._fresh.get(record["account_id"])
        if fresh is None:
            return record
        kept = {name for name in ("payment", "network") if record[name] in shared}
        return record | {name: x for name, x in fresh.items() if name not in kept}
