"""What a view acknowledges: news at once, what a load brought in one account."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable
from typing import Final

from streams.contracts.records import Action, Outcome
from streams.errors import ReporterClosed
from streams.sdk.acknowledger import Acknowledger
from streams.sdk.standing_actions import Change, StandingActions
from streams.sdk.throttled_log import ThrottledLog

__all__ = ["Outcomes"]

_STEP: Final = 1000  # acknowledgements of a load in one go
_LATENCIES: Final = 1000


class Outcomes:
    """Hand changes to an acknowledger, if there is one.

    The first load passes through states that are history. So nothing is told while
    ``loading``; then `account_for_load` tells what stands, less what was known before
    (from a snapshot), and what was known and stands no more. ``clock`` gives
    milliseconds since the epoch.
    """

    def __init__(
        self,
        acknowledger: Acknowledger | None,
        *,
        log: ThrottledLog,
        clock: Callable[[], int],
    ) -> None:
        self.loading = True
        self.latencies: collections.deque[float] = collections.deque(maxlen=_LATENCIES)
        self._acknowledger = acknowledger
        self._log = log
        self._clock = clock
        self._known: dict[str, Action] = {}
        self._owed: collections.deque[Change] = collections.deque()

    def know(self, actions: Iterable[Action]) -> None:
        """Take it that these were acknowledged as applied in an earlier life."""
        self._known = {action.subject: action for action in actions}

    def tell(self, changes: Iterable[Change], *, measured: bool = True) -> None:
        """Acknowledge news, unless they are a part of the first load.

        Without ``measured`` the delay is not one from decision to enforcement.
        """
        if self.loading:
            return
        for change in changes:
            if measured and change.outcome == "applied":
                waited = self._clock() - change.action.issued_at
                self.latencies.append(waited / 1000)
            self._acknowledge(change)

    def account_for_load(self, standing: StandingActions) -> None:
        """End the first load: owe an acknowledgement for what it changed."""
        self.loading = False
        in_force = {e.action.subject: e.action for e in standing if e.withheld is None}
        now = self._clock()
        for subject, action in self._known.items():
            if subject not in in_force:
                over = action.expires_at <= now
                outcome: Outcome = "expired" if over else "released"
                self._owed.append(Change(outcome, action))
        for each in standing:
            known = self._known.get(each.action.subject)
            same = known is not None and _identity(known) == _identity(each.action)
            if each.withheld is not None or not same:
                self._owed += each.change()
        self._known = {}

    def pay(self, standing: StandingActions) -> None:
        """Send some of what is owed, as the acknowledger has room for it."""
        if self._acknowledger is None:
            self._owed.clear()
            return
        for _ in range(min(_STEP, len(self._owed))):
            if not self._acknowledger.has_room:
                return
            change = self._owed.popleft()
            # What has gone since the load is told as that.
            gone = standing.get(change.action.subject, 0) is not change.action
            if not gone or change.outcome in ("expired", "released"):
                self._acknowledge(change)

    def _acknowledge(self, change: Change) -> None:
        outcome, action, detail = change
        if self._acknowledger is None:
            return
        try:
            self._acknowledger.acknowledge(
                action, outcome, detail=detail, occurred_at=self._clock()
            )
        except ReporterClosed:
            self._log.tell("ack", "the acknowledger was closed before the view")


def _identity(action: Action) -> tuple[str, int]:
    return action.action_id, action.sequence
