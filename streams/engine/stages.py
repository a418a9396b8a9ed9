"""The stages of the pipeline, and how the shell makes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

import msgspec

from streams.config import Config
from streams.contracts.records import Mode
from streams.contracts.topics import load_topics
from streams.contracts.writers import WriterSchemas
from streams.engine.accounts_stage import AccountsStage
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.control_stage import ControlStage
from streams.engine.facets_stage import FacetsStage
from streams.engine.stage import Stage
from streams.models.reference import Reference, load_reference
from streams.sketch.catalogue import load_catalogue

__all__ = ["STAGES", "StageSpec", "Topology", "reference_in_use"]


class Topology(NamedTuple):
    """Partition counts of the topics that the stages read."""

    request_partitions: int
    facet_partitions: int
    link_partitions: int
    control_partitions: int = 1

    @classmethod
    def shipped(cls) -> Self:
        """Take the counts of topics.toml."""
        topics = load_topics()
        return cls(*(topics[spec.input_topic].partitions for spec in STAGES))


class StageSpec(NamedTuple):
    """A stage by name, the topic it reads, and its maker.

    The maker takes a partition of the topic, the topology, the settings and the writers
    of request events (None: those that ship with the package).
    """

    name: str
    input_topic: str
    make: Callable[[int, Topology, Config, WriterSchemas | None], Stage]


def reference_in_use(config: Config) -> Reference:
    """Give the shipped reference; with a catalogue its version names that, too.

    The version is in every action, alert and decision: a decision can only be computed
    again with the same reference and the same catalogue.
    """
    reference = load_reference()
    if not config.catalogue:
        return reference
    digest = load_catalogue(config.catalogue).digest
    version = f"{reference.version}+catalogue.{digest}"
    return msgspec.structs.replace(reference, version=version)


def _accounts(
    partition: int, topology: Topology, config: Config, writers: WriterSchemas | None
) -> Stage:
    return AccountsStage(
        partition,
        facet_partitions=topology.facet_partitions,
        likeness=load_reference().account.model(),
        max_future_hours=config.max_future,
        writers=writers,
        catalogue=load_catalogue(config.catalogue).index if config.catalogue else None,
    )


def _facets(
    partition: int, topology: Topology, _: Config, _writers: WriterSchemas | None
) -> Stage:
    return FacetsStage(partition, request_partitions=topology.request_partitions)


def _campaigns(
    partition: int, topology: Topology, config: Config, _: WriterSchemas | None
) -> Stage:
    mode: Mode = "enforce" if config.mode == "enforce" else "shadow"
    return CampaignsStage(
        partition,
        facet_partitions=topology.facet_partitions,
        reference=reference_in_use(config),
        mode=mode,
        appeal_key=config.appeal_key,
    )


def _control(
    partition: int, _topology: Topology, _: Config, _writers: WriterSchemas | None
) -> Stage:
    return ControlStage(partition)


STAGES = (
    StageSpec("accounts", "llm.requests", _accounts),
    StageSpec("facets", "llm.facets", _facets),
    StageSpec("campaigns", "llm.links", _campaigns),
    StageSpec("control", "llm.control", _control),
)
