"""Desired against acknowledged: who enforces what stands, how soon, and who does not.

Pure: records and the time come in, the state comes out. Records may come in any order
between subjects and between the two topics, and repeatedly; those of one subject come
in their order, as Kafka keeps it.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from streams.contracts.records import Ack, Action
from streams.errors import ConfigError
from streams.policy.enforcement_pairs import Answer, Desired, judge, succeed
from streams.policy.enforcement_state import EnforcementState, Latency, Pair
from streams.policy.expected_enforcer import (
    ExpectedEnforcer,
    Limits,
    seconds_to_apply,
)

__all__ = ["EXPECTED_FOR", "GIVE_UP", "KEPT", "Reconciliation"]

_SECOND: Final = 1000  # ms
_HOUR: Final = 3600 * _SECOND

EXPECTED_FOR: Final = 24 * _HOUR
"""ms for which an enforcer that has acknowledged something is expected to go on."""

GIVE_UP: Final = 24 * _HOUR
"""ms after which a release without an answer is no longer told: Kafka drops a tombstone
after as long (``delete.retention.ms``), so a restart could not know of it either."""

KEPT: Final = _HOUR
"""ms that a settled subject is remembered, for acknowledgements that come late."""

_ACKS_KEPT: Final = 7 * 24 * _HOUR  # retention of llm.acks
_MAX_ENFORCERS: Final = 1000  # one that takes a new name at each start must not fill us
_MAX_UNKNOWN: Final = 200_000  # subjects with acknowledgements and no action, 80 MB
_MAX_SEQUENCES: Final = 100_000  # of subjects that are settled and gone, 20 MB


class _Subject(msgspec.Struct):
    desired: Desired | None = None
    answers: dict[str, Answer] = msgspec.field(default_factory=dict)
    wake: int = -1  # when time alone changes something


class Reconciliation:
    """Follow what is desired and what is acknowledged; tell the difference at any time.

    Overdue is what an enforcer leaves without an answer for more than ``within``
    seconds, or goes on enforcing so long after its end. ``enforcers`` are those that
    must answer; without names, whoever has acknowledged something in the last 24 hours.
    ``acks_kept`` is the retention of acknowledgements in ms: an older action without
    one is `too_old` to tell, not overdue.

    An enforcer that says ``applied`` again, at another time, of what it had applied has
    started anew. What had ended by then it cannot hold, so no answer is awaited.

    Latencies are from the Kafka timestamp of the action's record to the ``occurred_at``
    of the first ``applied``. Of an enforcer that was not named, actions that are more
    than ``within`` older than its first known acknowledgement are left out: it was not
    there. For the same reason it owes an answer on them from then on only.

    >>> Reconciliation(within=0)
    Traceback (most recent call last):
    streams.errors.ConfigError: within = 0 is not above 0 s
    """

    def __init__(
        self,
        *,
        within: float = 10.0,
        enforcers: Sequence[str] = (),
        acks_kept: int = _ACKS_KEPT,
    ) -> None:
        if not within > 0:
            raise ConfigError(f"within = {within} is not above 0 s")
        self.ignored_enforcers = 0
        self._limits = Limits(round(within * _SECOND), acks_kept, GIVE_UP)
        self._named = bool(enforcers)
        self._enforcers = {name: ExpectedEnforcer(name, 0) for name in enforcers}
        self._subjects: dict[str, _Subject] = {}
        self._standing: set[str] = set()
        self._unknown = 0
        self._changed: set[str] = set()
        self._wakes: list[tuple[int, str]] = []
        self._sequences: OrderedDict[str, int] = OrderedDict()
        self._measured: list[tuple[Latency, int]] = []
        self._refused: list[str] = []
        self._now = 0

    def __len__(self) -> int:
        return len(self._subjects)

    # What comes in.

    def take_action(self, subject: str, action: Action | None, at: int) -> None:
        """Take a record of ``llm.actions``: its Kafka timestamp in ms; None lifts."""
        found = self._subjects.get(subject)
        if found is None:
            gone = self._sequences.get(subject)
            if action and gone is not None and action.sequence <= gone:
                return
            found = self._subjects[subject] = _Subject()
        elif found.desired is None:
            self._unknown -= 1
        before = found.desired
        found.desired = desired = succeed(before, action, at)
        if desired == before:
            return
        self._changed.add(subject)
        if before is None or before.sequence != desired.sequence:
            for enforcer, answer in found.answers.items():
                self._measure(enforcer, None, answer, desired)

    def take_ack(self, ack: Ack) -> None:
        """Take a record of ``llm.acks``."""
        enforcer = self._enforcer(ack)
        if enforcer is None:
            return
        enforcer.hear(ack.occurred_at)
        found = self._subjects.get(ack.subject)
        if found is None:
            if self._unknown >= _MAX_UNKNOWN:
                return
            self._unknown += 1
            found = self._subjects[ack.subject] = _Subject()
        before, after = found.answers.get(ack.enforcer), Answer.of(ack)
        if before is not None:
            enforcer.notice_start(before, after)
            after = before.merge(after)
        if after == before:
            return
        found.answers[ack.enforcer] = after
        self._changed.add(ack.subject)
        if found.desired is not None:
            self._measure(ack.enforcer, before, after, found.desired)

    def _enforcer(self, ack: Ack) -> ExpectedEnforcer | None:
        enforcer = self._enforcers.get(ack.enforcer)
        if self._named:
            return enforcer
        if enforcer is None:
            if len(self._enforcers) >= _MAX_ENFORCERS:
                self.ignored_enforcers += 1
                return None
            enforcer = ExpectedEnforcer(ack.enforcer, ack.occurred_at)
            self._enforcers[ack.enforcer] = enforcer
        enforcer.joined_at = min(enforcer.joined_at, ack.occurred_at)
        return enforcer

    def _measure(
        self, enforcer: str, before: Answer | None, after: Answer, desired: Desired
    ) -> None:
        """Note the latency and the refusal that have just become known."""
        if after.sequence != desired.sequence or not desired.asked:
            return
        if before is not None and before.sequence != after.sequence:
            before = None
        seconds = seconds_to_apply(after, desired)
        if seconds is not None and (before is None or before.applied_at is None):
            latency = Latency(enforcer, desired.rung, seconds)
            self._measured.append((latency, desired.published_at))
        refused = after.outcome == "refused"
        if refused and (before is None or before.outcome != "refused"):
            self._refused.append(enforcer)

    # What time does.

    def advance(self, now: int) -> None:
        """Move to ``now`` (ms), up to which all records were handed over."""
        self._now = now = max(self._now, now)
        self._expect(now)
        while self._wakes and self._wakes[0][0] <= now:
            at, subject = heapq.heappop(self._wakes)
            found = self._subjects.get(subject)
            if found is not None and found.wake == at:
                self._changed.add(subject)
        for subject in self._changed:
            self._judge_anew(subject, self._subjects[subject], now)
        self._changed.clear()

    def _expect(self, now: int) -> None:
        for name, enforcer in list(self._enforcers.items()):
            silence = now - (enforcer.heard_at or 0)
            if self._named or silence <= EXPECTED_FOR:
                if not enforcer.expected:
                    enforcer.expect()
                    for subject, found in self._subjects.items():
                        answer = found.answers.get(name)
                        enforcer.place(subject, found.desired, answer, now)
                continue
            enforcer.dismiss()
            if silence > self._limits.acks_kept:
                self._forget(name)

    def _forget(self, name: str) -> None:
        del self._enforcers[name]
        for subject, found in self._subjects.items():
            if found.answers.pop(name, None) is not None:
                self._changed.add(subject)

    def _judge_anew(self, subject: str, found: _Subject, now: int) -> None:
        for name, enforcer in self._enforcers.items():
            enforcer.place(subject, found.desired, found.answers.get(name), now)
        if found.desired is not None and found.desired.stands(now):
            self._standing.add(subject)
            wake = found.desired.ended_at
        else:
            self._standing.discard(subject)
            wake = _forgettable_at(found, now)
            if wake <= now:
                self._drop(subject, found)
                return
        if wake != found.wake:
            found.wake = wake
            heapq.heappush(self._wakes, (wake, subject))

    def _drop(self, subject: str, found: _Subject) -> None:
        del self._subjects[subject]
        for enforcer in self._enforcers.values():
            enforcer.discard(subject)
        if found.desired is None:
            self._unknown -= 1
            return
        self._sequences[subject] = found.desired.sequence
        self._sequences.move_to_end(subject)
        if len(self._sequences) > _MAX_SEQUENCES:
            self._sequences.popitem(last=False)

    # What comes out.

    def take_measurements(self) -> tuple[list[Latency], Counter[str]]:
        """Give the latencies, and refusals by enforcer, since the last call."""
        measured, self._measured = self._measured, []
        refused, self._refused = Counter(self._refused), []
        latencies = []
        for latency, published_at in measured:
            enforcer = self._enforcers.get(latency.enforcer)
            if enforcer and published_at >= enforcer.joined_at - self._limits.within:
                enforcer.seconds.append(latency.seconds)
                latencies.append(latency)
        return latencies, refused

    def state(self) -> EnforcementState:
        """Tell how all stands at the moment of the last `advance`."""
        expected = self._expected()
        heard = [e.heard_at for e in self._enforcers.values() if e.heard_at is not None]
        unanswered = [] if expected else list(self._unanswered())
        desired = len(self._standing)
        return EnforcementState(
            at=self._now,
            desired=desired,
            enforcers=tuple(
                e.state(desired, self._now, self._limits) for e in expected
            ),
            unanswered=len(unanswered),
            unanswered_since=min(unanswered, default=None),
            heard_at=max(heard, default=None),
        )

    def pairs(self) -> Iterator[Pair]:
        """Tell each action, and each that has ended but is still enforced."""
        for enforcer in self._expected():
            for subject, found in self._subjects.items():
                answer = found.answers.get(enforcer.name)
                pair = enforcer.pair(
                    subject, found.desired, answer, self._now, self._limits
                )
                if pair is not None:
                    yield pair

    def _expected(self) -> list[ExpectedEnforcer]:
        each = sorted(self._enforcers.items())
        return [enforcer for _, enforcer in each if enforcer.expected]

    def _unanswered(self) -> Iterator[int]:
        """Give when actions were published that nobody has answered in time."""
        for subject in self._standing:
            found = self._subjects[subject]
            desired = found.desired
            if desired is None or any(
                each.sequence >= desired.sequence for each in found.answers.values()
            ):
                continue
            age = self._now - desired.published_at
            if self._limits.within < age <= self._limits.acks_kept:
                yield desired.published_at


def _forgettable_at(found: _Subject, now: int) -> int:
    """Say when a subject that does not stand may be dropped, in ms."""
    quiet = 0 if found.desired is None else min(found.desired.ended_at, now)
    for answer in found.answers.values():
        quiet = max(quiet, min(answer.occurred_at, now))
        judged = judge(found.desired, answer, now)
        if judged is not None and now - judged.since <= GIVE_UP:
            quiet = max(quiet, judged.since + GIVE_UP)
    return quiet + KEPT
