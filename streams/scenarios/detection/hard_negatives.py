"""What looks like a campaign and is none: one kind of ordinary customers each.

``scale`` 1 is the size at which each is tested alone; ``copies`` makes so many
unrelated groups of a kind. ``company_without_ids`` and ``own_model`` go beyond what a
detector can tell by itself: the one lacks the organization's id on its events, the
other *is* distillation, under an agreement that an allowlist entry stands for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from streams.scenarios.scenario import Campaign, CampaignFacets, Cohort, Templates

__all__ = ["HARD_NEGATIVES", "LAUNCH", "OUTAGE_HOUR", "OWN_MODEL", "hard_negatives"]

OUTAGE_HOUR: Final = 9.0
"""Hour at which an outage ends, and everybody's jobs start again."""
LAUNCH: Final = "aurora-3"
"""The model that comes out while the population is watched."""
_LEAST: Final = 6
"""A smaller group could not be taken for a campaign: at least five owners are."""

_KINDS: Final = (
    Cohort(
        name="evaluation_harness",
        behaviour="harness",
        accounts=60,
        requests_per_day=60,
        roles=("legit-bulk",),
        client="sdk",
        profile="office",
        items=250,
        spread=0.5,
    ),
    Cohort(
        name="llm_as_judge",
        behaviour="bulk",
        accounts=40,
        requests_per_day=60,
        roles=("campaign-rubric", "legit-bulk"),
        client="sdk",
        template="group",
        spread=0.6,
    ),
    Cohort(
        name="agentic_coding_swarm",
        behaviour="agentic",
        accounts=60,
        requests_per_day=80,
        roles=("campaign-coding", "legit-bulk"),
        client="one",
        network="one",
        payment="one",
        organization="one",
        template="group",
        profile="flat",
        spread=0.4,
    ),
    Cohort(
        name="pr_bots",
        behaviour="agentic",
        accounts=60,
        requests_per_day=40,
        roles=("legit-bulk-tooluse", "legit-bulk"),
        client="one",
        organization="own",
        template="group",
        profile="office",
    ),
    Cohort(
        name="templated_data_processing",
        behaviour="bulk",
        accounts=40,
        requests_per_day=90,
        roles=("legit-bulk",),
        client="sdk",
        network="one",
        payment="one",
        organization="one",
        template="group",
        profile="office",
        spread=0.8,
    ),
    Cohort(
        name="class",
        behaviour="classroom",
        accounts=60,
        requests_per_day=8,
        network="one",
        payment="none",
        age_days=(0.5, 6.0),
        utc_offset_hours=(1, 1),
    ),
    Cohort(
        name="carrier_nat",
        accounts=800,
        requests_per_day=2,
        network="carrier",
        utc_offset_hours=(2, 2),
    ),
    Cohort(
        name="popular_sdk",
        behaviour="bulk",
        accounts=150,
        requests_per_day=20,
        roles=("legit-bulk",),
        client="one",
    ),
    Cohort(
        name="popular_public_prompt",
        behaviour="app",
        accounts=200,
        requests_per_day=6,
        template="group",
    ),
    Cohort(
        name="reseller",
        accounts=150,
        requests_per_day=7,
        network="one",
        client="one",
        payment="one",
    ),
    Cohort(
        name="company",
        accounts=500,
        requests_per_day=6,
        behaviour="app",
        network="one",
        payment="one",
        organization="one",
        template="group",
        profile="office",
        utc_offset_hours=(1, 1),
    ),
    Cohort(
        name="company_without_ids",
        accounts=500,
        requests_per_day=6,
        behaviour="app",
        network="one",
        payment="one",
        template="group",
        profile="office",
        utc_offset_hours=(1, 1),
    ),
    Cohort(
        name="launch_day_rush",
        accounts=400,
        requests_per_day=6,
        behaviour="app",
        client="one",
        template="group",
        age_days=(0.5, 30.0),
    ),
    Cohort(
        name="bursts_after_outage",
        behaviour="bulk",
        accounts=80,
        requests_per_day=400,
        roles=("legit-bulk",),
        client="one",
        template="group",
        start_hour=OUTAGE_HOUR,
        duration_hours=2.0,
        profile="flat",
        spread=0.4,
    ),
)
HARD_NEGATIVES: Final[Mapping[str, Cohort]] = {kind.name: kind for kind in _KINDS}
"""Kinds by name; the one of `OWN_MODEL` is a campaign by all signs and no cohort."""

OWN_MODEL: Final = Campaign(
    name="own_model",
    shape="rubric",
    accounts=60,
    requests_per_day=(60, 180),
    roles=("campaign-rubric-seed+campaign-rubric", "campaign-rubric", "campaign-"),
    pace="lockstep",
    age_days=(1, 12),
    templates=Templates(count=4, wrap=("both", "prefix")),
    facets=CampaignFacets(networks=6, payments=1),
)
"""Distillation of one's own model under an agreement: to be allowlisted."""


def hard_negatives(scale: float, copies: int = 1) -> tuple[Cohort, ...]:
    """Give all kinds with ``scale`` times the accounts, in ``copies`` groups."""
    return tuple(
        replace(
            kind,
            accounts=max(_LEAST, round(kind.accounts * scale)) * copies,
            groups=copies,
        )
        for kind in _KINDS
    )
