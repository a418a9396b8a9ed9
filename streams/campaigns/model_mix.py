"""Which models a campaign's templated exchanges go to, and its moves to others.

Three questions, from the fastest to answer to the slowest. Has the campaign *taken up*
a model that it never used? This much is told after two to four tries, and a campaign
whose customers try what came out looks the same: see `Move.severity`. Does it use that
model more than *everybody else* does, or is it one of many who try what came out today?
Has its mix *shifted* between models that it used all along? The first two are
sequential tests (`share_detector`), pooled over all templates of the campaign; the
third is River's ADWIN, hour by hour.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from streams.campaigns.link_graph import LinkGraph
from streams.contracts.records import Severity
from streams.contracts.time_units import (
    MINUTES_PER_DAY,
    MINUTES_PER_HOUR,
    MINUTES_PER_WEEK,
)
from streams.features.model_traffic import ModelTraffic
from streams.models.drift import share_drifted
from streams.models.share_detector import next_scores, score, steady_advantage

__all__ = [
    "KNOWN_AFTER",
    "ModelMix",
    "ModelUses",
    "Move",
    "TemplateUses",
    "ToldUses",
    "pooled_models",
    "uses_by_group",
]

_FALSE_UPTAKE_MINUTES: Final = MINUTES_PER_WEEK
"""Mean number of active minutes, at least, before a campaign that uses a new model as
seldom as is tolerated, without end, is told to take it up: a week."""

_FALSE_AHEAD_MINUTES: Final = 30 * MINUTES_PER_DAY
"""The same for one that uses it hardly more than everybody else: a month."""

_TOLERATED_SHARE: Final = 0.0003
"""Share of a campaign's exchanges that may go to a model without it being a move: three
tries in ten thousand are no strategy."""

KNOWN_AFTER: Final = 200
"""Exchanges after which a model that was not seen is new to a campaign. Unseen in n
exchanges, its share was below 3 / n with 95 % confidence (the rule of three)."""

_RULE_OF_THREE: Final = 3
_UPTAKE_ODDS: Final = (10.0, 100.0)
"""The uptake test bets on shares of 0.3 and of 3 percent: a move of half the traffic,
spread over a day, has one percent in its first hour."""

_BETS: Final = len(_UPTAKE_ODDS)

_SITTING_MINUTES: Final = MINUTES_PER_HOUR
"""An owner's uses within an hour are one try: whoever looks at what came out today
sends some requests in a row, which are no campaign's move."""

_AHEAD_ODDS: Final = (1.5, 4.0)
_MARGIN: Final = 1.25
"""Odds, as a multiple of everybody else's, up to which a campaign is not ahead: traffic
is never quite alike, and 18 against 16 percent tells nobody anything."""


_REMEMBERED_HOURS: Final = 48
"""Hours of a campaign's mix that are kept: two days show a daily rhythm as a rhythm."""

_SHIFT: Final = 0.2
"""Rise of a model's share, beyond everybody else's rise, that is a shift."""

_RECENT_HOURS: Final = 3
_FEWEST_USES: Final = 20
_MOST_MODELS: Final = 32
"""Models of a campaign that are told apart; further ones count as one without name."""


MoveKind = Literal["taken_up", "ahead", "shifted"]


ToldUses = tuple[str, int, int, int]
"""Uses as they are told: model, by how many owners, owner if one, exchanges."""


class ModelUses(NamedTuple):
    """Uses of a model in a minute: by which owners, and by how many unnamed ones."""

    exchanges: int
    owners: frozenset[int] = frozenset()
    unnamed: int = 0

    @classmethod
    def of(cls, told: Iterable[ToldUses]) -> ModelUses:
        """Make it of uses by so many owners each; an owner is named if it is one."""
        exchanges, unnamed, named = 0, 0, set[int]()
        for _, owners, owner, count in told:
            exchanges += count
            if owners == 1:
                named.add(owner)
            else:
                unnamed += owners
        return cls(exchanges, frozenset(named), unnamed)

    def and_also(self, other: ModelUses) -> ModelUses:
        """Put other uses of the same model and minute with them."""
        return ModelUses(
            self.exchanges + other.exchanges,
            self.owners | other.owners,
            self.unnamed + other.unnamed,
        )


_UNUSED: Final = ModelUses(0)


class Move(NamedTuple):
    """A move to a model; ``since`` is the minute of the first use, -1 where unknown."""

    kind: MoveKind
    model: str
    share: float
    others: float
    since: int = -1

    @property
    def severity(self) -> Severity:
        """Tell how urgent it is.

        A campaign that begins to use a model less than everybody else does looks like
        one whose customers try it: that is told, and is no warning.
        """
        if self.kind != "taken_up":
            return "critical"
        return "warning" if self.share > self.others else "info"

    @property
    def summary(self) -> str:
        """Say it in a sentence; shares are those of this hour and the last."""
        shares = f"{self.share:.1%} of its exchanges, {self.others:.1%} of all others"
        match self.kind:
            case "taken_up":
                return f"begins to use model {self.model}, new to it: {shares}"
            case "ahead":
                return f"moves to model {self.model} ahead of everybody else: {shares}"
            case _:
                return f"traffic has shifted to model {self.model}: {shares}"


class Uptake(msgspec.Struct, array_like=True):
    """The tests about a model that was new to a campaign when it first used it.

    An owner's uses within `_SITTING_MINUTES` are one try: ``tries`` counts them, and
    ``sittings`` has the minute at which an owner's last one began. ``scores`` tolerate
    what the rule of three left open at the first use; ``steady`` only what is always
    tolerated, but they are held against every steady share.
    """

    since: int
    tolerated: float
    scores: list[float]
    ahead: list[float] = msgspec.field(default_factory=lambda: [0.0] * len(_AHEAD_ODDS))
    told: bool = False
    told_ahead: bool = False
    steady: list[float] = msgspec.field(default_factory=lambda: [0.0] * _BETS)
    tries: int = 0
    sittings: dict[int, int] = {}

    def new_tries(self, minute: int, uses: ModelUses) -> int:
        """Count the owners that begin to try the model in this minute."""
        if self.sittings:
            self.sittings = {
                owner: begun
                for owner, begun in self.sittings.items()
                if minute < begun + _SITTING_MINUTES
            }
        if not uses.exchanges:
            return 0
        new = [owner for owner in sorted(uses.owners) if owner not in self.sittings]
        self.sittings |= dict.fromkeys(new, minute)
        tries = min(len(new) + uses.unnamed, uses.exchanges)
        self.tries += tries
        return tries


class MixedHour(msgspec.Struct, array_like=True):
    """Exchanges of a campaign by model; once the hour is over, of all others, too."""

    hour: int
    uses: dict[str, int]
    others: dict[str, int] = {}
    others_total: int = 0

    def share(self, model: str) -> float:
        """Give the model's share of the hour."""
        return self.uses.get(model, 0) / max(sum(self.uses.values()), 1)


class ModelMix(msgspec.Struct, array_like=True):
    """The models of one campaign, since it was found.

    ``unseen`` has the scores of a model that was never used; ``known`` are models of
    the first `KNOWN_AFTER` exchanges; ``shifted`` are those that a shift was told of.
    """

    exchanges: int = 0
    unseen: list[float] = msgspec.field(
        default_factory=lambda: [0.0] * len(_UPTAKE_ODDS)
    )
    known: list[str] = []
    uptakes: dict[str, Uptake] = {}
    hours: list[MixedHour] = []
    shifted: list[str] = []
    unseen_steady: list[float] = msgspec.field(default_factory=lambda: [0.0] * _BETS)

    def note(
        self, minute: int, uses: Mapping[str, ModelUses], traffic: ModelTraffic
    ) -> list[Move]:
        """Count a minute's exchanges by model; give the moves that it makes plain.

        ``traffic`` is everybody's, with this minute's. Call it for each minute in which
        the campaign was active, in order.
        """
        counts = self._distinguished(minute, uses)
        total = sum(used.exchanges for used in counts.values())
        moves = self._open_hour(minute // MINUTES_PER_HOUR, traffic)
        hour = self.hours[-1].uses
        for model, used in counts.items():
            hour[model] = hour.get(model, 0) + used.exchanges
        for model in self.uptakes:
            used = counts.get(model, _UNUSED)
            found = self._test(minute, model, (used, total), traffic)
            moves += [found] if found else []
        if self.exchanges >= KNOWN_AFTER:
            self.unseen = _bet(self.unseen, 0, total, self._tolerated())
            self.unseen_steady = _bet(self.unseen_steady, 0, total, _TOLERATED_SHARE)
        self.exchanges += total
        return moves

    def _tolerated(self) -> float:
        return max(_TOLERATED_SHARE, _RULE_OF_THREE / max(self.exchanges, 1))

    def _distinguished(
        self, minute: int, uses: Mapping[str, ModelUses]
    ) -> dict[str, ModelUses]:
        """Give the uses of models that are told apart; begin to watch new ones."""
        counts: dict[str, ModelUses] = {}
        for model in sorted(uses):
            name = model
            if model not in self.known and model not in self.uptakes:
                if len(self.known) + len(self.uptakes) >= _MOST_MODELS:
                    name = ""
                elif self.exchanges < KNOWN_AFTER:
                    self.known.append(model)
                else:
                    self.uptakes[model] = Uptake(
                        minute,
                        self._tolerated(),
                        list(self.unseen),
                        steady=list(self.unseen_steady),
                    )
            counts[name] = counts.get(name, _UNUSED).and_also(uses[model])
        return counts

    def _test(
        self,
        minute: int,
        model: str,
        counted: tuple[ModelUses, int],
        traffic: ModelTraffic,
    ) -> Move | None:
        """Take both tests of a model; ``counted`` are its uses, and all exchanges."""
        uptake, (used, total) = self.uptakes[model], counted
        if uptake.told_ahead:
            return None
        uses = used.exchanges
        # Of all uses of the model in this minute, the campaign has at most its part of
        # the minute's traffic, weighted with the margin, if it is not ahead. (Given the
        # totals its uses are hypergeometric, less spread than the bets assume.)
        taken = max(traffic.uses_in(minute, model), uses)
        everybody = traffic.events_in(minute) if taken else 0
        if everybody > total:
            uptake.ahead = next_scores(
                uptake.ahead,
                _AHEAD_ODDS,
                uses=uses,
                exchanges=taken,
                tolerated=_MARGIN * total / (_MARGIN * total + everybody - total),
            )
        if not uptake.told and not self._is_taken_up(uptake, minute, counted):
            return None
        before, uptake.told = uptake.told, True
        uptake.told_ahead = score(uptake.ahead) >= _FALSE_AHEAD_MINUTES
        if before and not uptake.told_ahead:
            return None
        share, others = self._recent_shares(model, traffic)
        kind: MoveKind = "ahead" if uptake.told_ahead else "taken_up"
        return Move(kind, model, share, others, uptake.since)

    def _is_taken_up(
        self, uptake: Uptake, minute: int, counted: tuple[ModelUses, int]
    ) -> bool:
        """Bet on the minute's new tries in two ways; a mean is an e-detector, too."""
        used, total = counted
        tries = uptake.new_tries(minute, used)
        uptake.scores = _bet(uptake.scores, tries, total, uptake.tolerated)
        uptake.steady = _bet(uptake.steady, tries, total, _TOLERATED_SHARE)
        found, steady = score(uptake.scores), score(uptake.steady)
        if found + steady < _FALSE_UPTAKE_MINUTES:
            return False  # by far: what is left takes away from it
        steady *= math.exp(
            -steady_advantage(uptake.tries, self.exchanges + total, _TOLERATED_SHARE)
        )
        if (found + steady) / 2 < _FALSE_UPTAKE_MINUTES:
            return False
        uptake.sittings = {}
        return True

    def _recent_shares(self, model: str, traffic: ModelTraffic) -> tuple[float, float]:
        """Give the share of a model in this hour and the last: its own, all others'."""
        newest = self.hours[-1].hour
        mine = [one for one in self.hours[-2:] if one.hour > newest - 2]
        own = sum(sum(one.uses.values()) for one in mine)
        uses = sum(one.uses.get(model, 0) for one in mine)
        everybody = [traffic.of_hour(hour, [model]) for hour in (newest - 1, newest)]
        total = sum(count for count, _ in everybody) - own
        others = sum(counts.get(model, 0) for _, counts in everybody) - uses
        return uses / max(own, 1), max(others, 0) / max(total, 1)

    def _open_hour(self, hour: int, traffic: ModelTraffic) -> list[Move]:
        if self.hours and self.hours[-1].hour == hour:
            return []
        moves = []
        if self.hours:
            self._close(self.hours[-1], traffic)
            moves = list(self._shifts())
        self.hours.append(MixedHour(hour, {}))
        del self.hours[:-_REMEMBERED_HOURS]
        return moves

    def _close(self, closed: MixedHour, traffic: ModelTraffic) -> None:
        names = [*self.known, *self.uptakes]
        total, counts = traffic.of_hour(closed.hour, names)
        closed.others_total = max(total - sum(closed.uses.values()), 0)
        left = {name: n - closed.uses.get(name, 0) for name, n in counts.items()}
        closed.others = {name: n for name, n in left.items() if n > 0}

    def _shifts(self) -> Iterable[Move]:
        """Find models whose share has risen more than everybody else's."""
        recent, older = self.hours[-_RECENT_HOURS:], self.hours[:-_RECENT_HOURS]
        if min(_total(recent), _total(older)) < _FEWEST_USES:
            return
        for model in sorted({name for one in recent for name in one.uses if name}):
            uptake = self.uptakes.get(model)
            if model in self.shifted or (uptake is not None and uptake.told):
                continue
            share, others = _share(recent, model), _others(recent, model)
            rise = share - _share(older, model) - (others - _others(older, model))
            if rise < _SHIFT or not share_drifted(
                [(sum(one.uses.values()), one.share(model)) for one in self.hours]
            ):
                continue
            self.shifted.append(model)
            if uptake is not None:
                uptake.told = True
            yield Move("shifted", model, share, others)


class TemplateUses(NamedTuple):
    """Uses of a template of some kind in a minute, once for each model."""

    kind: int
    models: Sequence[ToldUses]


def uses_by_group(
    graph: LinkGraph, models: Mapping[int, Sequence[ToldUses]]
) -> dict[int, list[TemplateUses]]:
    """Sort a minute's uses of suspect templates, by facet, into those of each group."""
    groups: dict[int, list[TemplateUses]] = {}
    known = [facet for facet in models if facet in graph.facet_numbers]
    numbers = [graph.facet_numbers[facet] for facet in known]
    homes = graph.facet.at.home[numbers].tolist()
    kinds = graph.facet.at.kind[numbers].tolist()
    for facet, home, kind in zip(known, homes, kinds, strict=True):
        own = groups.setdefault(graph.group_at(home), [])
        own.append(TemplateUses(kind, models[facet]))
    return groups


def pooled_models(templates: Iterable[TemplateUses]) -> dict[str, ModelUses]:
    """Add up a minute's uses by model over the templates of a group.

    The kinds of template (head, tail, …) describe the same exchanges, and none sees all
    of them: for each model the kind with most uses of it speaks. Exchanges with
    different models are different ones.
    """
    kinds: dict[int, dict[str, list[ToldUses]]] = {}
    for kind, uses in templates:
        told = kinds.setdefault(kind, {})
        for one in uses:
            told.setdefault(one[0], []).append(one)
    spoken: dict[str, tuple[int, list[ToldUses]]] = {}
    for kind in sorted(kinds):
        for model, some in kinds[kind].items():
            exchanges = sum([one[3] for one in some])
            if model not in spoken or exchanges > spoken[model][0]:
                spoken[model] = exchanges, some
    return {
        model: ModelUses.of(some) for model, (total, some) in spoken.items() if total
    }


def _bet(
    scores: list[float], tries: int, exchanges: int, tolerated: float
) -> list[float]:
    """Bet on a minute's tries of a model, in the test whether it is taken up."""
    return next_scores(
        scores, _UPTAKE_ODDS, uses=tries, exchanges=exchanges, tolerated=tolerated
    )


def _total(hours: list[MixedHour]) -> int:
    return sum(sum(one.uses.values()) for one in hours)


def _share(hours: list[MixedHour], model: str) -> float:
    return sum(one.uses.get(model, 0) for one in hours) / max(_total(hours), 1)


def _others(hours: list[MixedHour], model: str) -> float:
    total = sum(one.others_total for one in hours)
    return sum(one.others.get(model, 0) for one in hours) / max(total, 1)
