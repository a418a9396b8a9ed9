"""What all populations of a benchmark draw on: prompts and measured client rates."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple, Self

from msgspec.structs import replace

from streams.scenarios.arrivals import ClientRates
from streams.scenarios.corpora import Corpora
from streams.scenarios.scenario import Scenario

__all__ = ["NON_ENGLISH", "Source"]

NON_ENGLISH: Final = "non-english"
"""Role of the prompts of other languages, picked from all others."""
_FOREIGN: Final = 0.3
"""Share of characters beyond ASCII that makes a prompt one of another script."""
_LEAST: Final = 50
"""Fewer prompts are no pool: a campaign would repeat itself."""


class Source(NamedTuple):
    """Prompts, and the rates over time of real API clients (None: made up)."""

    corpora: Corpora
    rates: ClientRates | None

    @classmethod
    def read(cls, folder: Path, seed: int) -> Self:
        """Read a corpus folder; raise `CorpusNotFound` where it has no prompts."""
        corpora = Corpora.read(folder, seed)
        foreign = [
            prompt
            for prompt in corpora.pool(("legit", "campaign"))
            if prompt.text
            and sum(not c.isascii() for c in prompt.text) > _FOREIGN * len(prompt.text)
        ]
        if len(foreign) >= _LEAST:
            corpora.add(NON_ENGLISH, {NON_ENGLISH: foreign})
        return cls(corpora, ClientRates.read(folder))

    @classmethod
    def generated(cls, seed: int) -> Self:
        """Make everything up: for trying things without a corpus."""
        return cls(Corpora.generated(seed), None)

    def with_own_tasks(self, scenario: Scenario) -> Scenario:
        """Share out the tasks of a role among the campaigns that name it.

        Two campaigns do not harvest the same list of tasks; corpora are too few to
        give each a corpus of its own.
        """
        sharing: dict[tuple[str, ...], list[str]] = {}
        for campaign in scenario.campaign:
            sharing.setdefault(campaign.roles, []).append(campaign.name)
        campaigns = []
        for campaign in scenario.campaign:
            names = sharing[campaign.roles]
            at, count = names.index(campaign.name), len(names)
            roles = campaign.roles
            if count > 1:
                role = f"tasks {at} of {count}: {' '.join(roles)}"
                self.corpora.add(role, {role: self.corpora.pool(roles)[at::count]})
                roles = (role,)
            campaigns.append(replace(campaign, roles=roles))
        return replace(scenario, campaign=tuple(campaigns))
