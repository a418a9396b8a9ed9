"""Logs of llm.links with operators' entries in between, and what came of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from itertools import pairwise

import msgspec
from event_streams import EPOCH, Burst, Record, campaign, records
from lenient_reference import lenient_reference, trail
from stage_runs import Step, as_log, interleave, run

from streams.contracts.records import (
    Action,
    ControlEntry,
    Decision,
    Mode,
    decode_record,
    encode_record,
)
from streams.engine.accounts_stage import AccountsStage
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.control_stage import ControlRecord, forward
from streams.engine.facets_stage import FacetsStage
from streams.engine.stage import Output
from streams.models.likeness import Likeness
from streams.policy.policy_file import default_policy

__all__ = [
    "BLATANT",
    "actions",
    "campaign_log",
    "links_of",
    "make",
    "scheduled",
    "with_entries",
]

_SOURCES = 2
_FINELY = [Step("take", 1), Step("advance", 0)] * 400

BLATANT = (*campaign(8, 24), *campaign(8, 3, gap=1500), *campaign(9, 9, gap=700))
"""A campaign that is found after 28 minutes, and climbs to the top within 84; its
accounts go on for days."""


def make(mode: Mode = "enforce") -> CampaignsStage:
    """Make a campaigns stage that finds much quickly, and has no share of traffic
    to heed: all traffic here is a campaign's.
    """
    caps = msgspec.structs.replace(default_policy().caps, traffic_share=None)
    return CampaignsStage(
        0,
        facet_partitions=_SOURCES,
        reference=lenient_reference(),
        mode=mode,
        policy=msgspec.structs.replace(default_policy(), caps=caps),
    )


@cache
def links_of(stream: tuple[Burst, ...]) -> tuple[Output, ...]:
    """Give the log of llm.links that a stream makes, minute by minute."""

    def accounts() -> AccountsStage:
        likeness = Likeness({"templated": 6.0}, intercept=-2.0)
        return AccountsStage(
            0, facet_partitions=_SOURCES, likeness=likeness, max_future_hours=24
        )

    log = [*records(stream), *records([*stream, Burst(99, 3, 3, 1, "bare")])[-1:]]
    sums = run(accounts, log, _FINELY).outputs
    sources = [
        run(
            lambda source=source: FacetsStage(source, request_partitions=1),  # type: ignore[misc] # a default binds the loop's value
            as_log(sums, source),
            _FINELY,
        ).outputs
        for source in range(_SOURCES)
    ]
    return tuple(interleave(sources, [0, 1] * 1000))


def with_entries(
    links: Sequence[Output], entries: Iterable[tuple[int, ControlEntry | str]]
) -> list[Record]:
    """Put each entry (or the id of one to withdraw) into the log, at a place in it."""
    at: dict[int, list[Output]] = {}
    for offset, (place, entry) in enumerate(entries):
        if isinstance(entry, str):
            record = ControlRecord(offset, entry, None)
        else:
            record = ControlRecord(offset, entry.entry_id, encode_record(entry))
        at.setdefault(place % (len(links) + 1), []).append(forward(record, 0))
    log = [*at.get(0, ())]
    for place, link in enumerate(links, 1):
        log += [link, *at.get(place, ())]
    return as_log(log)


def scheduled(entries: Iterable[tuple[int, ControlEntry | str]]) -> list[Output]:
    """Make entries that take effect after a minute since `EPOCH`, as a replay does."""
    outputs = []
    for offset, (minute, entry) in enumerate(entries):
        name = entry if isinstance(entry, str) else entry.entry_id
        value = None if isinstance(entry, str) else encode_record(entry)
        record = ControlRecord(offset, name, value, after=EPOCH + minute)
        outputs.append(forward(record, 0))
    return outputs


def campaign_log(
    entries: Iterable[tuple[int, ControlEntry | str]],
    stream: tuple[Burst, ...] = BLATANT,
) -> list[Record]:
    """Give the log of a campaign with entries scheduled before it."""
    return as_log([*scheduled(entries), *links_of(stream)])


def actions(outputs: Iterable[Output]) -> dict[str, list[Action | None]]:
    """Read what was published for each subject; None is a tombstone.

    Holds what must be true of any life: sequences rise by one, and what is lifted
    stood; each action and each lifting is told on llm.decisions.
    """
    lives: dict[str, list[Action | None]] = {}
    told: list[tuple[str, str, str | None]] = []
    for output in trail(outputs):
        assert output.key is not None
        subject = output.key.decode()
        if output.topic == "llm.decisions":
            decision = decode_record(Decision, output.value or b"")
            if decision.kind not in ("tested", "withheld", "applied"):
                told.append((subject, decision.kind, decision.action_id))
        elif output.topic == "llm.actions":
            action = decode_record(Action, output.value) if output.value else None
            lives.setdefault(subject, []).append(action)
    for life in lives.values():
        sequences = [action.sequence for action in life if action is not None]
        assert sequences == list(range(1, len(sequences) + 1))
        assert life[0] is not None
        assert all(one is not None or two is not None for one, two in pairwise(life))
    lifted = sum(life.count(None) for life in lives.values())
    assert lifted == sum(kind in ("released", "expired") for _, kind, _ in told)
    published = [one.action_id for life in lives.values() for one in life if one]
    assert sorted(published) == sorted(
        name or "" for _, kind, name in told if kind not in ("released", "expired")
    )
    return lives
