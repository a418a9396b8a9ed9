"""Populations in which everybody is honest, drawn anew for each test of the budget.

*Heterogeneous*: the kinds of groups, how many groups of a kind, their sizes and their
activity are drawn for each population. *Dependent*: accounts of a group share wording,
rhythm and infrastructure, and groups share what happens to all of them. Each of these
comes to about a third of the populations: the launch of a model, an outage after which
all programs start at once, a published guide whose wordings several groups use, and one
small network that several groups call from.
"""

from __future__ import annotations

from math import exp, log
from random import Random
from typing import Final

from msgspec.structs import replace

from streams.scenarios.detection.hard_negatives import HARD_NEGATIVES, LAUNCH
from streams.scenarios.detection.populations import small
from streams.scenarios.honest_groups import published_guide
from streams.scenarios.scenario import (
    Campaign,
    Cohort,
    Pool,
    Release,
    Scenario,
    Templates,
)

__all__ = ["benign"]

_KINDS: Final = (2, 6)
"""Kinds of hard negatives in one population, at least and at most."""
_SIZES: Final = (0.1, 0.7)
"""Of a group, in units of the size at which its kind is tested alone."""
_ORDINARY: Final = (0.4, 1.6)
"""Ordinary accounts, in units of those asked for."""
_GROUPS: Final = (1, 1, 1, 2, 4)
_LEAST: Final = 6
"""Accounts of a group: a smaller one is never tested."""
_PACE: Final = 0.4
"""Sigma of the log-normal activity of a whole group."""
_SHARED: Final = 1 / 3
"""Share of the populations in which something happens to several groups at once."""
_PROGRAMS: Final = frozenset({"bulk", "agentic", "harness"})
_OUTAGE_HOURS: Final = (1.0, 4.0)
"""What programs could not send before, they send within so many hours."""
_BACKLOG: Final = 4.0
"""Most of what a program sends after an outage, in units of its daily requests."""
_OFFICE: Final = "office"
_GUIDE: Final = "guide"
_READERS: Final = (2, 4)


def benign(seed: int, *, ordinary: int, hours: float) -> Scenario:
    """Draw a population with about so many ordinary accounts, and honest groups."""
    chance = Random(seed)  # noqa: S311 a simulation must repeat, not be secret
    chosen = chance.sample(list(HARD_NEGATIVES.values()), chance.randint(*_KINDS))
    cohorts = [_of_size(chance, kind, hours) for kind in chosen]
    if chance.random() < _SHARED:
        cohorts = _after_outage(chance, cohorts, hours)
    guide: tuple[Campaign, ...] = ()
    if chance.random() < _SHARED:
        guide = (_guide(chance),)
        cohorts = _readers(chance, cohorts)
    if chance.random() < _SHARED:
        cohorts = _one_office(chance, cohorts)
    return small(
        f"benign-{seed}",
        hours=hours,
        ordinary=round(_between(chance, _ORDINARY) * ordinary),
        cohorts=tuple(cohorts),
        campaign=guide,
        release=(_launch(chance, hours),) if chance.random() < _SHARED else (),
        pools=(Pool(name=_OFFICE, networks=chance.randint(1, 3)),),
        seed=seed,
    )


def _between(chance: Random, bounds: tuple[float, float]) -> float:
    """Draw evenly on a logarithmic scale."""
    return exp(chance.uniform(log(bounds[0]), log(bounds[1])))


def _of_size(chance: Random, kind: Cohort, hours: float) -> Cohort:
    groups = chance.choice(_GROUPS)
    size = max(_LEAST, round(kind.accounts * _between(chance, _SIZES) / groups))
    # One school or payer may open its accounts together; strangers do not.
    batch = chance.choice((1, 1, size)) if "one" in (kind.network, kind.payment) else 1
    return replace(
        kind,
        accounts=size * groups,
        groups=groups,
        requests_per_day=kind.requests_per_day * chance.lognormvariate(0, _PACE),
        start_hour=min(kind.start_hour, hours / 2),
        created_together=batch,
    )


def _after_outage(chance: Random, cohorts: list[Cohort], hours: float) -> list[Cohort]:
    """Let all programs send what they could not before, from one hour on."""
    begin = chance.uniform(0.1, 0.7) * hours
    length = _between(chance, _OUTAGE_HOURS)
    more = min(24 / length, _BACKLOG)
    return [
        replace(
            each,
            start_hour=begin,
            duration_hours=length,
            requests_per_day=each.requests_per_day * more,
        )
        if each.behaviour in _PROGRAMS and each.duration_hours is None
        else each
        for each in cohorts
    ]


def _guide(chance: Random) -> Campaign:
    shapes = ("rubric", "reasoning", "tooluse", "coding", "instructions", "coercion")
    shape = chance.choice(shapes)
    templates = Templates(count=chance.randint(1, 3), wrap=("both",))
    return published_guide(_GUIDE, shape, templates)


def _readers(chance: Random, cohorts: list[Cohort]) -> list[Cohort]:
    readers = chance.sample(cohorts, min(len(cohorts), chance.randint(*_READERS)))
    names = {each.name for each in readers}
    return [
        replace(each, borrows=_GUIDE, borrowed=chance.choice((0.05, 0.1, 0.3)))
        if each.name in names
        else each
        for each in cohorts
    ]


def _one_office(chance: Random, cohorts: list[Cohort]) -> list[Cohort]:
    """Put two kinds of groups behind one company's or provider's few networks."""
    names = {each.name for each in chance.sample(cohorts, 2)}
    return [
        replace(each, network=_OFFICE) if each.name in names else each
        for each in cohorts
    ]


def _launch(chance: Random, hours: float) -> Release:
    return Release(
        model=LAUNCH,
        hour=chance.uniform(0.1, 0.8) * hours,
        adoption=_between(chance, (0.1, 0.8)),
        rush=chance.uniform(1.5, 4),
    )
