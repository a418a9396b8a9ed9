"""Campaigns of every shape that was reported in public, at any size of population.

Sizes are given for 200,000 accounts (``full``) and do not fall below ``least``, so
that small populations hold every shape, too.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec.structs import replace

from streams.scenarios.corpora import REASONING_ROLES
from streams.scenarios.detection.hard_negatives import LAUNCH
from streams.scenarios.scenario import (
    Campaign,
    CampaignFacets,
    Pivot,
    Replacement,
    Templates,
)

__all__ = ["FULL_ACCOUNTS", "SHAPES", "Shape", "campaigns", "shape_of"]

FULL_ACCOUNTS: Final = 200_000
_RUBRIC: Final = ("campaign-rubric-seed+campaign-rubric", "campaign-rubric", "campaign")
_TOOLS: Final = ("campaign-tooluse", "campaign-")
_CODING: Final = ("campaign-coding+campaign-tooluse", "campaign-coding", "campaign-")
_FEW_SITES: Final = CampaignFacets(networks=15, clients=3, payments=8)
"""What ties a campaign together that has few templated exchanges, or none."""


class Shape(NamedTuple):
    """A campaign, the shape it stands for, and how many accounts it runs at a time."""

    shape: str
    full: int
    least: int
    campaign: Campaign


SHAPES: Final = (
    Shape(
        "reasoning/rubric",
        400,
        60,
        Campaign(
            name="rubric_lockstep",
            shape="rubric",
            accounts=1,
            requests_per_day=(60, 180),
            roles=_RUBRIC,
            mix_share=0.9,
            pace="lockstep",
            start_hour=4,
            age_days=(1, 12),
            templates=Templates(count=4, wrap=("both", "prefix")),
            facets=CampaignFacets(networks=12, client="one", payments=4),
        ),
    ),
    Shape(
        "reasoning/rubric",
        2000,
        100,
        Campaign(
            name="reasoning_shared_payment",
            shape="reasoning",
            accounts=1,
            requests_per_day=(30, 120),
            roles=REASONING_ROLES,
            mix_share=0.5,
            start_hour=3,
            templates=Templates(count=5, wrap=("both", "suffix")),
            facets=CampaignFacets(networks=20, clients=3, payments=10),
        ),
    ),
    Shape(
        "reasoning/rubric",
        10,
        10,
        Campaign(
            name="rubric_ten_accounts",
            shape="rubric",
            accounts=1,
            requests_per_day=(200, 350),
            roles=_RUBRIC,
            start_hour=6,
            templates=Templates(count=2, wrap=("prefix",)),
            facets=CampaignFacets(networks=4, payments=2),
        ),
    ),
    Shape(
        "agentic",
        600,
        60,
        Campaign(
            name="agentic_varied_access",
            shape="tooluse",
            accounts=1,
            requests_per_day=(60, 200),
            roles=_TOOLS,
            mix_share=0.6,
            start_hour=2,
            pace="diurnal",
            age_days=(2, 60),
            templates=Templates(count=6, wrap=("system", "both")),
            facets=CampaignFacets(clients=6),
        ),
    ),
    Shape(
        "agentic coding, pivot",
        1000,
        80,
        Campaign(
            name="coding_pivot",
            shape="coding",
            accounts=1,
            requests_per_day=(45, 110),
            roles=_CODING,
            mix_share=0.8,
            start_hour=2,
            age_days=(2, 40),
            model="aurora-2",
            pivot=Pivot(hour=0.0, model=LAUNCH),
            templates=Templates(count=5, wrap=("both", "system")),
            facets=CampaignFacets(networks=25, clients=3, payments=20),
        ),
    ),
    Shape(
        "hydra",
        20_000,
        120,
        Campaign(
            name="hydra",
            shape="reasoning",
            accounts=1,
            requests_per_day=(26, 100),
            roles=REASONING_ROLES,
            mix_share=0.5,
            start_hour=6,
            pace="diurnal",
            age_days=(0.5, 10),
            replacement=Replacement(after_hours=(14, 36), lead_hours=8),
            templates=Templates(
                count=8,
                wrap=("both", "suffix", "prefix"),
                word_drop=0.04,
                random_prefix=0.3,
            ),
            facets=CampaignFacets(pool="proxy", clients=4),
        ),
    ),
    Shape(
        "hydra, slow",
        2000,
        120,
        Campaign(
            name="slow_26_a_day",
            shape="reasoning",
            accounts=1,
            requests_per_day=(24, 28),
            roles=REASONING_ROLES,
            mix_share=0.9,
            pace="diurnal",
            age_days=(5, 60),
            templates=Templates(count=6, wrap=("both",)),
            facets=CampaignFacets(pool="proxy", clients=5, client="browser"),
        ),
    ),
    Shape(
        "cloning attempt, non-English",
        100,
        30,
        Campaign(
            name="cloning_non_english",
            shape="coercion",
            accounts=1,
            requests_per_day=(150, 350),
            roles=("non-english", "campaign-cot-seed", "campaign-"),
            start_hour=5,
            templates=Templates(count=4, wrap=("both", "suffix")),
            facets=CampaignFacets(networks=8, clients=2),
        ),
    ),
    Shape(
        "mixed, 25 %",
        500,
        60,
        Campaign(
            name="mixed_25",
            shape="coding",
            accounts=1,
            requests_per_day=(60, 160),
            roles=_CODING,
            mix_share=0.25,
            pace="diurnal",
            templates=Templates(count=4, wrap=("both",)),
            facets=CampaignFacets(networks=20, clients=4),
        ),
    ),
    Shape(
        "mixed, 10 %",
        500,
        80,
        Campaign(
            name="mixed_10_shared",
            shape="reasoning",
            accounts=1,
            requests_per_day=(60, 160),
            roles=REASONING_ROLES,
            mix_share=0.1,
            pace="diurnal",
            templates=Templates(count=3, wrap=("both",)),
            facets=_FEW_SITES,
        ),
    ),
    Shape(
        "mixed, 10 %",
        500,
        80,
        Campaign(
            name="mixed_10_template_only",
            shape="tooluse",
            accounts=1,
            requests_per_day=(60, 160),
            roles=_TOOLS,
            mix_share=0.1,
            pace="diurnal",
            age_days=(5, 200),
            created_together=1,
            templates=Templates(count=3, wrap=("both",)),
            facets=CampaignFacets(clients=8, client="browser"),
        ),
    ),
    Shape(
        "mixed, 5 %",
        500,
        80,
        Campaign(
            name="mixed_5_shared",
            shape="rubric",
            accounts=1,
            requests_per_day=(80, 200),
            roles=_RUBRIC,
            mix_share=0.05,
            templates=Templates(count=3, wrap=("both",)),
            facets=_FEW_SITES,
        ),
    ),
    Shape(
        "untemplated",
        500,
        80,
        Campaign(
            name="untemplated_shared",
            shape="reasoning",
            accounts=1,
            requests_per_day=(60, 160),
            roles=REASONING_ROLES,
            pace="diurnal",
            start_hour=3,
            templates=Templates(count=0),
            facets=_FEW_SITES,
        ),
    ),
    Shape(
        "untemplated, 10 %",
        500,
        80,
        Campaign(
            name="untemplated_10_shared",
            shape="coding",
            accounts=1,
            requests_per_day=(60, 160),
            roles=_CODING,
            mix_share=0.1,
            pace="diurnal",
            templates=Templates(count=0),
            facets=_FEW_SITES,
        ),
    ),
)  # fmt: skip


def campaigns(accounts: int, pivot_hour: float) -> tuple[Campaign, ...]:
    """Give every campaign, sized for a population of so many accounts.

    >>> {c.name: c.accounts for c in campaigns(200_000, 26)}["hydra"]
    20000
    """
    share = accounts / FULL_ACCOUNTS
    return tuple(
        replace(
            each.campaign,
            accounts=max(each.least, round(each.full * share)),
            pivot=each.campaign.pivot and replace(each.campaign.pivot, hour=pivot_hour),
        )
        for each in SHAPES
    )


def shape_of(name: str) -> str:
    """Give the shape that a campaign of this name stands for; else the name.

    >>> shape_of("slow_26_a_day")
    'hydra, slow'
    """
    return next((each.shape for each in SHAPES if each.campaign.name == name), name)
