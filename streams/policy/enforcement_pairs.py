"""What is wanted of a subject, what an enforcer said, and how the two compare."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from streams.contracts.records import Ack, Action, Outcome, Rung

__all__ = ["Answer", "Desired", "Judgement", "Status", "judge", "succeed"]

Status: TypeAlias = Literal["pending", "enforced", "refused", "held"]
"""``held``: still enforced, as far as one was told, though it has ended."""

_UNKNOWN: Final = -1  # sequence of a subject of which only the tombstone is left
# Which answer of one millisecond counts: who stops has begun before.
_RANK: Final[Mapping[Outcome, int]] = {
    "applied": 0,
    "refused": 1,
    "expired": 2,
    "released": 3,
}


class Desired(msgspec.Struct, frozen=True):
    """The newest record of a subject on ``llm.actions``; times in ms.

    ``asked`` says that enforcers had to obey it: not in shadow, not for a person to
    confirm, not over when it was published. ``published_at`` is the record's Kafka
    timestamp. From ``ended_at`` on nothing is wanted; from ``expires_at`` on not even a
    repeat of this sequence counts.
    """

    sequence: int
    rung: Rung
    published_at: int
    ended_at: int
    expires_at: int
    asked: bool
    lifted: bool = False

    def stands(self, now: int) -> bool:
        """Whether enforcers should enforce it at ``now``."""
        return self.asked and now < self.ended_at


def succeed(previous: Desired | None, action: Action | None, at: int) -> Desired:
    """Follow a subject by one record of ``llm.actions``, of the Kafka timestamp ``at``.

    The rules are the enforcers': a lower sequence is ignored, and so is a repeat of
    what was lifted or has expired; None (a tombstone) lifts.

    >>> lifted = succeed(None, None, 5_000)
    >>> lifted.ended_at, lifted.stands(4_000)
    (5000, False)
    """
    if action is None:
        if previous is None:
            return Desired(_UNKNOWN, "observe", at, at, at, asked=False, lifted=True)
        ended_at = min(previous.ended_at, at)
        return msgspec.structs.replace(previous, ended_at=ended_at, lifted=True)
    asked = action.mode == "enforce" and not action.human_review
    asked = asked and action.expires_at > at
    published_at = at
    if previous is not None and action.sequence <= previous.sequence:
        over = previous.lifted or previous.expires_at <= at
        if action.sequence < previous.sequence or over:
            return previous
        if asked and previous.asked:  # written again after a crash of the writer
            published_at = previous.published_at
    ended_at = action.expires_at
    if not asked:
        ended_at = at if previous is None else min(previous.ended_at, at)
    return Desired(
        sequence=action.sequence,
        rung=action.rung,
        published_at=published_at,
        ended_at=ended_at,
        expires_at=action.expires_at,
        asked=asked,
    )


class Answer(msgspec.Struct, frozen=True):
    """What an enforcer said last of a subject; times in ms, by its own clock.

    ``applied_at`` is the first time that it said ``applied`` of this sequence, or None.
    """

    sequence: int
    occurred_at: int
    outcome: Outcome
    detail: str | None
    applied_at: int | None

    @classmethod
    def of(cls, ack: Ack) -> Answer:
        """Begin with an acknowledgement."""
        applied_at = ack.occurred_at if ack.outcome == "applied" else None
        return cls(ack.sequence, ack.occurred_at, ack.outcome, ack.detail, applied_at)

    def merge(self, other: Answer) -> Answer:
        """Give what holds after both, in whatever order, however often, they came.

        The higher sequence counts, then the later time.

        >>> applied = Answer(2, 1_000, "applied", None, 1_000)
        >>> released = Answer(2, 9_000, "released", None, None)
        >>> released.merge(applied).outcome, released.merge(applied).applied_at
        ('released', 1000)
        """
        if self.sequence != other.sequence:
            return max(self, other, key=lambda each: each.sequence)
        last = max(self, other, key=_order)
        applied = [e.applied_at for e in (self, other) if e.applied_at is not None]
        return msgspec.structs.replace(last, applied_at=min(applied, default=None))


def _order(answer: Answer) -> tuple[int, int, bool, str]:
    detail = answer.detail
    return answer.occurred_at, _RANK[answer.outcome], detail is not None, detail or ""


class Judgement(NamedTuple):
    """How an enforcer stands to a subject, and since when, in ms."""

    status: Status
    since: int


def judge(desired: Desired | None, answer: Answer | None, now: int) -> Judgement | None:
    """Compare what is wanted at ``now`` with what an enforcer said; None: all is over.

    An action that the enforcer says to have lifted while it stands is ``pending`` from
    then on.
    """
    if desired is None:
        return None
    outcome = answer.outcome if answer is not None else None
    if not desired.stands(now):
        if answer is None or outcome != "applied":
            return None
        return Judgement("held", max(desired.ended_at, answer.occurred_at))
    if answer is None or answer.sequence < desired.sequence:
        return Judgement("pending", desired.published_at)
    if outcome == "applied":
        return Judgement("enforced", answer.occurred_at)
    since = max(desired.published_at, answer.occurred_at)
    return Judgement("refused" if outcome == "refused" else "pending", since)
