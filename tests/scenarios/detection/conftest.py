"""A tiny population with one loud campaign, simulated and run once."""

from __future__ import annotations

import pytest

from streams.scenarios.detection.account_peers import PeerFigures, account_peers
from streams.scenarios.detection.populations import small
from streams.scenarios.detection.run import Run, Simulated, run, simulated
from streams.scenarios.detection.source import Source
from streams.scenarios.scenario import Campaign, CampaignFacets, Cohort, Templates

LOUD = Campaign(
    name="loud",
    shape="rubric",
    accounts=14,
    requests_per_day=(150, 250),
    roles=("campaign-rubric",),
    mix_share=0.8,
    pace="lockstep",
    age_days=(1, 4),
    templates=Templates(count=2),
    facets=CampaignFacets(networks=3, client="one", payments=2),
)


@pytest.fixture(scope="session")
def source() -> Source:
    return Source.generated(3)


@pytest.fixture(scope="session")
def made(source: Source) -> Simulated:
    cohort = Cohort(name="office", accounts=12, requests_per_day=8, network="one")
    scenario = small(
        "tiny", hours=10, ordinary=60, cohorts=(cohort,), campaign=(LOUD,), seed=4
    )
    return simulated(scenario, source)


@pytest.fixture(scope="session")
def done(made: Simulated) -> Run:
    return run(made)


@pytest.fixture(scope="session")
def peers(made: Simulated, source: Source) -> tuple[PeerFigures, ...]:
    scenario = small("calibrating", hours=10, ordinary=80, seed=9)
    return account_peers(made, simulated(scenario, source), seed=1)
