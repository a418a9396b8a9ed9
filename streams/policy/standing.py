"""The one standing action of a subject, and its life.

issue → extend | escalate → release | expire. Sequences rise with every record that is
published, and never fall: an enforcer that saw a later one ignores an earlier one.
"""

from __future__ import annotations

import msgspec

from streams.contracts.records import Mode, Rung

__all__ = ["Standing"]


class Standing(msgspec.Struct, array_like=True, gc=False):
    """What is remembered of a subject, minutes in event time; ``rung`` None: nothing.

    ``repeats`` counts actions that ran out and were followed by a new one. ``released``
    is when a person lifted one, ``released_uses`` the templated exchanges that were
    known then: only what came later counts from there on. ``approved`` is the rung a
    person agreed to, ``withheld`` why the last move did not happen, ``daily`` the
    exchanges a day that its enforced action concerns.
    """

    rung: Rung | None = None
    sequence: int = 0
    expires: int = -1
    mode: Mode = "shadow"
    campaign: str = ""
    action_id: str = ""
    repeats: int = 0
    ran_out: bool = False
    released: int = -1
    released_uses: int = 0
    approved: Rung | None = None
    withheld: str = ""
    daily: int = 0

    def put(self, rung: Rung, *, expires: int, mode: Mode, campaign: str) -> None:
        """Publish ``rung``: the sequence rises, and what was withheld is settled.

        >>> standing = Standing()
        >>> standing.put("observe", expires=9, mode="shadow", campaign="dc-1")
        >>> standing.sequence, standing.expires
        (1, 9)
        """
        if self.ran_out:
            self.repeats, self.ran_out = self.repeats + 1, False
        self.rung, self.expires, self.mode = rung, expires, mode
        self.campaign = campaign
        self.sequence += 1
        self.withheld = ""

    def expire(self) -> None:
        """End an action whose time is over."""
        self.rung, self.ran_out = None, True

    def release(self, minute: int, uses: int) -> None:
        """Lift what stands; evidence up to now does not count any more.

        >>> standing = Standing(rung="throttle", sequence=4)
        >>> standing.release(100, uses=30)
        >>> standing.rung, standing.sequence, standing.fresh_uses(31)
        (None, 4, 1)
        """
        self.rung, self.ran_out, self.approved = None, False, None
        self.released, self.released_uses = minute, uses

    def fresh_uses(self, uses: int) -> int:
        """Count templated exchanges since the last release."""
        return max(uses - self.released_uses, 0)

    def is_cooling(self, minute: int, cool_off_minutes: int) -> bool:
        """Whether a release is so recent that nothing may be done about the subject."""
        return self.released >= 0 and minute < self.released + cool_off_minutes
