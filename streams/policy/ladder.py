"""The ladder: which rung an account stands on, one step at a time.

An account is only actioned on its own evidence, weighed in the light of its campaign:
a rung needs templated exchanges of the account's own, a level of account evidence, and
a campaign that was confirmed at so many looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.contracts.records import Rung

__all__ = ["LADDER", "POLICY_VERSION", "Standing", "Step", "climb"]

POLICY_VERSION: Final = "default-1"
"""Named in every action; changes with any number below."""

_HOUR: Final = 60
_DAY: Final = 24 * _HOUR


class Step(msgspec.Struct, frozen=True):
    """One rung and what it takes to get there; ``minutes`` is how long it lasts.

    ``when`` is a further condition in CEL; empty means always.
    """

    rung: Rung
    uses: int
    e_value: float
    confirmations: int
    minutes: int
    parameters: Mapping[str, str] = {}
    human_review: bool = False
    when: str = ""


LADDER: Final[tuple[Step, ...]] = (
    Step("observe", uses=2, e_value=20, confirmations=1, minutes=_DAY),
    Step(
        "throttle",
        uses=3,
        e_value=100,
        confirmations=1,
        minutes=_DAY,
        parameters={"requests_per_minute": "6"},
    ),
    Step("challenge", uses=5, e_value=300, confirmations=2, minutes=3 * _DAY),
    Step("summarise_reasoning", uses=8, e_value=300, confirmations=2, minutes=7 * _DAY),
    Step(
        "suspend",
        uses=20,
        e_value=1000,
        confirmations=3,
        minutes=30 * _DAY,
        human_review=True,
    ),
)
"""Default policy. Suspension waits for a person."""


class Standing(msgspec.Struct, array_like=True):
    """The one standing action of a subject; ``step`` -1 means none yet."""

    step: int = -1
    sequence: int = 0
    expires: int = -1


def climb(
    standing: Standing, *, minute: int, uses: int, e_value: float, confirmations: int
) -> Step | None:
    """Move a standing action on by at most one rung; give the step to publish.

    Returns None when nothing changes. A step that the evidence still carries is
    published again, with a later expiry, once more than half of its time is over.

    >>> standing = Standing()
    >>> climb(standing, minute=0, uses=30, e_value=5000.0, confirmations=3).rung
    'observe'
    >>> climb(standing, minute=1, uses=30, e_value=5000.0, confirmations=3).rung
    'throttle'
    """

    def carried(step: Step) -> bool:
        return (
            uses >= step.uses
            and e_value >= step.e_value
            and confirmations >= step.confirmations
        )

    expired = standing.step >= 0 and minute >= standing.expires
    step = -1 if expired else standing.step
    if step + 1 < len(LADDER):
        step += carried(LADDER[step + 1])
    if step < 0:
        return None
    current = LADDER[step]
    if step == standing.step and not expired:
        holds = carried(current)
        if not holds or 2 * (standing.expires - minute) > current.minutes:
            return None
    standing.step = step
    standing.sequence += 1
    standing.expires = minute + current.minutes
    return current
