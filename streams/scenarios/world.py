"""What all cohorts and campaigns of one simulation draw on: ids, networks, models."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from streams.contracts.time_units import MS_PER_HOUR
from streams.scenarios.arrivals import ClientRates
from streams.scenarios.chance import digest, generator
from streams.scenarios.corpora import Corpora
from streams.scenarios.facets import Build, Ids
from streams.scenarios.prompt_table import PromptTable
from streams.scenarios.scenario import Release, Scenario
from streams.scenarios.traffic import Traffic

__all__ = ["World"]

Ints = NDArray[np.int64]
MOBILE_NETWORKS = 60
"""Carrier networks that ordinary people roam into."""
MAIN_MODEL_SHARE = 0.85
"""Share of an account's requests that go to its usual model."""
ADOPTER_SHARE = 0.5
"""Share of an adopter's requests that go to a newly released model."""


class World:
    """Shared tables of one simulation; the same seed gives the same world."""

    def __init__(
        self,
        scenario: Scenario,
        seed: int,
        corpora: Corpora,
        rates: ClientRates | None,
        prompts: PromptTable,
    ) -> None:
        self.scenario = scenario
        self.seed = seed
        self.corpora = corpora
        self.rates = rates
        self.prompts = prompts
        self.traffic = Traffic()
        self.ids = Ids(seed)
        self.start = round(scenario.start.timestamp() * 1000)
        self.end = round(scenario.duration_hours * MS_PER_HOUR)
        self.models = list(scenario.models)
        for release in scenario.release:
            if release.model not in self.models:
                self.models.append(release.model)
        for campaign in scenario.campaign:
            for name in (campaign.model, campaign.pivot and campaign.pivot.model):
                if name and name not in self.models:
                    self.models.append(name)
        self.networks: list[str] = []
        self.builds: list[Build] = []
        self._build_rows: dict[Build, int] = {}
        self.mobile = np.array(
            [self.network("mobile", n) for n in range(MOBILE_NETWORKS)]
        )
        self.pools = {
            pool.name: np.array(
                [self.network("pool", pool.name, n) for n in range(pool.networks)]
            )
            for pool in scenario.pool
        }
        self.rotating = {pool.name for pool in scenario.pool if pool.rotate}

    def network(self, *name: object) -> int:
        """Row of a new network."""
        self.networks.append(self.ids.make("network", *name, size=8))
        return len(self.networks) - 1

    def build(self, build: Build) -> int:
        """Row of a client build."""
        row = self._build_rows.get(build)
        if row is None:
            row = self._build_rows[build] = len(self.builds)
            self.builds.append(build)
        return row

    def rng(self, *name: object) -> np.random.Generator:
        """Make the random stream of this name."""
        return generator(self.seed, self.scenario.name, *name)

    def key(self, *name: object) -> str:
        """Seed text for `dice` of this name."""
        return digest(12, self.seed, self.scenario.name, *name).hex()

    def adopted(self, rng: np.random.Generator) -> list[Release]:
        """Draw the releases that an ordinary account takes up."""
        return [r for r in self.scenario.release if rng.random() < r.adoption]

    def ordinary_models(
        self, rng: np.random.Generator, times: Ints, adopted: Sequence[Release] = ()
    ) -> Ints:
        """Models of an ordinary account's requests: a usual one, others now and then.

        A part of the requests after an adopted release go to the new model.
        """
        weight = np.array(list(self.scenario.models.values()), dtype=np.float64)
        weight /= weight.sum()
        main = int(rng.choice(len(weight), p=weight))
        models = np.full(len(times), main, dtype=np.int64)
        stray = rng.random(len(times)) >= MAIN_MODEL_SHARE
        models[stray] = rng.choice(len(weight), size=int(stray.sum()), p=weight)
        for release in adopted:
            out = times >= release.hour * MS_PER_HOUR
            moved = out & (rng.random(len(times)) < ADOPTER_SHARE)
            models[moved] = self.models.index(release.model)
        return models
