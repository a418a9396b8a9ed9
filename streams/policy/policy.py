"""A policy: what is done about evidence, to whom, how hard, and within which limits.

The file that people write is read by :mod:`streams.policy.policy_file`; here is what
it says, and the questions that the engine asks of it. Times are event times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias, get_args

import msgspec

from streams.contracts.records import Mode, Rung
from streams.contracts.time_units import MINUTES_PER_DAY, MINUTES_PER_HOUR
from streams.errors import PolicyError
from streams.features.stable_hash import stable_hash
from streams.policy.budget import DAILY_BUDGET
from streams.policy.conditions import Context, compile_condition
from streams.policy.ladder import LADDER, RUNGS, Step

__all__ = [
    "DAYS",
    "Caps",
    "Day",
    "Policy",
    "QuietHours",
    "Scenario",
    "ScenarioMode",
    "SubjectType",
]

ScenarioMode: TypeAlias = Literal["shadow", "enforce", "inherit"]
SubjectType: TypeAlias = Literal["account", "facet", "campaign"]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

DAYS: Final[tuple[Day, ...]] = get_args(Day)

_EPOCH_DAY: Final = 3  # 1 January 1970 was a Thursday
_FRACTION_BITS: Final = 53  # what a float holds exactly


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """How the subjects that ``when`` holds for are treated.

    ``mode``: shadow always wins; enforce and inherit mean at most what the global mode
    allows. ``percentage`` of the subjects, chosen by hash, may be enforced; the others
    are shadow. ``direct``: several rungs may be climbed at once. ``repeat_factor`` is
    how many times longer an action lasts each time it is issued again after it
    expired, up to ``max_minutes``. Only accounts are decided on today.
    """

    name: str
    when: str = "true"
    mode: ScenarioMode = "inherit"
    percentage: float = 100.0
    subject_types: tuple[SubjectType, ...] = ("account",)
    ladder: tuple[Step, ...] = LADDER
    direct: bool = False
    repeat_factor: float = 1.0
    max_minutes: int = 90 * MINUTES_PER_DAY

    def includes(self, subject: str) -> bool:
        """Whether the subject is within the percentage; the same one for good.

        A larger percentage includes all that a smaller one does.

        >>> half = Scenario(name="half", percentage=50)
        >>> sum(half.includes(f"account:{n}") for n in range(1000))
        499
        """
        fraction = stable_hash(f"percentage:{subject}") >> (64 - _FRACTION_BITS)
        return fraction / (1 << _FRACTION_BITS) * 100 < self.percentage

    def mode_of(self, subject: str, allowed: Mode) -> Mode:
        """Tell the mode of an action on a subject under a global mode.

        >>> Scenario(name="trial", mode="shadow").mode_of("account:a", "enforce")
        'shadow'
        """
        if self.mode == "shadow" or not self.includes(subject):
            return "shadow"
        return allowed

    def minutes_of(self, step: Step, repeats: int) -> int:
        """Tell how long a step lasts that was issued ``repeats`` times before.

        >>> longer = Scenario(name="longer", repeat_factor=2, max_minutes=10_000)
        >>> [longer.minutes_of(LADDER[0], repeats) for repeats in range(4)]
        [1440, 2880, 5760, 10000]
        """
        minutes = float(step.minutes)
        for _ in range(repeats if self.repeat_factor > 1 else 0):
            if minutes >= self.max_minutes:
                break
            minutes *= self.repeat_factor
        return min(round(minutes), self.max_minutes)


class Caps(msgspec.Struct, frozen=True, kw_only=True):
    """Circuit breakers: beyond them new actions are shadow, and an alert goes out.

    ``actions_per_hour``: enforced actions on all subjects.
    ``actions_per_hour_and_owner``: the same for one organization; an account without
    one is its own owner. ``traffic_share``: share of all traffic, 0 to 1, that may be
    under enforced actions at throttle or above. None: no such cap.
    """

    actions_per_hour: int | None = 2000
    actions_per_hour_and_owner: int | None = None
    traffic_share: float | None = 0.5


class QuietHours(msgspec.Struct, frozen=True, kw_only=True):
    """Hours in UTC within which nobody climbs above ``max_rung``.

    ``start`` and ``end`` are HH:MM. An ``end`` that is not after ``start`` is on the
    next day, and ``days`` are those on which the hours begin.
    """

    start: str
    end: str
    max_rung: Rung
    days: tuple[Day, ...] = DAYS

    def within(self, minute: int) -> bool:
        """Whether a minute since the epoch lies within these hours."""
        day, of_day = divmod(minute, MINUTES_PER_DAY)
        start, end = _minute_of_day(self.start), _minute_of_day(self.end)
        if start < end:
            return start <= of_day < end and self._begins(day)
        if of_day >= start:
            return self._begins(day)
        return of_day < end and self._begins(day - 1)

    def holds(self, minute: int, rung: Rung) -> bool:
        """Whether a rung is held back in a minute since the epoch.

        >>> nights = QuietHours(start="22:00", end="06:00", max_rung="throttle")
        >>> nights.holds(23 * 60, "suspend"), nights.holds(23 * 60, "throttle")
        (True, False)
        >>> nights.holds(6 * 60, "suspend")
        False
        """
        above = RUNGS.index(rung) > RUNGS.index(self.max_rung)
        return above and self.within(minute)

    def _begins(self, day: int) -> bool:
        return DAYS[(day + _EPOCH_DAY) % len(DAYS)] in self.days


def _minute_of_day(text: str) -> int:
    hours, _, minutes = text.partition(":")
    return int(hours) * MINUTES_PER_HOUR + int(minutes)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that people decide about enforcement.

    The first scenario whose condition holds decides. ``cool_off_minutes``: after a
    release by hand there is no action on that subject without new evidence and before
    this is over. ``daily_budget``: expected benign groups that may be taken for
    campaigns in a day; ``watched_share`` of it, 0 to 1, is kept for groups with an
    imported indicator.
    """

    version: str
    scenarios: tuple[Scenario, ...] = (Scenario(name="default"),)
    caps: Caps = Caps()
    quiet_hours: tuple[QuietHours, ...] = ()
    cool_off_minutes: int = 7 * MINUTES_PER_DAY
    daily_budget: float = DAILY_BUDGET
    watched_share: float = 0.25

    @property
    def conditional(self) -> bool:
        """Whether any scenario or step has a condition that needs a context."""
        texts = [s.when for s in self.scenarios]
        texts += [step.when for s in self.scenarios for step in s.ladder]
        return not all(compile_condition(text).always for text in texts)

    def scenario_for(
        self,
        context: Context,
        *,
        subject_type: SubjectType = "account",
        on_error: Callable[[PolicyError], None] = lambda _: None,
    ) -> Scenario | None:
        """Give the scenario that decides, or None: then nothing is done.

        A condition that cannot be told does not hold; ``on_error`` hears of it.
        """
        for scenario in self.scenarios:
            if subject_type not in scenario.subject_types:
                continue
            try:
                if compile_condition(scenario.when).holds(context):
                    return scenario
            except PolicyError as error:
                on_error(error)
        return None

    def holds_back(self, minute: int, rung: Rung) -> bool:
        """Whether quiet hours hold a rung back in a minute since the epoch."""
        return any(hours.holds(minute, rung) for hours in self.quiet_hours)
