"""Which moves to a model are told, how soon, and which are not."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from streams.campaigns.group import Group
from streams.campaigns.link_graph import FacetNode, LinkGraph
from streams.campaigns.model_mix import KNOWN_AFTER, ModelMix, Move, pooled_models
from streams.features.model_traffic import ModelTraffic, model_hash

_HOUR = 60
_EVERYBODY = 40  # exchanges a minute of all others


class Simulation:
    """A campaign of six exchanges a minute amid others, minute by minute."""

    def __init__(self, seed: int) -> None:
        self.chance = np.random.default_rng(seed)
        self.mix, self.traffic, self.minute = ModelMix(), ModelTraffic(), 0

    def run(
        self,
        hours: float,
        share: float,
        *,
        until: float | None = None,
        others: float = 0.0,
        model: str = "newest",
    ) -> list[Move]:
        """Let the share go from ``share`` to ``until``, amid steady others."""
        moves = []
        minutes = round(hours * _HOUR)
        for passed in range(minutes):
            now = share + ((until or share) - share) * passed / minutes
            total = int(self.chance.poisson(6))
            moved = int(self.chance.binomial(total, now))
            theirs = int(self.chance.binomial(_EVERYBODY, others))
            self.traffic.add(self.minute, model_hash(model), moved + theirs)
            left = total - moved + _EVERYBODY - theirs
            self.traffic.add(self.minute, model_hash("usual"), left)
            uses = {"usual": total - moved, model: moved}
            uses = {name: count for name, count in uses.items() if count}
            if uses:
                # As after a restart, at any minute.
                packed = msgspec.msgpack.encode(self.mix)
                self.mix = msgspec.msgpack.decode(packed, type=ModelMix)
                moves += self.mix.note(self.minute, uses, self.traffic)
            self.minute += 1
        return moves


@pytest.mark.parametrize("seed", range(6))
def test_a_slow_move_to_a_new_model_is_told_in_its_second_hour(seed: int) -> None:
    simulated = Simulation(seed)
    assert simulated.run(24, 0.0) == []
    # Half of the traffic within a day; everybody else is at a fifth at once.
    moves = simulated.run(24, 0.0, until=0.5, others=0.2)
    assert [move.kind for move in moves] == ["taken_up", "ahead"]
    early = Simulation(seed)
    early.run(24, 0.0)
    first = early.run(2, 0.0, until=0.5 / 12, others=0.2)
    assert [move.kind for move in first] == ["taken_up"]
    assert first[0].others > first[0].share


@pytest.mark.parametrize("seed", range(4))
def test_a_quick_move_ahead_of_everybody_is_told_at_once(seed: int) -> None:
    simulated = Simulation(seed)
    simulated.run(24, 0.0)
    moves = simulated.run(1, 0.5, others=0.1)
    assert {"taken_up", "ahead"} >= {move.kind for move in moves}
    assert moves[-1].kind == "ahead"
    assert moves[-1].share > 3 * moves[-1].others
    assert simulated.mix.uptakes["newest"].since < 24 * _HOUR + 5
    assert "newest" in moves[-1].summary


@pytest.mark.parametrize("seed", range(4))
def test_who_takes_a_model_up_like_everybody_is_not_ahead(seed: int) -> None:
    simulated = Simulation(seed)
    simulated.run(24, 0.0)
    moves = simulated.run(48, 0.2, others=0.2)
    assert [move.kind for move in moves] == ["taken_up"]


@pytest.mark.parametrize("seed", range(4))
def test_a_few_tries_are_no_move(seed: int) -> None:
    simulated = Simulation(seed)
    simulated.run(24, 0.0)
    assert simulated.run(96, 0.0001, others=0.3) == []


@pytest.mark.parametrize("seed", range(4))
def test_only_a_shift_shows_a_move_between_models_in_use(seed: int) -> None:
    simulated = Simulation(seed)
    assert simulated.run(24, 0.3, others=0.3) == []
    moves = simulated.run(6, 0.8, others=0.3)
    assert [move.kind for move in moves] == ["shifted"]
    assert "newest" not in simulated.mix.uptakes


@pytest.mark.parametrize("seed", range(4))
def test_a_shift_that_everybody_makes_is_none(seed: int) -> None:
    simulated = Simulation(seed)
    simulated.run(24, 0.3, others=0.3)
    assert simulated.run(6, 0.8, others=0.8) == []


def test_models_beyond_the_limit_count_as_one() -> None:
    mix, traffic = ModelMix(), ModelTraffic()
    for number in range(400):
        mix.note(number, {f"model-{number:03}": 1}, traffic)
    assert len(mix.known) + len(mix.uptakes) == 32
    assert mix.hours[-1].uses == {"": 40}
    assert mix.exchanges == 400 > KNOWN_AFTER


def test_kinds_of_template_are_not_added_up() -> None:
    graph, group = LinkGraph(), Group(7, 0)
    for facet, kind in ((1, 0), (2, 0), (3, 1), (4, 0)):
        graph.facets[facet] = FacetNode(kind, "", 1, 1, 1.0)
        graph.facets[facet].group = 7 if facet < 4 else 8
    uses = {1: {"a": 2}, 2: {"a": 1, "b": 3}, 3: {"a": 5}, 4: {"a": 90}, 5: {"a": 1}}
    assert pooled_models(graph, group, uses) == {"a": 3, "b": 3}
    assert pooled_models(graph, Group(9, 0), uses) == {}
