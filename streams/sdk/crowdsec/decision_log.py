"""What stands and what has gone, in the order of change: answers every bouncer."""

from __future__ import annotations

import ipaddress
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from itertools import takewhile
from typing import Final, NamedTuple, TypeAlias

import msgspec

from streams.contracts.records import Action
from streams.errors import ConfigError
from streams.sdk.crowdsec.decision import BouncerDecision, DecisionMaker
from streams.sdk.crowdsec.decision_filter import DecisionFilter
from streams.sdk.standing_actions import MAX_SUBJECTS

__all__ = ["Changes", "DecisionLog"]

_KEEP_GONE: Final = 86_400_000
"""Milliseconds that a lifted decision is remembered: a day, as Kafka's tombstones."""

_Address: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network
_GoneKey: TypeAlias = tuple[str, str, str]


class Changes(NamedTuple):
    """What a bouncer has to be told, oldest first.

    ``revision`` is where its next pull begins. ``forgot`` says that decisions were
    lifted since its last pull of which nothing is known any more.
    """

    new: Sequence[BouncerDecision]
    deleted: Sequence[BouncerDecision]
    revision: int
    forgot: bool


class DecisionLog:
    """Keep one decision a subject, and the last end of each that has gone.

    Each change gets the next revision, and a bouncer's cursor is a revision, so that a
    bouncer that never returns costs nothing. What has gone is kept for a day and up to
    ``max_gone`` decisions: by default as many as can stand, since all may be lifted at
    once. Times are milliseconds since the epoch. One thread writes, any may read.
    """

    def __init__(self, maker: DecisionMaker, *, max_gone: int = MAX_SUBJECTS) -> None:
        if max_gone < 1:
            raise ConfigError(f"max_gone = {max_gone} is below 1 decision")
        self._maker = maker
        self._max_gone = max_gone
        self._lock = threading.Lock()
        self._revision = 0
        self._forgotten = 0
        # Both in the order of their revisions: what changes is taken out and put last.
        self._standing: dict[str, BouncerDecision] = {}
        self._gone: OrderedDict[_GoneKey, BouncerDecision] = OrderedDict()
        self._all: tuple[BouncerDecision, ...] | None = None
        self._prefixes: Counter[str] = Counter()
        self._networks: dict[str, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._standing)

    @property
    def gone(self) -> int:
        """How many lifted decisions are remembered."""
        return len(self._gone)

    def take(self, action: Action, in_force: bool, now: int) -> None:
        """Take news of a subject: the action in force, or one that is not."""
        decision = self._maker.make(action) if in_force else None
        held = self._standing.get(action.subject)
        with self._lock:
            if decision is not None:
                if held is None or _differ(held, decision):
                    self._put(decision, held, now)
            elif held is not None:
                self._remove(held, now)
            elif ended := self._unseen(action, now):
                self._bury(ended, now)
            self._forget(now)

    def changes(self, cursor: int | None = None) -> Changes:
        """Give what changed since a cursor; None: all that stands and has gone."""
        with self._lock:
            if cursor is None:
                new = self._everything()
                gone = tuple(self._gone.values())
                return Changes(new, gone, self._revision, forgot=False)
            return Changes(
                _since(reversed(self._standing.values()), cursor),
                _since(reversed(self._gone.values()), cursor),
                self._revision,
                forgot=cursor < self._forgotten,
            )

    def everything(self) -> Sequence[BouncerDecision]:
        """Give all that stands."""
        with self._lock:
            return self._everything()

    def superseded(self, gone: BouncerDecision, wanted: DecisionFilter) -> bool:
        """Say whether the bouncer knows a decision of the same value and type."""
        held = self._standing.get(gone.subject)
        return held is not None and held.type == gone.type and wanted.wants(held)

    def with_value(self, value: str) -> list[BouncerDecision]:
        """Give what stands for a value, in whatever scope."""
        subjects = [prefix + value for prefix in list(self._prefixes)]
        return [held for each in subjects if (held := self._standing.get(each))]

    def covering(self, network: _Address) -> list[BouncerDecision]:
        """Give what stands for a network, an address (/32, /128) or one around it."""
        with self._lock:
            return [
                held
                for length in range(network.prefixlen, -1, -1)
                for subject in self._networks.get(_widened(network, length), ())
                if (held := self._standing.get(subject))
            ]

    def inside(self, network: _Address) -> list[BouncerDecision]:
        """Give what stands for networks and addresses within one."""
        with self._lock:
            return [
                held
                for name, subjects in self._networks.items()
                if _is_within(ipaddress.ip_network(name), network)
                for subject in subjects
                if (held := self._standing.get(subject))
            ]

    def _unseen(self, action: Action, now: int) -> BouncerDecision | None:
        """Make the decision of an action that came and went while nobody looked.

        It expired before it was read, and some bouncer may hold it.
        """
        enforced = action.mode == "enforce" and not action.human_review
        if enforced and now - _KEEP_GONE < action.expires_at <= now:
            return self._maker.make(action)
        return None

    def _everything(self) -> tuple[BouncerDecision, ...]:
        # A hundred bouncers that start at once share one.
        if self._all is None:
            self._all = tuple(self._standing.values())
        return self._all

    def _put(
        self, decision: BouncerDecision, held: BouncerDecision | None, now: int
    ) -> None:
        self._gone.pop(_key(decision), None)
        if held is None:
            self._index(decision, 1)
        else:
            del self._standing[held.subject]
            if _key(held) != _key(decision):
                self._bury(held, now)
        self._standing[decision.subject] = self._number(decision)

    def _remove(self, held: BouncerDecision, now: int) -> None:
        del self._standing[held.subject]
        self._index(held, -1)
        self._bury(held, now)

    def _bury(self, decision: BouncerDecision, now: int) -> None:
        ended = msgspec.structs.replace(decision, until=min(decision.until, now))
        self._gone.pop(_key(ended), None)
        self._gone[_key(ended)] = self._number(ended)

    def _number(self, decision: BouncerDecision) -> BouncerDecision:
        self._all = None
        self._revision += 1
        return msgspec.structs.replace(decision, revision=self._revision)

    def _forget(self, now: int) -> None:
        while self._gone:
            oldest = next(iter(self._gone.values()))
            if len(self._gone) <= self._max_gone and oldest.until > now - _KEEP_GONE:
                return
            self._gone.popitem(last=False)
            self._forgotten = oldest.revision

    def _index(self, decision: BouncerDecision, step: int) -> None:
        subject = decision.subject
        prefix = subject[: len(subject) - len(decision.value)]
        self._prefixes[prefix] += step
        if not self._prefixes[prefix]:
            del self._prefixes[prefix]
        if decision.scope not in ("Ip", "Range"):
            return
        name = str(ipaddress.ip_network(decision.value))
        subjects = self._networks.setdefault(name, {})
        if step > 0:
            subjects[subject] = None
        else:
            subjects.pop(subject, None)
        if not subjects:
            del self._networks[name]


def _since(newest: Iterator[BouncerDecision], cursor: int) -> list[BouncerDecision]:
    found = list(takewhile(lambda each: each.revision > cursor, newest))
    found.reverse()
    return found


def _key(decision: BouncerDecision) -> _GoneKey:
    return decision.subject, decision.type, decision.scenario


def _differ(held: BouncerDecision, decision: BouncerDecision) -> bool:
    return msgspec.structs.replace(held, revision=decision.revision) != decision


def _widened(network: _Address, length: int) -> str:
    return str(network.supernet(new_prefix=length))


def _is_within(inner: _Address, outer: _Address) -> bool:
    if inner.version != outer.version:
        return False
    # mypy cannot see that both are of one version.
    return inner.subnet_of(outer)  # type: ignore[arg-type]
