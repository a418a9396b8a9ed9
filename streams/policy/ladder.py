"""The ladder: which rung evidence carries a subject to, one step at a time.

An account is only actioned on its own evidence, weighed in the light of its campaign:
a rung needs templated exchanges of the account's own, a level of account evidence, and
a campaign that was confirmed at so many looks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal, NamedTuple, get_args

import msgspec

from streams.contracts.records import Rung
from streams.contracts.time_units import MINUTES_PER_DAY

__all__ = [
    "LADDER",
    "POLICY_VERSION",
    "RUNGS",
    "Evidence",
    "Move",
    "Step",
    "climb",
    "next_step",
]

POLICY_VERSION: Final = "default-2"
"""Named in every action; changes with any number below."""

RUNGS: Final[tuple[Rung, ...]] = get_args(Rung)
"""All rungs, mildest first."""

_DAY: Final = MINUTES_PER_DAY


class Step(msgspec.Struct, frozen=True):
    """One rung and what it takes to get there; ``minutes`` is how long it lasts.

    ``several_networks``: only for campaigns of which no network has most accounts.
    ``when`` is a further condition in CEL; empty means always.
    """

    rung: Rung
    uses: int
    e_value: float
    confirmations: int
    minutes: int
    parameters: Mapping[str, str] = {}
    human_review: bool = False
    several_networks: bool = False
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
        several_networks=True,
    ),
    Step(
        "challenge",
        uses=5,
        e_value=300,
        confirmations=2,
        minutes=3 * _DAY,
        several_networks=True,
    ),
    Step(
        "summarise_reasoning",
        uses=8,
        e_value=300,
        confirmations=2,
        minutes=7 * _DAY,
        several_networks=True,
    ),
    Step(
        "suspend",
        uses=20,
        e_value=1000,
        confirmations=3,
        minutes=30 * _DAY,
        human_review=True,
        several_networks=True,
    ),
)
"""Default policy. Suspension waits for a person, and so does all that an enforcer would
act on where one network has most of a campaign: the keys of a company, or the pupils of
a school, look alike, and a test that is wrong is wrong about hundreds of accounts."""


class Evidence(NamedTuple):
    """What speaks against one account in ``minute``.

    ``uses`` counts its own templated exchanges, ``confirmations`` the looks that
    confirmed its campaign; ``one_network``: most of that campaign's accounts were last
    seen on one (`streams.models.reference.is_one_network`).
    """

    minute: int
    uses: int
    e_value: float
    confirmations: int
    one_network: bool = False

    def carries(self, step: Step) -> bool:
        """Whether it is enough for a step."""
        return (
            self.uses >= step.uses
            and self.e_value >= step.e_value
            and self.confirmations >= step.confirmations
            and not (self.one_network and step.several_networks)
        )


class Move(NamedTuple):
    """What evidence asks for: a first action, a higher rung, or more time."""

    kind: Literal["issued", "escalated", "extended"]
    step: Step


def climb(
    rung: Rung | None,
    expires: int,
    ladder: Sequence[Step],
    evidence: Evidence,
    *,
    permits: Callable[[Step], bool] = lambda _: True,
    direct: bool = False,
) -> Move | None:
    """Propose the next move of a subject that stands on ``rung``; None: stay there.

    It climbs by at most one step, unless the policy is ``direct``. A step that the
    evidence still carries is extended once more than half of its time is over.

    >>> strong = Evidence(minute=0, uses=30, e_value=5000.0, confirmations=3)
    >>> climb(None, -1, LADDER, strong).step.rung
    'observe'
    >>> climb("observe", 1440, LADDER, strong).step.rung
    'throttle'
    >>> climb(None, -1, LADDER, strong, direct=True).step.rung
    'suspend'
    """

    def carried(step: Step) -> bool:
        return evidence.carries(step) and permits(step)

    at = next_step(rung, ladder) - 1
    reached = at
    while reached + 1 < len(ladder) and carried(ladder[reached + 1]):
        reached += 1
        if not direct:
            break
    if reached > at:
        return Move("issued" if rung is None else "escalated", ladder[reached])
    if rung is None or at < 0 or not carried(ladder[at]):
        return None
    if 2 * (expires - evidence.minute) > ladder[at].minutes:
        return None
    return Move("extended", ladder[at])


def next_step(rung: Rung | None, ladder: Sequence[Step]) -> int:
    """Give the index of the first step above ``rung``, which the ladder may lack.

    >>> [next_step(rung, LADDER) for rung in (None, "label", "suspend")]
    [0, 1, 5]
    """
    if rung is None:
        return 0
    place = RUNGS.index(rung)
    return sum(RUNGS.index(step.rung) <= place for step in ladder)
