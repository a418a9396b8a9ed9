"""The operators' entries in force: allowlist, mode, indicators, and the policy's text.

Entries are upserts by id; a withdrawal removes one. An entry with ``expires_at`` ends
by itself, in event time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

from streams.contracts.records import ControlEntry, Mode
from streams.contracts.time_units import MS_PER_MINUTE
from streams.features.account_row import INFRASTRUCTURE_KINDS
from streams.features.facet_directory import facet_hash
from streams.features.stable_hash import stable_hash
from streams.policy.control_entries import CANARY, Subject, parse_subject

__all__ = ["Controls", "Facts", "SubjectKey", "subject_key"]

SubjectKey: TypeAlias = tuple[str, str | int]
"""Type and id of a subject, as state knows it: organizations and facets by hash."""


class Facts(NamedTuple):
    """What an entry may be about: an account, its owner, facets and campaign."""

    account: str
    owner: int
    facets: frozenset[int]
    campaign: str

    def keys(self) -> Iterator[SubjectKey]:
        """Give the subjects that cover it, the most specific first."""
        yield "account", self.account
        yield "campaign", self.campaign
        yield "organization", self.owner
        for facet in sorted(self.facets):
            yield "facet", facet
        yield "*", ""


def subject_key(subject: Subject) -> SubjectKey:
    """Translate a subject into the hashes that state keeps.

    >>> subject_key(parse_subject("facet:template_head:00000000000000ff"))
    ('facet', 255)
    """
    if subject.type == "organization":
        return subject.type, stable_hash(f"organization:{subject.rest}")
    if subject.type == "facet":
        kind, _, identifier = subject.rest.partition(":")
        if kind in INFRASTRUCTURE_KINDS:
            return subject.type, facet_hash(kind, identifier)
        try:
            return subject.type, int(identifier, 16)
        except ValueError:
            return subject.type, facet_hash(kind, identifier)
    return subject.type, subject.rest


class Controls:
    """Entries by id, and an index of them by what they are about.

    >>> from streams.policy.control_entries import allowlist_entry
    >>> controls = Controls()
    >>> controls.put(allowlist_entry("account:7", author="ana", reason="r",
    ...                              created_at=0))
    >>> facts = Facts("7", owner=1, facets=frozenset(), campaign="dc-1")
    >>> controls.allowlisted(facts, minute=5).author
    'ana'
    """

    def __init__(self) -> None:
        self.entries: dict[str, ControlEntry] = {}
        self._index: dict[tuple[str, SubjectKey], dict[str, ControlEntry]] = {}

    def put(self, entry: ControlEntry) -> None:
        """Take an entry in the place of an earlier one with its id."""
        self.withdraw(entry.entry_id)
        self.entries[entry.entry_id] = entry
        self._index.setdefault(_place(entry), {})[entry.entry_id] = entry

    def withdraw(self, entry_id: str) -> ControlEntry | None:
        """Remove an entry; give it, or None when there was none."""
        entry = self.entries.pop(entry_id, None)
        if entry is not None:
            place = _place(entry)
            del self._index[place][entry_id]
            if not self._index[place]:
                del self._index[place]
        return entry

    def of_kind(self, kind: str, minute: int) -> list[ControlEntry]:
        """List the entries of a kind in force, by id."""
        return [
            entry
            for _, entry in sorted(self.entries.items())
            if entry.kind == kind and _holds(entry, minute)
        ]

    def allowlisted(self, facts: Facts, minute: int) -> ControlEntry | None:
        """Give the entry because of which nothing may be done, if there is one."""
        return next(self._about("allowlist", facts, minute), None)

    def is_canary(self, facts: Facts, minute: int) -> bool:
        """Whether an allowlisted account is there to measure the claim."""
        found = self._about("allowlist", facts, minute)
        return any(entry.value == CANARY for entry in found)

    def specific_mode(self, facts: Facts, minute: int) -> Mode | None:
        """Give the mode that an entry sets for this subject; the most specific wins."""
        for entry in self._about("mode", facts, minute):
            if entry.subject != "*":
                return _mode(entry)
        return None

    def general_mode(self, minute: int, default: Mode) -> Mode:
        """Give the mode for all, which an entry for ``*`` sets."""
        found = self._index.get(("mode", ("*", "")), {})
        held = [entry for entry in found.values() if _holds(entry, minute)]
        return _mode(held[-1]) if held else default

    def watched(self, facets: Iterable[int], minute: int) -> Iterator[ControlEntry]:
        """Give the imported indicators about any of the facets."""
        for facet in facets:
            for entry in self._index.get(("indicator", ("facet", facet)), {}).values():
                if _holds(entry, minute):
                    yield entry

    @property
    def has_indicators(self) -> bool:
        """Whether any indicator was imported: most installations have none."""
        return any(kind == "indicator" for kind, _ in self._index)

    def __bool__(self) -> bool:
        return bool(self._index)

    def _about(self, kind: str, facts: Facts, minute: int) -> Iterator[ControlEntry]:
        for key in facts.keys():  # noqa: SIM118 - it is no mapping
            entries = self._index.get((kind, key), {})
            for _, entry in sorted(entries.items()):
                if _holds(entry, minute):
                    yield entry


def _place(entry: ControlEntry) -> tuple[str, SubjectKey]:
    return entry.kind, subject_key(parse_subject(entry.subject))


def _holds(entry: ControlEntry, minute: int) -> bool:
    return entry.expires_at is None or minute * MS_PER_MINUTE < entry.expires_at


def _mode(entry: ControlEntry) -> Mode:
    return "enforce" if entry.value == "enforce" else "shadow"
