"""Small random streams of request events, as bytes, for the stages of the engine.

Hypothesis draws *bursts* of a few small integers each, so that a counter-example
shrinks to something that can be read; `records` makes the bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

from hypothesis import strategies as st

from streams.contracts.codec import encode
from streams.engine.stage import Chunk
from streams.sketch import Sketcher

__all__ = [
    "EPOCH",
    "Burst",
    "Record",
    "bursts",
    "campaign",
    "chunk",
    "event",
    "lists_of",
    "records",
]

_T = TypeVar("_T")

EPOCH = 20_000 * 1440
"""Minute at which every stream begins: midnight UTC."""

_SKETCHER = Sketcher(b"0123456789abcdef0123456789abcdef", "tests")
_TEMPLATES = (
    (
        "Grade the following answer with the rubric from one to ten: {} "
        "Think step by step before you give the final score."
    ),
    (
        "You are an expert planner, so list every tool call for this job: {} "
        "Answer with JSON only and nothing else please."
    ),
    (
        "Solve this exercise and show all of your reasoning in full detail: {} "
        "Then state the result in one line at the end."
    ),
)
_WORDS = "river stone lantern copper meadow violin harbour pepper glacier thunder"
_FRESH = len(_TEMPLATES)


class Burst(NamedTuple):
    """``repeat`` events of one account in one minute, ``jump`` minutes later.

    ``template`` `_FRESH` stands for new text. ``flavour`` is what is odd about them.
    """

    account: int
    jump: int
    template: int
    repeat: int
    flavour: str


class Record(NamedTuple):
    """A record of llm.requests; ``good`` tells whether it can be decoded."""

    offset: int
    value: bytes | None
    timestamp: int
    good: bool


_FLAVOURS = (
    *("plain",) * 8,
    *("late", "refused", "bare", "alone", "verbatim", "pivot"),
    *("broken", "tombstone", "wild", "gap", "system"),
)
_JUMPS = (0, 0, 0, 0, 1, 1, 2, 29, 61, 200, 1440)


def bursts(
    *, accounts: int = 7, most: int = 30, repeat: int = 9
) -> st.SearchStrategy[list[Burst]]:
    """Draw streams of at most ``most`` bursts."""
    burst = st.builds(
        Burst,
        st.integers(0, accounts - 1),
        st.sampled_from(_JUMPS),
        st.integers(0, _FRESH),
        st.integers(1, repeat),
        st.sampled_from(_FLAVOURS),
    )
    return lists_of(burst, most)


def lists_of(items: st.SearchStrategy[_T], most: int) -> st.SearchStrategy[list[_T]]:
    """Draw lists of 1 to ``most`` items, long ones as often as short ones."""
    return st.integers(1, most).flatmap(
        lambda size: st.lists(items, min_size=size, max_size=size)
    )


def campaign(
    accounts: int, rounds: int, *, gap: int = 7, flavour: str = "plain"
) -> list[Burst]:
    """Make a blatant campaign: everybody fills in the same templates, in lockstep."""
    return [
        Burst(account, gap if account == 0 else 0, round_ % _FRESH, 2, flavour)
        for round_ in range(rounds)
        for account in range(accounts)
    ]


@cache
def _sketch(template: int, filling: int, *, system: bool = False) -> bytes:
    words = _WORDS.split()
    chosen = [words[filling * 7 // 3**k % len(words)] for k in range(5)]
    text = f"{' '.join(chosen)} {'abcdefghij'[filling % 10]}{filling // 10}."
    if template == _FRESH:
        # Nothing to share: the head and the tail are the filling's own.
        spelled = " ".join(words[int(digit)] for digit in _scattered(filling))
        prompt = f"{spelled} {text} {spelled[::-1]}"
    else:
        prompt = _TEMPLATES[template].format(text)
    given = "You grade homework of the tenth form, kindly." if system else None
    return bytes(_SKETCHER.sketch(prompt, system=given))


def _scattered(filling: int) -> str:
    """Make nine digits of which neighbours share no stretch (Knuth's multiplier)."""
    return f"{(filling + 1) * 2_654_435_761 % 10**9:09}"


def event(account: int, minute: int, place: int, **changes: Any) -> dict[str, Any]:
    """Make an event; neighbours share networks, all of them a TLS fingerprint."""
    return {
        "event_id": f"event-{place}",
        "occurred_at": minute * 60_000 + place * 37 % 60_000,
        "account_id": f"account-{account}",
        "organization_id": None,
        "account_created_at": (minute - account * 600) * 60_000,
        "network": f"network-{account // 3}",
        "tls_ja4": "tls",
        "client": f"client-{account % 2}",
        "payment": f"payment-{account // 4}",
        "request_model": ("large", "small")[place % 5 == 0],
        "usage_input_tokens": 100 + place,
        "usage_output_tokens": 10 * place,
        "usage_reasoning_output_tokens": place,
        **changes,
    }


def _flavoured(burst: Burst, minute: int, place: int) -> dict[str, Any]:
    filling = 0 if burst.flavour == "verbatim" else place
    changes: dict[str, Any] = {
        "sketch": _sketch(burst.template, filling, system=burst.flavour == "system")
    }
    match burst.flavour:
        case "late":
            minute -= 1 + place % 90
        case "refused":
            changes["enforced_action_id"] = "action-1"
        case "bare":
            nothing = ("account_created_at", "network", "tls_ja4", "client", "payment")
            changes |= dict.fromkeys(nothing)
            changes |= {"usage_output_tokens": None, "sketch": None}
        case "alone":
            changes |= {"network": f"home-{burst.account}", "payment": None}
            changes["organization_id"] = f"organization-{burst.account // 2}"
        case "office":
            changes |= {"network": "office", "payment": "card"}
        case "pivot":
            changes["request_model"] = "newest"
        case "wild":
            minute += 40 * 1440
    return event(burst.account, minute, place, **changes)


def records(stream: Sequence[Burst], *, partition: int = 0) -> list[Record]:
    """Make the records of one partition; ``partition`` sets accounts apart."""
    made: list[Record] = []
    minute, offset, place = EPOCH, 0, 0
    for burst in stream:
        minute += burst.jump
        offset += 5 * (burst.flavour == "gap")
        for _ in range(burst.repeat):
            fields = _flavoured(burst, minute, place)
            if partition:
                fields["account_id"] += f"-of-{partition}"
            value: bytes | None = encode("RequestEvent", fields)
            good = burst.flavour not in {"broken", "tombstone", "wild"}
            if burst.flavour == "broken":
                value = b"\xc3\x01 not an event"
            elif burst.flavour == "tombstone":
                value = None
            made.append(Record(offset, value, minute * 60_000, good))
            offset += 1
            place += 1
    return made


def chunk(some: Sequence[Record]) -> Chunk:
    """Make the chunk of consecutive records."""
    return Chunk(
        [record.offset for record in some],
        [record.value for record in some],
        [record.timestamp for record in some],
    )
