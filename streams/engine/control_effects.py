"""What an operator's entry does when it takes effect.

Whatever it does is written to llm.decisions as applied, with who and why; and to
llm.alerts, unless there may be thousands (labels, indicators).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from streams.campaigns.group import Group
from streams.campaigns.link_graph import LinkGraph
from streams.contracts.records import ControlEntry
from streams.contracts.time_units import MS_PER_MINUTE
from streams.engine.campaigns_state import CampaignsState
from streams.engine.control_stage import ControlRecord
from streams.engine.decider import Decider
from streams.engine.decision_records import decision_output
from streams.engine.label_effects import LabelEffects
from streams.engine.stage import Output
from streams.engine.verdict import facts_of
from streams.errors import ContractError
from streams.policy.control_entries import REFUSED, is_closing, parse_subject
from streams.policy.controls import Controls, subject_key
from streams.policy.policy_file import parse_policy

__all__ = ["ControlEffects", "watched_entries"]

_QUIET: Final = frozenset({"label", "indicator"})
"""Kinds that come in numbers: no alert for each."""

_LASTING: Final = frozenset({"allowlist", "policy", "mode", "label", "indicator"})
"""Kinds that hold until they are withdrawn; the others are done once, and over."""

_MIN_WATCHED: Final = 3
"""Accounts of a group that must match an imported indicator before it counts."""

Effect = Callable[[ControlEntry, int], Iterator[Output]]


class ControlEffects:
    """Applies entries to the state of the campaigns stage, each once."""

    def __init__(self, state: CampaignsState, decider: Decider) -> None:
        self._state = state
        self._decider = decider
        self._shipped = decider.policy
        self._labels = LabelEffects(state, decider)
        self._effects: Mapping[str, Effect] = {
            "allowlist": self._allowlist,
            "policy": self._policy,
            "mode": self._mode,
            "label": self._label,
            "release": self._release,
            "review": self._review,
            "appeal": self._appeal,
            "indicator": lambda *_: iter(()),
        }

    def apply(self, record: ControlRecord, minute: int) -> Iterator[Output]:
        """Apply a record of llm.control, unless it was applied before."""
        operation = self._state.operation
        if record.offset <= operation.control_offset:
            return
        operation.control_offset = record.offset
        entry = record.entry()
        if entry is None:
            yield from self._withdraw(record.entry_id, minute)
            return
        at = minute if minute >= 0 else entry.created_at // MS_PER_MINUTE
        if is_closing(entry):
            yield from self._withdraw(entry.entry_id, at, entry)
            return
        # An entry that is wrong must not take the place of one that was right.
        before = self._state.controls.entries.get(entry.entry_id)
        try:
            parse_subject(entry.subject)
            if entry.kind in _LASTING:
                self._state.put_entry(entry)
            outputs = list(self._effects[entry.kind](entry, at))
        except ContractError as error:
            self._state.withdraw_entry(entry.entry_id)
            if before is not None:
                self._state.put_entry(before)
            yield self._applied(entry, at, f"{REFUSED}{error}")
            return
        yield from outputs
        yield self._applied(entry, at, entry.reason)
        if entry.kind not in _QUIET:
            released = sum(one.value is None for one in outputs)
            lifted = f"; {released} actions lifted" if released else ""
            value = "" if entry.kind == "policy" else f" {entry.value}".rstrip()
            summary = f"{entry.author}: {entry.kind}{value} {entry.subject}{lifted}"
            notice = self._decider.publisher.notice("control_applied", at, summary)
            yield notice

    def restored(self) -> None:
        """Take the policy in force from the restored entries."""
        for entry in self._state.controls.of_kind("policy", 0):
            self._decider.policy = parse_policy(entry.value, place=entry.entry_id)

    def _applied(self, entry: ControlEntry, minute: int, reason: str) -> Output:
        return decision_output(
            "applied",
            f"control:{entry.entry_id}",
            minute,
            reason=reason,
            entry_id=entry.entry_id,
            author=entry.author,
            features=self._labels.told(entry.entry_id),
            scenario_version=self._decider.policy.version,
        )

    def _withdraw(
        self, entry_id: str, minute: int, closing: ControlEntry | None = None
    ) -> Iterator[Output]:
        """Take an entry back; ``closing`` says who did it and why, if anybody did."""
        entry = self._state.withdraw_entry(entry_id) or closing
        if entry is None:
            return
        said = closing or entry
        at = max(minute, 0)
        if entry.kind == "label":
            self._labels.forget(entry_id)
        if entry.kind == "policy":
            self._decider.policy = self._shipped
        if entry.kind in ("policy", "mode"):
            yield from self._decider.follow_modes(at, **_origin(said))
        yield self._applied(said, at, closing.reason if closing else "withdrawn")

    def _allowlist(self, entry: ControlEntry, minute: int) -> Iterator[Output]:
        for account in self._standing_under(entry):
            reason = f"{entry.subject} is allowlisted"
            yield from self._decider.release(account, minute, reason, **_origin(entry))

    def _policy(self, entry: ControlEntry, minute: int) -> Iterator[Output]:
        self._decider.policy = parse_policy(entry.value, place=entry.entry_id)
        yield from self._decider.follow_modes(minute, **_origin(entry))

    def _mode(self, entry: ControlEntry, minute: int) -> Iterator[Output]:
        if entry.subject == "*":
            self._state.operation.fallen_back = False
        yield from self._decider.follow_modes(minute, **_origin(entry))

    def _label(self, entry: ControlEntry, minute: int) -> Iterator[Output]:
        yield from self._labels.learn(entry, minute)
        if entry.value == "benign":
            yield from self._release(entry, minute)

    def _release(self, entry: ControlEntry, minute: int) -> Iterator[Output]:
        subject = parse_subject(entry.subject)
        accounts = set(self._standing_under(entry))
        if subject.type == "account":
            accounts.add(subject.rest)
        found = self._state.campaign(subject.rest)
        if subject.type == "campaign" and found is not None:
            group, campaign = found
            campaign.release(minute)
            self._state.touch_group(group.number)
            accounts.update(group.uses)
            yield self._decider.publisher.campaign_released(
                minute, group, campaign, entry.author
            )
        for account in sorted(accounts):
            yield from self._decider.release(
                account, minute, entry.reason, **_origin(entry)
            )

    def _review(self, entry: ControlEntry, minute: int) -> Iterator[Output]:
        account = parse_subject(entry.subject).rest
        standing = self._state.standing.get(account)
        if standing is None or f"review:{standing.action_id}" != entry.entry_id:
            return
        if entry.value == "approve":
            yield from self._decider.approve(account, minute, **_origin(entry))
        else:
            yield from self._decider.release(
                account, minute, entry.reason, **_origin(entry)
            )

    def _appeal(self, entry: ControlEntry, minute: int) -> Iterator[Output]:
        if entry.value == "granted":
            yield from self._release(entry, minute)

    def _standing_under(self, entry: ControlEntry) -> Iterator[str]:
        """List the accounts under an action that an entry's subject covers."""
        key = subject_key(parse_subject(entry.subject))
        for account in sorted(self._state.standing):
            standing = self._state.standing[account]
            if standing.rung is None:
                continue
            node = self._state.graph.accounts.get(account)
            found = self._state.campaign(standing.campaign)
            names = {standing.campaign, *(found[1].names if found else ())}
            covers = any(
                key in facts_of(account, node, name).keys()  # noqa: SIM118 - no mapping
                for name in sorted(names)
            )
            if covers:
                yield account


def _origin(entry: ControlEntry) -> dict[str, Any]:
    return {"entry_id": entry.entry_id, "author": entry.author}


def watched_entries(
    controls: Controls, graph: LinkGraph, group: Group, minute: int
) -> set[str]:
    """Name the imported indicators that a group matches."""
    if not controls.has_indicators:
        return set()
    counts = dict.fromkeys(group.facets, _MIN_WATCHED)
    for account in group.uses:
        node = graph.accounts[account]
        for facet in {*node.edges, *node.infrastructure} - {0}:
            counts[facet] = counts.get(facet, 0) + 1
    enough = [facet for facet, count in counts.items() if count >= _MIN_WATCHED]
    return {entry.value for entry in controls.watched(enough, minute)}
