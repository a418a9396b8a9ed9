"""The pipeline's own stages, with a reference that is easily surprised.

A scenario of seconds cannot give the evidence that the shipped reference asks for. So
every score is out of the ordinary here: groups are found at their first look and their
accounts climb to the top of the ladder, which exercises the stages as a long run does.
"""

from __future__ import annotations

from functools import cache

import msgspec

from streams.agents.placed_stage import PlacedStage, place_stages
from streams.config import Config
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.replay import Pipeline
from streams.engine.stages import Topology
from streams.models.evidence import RankedScores
from streams.models.reference import Reference, load_reference

__all__ = ["credulous_reference", "load_stages", "make_pipeline"]

_UNITS = 1 << 17  # reference units: enough for every level that a test or rung asks for
_LOWEST = RankedScores(_UNITS, [1], [-1e9])


@cache
def credulous_reference() -> Reference:
    """Give the shipped reference with all its scores replaced by very low ones."""
    shipped = load_reference()
    return msgspec.structs.replace(
        shipped,
        version="credulous",
        digest="credulous",
        groups=[dict.fromkeys(look, _LOWEST) for look in shipped.groups],
        bystanders=_LOWEST,
    )


def load_stages(config: Config) -> list[PlacedStage]:
    """Place the stages as a worker does; it runs in the worker's process."""
    accounts, facets, campaigns = place_stages(config)
    return [accounts, facets, campaigns._replace(make=_campaigns)]


def make_pipeline(config: Config) -> Pipeline:
    """Wire the same stages up in memory."""
    pipeline = Pipeline(config)
    links = pipeline.stages["llm.links"]
    links[:] = [_campaigns(partition) for partition in range(len(links))]
    return pipeline


def _campaigns(partition: int) -> CampaignsStage:
    return CampaignsStage(
        partition,
        facet_partitions=Topology.shipped().facet_partitions,
        reference=credulous_reference(),
        mode="shadow",
    )
