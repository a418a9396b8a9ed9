"""The rules of a view without Kafka, for tests of what asks it."""

from __future__ import annotations

from collections.abc import Mapping

from action_samples import NOW

from streams.contracts import Action
from streams.sdk import Decision
from streams.sdk.standing_actions import StandingActions
from streams.sdk.view_stats import ViewState


class MemoryView:
    def __init__(self, *actions: Action) -> None:
        self.state: ViewState = "live"
        self.silent_for = 0.0
        self._held = StandingActions()
        for action in actions:
            self._held.upsert(action, NOW)

    def decide(
        self, account_id: str | None, facets: Mapping[str, str] | None = None
    ) -> Decision:
        return self._held.decide(account_id, facets, lambda: NOW / 1000)
