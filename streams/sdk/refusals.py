"""What a refused client is told: reason codes and a way to appeal, nothing else."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from streams.contracts.records import Action

__all__ = ["Refusal", "challenged", "forbidden", "throttled", "unavailable"]

CHALLENGE_HEADER: Final = b"distillwatch-challenge"
_RETRY_UNKNOWN: Final = 5  # s after which to try again when the view is not ready
_MESSAGES: Final[Mapping[int, str]] = {
    401: "This account must pass a challenge before further requests.",
    403: "This account may not use the service until it is verified or the "
    "restriction is lifted.",
    429: "Too many requests for this account.",
    503: "The service cannot check this request now.",
}


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """A whole HTTP answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def throttled(action: Action, wait: float) -> Refusal:
    """429: ``wait`` is the seconds until the next request may come."""
    retry = str(math.ceil(wait)).encode()
    return _refusal(429, "rate_limited", action, (b"retry-after", retry))


def challenged(action: Action, status: int) -> Refusal:
    """401 or 403 with a challenge that names the reasons."""
    reasons = ", ".join(action.reason_codes)
    headers = [(CHALLENGE_HEADER, _header(reasons or "unspecified"))]
    if status == 401:
        offer = f'Challenge realm="distillwatch", reason="{reasons}"'
        headers.append((b"www-authenticate", _header(offer)))
    return _refusal(status, "challenge_required", action, *headers)


def forbidden(action: Action) -> Refusal:
    """403 for a suspension, or until a verification was passed."""
    suspended = action.rung == "suspend"
    return _refusal(
        403, "account_suspended" if suspended else "verification_required", action
    )


def unavailable() -> Refusal:
    """503: nothing is known of the request, and the settings say not to guess."""
    retry = str(_RETRY_UNKNOWN).encode()
    return _refusal(503, "enforcement_unavailable", None, (b"retry-after", retry))


def _refusal(
    status: int, kind: str, action: Action | None, *headers: tuple[bytes, bytes]
) -> Refusal:
    error: dict[str, Any] = {"type": kind, "message": _MESSAGES[status]}
    if action is not None:
        error["reason_codes"] = action.reason_codes
        error["reference"] = action.action_id
        if action.appeal_token is not None:
            error["appeal_token"] = action.appeal_token
    body = msgspec.json.encode({"error": error})
    common = (
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    )
    return Refusal(status, (*common, *headers), body)


def _header(text: str) -> bytes:
    # Reason codes are ours, but a record from elsewhere must not split a header.
    return "".join(c for c in text if c.isprintable()).encode("ascii", "replace")
