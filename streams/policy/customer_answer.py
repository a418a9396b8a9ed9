"""What a customer may be told: reasons in words, until when, and how to appeal.

Nothing of how it was found: no features, no numbers, no campaign, no other accounts, no
versions. What is shadow, or waits for a person, restricts nobody and is not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from streams.contracts.records import Rung
from streams.policy.explanation import Explanation

__all__ = ["REASON_WORDS", "RUNG_WORDS", "CustomerAnswer", "customer_answer"]

REASON_WORDS: Final[Mapping[str, str]] = {
    "SHARED_PAYMENT": "A payment method is shared with other accounts.",
    "SHARED_NETWORK": "Requests come from a network shared with other accounts.",
    "SHARED_CLIENT_FINGERPRINT": "The client software is set up like that of other "
    "accounts.",
    "NEW_ACCOUNT": "The account was opened shortly before heavy automated use.",
    "ACCOUNTS_CREATED_TOGETHER": "The account was opened together with others.",
    "COORDINATED_VOLUME": "The amount of use matches that of other accounts.",
    "COORDINATED_TIMING": "The times of use match those of other accounts.",
    "TEMPLATED_REQUESTS": "Many requests are built from one template.",
    "REQUEST_PATTERN": "The requests look like automated collection of outputs.",
    "REPORTED_INDICATOR": "Another provider reported use of this kind.",
}
"""Reason codes of actions, as a customer reads them."""

RUNG_WORDS: Final[Mapping[Rung, str]] = {
    "observe": "The account is not restricted.",
    "label": "The account is not restricted.",
    "throttle": "The account may send fewer requests than usual.",
    "challenge": "The account must pass a challenge before further requests.",
    "summarise_reasoning": "Reasoning is given to this account as a summary.",
    "watermark": "Outputs for this account carry a watermark.",
    "step_up_verification": "The account must be verified before further requests.",
    "suspend": "The account is suspended.",
}
"""Rungs of the ladder, as a customer reads them."""

_FREE: Final = "The account is not restricted."
_UNKNOWN: Final = "The use does not agree with the terms of service."
_HOW: Final = (
    "Write to support, quote the appeal token, and say how the service is used. A "
    "person decides, and the answer says why."
)
_UNNOTICED: Final = frozenset({"observe", "label"})


class CustomerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; ``until`` in ms since the epoch; empty without a restriction."""

    restricted: bool
    restriction: str
    rung: Rung | None = None
    until: int | None = None
    reasons: dict[str, str] = {}
    appeal_token: str | None = None
    how_to_appeal: str = ""


def customer_answer(explanation: Explanation) -> CustomerAnswer:
    """Reduce an explanation to what its subject may know."""
    now = explanation.standing
    if (
        now.state != "standing"
        or now.mode != "enforce"
        or now.human_review
        or now.rung is None
        or now.rung in _UNNOTICED
    ):
        return CustomerAnswer(restricted=False, restriction=_FREE)
    return CustomerAnswer(
        restricted=True,
        restriction=RUNG_WORDS[now.rung],
        rung=now.rung,
        until=now.until,
        reasons={
            code: REASON_WORDS.get(code, _UNKNOWN) for code in explanation.reason_codes
        },
        appeal_token=explanation.appeal_token,
        how_to_appeal=_HOW if explanation.appeal_token else "",
    )
