"""The rules of an enforcer, each as a check that says how it was broken."""

from __future__ import annotations

import copy
import io
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import fastavro

from streams.contracts.codec import without_logical_types
from streams.contracts.records import to_dict
from streams.contracts.schemas import schema
from streams.contracts.writers import single_object_header
from streams.sdk.conformance.stand import (
    CAMPAIGN,
    FEATURE,
    REASON,
    SECRET_E_VALUE,
    Stand,
)

__all__ = ["ACK_CHECKS", "CHECKS", "Check"]


class Check(NamedTuple):
    """One rule; ``violation`` takes the stand and an account of its own.

    It gives what was seen instead, in words, or nothing.
    """

    name: str
    rule: str
    violation: Callable[[Stand, str], str]


_NOT_ENFORCED: Final = "an enforced suspension did not refuse requests in time"
_UNSETTLED: Final = "an action published later in the same partition did not take hold"
_LIVES: Final = (2.0, 6.0, 18.0)  # s; a slow enforcer gets another chance to be seen
_RATE: Final = 6  # requests a minute
_REQUESTS: Final = 14


def _enforce_applies(stand: Stand, account: str) -> str:
    if not stand.ask(account).served:
        return f"an account without an action got {stand.ask(account).status}"
    stand.issue(f"account:{account}")
    if not stand.refused_soon(account):
        return _NOT_ENFORCED
    other = stand.ask(f"{account}-other").status
    return "" if 200 <= other < 400 else f"another account got {other}"


def _shadow_is_not_enforced(stand: Stand, account: str) -> str:
    return _passes(stand, account, "in mode shadow", mode="shadow")


def _human_review_is_not_enforced(stand: Stand, account: str) -> str:
    if told := _passes(stand, account, "with human_review", human_review=True):
        return told
    stand.issue(f"account:{account}", 2)
    return "" if stand.refused_soon(account) else _NOT_ENFORCED


def _lower_sequence_is_ignored(stand: Stand, account: str) -> str:
    stand.issue(f"account:{account}", 5, rung="observe")
    return _passes(stand, account, "with a lower sequence", sequence=4)


def _higher_sequence_replaces(stand: Stand, account: str) -> str:
    subject = f"account:{account}"
    stand.issue(subject, 1)
    if not stand.refused_soon(account):
        return _NOT_ENFORCED
    stand.issue(subject, 2, rung="observe")
    if not stand.served_soon(account):
        return "a milder action with a higher sequence did not replace a suspension"
    stand.issue(subject, 3)
    return "" if stand.refused_soon(account) else _NOT_ENFORCED


def _expiry_is_honoured(stand: Stand, account: str) -> str:
    subject = f"account:{account}"
    for sequence, life in enumerate(_LIVES):
        action = stand.issue(subject, sequence, life=life)
        over = action.expires_at / 1000
        if not stand.refused_soon(account, within=over - time.time()):
            continue
        time.sleep(max(0.0, over - time.time()))
        if not stand.served_soon(account):
            return "requests were refused after expires_at"
        late = f"{account}-late"
        return _passes(stand, late, "that was over before it came", life=-5.0)
    return _NOT_ENFORCED


def _tombstone_lifts(stand: Stand, account: str) -> str:
    stand.issue(f"account:{account}")
    if not stand.refused_soon(account):
        return _NOT_ENFORCED
    stand.lift(f"account:{account}")
    return "" if stand.served_soon(account) else "requests are refused after the lift"


def _facet_applies(stand: Stand, account: str) -> str:
    facet = f"{account}-facet"
    stand.issue(f"facet:{stand.facet_kind}:{facet}")
    if not stand.refused_soon(account, facet):
        return f"an action on facet:{stand.facet_kind}:… did not refuse its requests"
    if not stand.ask(account).served:
        return "a request without the facet was refused"
    stand.issue(f"account:{account}", rung="observe")
    if not stand.settled(f"account:{account}"):
        return _UNSETTLED
    if not stand.ask(account, facet).refused:
        return "a milder action on the account lifted the one on its facet"
    return ""


def _unreadable_records_are_skipped(stand: Stand, account: str) -> str:
    subject = f"account:{account}"
    action = stand.issue(subject, 1)
    if not stand.refused_soon(account):
        return _NOT_ENFORCED
    for number, value in enumerate(
        (b"", b"\xc3\x01garbage", b"\x00\x00\x00", b'{"rung": "observe"}')
    ):
        stand.publish(subject, value, f"{subject}/garbage-{number}")
    stand.publish(subject, _of_unknown_rung(to_dict(action)), f"{subject}/unknown")
    if not stand.settled(subject):
        return "after unreadable records, later actions did not take hold"
    if not stand.ask(account).refused:
        return "unreadable records ended the action of their subject"
    stand.issue(subject, 3, rung="observe")
    return "" if stand.served_soon(account) else "it no longer obeys for that subject"


def _throttle_limits_the_rate(stand: Stand, account: str) -> str:
    subject = f"account:{account}"
    stand.issue(
        subject, rung="throttle", parameters={"requests_per_minute": str(_RATE)}
    )
    if not stand.settled(subject):
        return _UNSETTLED
    began = time.monotonic()
    answers = [stand.ask(account) for _ in range(_REQUESTS)]
    passed = sum(answer.served for answer in answers)
    refilled = (time.monotonic() - began) * _RATE / 60
    if not 1 <= passed <= _RATE + 1 + refilled:
        return f"{passed} of {_REQUESTS} requests at once passed at {_RATE} a minute"
    for answer in answers:
        if answer.served:
            continue
        if answer.status != 429:
            return f"a request above the rate got {answer.status}, not 429"
        if not answer.headers.get("retry-after", "").isdigit():
            return "429 came without Retry-After in whole seconds"
    return ""


def _challenge_asks_first(stand: Stand, account: str) -> str:
    stand.issue(f"account:{account}", rung="challenge")
    if not stand.refused_soon(account):
        return "requests of a challenged account were not answered with 401 or 403"
    answer = stand.ask(account)
    shown = f"{answer.headers} {answer.body}"
    return "" if REASON in shown else "the answer does not name the reason codes"


def _refusals_explain_without_internals(stand: Stand, account: str) -> str:
    stand.issue(f"account:{account}")
    if not stand.refused_soon(account):
        return _NOT_ENFORCED
    answer = stand.ask(account)
    shown = f"{answer.headers} {answer.body}"
    for wanted, what in (
        (REASON, "reason codes"),
        ("conformance-appeal", "appeal token"),
    ):
        if wanted not in shown:
            return f"the refusal does not name the {what}"
    internals = (FEATURE, CAMPAIGN, str(SECRET_E_VALUE), f"{SECRET_E_VALUE:.0f}")
    if any(internal in shown for internal in internals):
        return "the refusal shows internals of the detector"
    return ""


def _applied_is_acknowledged(stand: Stand, account: str) -> str:
    subject = f"account:{account}"
    shadow = stand.issue(f"{subject}-shadow", mode="shadow")
    action = stand.issue(subject)
    if not stand.acknowledged(action, "applied"):
        return "no acknowledgement of applied came in time"
    ack = stand.acks.find(action.action_id, "applied")
    if ack is None or (ack.subject, ack.sequence) != (subject, action.sequence):
        return "the acknowledgement has another subject or sequence"
    if not ack.enforcer:
        return "the acknowledgement does not name the enforcer"
    if not stand.settled(shadow.subject):
        return _UNSETTLED
    if stand.acks.find(shadow.action_id, "applied"):
        return "a shadow action was acknowledged as applied"
    return ""


def _expired_is_acknowledged(stand: Stand, account: str) -> str:
    for sequence, life in enumerate(_LIVES):
        action = stand.issue(f"account:{account}", sequence, life=life)
        if stand.acknowledged(action, "applied", within=life):
            time.sleep(max(0.0, action.expires_at / 1000 - time.time()))
            told = stand.acknowledged(action, "expired")
            return "" if told else "no acknowledgement of expired came in time"
    return "no acknowledgement of applied came before the expiry"


def _released_is_acknowledged(stand: Stand, account: str) -> str:
    action = stand.issue(f"account:{account}")
    if not stand.acknowledged(action, "applied"):
        return "no acknowledgement of applied came in time"
    stand.lift(f"account:{account}")
    if stand.acknowledged(action, "released"):
        return ""
    return "no acknowledgement of released came in time"


def _passes(
    stand: Stand, account: str, what: str, *, sequence: int = 1, **changes: Any
) -> str:
    """Publish a suspension that must change nothing, and see that it does not."""
    stand.issue(f"account:{account}", sequence, **changes)
    if not stand.settled(f"account:{account}"):
        return _UNSETTLED
    status = stand.ask(account).status
    if 200 <= status < 400:
        return ""
    return f"an action {what} was enforced: {status}"


def _of_unknown_rung(fields: dict[str, Any]) -> bytes:
    """Encode an action as a later version might, with a rung that we do not know."""
    avro = copy.deepcopy(schema("Action"))
    rung = next(field for field in avro["fields"] if field["name"] == "rung")
    rung["type"]["symbols"].append("conformance_unknown")
    file = io.BytesIO()
    fields = fields | {"rung": "conformance_unknown", "sequence": 2}
    parsed = fastavro.parse_schema(without_logical_types(avro))
    fastavro.schemaless_writer(file, parsed, fields)
    header: bytes = single_object_header(avro)
    return header + file.getvalue()


CHECKS: Final = (
    Check(
        "enforce_applies",
        "An action in mode enforce takes hold; other accounts go on.",
        _enforce_applies,
    ),
    Check(
        "shadow_is_not_enforced",
        "An action in mode shadow changes nothing.",
        _shadow_is_not_enforced,
    ),
    Check(
        "human_review_is_not_enforced",
        "An action that waits for a person changes nothing until it comes without.",
        _human_review_is_not_enforced,
    ),
    Check(
        "lower_sequence_is_ignored",
        "A record with a lower sequence than known is stale.",
        _lower_sequence_is_ignored,
    ),
    Check(
        "higher_sequence_replaces",
        "A higher sequence replaces the action, both ways.",
        _higher_sequence_replaces,
    ),
    Check(
        "expiry_is_honoured",
        "An action ends at expires_at without any message, and a late one is over.",
        _expiry_is_honoured,
    ),
    Check(
        "tombstone_lifts",
        "A tombstone lifts the action of its subject.",
        _tombstone_lifts,
    ),
    Check(
        "facet_applies",
        "An action on a facet meets every account that shows it, and no other.",
        _facet_applies,
    ),
    Check(
        "unreadable_records_are_skipped",
        "Garbage and rungs unknown to the schema change nothing and break nothing.",
        _unreadable_records_are_skipped,
    ),
    Check(
        "throttle_limits_the_rate",
        "A throttle lets the rate through; more gets 429 with Retry-After in seconds.",
        _throttle_limits_the_rate,
    ),
    Check(
        "challenge_asks_first",
        "A challenge answers 401 or 403 with the reason codes.",
        _challenge_asks_first,
    ),
    Check(
        "refusals_explain_without_internals",
        "A refusal names reason codes and appeal token, and nothing of the evidence.",
        _refusals_explain_without_internals,
    ),
)
"""In the order they are shown."""

ACK_CHECKS: Final = (
    Check(
        "applied_is_acknowledged",
        "What is enforced is acknowledged as applied; a shadow action is not.",
        _applied_is_acknowledged,
    ),
    Check(
        "expired_is_acknowledged",
        "The end of an action is acknowledged as expired.",
        _expired_is_acknowledged,
    ),
    Check(
        "released_is_acknowledged",
        "A lift is acknowledged as released.",
        _released_is_acknowledged,
    ),
)
"""Those that need acknowledgements."""
