"""What an explanation says: why a subject is where it is, in numbers that were logged.

Times are event times in milliseconds since the epoch.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from streams.contracts.records import DecisionKind, Mode, Rung
from streams.policy.counterfactual import Counterfactual

__all__ = [
    "BudgetUse",
    "CampaignSeen",
    "Explanation",
    "GroupTest",
    "OwnEvidence",
    "Reason",
    "StandingNow",
    "State",
    "TimelineStep",
    "Versions",
]

State: TypeAlias = Literal[
    "standing", "released", "expired", "withheld", "found", "nothing"
]


class StandingNow(msgspec.Struct, frozen=True, kw_only=True):
    """Where the subject stands; ``why`` is told for what was released or withheld."""

    state: State
    rung: Rung | None = None
    mode: Mode | None = None
    since: int | None = None
    until: int | None = None
    human_review: bool = False
    parameters: dict[str, str] = {}
    action_id: str | None = None
    sequence: int = 0
    why: str = ""


class Reason(msgspec.Struct, frozen=True, kw_only=True):
    """A feature: what it measures, and what its value was compared with.

    ``weight`` is its share of what speaks for distillation, 0 to 1.
    """

    name: str
    about: Literal["account", "campaign"]
    words: str
    value: float
    benign_quantile: float
    quantile_words: str
    weight: float


class OwnEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """The account's own evidence, and what the rung needs; None: not told any more."""

    exchanges: int
    exchanges_needed: int | None
    e_value: float
    e_value_needed: float
    confirmations: int
    confirmations_needed: int | None


class GroupTest(msgspec.Struct, frozen=True, kw_only=True):
    """A test of the campaign's group; it is rejected when e_value ≥ needed.

    ``budget_left`` is 0 for a look that confirms: it cost nothing.
    """

    at: int
    campaign_id: str
    look: int
    exchanges: int
    e_value: float
    needed: float
    level: float
    budget_left: float
    rejected: bool


class CampaignSeen(msgspec.Struct, frozen=True, kw_only=True):
    """The campaign as its newest alert describes it, and the tests that it took.

    ``released`` says who released it, when that is its newest alert.
    """

    campaign_id: str
    merged_into: str = ""
    released: str = ""
    found_at: int | None = None
    started_at: int | None = None
    account_count: int = 0
    exchange_count: int = 0
    accounts: tuple[str, ...] = ()
    facets: tuple[str, ...] = ()
    families: tuple[str, ...] = ()
    rungs: dict[str, int] = {}
    tests: tuple[GroupTest, ...] = ()


class TimelineStep(msgspec.Struct, frozen=True, kw_only=True):
    """One decision; ``asked`` marks the one that the explanation is about."""

    at: int
    subject: str
    kind: DecisionKind
    rung: Rung | None = None
    mode: Mode | None = None
    e_value: float = 0.0
    exchanges: int = 0
    reason: str = ""
    author: str = ""
    entry_id: str | None = None
    action_id: str | None = None
    asked: bool = False


class BudgetUse(msgspec.Struct, frozen=True, kw_only=True):
    """The budget around the test that the decision rests on.

    ``before`` and ``after`` are what the purse of that ``day`` held, of ``daily``;
    ``spent`` adds up the levels of all ``tests`` that the campaign ever took.
    """

    day: str
    daily: float
    before: float
    after: float
    spent: float
    tests: int


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """What decided: the scenario of which policy, and which reference."""

    scenario: str = ""
    policy: str = ""
    model: str = ""


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that the log tells about a subject.

    ``notes`` say what cannot be told, and why.
    """

    subject: str
    standing: StandingNow
    decision_id: str | None = None
    decided_at: int | None = None
    reasons: tuple[Reason, ...] = ()
    own: OwnEvidence | None = None
    campaign: CampaignSeen | None = None
    budget: BudgetUse | None = None
    versions: Versions = Versions()
    counterfactuals: tuple[Counterfactual, ...] = ()
    timeline: tuple[TimelineStep, ...] = ()
    reason_codes: tuple[str, ...] = ()
    appeal_token: str | None = None
    notes: tuple[str, ...] = ()
