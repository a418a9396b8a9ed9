"""Every exception of distillwatch.

::

    DistillwatchError
    ├── ConfigError            a setting is missing, malformed or out of range
    ├── ContractError          a record or schema breaks the contract
    │   ├── SchemaNotFound     no such schema or version is shipped
    │   ├── UnknownSchema      framing names an unknown schema  [dead letter]
    │   ├── UndecodableRecord  bytes are not that record  [dead letter]
    │   ├── InvalidRecord      a field is out of its range  [dead letter]
    │   ├── ContentRefused     prompt or output text             [dead letter]
    │   └── PolicyError        a policy or one of its conditions is wrong  [dead letter]
    ├── BusError               Kafka, or a process that stands for it
    │   ├── BrokerUnavailable  nobody answers there  [retriable]
    │   ├── BrokerStartFailed  the development broker did not come up
    │   ├── MissingTool        Java, Maven or another program is absent
    │   ├── TopicMismatch      a topic differs from topics.toml
    │   ├── RegistryUnavailable  the schema registry gives no answer  [retriable]
    │   └── SchemaMismatch     a registry's subject differs from the shipped schema
    ├── StateError             a state row cannot be read or restored
    ├── NotReproducible        what a decision was computed from is gone
    ├── ScenarioError          a scenario file is wrong, or names what is not there
    │   ├── ScenarioNotFound   neither a shipped name nor a file
    │   └── CorpusNotFound     no prompts where --corpus points
    └── ReporterClosed         an event was reported after close()

Two traits decide what happens to an error, so that routing reads the class, never the
message: ``retriable`` (trying again may help) and ``dead_letter`` (the record goes to
the dead-letter topic and the rest goes on). Messages name the place and the way out,
and never repeat content.
"""

from __future__ import annotations

__all__ = [
    "BrokerStartFailed",
    "BrokerUnavailable",
    "BusError",
    "ConfigError",
    "ContentRefused",
    "ContractError",
    "CorpusNotFound",
    "DistillwatchError",
    "InvalidRecord",
    "MissingTool",
    "NotReproducible",
    "PolicyError",
    "RegistryUnavailable",
    "ReporterClosed",
    "ScenarioError",
    "ScenarioNotFound",
    "SchemaMismatch",
    "SchemaNotFound",
    "StateError",
    "TopicMismatch",
    "UndecodableRecord",
    "UnknownSchema",
]


class DistillwatchError(Exception):
    """The root: catching it catches everything distillwatch raises on purpose."""

    retriable = False
    dead_letter = False


class ConfigError(DistillwatchError):
    """A setting is missing, malformed or out of range."""


class ContractError(DistillwatchError):
    """A record or a schema breaks the contract."""


class SchemaNotFound(ContractError):
    """No such schema, or no such version of it, is shipped."""


class UnknownSchema(ContractError):
    """The framing names a schema that nobody here knows."""

    dead_letter = True


class UndecodableRecord(ContractError):
    """The bytes are not the record they claim to be."""

    dead_letter = True


class InvalidRecord(ContractError):
    """The record decodes, but a field is outside its range."""

    dead_letter = True


class ContentRefused(ContractError):
    """The record carries prompt or output text; the text is not repeated here."""

    dead_letter = True


class PolicyError(ContractError):
    """A policy is wrong, or one of its conditions cannot be told."""

    dead_letter = True


class BusError(DistillwatchError):
    """Something is wrong with Kafka or with a process that stands for it."""


class BrokerUnavailable(BusError):
    """Nobody answers at the bootstrap address."""

    retriable = True


class BrokerStartFailed(BusError):
    """The development broker did not come up."""


class MissingTool(BusError):
    """Java, Maven or another program is not on this machine."""


class TopicMismatch(BusError):
    """A topic on the broker differs from topics.toml."""


class RegistryUnavailable(BusError):
    """The schema registry gives no answer; what needs it may be good."""

    retriable = True


class SchemaMismatch(BusError):
    """A subject of the schema registry and the shipped schema do not go together."""


class StateError(DistillwatchError):
    """A state row cannot be read or restored."""


class NotReproducible(DistillwatchError):
    """What a decision was computed from is not there any more."""


class ScenarioError(DistillwatchError):
    """A scenario file is wrong."""


class ScenarioNotFound(ScenarioError):
    """The name is neither a shipped scenario nor a file."""


class CorpusNotFound(ScenarioError):
    """There are no prompts where --corpus points."""


class ReporterClosed(DistillwatchError):
    """An event was reported after the reporter was closed."""
