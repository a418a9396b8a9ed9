"""A reference that weak evidence passes, and what comes of it: alerts and actions."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from streams.campaigns.group_features import FEATURES
from streams.campaigns.member_features import MEMBER_FEATURES
from streams.contracts.records import Action, Alert, Decision, decode_record
from streams.engine.stage import Output
from streams.models.evidence import RankedScores
from streams.models.reference import DETECTORS, GROUP_LOOKS, STRATA, Prior, Reference

__all__ = ["decisions", "lenient_reference", "news", "trail"]

_UNITS = 2**13 - 1


@cache
def lenient_reference(*, sharing: bool = False) -> Reference:
    """Make a reference that weak evidence passes, so that much happens quickly.

    ``sharing``: it also knows groups that begin with shared infrastructure.
    """
    spread = RankedScores.of([n / _UNITS for n in range(_UNITS)])
    detectors = ("joint", *DETECTORS)
    look = dict.fromkeys(STRATA, dict.fromkeys(detectors, spread))
    if not sharing:
        look["infrastructure"] = dict.fromkeys(detectors, RankedScores.of([]))
    return Reference(
        version="tests",
        account=Prior({}, 0.0),
        group=dict.fromkeys(STRATA, Prior(dict.fromkeys(FEATURES, 1.0), -1.5)),
        member=Prior(dict.fromkeys(MEMBER_FEATURES, 0.6), 0.0),
        groups=[look for _ in GROUP_LOOKS],
        features=[dict.fromkeys(FEATURES, spread) for _ in GROUP_LOOKS],
        bystanders=spread,
        digest="tests",
    )


def news(outputs: Iterable[Output]) -> dict[str, list[Action | Alert]]:
    """Read alerts and actions by key; repeats must be equal, sequences rise by one."""
    seen: dict[str, bytes] = {}
    read: dict[str, list[Action | Alert]] = {}
    for output in outputs:
        if output.topic == "llm.decisions" or output.value is None:
            continue
        assert output.key is not None
        if output.event_id in seen:
            assert seen[output.event_id] == output.value
            continue
        seen[output.event_id] = output.value
        record: Action | Alert
        if output.topic == "llm.actions":
            record = decode_record(Action, output.value)
        else:
            record = decode_record(Alert, output.value)
        thread = read.setdefault(output.key.decode(), [])
        thread.append(record)
        assert record.sequence == len(thread)
    return read


def trail(outputs: Iterable[Output]) -> list[Output]:
    """Give all outputs in order, each once; repeats must be equal."""
    seen: dict[tuple[str, str], Output] = {}
    for output in outputs:
        assert seen.setdefault((output.topic, output.event_id), output) == output
    return list(seen.values())


def decisions(outputs: Iterable[Output]) -> list[Decision]:
    """Read the decisions, in order and each once."""
    return [
        decode_record(Decision, output.value or b"")
        for output in trail(outputs)
        if output.topic == "llm.decisions"
    ]
