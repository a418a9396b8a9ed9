"""A stage with the topic it reads: what the shell needs to know to run it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from streams.config import Config
from streams.contracts import WriterSchemas
from streams.contracts.topics import load_topics
from streams.engine.stage import Stage
from streams.engine.stages import STAGES, StageSpec, Topology

__all__ = ["PlacedStage", "place_stages"]


class PlacedStage(NamedTuple):
    """A stage by name, the topic it reads, that topic's partitions, and its maker."""

    name: str
    input_topic: str
    partitions: int
    make: Callable[[int], Stage]


def place_stages(config: Config) -> list[PlacedStage]:
    """Return the stages of the pipeline on the topics of topics.toml.

    >>> [(stage.name, stage.partitions) for stage in place_stages(Config())]
    [('accounts', 8), ('facets', 4), ('campaigns', 1), ('control', 1)]
    """
    topology, topics = Topology.shipped(), load_topics()
    writers = WriterSchemas("RequestEvent")
    if config.registry_url:
        # Its client takes most of a second to load, which others need not wait for.
        from streams.bus.schema_registry import request_writers  # noqa: PLC0415 - above

        writers = request_writers(config.registry_url)

    def place(spec: StageSpec) -> PlacedStage:
        return PlacedStage(
            spec.name,
            spec.input_topic,
            topics[spec.input_topic].partitions,
            lambda partition: spec.make(partition, topology, config, writers),
        )

    return [place(spec) for spec in STAGES]
