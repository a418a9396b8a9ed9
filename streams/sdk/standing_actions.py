"""The actions that stand, one a subject: the rules every enforcer keeps.

Pure: no Kafka and no clock. One thread writes, any number of threads read without a
lock: a value of the dict is never changed, only replaced whole.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

import msgspec

from streams.contracts.records import Action, Outcome
from streams.errors import ConfigError
from streams.sdk.allowlist import ALLOWLISTED, Allowlist
from streams.sdk.decision import NOTHING, RANK, Decision

__all__ = ["MAX_SUBJECTS", "Change", "Honour", "Standing", "StandingActions"]

Honour: TypeAlias = Callable[[Action], str | None]
"""An enforcer's own policy: None to enforce the action, or why it is refused."""

MAX_SUBJECTS: Final = 1_000_000
"""Subjects held by default, about 1.2 GB."""

_MAX_SETTLED: Final = 100_000
"""Subjects without an action whose last sequence is remembered, about 20 MB."""

_HEAP_SLACK: Final = 1024  # stale expiries that are not worth a clean-up
_FACET: Final = "facet"
_SHADOW: Final = "shadow"
_PENDING: Final = "it waits for a person"


class Change(NamedTuple):
    """Something to acknowledge; ``detail`` says why an action was refused."""

    outcome: Outcome
    action: Action
    detail: str | None = None


class Standing(msgspec.Struct, frozen=True):
    """The action of a subject; ``withheld`` says why it is not enforced, or None."""

    action: Action
    withheld: str | None
    decision: Decision

    def change(self) -> list[Change]:
        """Give what there is to acknowledge when it begins to stand."""
        if self.withheld is None:
            return [Change("applied", self.action)]
        if _asked_for(self.action):
            return [Change("refused", self.action, self.withheld)]
        return []


class StandingActions:
    """Upsert by subject, ignore a lower sequence, stop at the expiry, lift on request.

    Times are milliseconds since the epoch. At most ``max_subjects`` are held: when that
    many stand, a further subject is refused and counted in `dropped`.

    A subject's last sequence is remembered for a while after its action has gone, so
    that a repeat from a producer that started over does not bring it back.

    ``allowlist`` comes last and beats all: tell `judge_anew` when it has changed.
    """

    def __init__(
        self,
        *,
        max_subjects: int = MAX_SUBJECTS,
        honour: Honour | None = None,
        allowlist: Allowlist | None = None,
    ) -> None:
        if max_subjects < 1:
            raise ConfigError(f"max_subjects = {max_subjects} is below 1 subject")
        self.dropped = 0
        self.ignored = 0
        self._max = max_subjects
        self._honour = honour
        self._allowlist = Allowlist() if allowlist is None else allowlist
        self._standing: dict[str, Standing] = {}
        self._facet_kinds: Counter[str] = Counter()
        self._expiries: list[tuple[int, str]] = []
        self._settled: OrderedDict[str, int] = OrderedDict()
        self._unseen: set[str] | None = None

    def __len__(self) -> int:
        return len(self._standing)

    def __iter__(self) -> Iterator[Standing]:
        # One step of the interpreter copies it, so that writers need not wait.
        return iter(list(self._standing.values()))

    @property
    def settled(self) -> Mapping[str, int]:
        """The last sequence of subjects whose action has gone."""
        return self._settled

    def get(self, subject: str, now: float) -> Action | None:
        """Give the action of a subject, whatever its mode; None when it has expired."""
        found = self._standing.get(subject)
        if found is None or found.action.expires_at <= now:
            return None
        return found.action

    def decide(
        self,
        account_id: str | None,
        facets: Mapping[str, str] | None,
        clock: Callable[[], float],
    ) -> Decision:
        """Give the strongest action over an account and facets (kind to id).

        Of two actions on one rung the account's comes first, then the facets' in
        their order. ``clock`` (seconds) is asked only when something stands.
        """
        decision = self._weigh(account_id, facets, clock)
        if decision.action is None or self._allowlist.empty:
            return decision
        if not self._allowlist.lets_pass(account_id, facets, clock() * 1000):
            return decision
        seen = (decision.action, decision.would)
        would = max((each for each in seen if each is not None), key=_rank)
        return Decision(None, would, ALLOWLISTED)

    def _weigh(
        self,
        account_id: str | None,
        facets: Mapping[str, str] | None,
        clock: Callable[[], float],
    ) -> Decision:
        found = None
        if account_id is not None:
            found = self._standing.get("account:" + account_id)
        if facets and self._facet_kinds:
            return self._strongest(found, facets, clock)
        if found is None or found.action.expires_at <= clock() * 1000:
            return NOTHING
        return found.decision

    def _strongest(
        self,
        first: Standing | None,
        facets: Mapping[str, str],
        clock: Callable[[], float],
    ) -> Decision:
        kinds = self._facet_kinds
        found = [] if first is None else [first]
        for kind, facet in facets.items():
            if kind in kinds:
                each = self._standing.get(f"{_FACET}:{kind}:{facet}")
                if each is not None:
                    found.append(each)
        if not found:
            return NOTHING
        now = clock() * 1000
        live = [each for each in found if each.action.expires_at > now]
        if not live:
            return NOTHING
        if len(live) == 1:
            return live[0].decision
        # max() gives the first of equals.
        actions = [each.action for each in live if each.withheld is None]
        would = [each.action for each in live if each.withheld is not None]
        return Decision(
            max(actions, key=_rank, default=None), max(would, key=_rank, default=None)
        )

    def upsert(self, action: Action, now: int) -> list[Change]:
        """Take an action in; return what is to be acknowledged."""
        subject = action.subject
        if self._unseen is not None:
            self._unseen.discard(subject)
        held = self._standing.get(subject)
        latest = self._settled.get(subject, action.sequence)
        if held is not None:
            latest = held.action.sequence
        if action.sequence < latest or (held and held.action == action):
            self.ignored += 1
            return []
        if held is None and action.sequence == self._settled.get(subject):
            self.ignored += 1  # a repeat of what was lifted or has expired
            return []
        if action.expires_at <= now:
            changes = self._remove(subject, "released")
            self._settle(subject, action.sequence)
            return changes
        if held is not None or len(self._standing) < self._max:
            return self._put(action, held, now)
        changes = self.expire(now)
        if changes or len(self._standing) < self._max:
            return changes + self._put(action, None, now)
        self.dropped += 1
        full = f"this enforcer holds {self._max} subjects already"
        return [Change("refused", action, full)] if _asked_for(action) else []

    def _put(self, action: Action, held: Standing | None, now: int) -> list[Change]:
        standing = self._judged(action, now)
        self._standing[action.subject] = standing
        self._settled.pop(action.subject, None)
        if held is None:
            self._count_kind(action.subject, 1)
        if held is None or held.action.expires_at != action.expires_at:
            self._push_expiry(action)
        was = held is not None and held.withheld is None
        if held is None or not was:
            return standing.change()
        if standing.withheld is not None:
            return [Change("released", held.action), *standing.change()]
        same = (held.action.action_id, held.action.sequence)
        repeated = same == (action.action_id, action.sequence)
        return [] if repeated else standing.change()

    def judge_anew(self, subjects: Iterable[str], now: int) -> list[Change]:
        """Follow a change of the allowlist about these subjects, as it names them."""
        # Actions on accounts and facets may be of a campaign, and all are under "*".
        wide = any(not each.startswith(("account:", "facet:")) for each in subjects)
        changes = []
        for subject in list(self._standing) if wide else sorted(subjects):
            held = self._standing.get(subject)
            if held is None or held.withheld not in (None, ALLOWLISTED):
                continue
            standing = self._judged(held.action, now)
            if standing.withheld != held.withheld:
                self._standing[subject] = standing
                changes += standing.change()
        return changes

    def _judged(self, action: Action, now: int) -> Standing:
        withheld = self._why_withheld(action)
        if withheld is None and self._allowlist.spares(action, now):
            withheld = ALLOWLISTED
        if withheld is None:
            return Standing(action, None, Decision(action))
        return Standing(action, withheld, Decision(None, action, withheld))

    def _why_withheld(self, action: Action) -> str | None:
        if action.mode != "enforce":
            return _SHADOW
        if action.human_review:
            return _PENDING
        if self._honour is None:
            return None
        try:
            return self._honour(action)
        except Exception as error:  # noqa: BLE001  a policy that fails must not ban, nor end the view
            return f"the enforcer's policy failed ({type(error).__name__})"

    def lift(self, subject: str) -> list[Change]:
        """Take a tombstone: nothing stands for the subject any more."""
        if self._unseen is not None:
            self._unseen.discard(subject)
        return self._remove(subject, "released")

    def expire(self, now: int) -> list[Change]:
        """Remove what has expired; lookups do not depend on it."""
        changes = []
        while self._expiries and self._expiries[0][0] <= now:
            expires_at, subject = heapq.heappop(self._expiries)
            held = self._standing.get(subject)
            if held and held.action.expires_at == expires_at:
                changes += self._remove(subject, "expired")
        return changes

    def news(
        self, changes: list[Change], action: Action | None = None
    ) -> Iterator[tuple[Action, bool]]:
        """Give actions, each with whether it is now what is in force for its subject.

        ``changes`` is what a method returned; ``action`` what was given to `upsert`.
        """
        for change in changes:
            if change.outcome in ("expired", "released"):
                yield change.action, False
            elif action is None:
                yield change.action, change.outcome == "applied"
        if action is None:
            return
        held = self._standing.get(action.subject)
        if held is None:
            yield action, False
        elif held.action is action:  # else it was stale, or a repeat
            yield action, held.withheld is None

    def begin_load(self) -> None:
        """Expect every subject that stands to be told again."""
        self._unseen = set(self._standing)

    def end_load(self) -> list[Change]:
        """Lift what was not told again: its tombstone was compacted away meanwhile."""
        unseen, self._unseen = self._unseen or set(), None
        return [
            change
            for subject in sorted(unseen)
            for change in self._remove(subject, "released")
        ]

    def recall(self, settled: Mapping[str, int]) -> None:
        """Remember last sequences, as a snapshot has them."""
        for subject, sequence in settled.items():
            self._settle(subject, sequence)

    def _remove(self, subject: str, outcome: Outcome) -> list[Change]:
        held = self._standing.pop(subject, None)
        if held is None:
            return []
        self._count_kind(subject, -1)
        self._settle(subject, held.action.sequence)
        return [Change(outcome, held.action)] if held.withheld is None else []

    def _settle(self, subject: str, sequence: int) -> None:
        self._settled[subject] = sequence
        self._settled.move_to_end(subject)
        if len(self._settled) > _MAX_SETTLED:
            self._settled.popitem(last=False)

    def _count_kind(self, subject: str, step: int) -> None:
        scope, _, rest = subject.partition(":")
        if scope == _FACET:
            kind = rest.partition(":")[0]
            self._facet_kinds[kind] += step
            if not self._facet_kinds[kind]:
                del self._facet_kinds[kind]

    def _push_expiry(self, action: Action) -> None:
        if len(self._expiries) > 2 * len(self._standing) + _HEAP_SLACK:
            self._expiries = [
                (each.action.expires_at, subject)
                for subject, each in self._standing.items()
            ]
            heapq.heapify(self._expiries)
            return
        heapq.heappush(self._expiries, (action.expires_at, action.subject))


def _rank(action: Action) -> int:
    return RANK[action.rung]


def _asked_for(action: Action) -> bool:
    """Whether the action is one that an enforcer has to answer for."""
    return action.mode == "enforce" and not action.human_review
