"""What operators may tell the detector: entries for ``llm.control``, checked.

Ids are deterministic where an entry takes the place of an earlier one: one allowlist
entry, one mode and one label of each author for a subject, one review of an action.
Each release is an event of its own.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias, get_args

import msgspec

from streams.contracts.records import ControlEntry, ControlKind, Mode
from streams.contracts.rules import SECRET
from streams.errors import InvalidRecord
from streams.features.account_row import FACET_KINDS

__all__ = [
    "ALL",
    "CANARY",
    "HEARTBEAT",
    "MAX_REASON_CHARS",
    "REFUSED",
    "Label",
    "Review",
    "Subject",
    "SubjectType",
    "allowlist_entry",
    "checked_entry",
    "closing_entry",
    "indicator_entry",
    "is_closing",
    "label_entry",
    "mode_entry",
    "parse_subject",
    "policy_entry",
    "release_entry",
    "review_entry",
]

SubjectType: TypeAlias = Literal["account", "organization", "facet", "campaign", "*"]
Label: TypeAlias = Literal["benign", "distillation"]
Review: TypeAlias = Literal["approve", "deny"]

ALL: Final = "*"
"""The subject that stands for every subject."""

CANARY: Final = "canary"
"""Value of an allowlist entry whose subject takes all tests as if it were not in it."""

HEARTBEAT: Final = "heartbeat"
"""Value of an allowlist entry for a campaign of our own, which shows that all works."""

MAX_REASON_CHARS: Final = 2000
"""Longest reason, characters: some paragraphs of a customer's words."""

REFUSED: Final = "refused: "
"""Begins the reason of an ``applied`` decision when the workers could not take it."""

_MAX_SUBJECT_CHARS: Final = 640  # an id of 512 (MAX_FIELD_CHARS), and what goes before
_MAX_NAME_CHARS: Final = 200  # an author's name
_FORMS: Final = "account:ID, organization:ID, facet:KIND:ID, campaign:ID or *"


class Subject(NamedTuple):
    """A subject in two parts; the rest of a facet is KIND:ID, that of ``*`` empty."""

    type: SubjectType
    rest: str

    def __str__(self) -> str:
        return self.type if self.type == ALL else f"{self.type}:{self.rest}"


def parse_subject(text: str) -> Subject:
    """Read a subject; `InvalidRecord` says what is wrong and what is allowed.

    >>> parse_subject("facet:network:10.0.0.0/24")
    Subject(type='facet', rest='network:10.0.0.0/24')
    >>> parse_subject("user:7")
    Traceback (most recent call last):
    streams.errors.InvalidRecord: subject 'user:7' begins with none of the known types;
    a subject is account:ID, organization:ID, facet:KIND:ID, campaign:ID or *
    """
    if len(text) > _MAX_SUBJECT_CHARS:
        raise InvalidRecord(
            f"a subject of {len(text)} characters is longer than {_MAX_SUBJECT_CHARS}"
        )
    if text == ALL:
        return Subject(ALL, "")
    type_, colon, rest = text.partition(":")
    identifier = rest
    match type_:
        case "account" | "organization" | "campaign":
            subject = Subject(type_, rest)
        case "facet":
            subject = Subject(type_, rest)
            kind, colon, identifier = rest.partition(":")
            if kind not in FACET_KINDS:
                raise InvalidRecord(
                    f"subject {text!r} names no known kind of facet; a facet is "
                    f"facet:KIND:ID, and KIND one of {', '.join(FACET_KINDS)}"
                )
        case _:
            raise InvalidRecord(
                f"subject {text!r} begins with none of the known types; a subject is "
                f"{_FORMS}"
            )
    if not colon or not identifier.strip():
        raise InvalidRecord(f"subject {text!r} has no ID; a subject is {_FORMS}")
    if SECRET.match(identifier):
        raise InvalidRecord(
            f"the ID of this {type_} looks like a raw secret; give the HMAC that "
            "requests carry"
        )
    return subject


def allowlist_entry(
    subject: str,
    *,
    author: str,
    reason: str,
    created_at: int,
    expires_at: int | None = None,
    canary: bool = False,
    heartbeat: bool = False,
) -> ControlEntry:
    """Let a subject be: nothing is done to it, and what stands is released.

    Times are milliseconds since the epoch. A ``canary`` takes the same tests, so that
    its alarms measure the claim; those of a ``heartbeat`` are meant to come, and
    measure nothing. `InvalidRecord` names what does not fit.
    """
    return checked_entry(
        "allowlist",
        f"allowlist:{subject}",
        subject,
        value=CANARY if canary else HEARTBEAT if heartbeat else "",
        author=author,
        reason=reason,
        created_at=created_at,
        expires_at=expires_at,
        allowed=get_args(SubjectType),
    )


def release_entry(
    subject: str, *, author: str, reason: str, created_at: int
) -> ControlEntry:
    """Lift what stands for a subject; for a campaign, for its members too."""
    return checked_entry(
        "release",
        f"release:{subject}:{created_at}",
        subject,
        author=author,
        reason=reason,
        created_at=created_at,
    )


def label_entry(
    subject: str, label: Label, *, author: str, reason: str, created_at: int
) -> ControlEntry:
    """Say what a subject is; an author's newer label takes the older one's place.

    >>> label_entry("account:7", "benign", author="ana", reason="our own evaluation",
    ...             created_at=0).entry_id
    'label:account:7:ana'
    """
    _require("label", label, get_args(Label))
    return checked_entry(
        "label",
        f"label:{subject}:{author.strip()}",
        subject,
        value=label,
        author=author,
        reason=reason,
        created_at=created_at,
    )


def mode_entry(
    subject: str, mode: Mode, *, author: str, reason: str, created_at: int
) -> ControlEntry:
    """Switch what is done about a subject, or about all with ``*``."""
    _require("mode", mode, get_args(Mode))
    return checked_entry(
        "mode",
        f"mode:{subject}",
        subject,
        value=mode,
        author=author,
        reason=reason,
        created_at=created_at,
        allowed=get_args(SubjectType),
    )


def review_entry(
    action_id: str,
    subject: str,
    review: Review,
    *,
    author: str,
    reason: str,
    created_at: int,
) -> ControlEntry:
    """Decide on an action that waits for a person."""
    _require("review", review, get_args(Review))
    if not action_id:
        raise InvalidRecord("a review needs the id of its action")
    return checked_entry(
        "review",
        f"review:{action_id}",
        subject,
        value=review,
        author=author,
        reason=reason,
        created_at=created_at,
    )


def policy_entry(
    policy: str, *, author: str, reason: str, created_at: int
) -> ControlEntry:
    """Apply a policy, given as its TOML text; its rules are checked elsewhere."""
    return checked_entry(
        "policy",
        "policy",
        ALL,
        value=policy,
        author=author,
        reason=reason,
        created_at=created_at,
        allowed=(ALL,),
    )


def indicator_entry(
    stix_id: str,
    subject: str,
    *,
    author: str,
    reason: str,
    created_at: int,
    expires_at: int,
) -> ControlEntry:
    """Watch a facet that another provider names: a reason to look, never to act.

    >>> indicator_entry("indicator--5031", "facet:tls:t13d", author="ana",
    ...     reason="shared by Aurora", created_at=0, expires_at=1).entry_id
    'indicator:indicator--5031'
    """
    if not stix_id:
        raise InvalidRecord("an indicator needs its STIX id")
    return checked_entry(
        "indicator",
        f"indicator:{stix_id}",
        subject,
        value=stix_id,
        author=author,
        reason=reason,
        created_at=created_at,
        expires_at=expires_at,
        allowed=("facet",),
    )


def closing_entry(
    entry: ControlEntry, *, author: str, reason: str, created_at: int
) -> ControlEntry:
    """Say who withdraws an entry and why; a tombstone follows it.

    It has the id and the value of the entry, and ends when it begins: see `is_closing`.
    """
    return msgspec.structs.replace(
        entry,
        author=_author(author),
        reason=_reason(f"withdrawal of {entry.entry_id}", reason, MAX_REASON_CHARS),
        created_at=created_at,
        expires_at=created_at,
    )


def is_closing(entry: ControlEntry) -> bool:
    """Tell whether an entry withdraws the one of its id, instead of taking effect."""
    return entry.expires_at is not None and entry.expires_at <= entry.created_at


def checked_entry(
    kind: ControlKind,
    entry_id: str,
    subject: str,
    *,
    value: str = "",
    author: str,
    reason: str,
    created_at: int,
    expires_at: int | None = None,
    allowed: tuple[str, ...] = ("account", "organization", "facet", "campaign"),
    max_reason_chars: int = MAX_REASON_CHARS,
) -> ControlEntry:
    """Make an entry whose subject is of an ``allowed`` type, with an author and why."""
    type_ = parse_subject(subject).type
    if type_ not in allowed:
        raise InvalidRecord(
            f"{kind} takes no subject {subject!r}; allowed are those of type "
            f"{', '.join(allowed)}"
        )
    if created_at < 0:
        raise InvalidRecord(f"{kind} of {subject}: created_at is before 1970")
    if expires_at is not None and expires_at <= created_at:
        raise InvalidRecord(f"{kind} of {subject} would expire before it begins")
    return ControlEntry(
        entry_id=entry_id,
        kind=kind,
        subject=subject,
        value=value,
        author=_author(author),
        reason=_reason(kind, reason, max_reason_chars),
        created_at=created_at,
        expires_at=expires_at,
    )


def _require(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidRecord(f"{what} {value!r} is none of {', '.join(allowed)}")


def _author(text: str) -> str:
    author = text.strip()
    if not author:
        raise InvalidRecord("an entry needs an author; name one")
    if len(author) > _MAX_NAME_CHARS:
        raise InvalidRecord(f"an author's name has at most {_MAX_NAME_CHARS} letters")
    if not author.isprintable() or ": " in author:
        raise InvalidRecord(
            "an author's name has no line break, and no colon and space"
        )
    return author


def _reason(kind: str, text: str, limit: int) -> str:
    reason = text.strip()
    if not reason:
        raise InvalidRecord(f"a {kind} needs a reason: who reads it later asks why")
    if len(reason) > limit:
        raise InvalidRecord(
            f"a reason has at most {limit} characters, not {len(reason)}"
        )
    return reason
