"""One enforcer as reconciliation knows it: what it did, and what it owes."""

from __future__ import annotations

import heapq
from collections import Counter, deque
from typing import Final, NamedTuple

import msgspec
import numpy as np

from streams.policy.enforcement_pairs import Answer, Desired, Judgement, judge
from streams.policy.enforcement_state import EnforcerState, Overdue, Pair

__all__ = ["ExpectedEnforcer", "Limits", "seconds_to_apply"]

_LATENCIES: Final = 10_000  # the newest
_OLDEST: Final = 100
_REASONS: Final = 10
_SECOND: Final = 1000  # ms


class Limits(NamedTuple):
    """When an answer is overdue, and when it is awaited no more; all in ms."""

    within: int
    acks_kept: int
    give_up: int

    def is_late(self, judged: Judgement, since: int, now: int) -> bool:
        """Whether an answer that is due since a moment is overdue, or was too long."""
        return judged.status in ("pending", "held") and now - since > self.within

    def is_too_old(self, judged: Judgement, now: int) -> bool:
        """Whether what would tell may be gone from the topics."""
        limit = self.give_up if judged.status == "held" else self.acks_kept
        return now - judged.since > limit


class _Tally(msgspec.Struct):
    """The subjects that concern an enforcer, each in one of these."""

    enforced: set[str] = msgspec.field(default_factory=set)
    refused: dict[str, str] = msgspec.field(default_factory=dict)
    waiting: dict[str, tuple[Judgement, Answer | None]] = msgspec.field(
        default_factory=dict
    )


class ExpectedEnforcer:
    """What is known of one enforcer; times in ms, by its own clock.

    Between `expect` and `dismiss` it keeps a tally of all subjects.
    """

    def __init__(self, name: str, joined_at: int) -> None:
        self.name = name
        self.joined_at = joined_at
        self.heard_at: int | None = None
        self.began_at = -1  # its last start that is known
        self.seconds: deque[float] = deque(maxlen=_LATENCIES)
        self._tally: _Tally | None = None

    @property
    def expected(self) -> bool:
        """Whether it keeps a tally."""
        return self._tally is not None

    def expect(self) -> None:
        """Begin an empty tally."""
        self._tally = _Tally()

    def dismiss(self) -> None:
        """Drop the tally."""
        self._tally = None

    def hear(self, occurred_at: int) -> None:
        """Note that it has said something."""
        self.heard_at = max(self.heard_at or 0, occurred_at)

    def notice_start(self, before: Answer, new: Answer) -> None:
        """See whether it has started between two answers on one subject.

        Who says ``applied`` again, at another time, has begun with what stands.
        """
        again = before.outcome == new.outcome == "applied"
        later = self.began_at <= before.occurred_at < new.occurred_at
        if again and later and before.sequence == new.sequence:
            self.began_at = new.occurred_at

    def place(
        self, subject: str, desired: Desired | None, answer: Answer | None, now: int
    ) -> None:
        """Put a subject where it belongs at ``now``, if there is a tally."""
        tally = self._tally
        if tally is None:
            return
        self.discard(subject)
        judged = judge(desired, answer, now)
        if judged is None:
            return
        if judged.status == "enforced":
            tally.enforced.add(subject)
        elif judged.status == "refused":
            tally.refused[subject] = (answer and answer.detail) or ""
        else:
            tally.waiting[subject] = judged, answer

    def discard(self, subject: str) -> None:
        """Take a subject out of the tally."""
        if self._tally is not None:
            self._tally.enforced.discard(subject)
            self._tally.refused.pop(subject, None)
            self._tally.waiting.pop(subject, None)

    def pair(
        self,
        subject: str,
        desired: Desired | None,
        answer: Answer | None,
        now: int,
        limits: Limits,
    ) -> Pair | None:
        """Tell how it stands to one subject at ``now``; None when all is over."""
        judged = judge(desired, answer, now)
        if desired is None or judged is None:
            return None
        since = self._awaited_since(judged, answer)
        if since is None:
            return None
        late = limits.is_late(judged, since, now)
        seconds = None
        if answer is not None and answer.sequence == desired.sequence:
            seconds = seconds_to_apply(answer, desired)
        return Pair(
            subject=subject,
            enforcer=self.name,
            status=judged.status,
            since=since,
            latency=seconds,
            detail=answer.detail if answer and judged.status == "refused" else None,
            overdue=late and not limits.is_too_old(judged, now),
        )

    def state(self, desired: int, now: int, limits: Limits) -> EnforcerState:
        """Count; ``desired`` actions stand for all."""
        tally = self._tally or _Tally()
        late: list[tuple[int, str, bool]] = []
        waits, too_old = Counter[str](), 0
        for subject, (judged, answer) in tally.waiting.items():
            since = self._awaited_since(judged, answer)
            if since is None:
                continue
            waits[judged.status] += 1
            if limits.is_late(judged, since, now):
                if limits.is_too_old(judged, now):
                    too_old += 1
                else:
                    late.append((since, subject, judged.status == "held"))
        releases = sum(release for _, _, release in late)
        oldest = heapq.nsmallest(_OLDEST, late)
        p50, p99 = _quantiles(self.seconds)
        return EnforcerState(
            enforcer=self.name,
            heard_at=self.heard_at,
            desired=desired,
            enforced=len(tally.enforced),
            refused=len(tally.refused),
            pending=waits["pending"],
            held=waits["held"],
            overdue=len(late) - releases,
            releases_overdue=releases,
            too_old=too_old,
            p50=p50,
            p99=p99,
            oldest=tuple(
                Overdue(subject, since, release) for since, subject, release in oldest
            ),
            refusals=dict(Counter(tally.refused.values()).most_common(_REASONS)),
        )

    def _awaited_since(self, judged: Judgement, answer: Answer | None) -> int | None:
        """Say since when an answer is due, in ms; None when it will not come."""
        if judged.status == "pending":
            return max(judged.since, self.joined_at)
        # What ended before its last start it holds only if it has told so since.
        told = answer.occurred_at if answer is not None else self.began_at
        if judged.status == "held" and judged.since <= self.began_at > told:
            return None
        return judged.since


def seconds_to_apply(answer: Answer, desired: Desired) -> float | None:
    """Give the seconds from the publication to the first ``applied``; None without.

    Two clocks are compared, so less than nothing counts as 0.
    """
    if answer.applied_at is None:
        return None
    return max(0, answer.applied_at - desired.published_at) / _SECOND


def _quantiles(seconds: deque[float]) -> tuple[float | None, float | None]:
    if not seconds:
        return None, None
    p50, p99 = np.quantile(np.fromiter(seconds, float, len(seconds)), (0.5, 0.99))
    return float(p50), float(p99)
