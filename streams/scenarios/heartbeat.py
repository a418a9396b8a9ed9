"""A small campaign of our own, which tells a pipeline that is armed from a broken one.

Sixteen accounts of sixteen organizations send three fillings each of one template,
within one minute, behind four networks and with four payments: a single one would be
taken for one customer's. That is the least that the shipped reference takes for a
campaign without doubt: 32 exchanges count, since the gate opens at an account's second
use, and the first look is at 25. It costs one test of the day's budget. Everything but
the client is new in each heartbeat, so that one has no part in the next one's group.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import Final

from streams.contracts.records import RequestEvent
from streams.contracts.time_units import MS_PER_DAY, MS_PER_MINUTE
from streams.engine.murmur2 import partition_of
from streams.sketch import Sketcher

__all__ = [
    "ACCOUNTS",
    "HEARTBEAT_CLIENT",
    "ROUNDS",
    "closing_events",
    "heartbeat_events",
]

HEARTBEAT_CLIENT: Final = "distillwatch-heartbeat"
"""The client facet of every heartbeat: the allowlist names it, and alerts tell it."""

ACCOUNTS: Final = 16
SHARED_BY: Final = 4
"""Accounts that share a payment, and a network: one customer would have only one."""
ROUNDS: Final = 3
"""Exchanges of each account: two that count."""

_SPACING: Final = 1_000  # ms between two events: all 48 lie within one minute
_TEMPLATE_WORDS: Final = 24
_TAIL_WORDS: Final = 12
_FILLING_WORDS: Final = 12
_KEY_BYTES: Final = 32
_SYLLABLES: Final = (
    *("am", "bir", "ce", "del", "em", "fjo", "gro", "he"),
    *("iri", "ja", "kri", "lo", "map", "nor", "oce", "pe"),
)


def heartbeat_events(
    run: str, now: int, *, partitions: int
) -> tuple[list[RequestEvent], list[RequestEvent]]:
    """Make the campaign's events and, for the minute after it, what closes it.

    ``run`` names the heartbeat and is new each time; ``now`` is in ms since the epoch,
    and no event is later. The campaign is in the minute before that of ``now``; of each
    of the ``partitions`` of ``llm.requests`` one account has an event without a sketch
    in the minute of ``now``, which says that the one before is over.

    >>> campaign, closing = heartbeat_events("r", 1_770_000_059_000, partitions=8)
    >>> len(campaign), len(closing), {each.client for each in campaign}
    (48, 8, {'distillwatch-heartbeat'})
    """
    begin = now // MS_PER_MINUTE * MS_PER_MINUTE - MS_PER_MINUTE
    names = [f"heartbeat-{run}-{number}" for number in range(ACCOUNTS)]
    key = blake2b(run.encode(), digest_size=_KEY_BYTES, person=b"heartbeat").digest()
    sketcher = Sketcher(key, "heartbeat")
    head, tail = _words(run, "head", _TEMPLATE_WORDS), _words(run, "tail", _TAIL_WORDS)
    campaign = []
    for place in range(ACCOUNTS * ROUNDS):
        filling = _words(run, f"filling {place}", _FILLING_WORDS)
        campaign.append(
            _event(
                run,
                f"{place}",
                place % ACCOUNTS,
                names[place % ACCOUNTS],
                begin + place * _SPACING,
                sketch=bytes(sketcher.sketch(f"{head} {filling} {tail}")),
            )
        )
    return campaign, closing_events(run, now, partitions=partitions)


def closing_events(run: str, now: int, *, partitions: int) -> list[RequestEvent]:
    """Make an event for each partition that says that the minute before is over.

    To be sent again when the minute of ``now`` has turned and nothing came: events of
    others may have opened the minute of the first ones before, and nobody else may send
    any that end it.

    >>> len(closing_events("r", 1_770_000_059_000, partitions=8))
    8
    """
    minute = now // MS_PER_MINUTE
    return [
        _event(run, f"closing-{minute}-{number}", number, name, minute * MS_PER_MINUTE)
        for number, name in enumerate(_one_each(run, partitions))
    ]


def _one_each(run: str, partitions: int) -> Iterator[str]:
    """Give an account id for each partition: a partition closes its own minutes."""
    missing, number = set(range(partitions)), 0
    while missing:
        name = f"heartbeat-{run}-closing-{number}"
        number += 1
        if partition_of(name, partitions) in missing:
            missing.discard(partition_of(name, partitions))
            yield name


def _event(
    run: str,
    name: str,
    number: int,
    account: str,
    occurred_at: int,
    *,
    sketch: bytes | None = None,
) -> RequestEvent:
    return RequestEvent(
        event_id=f"heartbeat-{run}-{name}",
        occurred_at=occurred_at,
        account_id=account,
        organization_id=f"of-{account}",
        account_created_at=occurred_at - MS_PER_DAY,
        network=f"heartbeat-{run}-{number % SHARED_BY}",
        tls_ja4="heartbeat",
        client=HEARTBEAT_CLIENT,
        payment=f"heartbeat-{run}-{number // SHARED_BY}",
        request_model="heartbeat",
        status_code=200,
        usage_input_tokens=200,
        usage_output_tokens=800,
        usage_reasoning_output_tokens=400,
        sketch=sketch,
    )


def _words(run: str, what: str, count: int) -> str:
    drawn = blake2b(f"{run} {what}".encode(), digest_size=64).digest()
    return " ".join(
        "".join(_SYLLABLES[drawn[(place * 2 + at) % 64] % 16] for at in range(3))
        for place in range(count)
    )
