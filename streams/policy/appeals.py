"""Appeals: a customer's words and what was decided on them, in one control entry.

An appeal is opened with the token of an action. The decision takes the place of the
opening under the same entry id, so its reason keeps both sides::

    opened 2026-01-01T12:00:00.000Z by jo: We grade our own models.
    decided: Confirmed with the customer.
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final, Literal, NamedTuple, TypeAlias, get_args

from streams.contracts.records import ControlEntry
from streams.errors import InvalidRecord
from streams.policy.control_entries import MAX_REASON_CHARS, checked_entry

__all__ = ["Appeal", "AppealState", "appeal_entry", "read_appeal"]

AppealState: TypeAlias = Literal["open", "upheld", "granted"]
"""upheld: the action stays as it is; granted: it is lifted."""

_PREFIX: Final = "appeal:"
_MAX_TOKEN_CHARS: Final = 200
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_DECIDED: Final = re.compile(
    r"opened (?P<at>\S+) by (?P<by>.*?): (?P<words>.*)\ndecided: (?P<decision>.*)"
)
_HEADER_CHARS: Final = 300  # of the two lines without anybody's words


class Appeal(NamedTuple):
    """Both sides of an appeal; times in milliseconds since the epoch.

    ``opened_at`` is None when the entry was written by somebody who kept no opening.
    """

    token: str
    subject: str
    state: AppealState
    opened_at: int | None
    opened_by: str
    words: str
    decided_at: int | None = None
    decided_by: str = ""
    decision: str = ""


def appeal_entry(
    token: str,
    subject: str,
    state: AppealState,
    *,
    author: str,
    reason: str,
    created_at: int,
    earlier: ControlEntry | None = None,
) -> ControlEntry:
    """Open an appeal, or decide on the ``earlier`` entry of it.

    The reason is what the customer says, or why it was decided so. Line breaks in it
    become spaces. `InvalidRecord` names what does not fit.
    """
    if state not in get_args(AppealState):
        raise InvalidRecord(
            f"appeal {state!r} is none of {', '.join(get_args(AppealState))}"
        )
    if not token or len(token) > _MAX_TOKEN_CHARS or not token.isprintable():
        raise InvalidRecord("an appeal needs the appeal_token of an action")
    words = " ".join(reason.split())
    if len(words) > MAX_REASON_CHARS:
        raise InvalidRecord(
            f"a reason has at most {MAX_REASON_CHARS} characters, not {len(words)}"
        )
    if state != "open" and words:
        words = f"{_opening(token, subject, earlier)}\ndecided: {words}"
    return checked_entry(
        "appeal",
        f"{_PREFIX}{token}",
        subject,
        value=state,
        author=author,
        reason=words,
        created_at=created_at,
        max_reason_chars=2 * MAX_REASON_CHARS + _HEADER_CHARS,
    )


def read_appeal(entry: ControlEntry) -> Appeal:
    """Give both sides of an appeal's entry.

    >>> opened = appeal_entry("t1", "account:7", "open", author="jo",
    ...                       reason="We grade our own models.", created_at=0)
    >>> decided = appeal_entry("t1", "account:7", "granted", author="ana",
    ...                        reason="Confirmed.", created_at=90_000, earlier=opened)
    >>> appeal = read_appeal(decided)
    >>> appeal.words, appeal.decision, appeal.decided_at - appeal.opened_at
    ('We grade our own models.', 'Confirmed.', 90000)
    """
    if entry.kind != "appeal" or entry.value not in get_args(AppealState):
        raise InvalidRecord(f"entry {entry.entry_id} is no appeal")
    token = entry.entry_id.removeprefix(_PREFIX)
    if entry.value == "open":
        return Appeal(
            token, entry.subject, "open", entry.created_at, entry.author, entry.reason
        )
    state: AppealState = "granted" if entry.value == "granted" else "upheld"
    match = _DECIDED.fullmatch(entry.reason)
    opened_at = None if match is None else _milliseconds(match["at"])
    if match is None or opened_at is None:
        return Appeal(
            token,
            entry.subject,
            state,
            None,
            "",
            "",
            entry.created_at,
            entry.author,
            entry.reason,
        )
    return Appeal(
        token,
        entry.subject,
        state,
        opened_at,
        match["by"],
        match["words"],
        entry.created_at,
        entry.author,
        match["decision"],
    )


def _opening(token: str, subject: str, earlier: ControlEntry | None) -> str:
    if earlier is None:
        raise InvalidRecord(f"appeal {token} is not open; only an open one is decided")
    appeal = read_appeal(earlier)
    if (appeal.token, appeal.subject) != (token, subject):
        raise InvalidRecord(
            f"entry {earlier.entry_id} is no opening of appeal {token} of {subject}"
        )
    moment = _EPOCH + (appeal.opened_at or earlier.created_at) * _MILLISECOND
    told = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return f"opened {told} by {appeal.opened_by or '-'}: {appeal.words}"


def _milliseconds(text: str) -> int | None:
    try:
        return (dt.datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND
    except (ValueError, TypeError, OverflowError):  # TypeError: it has no time zone
        return None
