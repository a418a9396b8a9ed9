"""Whom an enforcer lets through whatever the pipeline says: the operators' allowlist.

Pure: no Kafka and no clock. One thread writes, any number of threads ask without a
lock.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from streams.contracts.records import Action, ControlEntry
from streams.policy.control_entries import ALL, is_closing

__all__ = ["ALLOWLISTED", "Allowlist"]

ALLOWLISTED: Final = "allowlisted"
"""Why an action is not enforced whose subject, campaign or request is in the list."""

_ORGANIZATION: Final = "organization"
_NEVER: Final = math.inf


class Allowlist:
    """Allowlist entries of ``llm.control``, by the subject that they are about.

    An entry takes the place of an earlier one with its id, and ends at its expiry by
    the clock of who asks. Times are milliseconds since the epoch.

    >>> from streams.policy.control_entries import allowlist_entry
    >>> allowlist = Allowlist()
    >>> allowlist.put(allowlist_entry("account:7", author="ana", reason="r",
    ...                               created_at=0, expires_at=60_000), now=0)
    {'account:7'}
    >>> allowlist.lets_pass("7", None, 59_999), allowlist.lets_pass("7", None, 60_000)
    (True, False)
    """

    def __init__(self) -> None:
        self._entries: dict[str, ControlEntry] = {}
        self._names: dict[str, set[str]] = {}
        self._ends: dict[str, float] = {}
        self._prefixes: Counter[str] = Counter()
        self._next_end = _NEVER
        self._unseen: set[str] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def empty(self) -> bool:
        """Whether nobody is in it."""
        return not self._ends

    @property
    def entries(self) -> list[ControlEntry]:
        """The entries that are held."""
        return list(self._entries.values())

    def put(self, entry: ControlEntry, now: int) -> set[str]:
        """Take an entry of any kind; give the subjects for which something changed."""
        changed = self.withdraw(entry.entry_id)
        end = _NEVER if entry.expires_at is None else entry.expires_at
        if entry.kind != "allowlist" or is_closing(entry) or end <= now:
            return changed
        self._entries[entry.entry_id] = entry
        if entry.subject not in self._names:
            self._names[entry.subject] = set()
            self._prefixes[_prefix(entry.subject)] += 1
        self._names[entry.subject].add(entry.entry_id)
        self._set_end(entry.subject)
        self._next_end = min(self._next_end, end)
        return changed | {entry.subject}

    def withdraw(self, entry_id: str) -> set[str]:
        """Take an entry out; give its subject, if it was in."""
        if self._unseen is not None:
            self._unseen.discard(entry_id)
        entry = self._entries.pop(entry_id, None)
        if entry is None:
            return set()
        self._names[entry.subject].discard(entry_id)
        self._set_end(entry.subject)
        return {entry.subject}

    def expire(self, now: int) -> set[str]:
        """Take out what is over; give the subjects. Answers do not depend on it."""
        if now < self._next_end:
            return set()
        ends = {
            name: entry.expires_at
            for name, entry in self._entries.items()
            if entry.expires_at is not None
        }
        over = {name for name, end in ends.items() if end <= now}
        self._next_end = min(
            (ends[name] for name in ends.keys() - over), default=_NEVER
        )
        return self._withdraw_all(over)

    def begin_load(self) -> None:
        """Expect every entry to be told again."""
        self._unseen = set(self._entries)

    def end_load(self) -> set[str]:
        """Take out what was not told again; give the subjects."""
        unseen, self._unseen = self._unseen or set(), None
        return self._withdraw_all(unseen)

    def spares(self, action: Action, now: float) -> bool:
        """Whether an action is not to be enforced, whatever request it is about."""
        return (
            self._holds(action.subject, now)
            or self._holds(f"campaign:{action.campaign_id}", now)
            or self._holds(ALL, now)
        )

    def lets_pass(
        self, account_id: str | None, facets: Mapping[str, str] | None, now: float
    ) -> bool:
        """Whether a request of this account, with these facets, is to be let through.

        The organization of the account is given among the facets, as ``organization``.
        """
        if self._holds(ALL, now):
            return True
        # Kinds of which nobody is in the list cost one look-up each.
        if account_id is not None and self._holds("account:" + account_id, now):
            return True
        for kind, name in (facets or {}).items():
            prefix = kind if kind == _ORGANIZATION else "facet:" + kind
            if prefix in self._prefixes and self._holds(f"{prefix}:{name}", now):
                return True
        return False

    def _holds(self, subject: str, now: float) -> bool:
        end = self._ends.get(subject)
        return end is not None and now < end

    def _withdraw_all(self, names: Iterable[str]) -> set[str]:
        return {subject for name in names for subject in self.withdraw(name)}

    def _set_end(self, subject: str) -> None:
        """Tell anew until when a subject is in the list: one step for who asks."""
        names = self._names[subject]
        if names:
            ends = [self._entries[name].expires_at for name in names]
            self._ends[subject] = max(_NEVER if end is None else end for end in ends)
        else:
            del self._names[subject], self._ends[subject]
            self._prefixes[_prefix(subject)] -= 1
            if not self._prefixes[_prefix(subject)]:
                del self._prefixes[_prefix(subject)]


def _prefix(subject: str) -> str:
    """Give what comes before the id: ``account``, or ``facet:network``."""
    type_, _, rest = subject.partition(":")
    return f"facet:{rest.partition(':')[0]}" if type_ == "facet" else type_
