"""Find the subject that somebody asks about, and the records that concern it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final, NamedTuple

from streams.cli.decision_log import DecisionLog, Logged, decoded
from streams.contracts import Action, Alert, ControlEntry, Decision, decode_record
from streams.errors import ContractError, PolicyError
from streams.policy.explain import Known
from streams.policy.policy import Policy

__all__ = ["Found", "Unknown", "find"]

_TESTS: Final = ("campaign:", "group:")
_CONTROL: Final = "control:"
_TYPES: Final = ("account:", "campaign:", "facet:")
_NEAREST: Final = 5
_COMPARED: Final = 20_000  # subjects that a misspelt one is compared with


class Found(NamedTuple):
    """What is asked about, and what the topics hold of it, decoded and as it lies.

    ``decisions`` are the records of the subject and of all campaigns; ``actions`` those
    of the subject that the topic still has; ``control`` the whole of llm.control.
    """

    subject: str
    action_id: str | None
    known: Known
    decisions: tuple[Logged, ...]
    actions: tuple[Logged, ...]
    control: tuple[tuple[str, bytes | None], ...]


class Unknown(NamedTuple):
    """Nothing is known of it; ``nearest`` are subjects with a similar name."""

    query: str
    nearest: tuple[str, ...]


class _Asked(NamedTuple):
    subject: str
    action_id: str | None = None


def find(query: str, log: DecisionLog) -> Found | Unknown:
    """Read the topics to their present end, and keep what concerns the query.

    The query is a subject, its bare id, an action's id or an appeal token.
    """
    actions = list(log.records("llm.actions"))
    alerts = [
        alert
        for record in log.records("llm.alerts")
        if (alert := decoded(Alert, record)) is not None
    ]
    asked = _asked(query, actions, alerts)
    kept, subjects, named = _decisions(log, query, asked)
    if asked is None and named is not None:
        # An action that llm.actions has no more: its decision tells whose it was.
        asked = named
        kept, subjects, _ = _decisions(log, query, asked)
    subjects |= {record.key for record in actions}
    members = {f"account:{name}" for alert in alerts for name in alert.accounts}
    campaigns = {
        f"campaign:{one.campaign_id}"
        for one in alerts
        if one.kind.startswith("campaign_")
    }
    everybody = subjects | members | campaigns
    if asked is None:
        name = next((t + query for t in _TYPES if t + query in everybody), query)
        asked = _Asked(name)
        if name != query:
            kept, _, _ = _decisions(log, query, asked)
    if asked.subject not in everybody:
        return Unknown(query, _nearest(query, everybody))
    control = tuple((record.key, record.value) for record in log.records("llm.control"))
    decisions = {
        decision.decision_id: decision
        for record in kept
        if (decision := decoded(Decision, record)) is not None
    }
    return Found(
        subject=asked.subject,
        action_id=asked.action_id,
        known=Known(
            decisions=tuple(decisions.values()),
            actions=_standing(actions),
            alerts=tuple(alerts),
            policies=_policies(value for _, value in control),
        ),
        decisions=tuple(kept),
        actions=tuple(one for one in actions if one.key == asked.subject),
        control=control,
    )


def _asked(
    query: str, actions: Iterable[Logged], alerts: Iterable[Alert]
) -> _Asked | None:
    if query.startswith(_TYPES):
        return _Asked(query)
    if any(alert.campaign_id == query for alert in alerts):
        return _Asked(f"campaign:{query}")
    wanted = query.encode()
    for record in actions:
        # Strings lie in Avro as they are: few records need to be decoded.
        if record.value is None or not wanted or wanted not in record.value:
            continue
        action = decoded(Action, record)
        if action is not None and action.action_id == query:
            return _Asked(action.subject, query)
        if action is not None and action.appeal_token == query:
            return _Asked(action.subject)
    return None


def _decisions(
    log: DecisionLog, query: str, asked: _Asked | None
) -> tuple[list[Logged], set[str], _Asked | None]:
    """Keep what may concern the query; give all subjects, and whose action it names."""
    kept, subjects, named = list[Logged](), set[str](), None
    subject = query if asked is None else asked.subject
    for record in log.records("llm.decisions"):
        if not record.key.startswith((_CONTROL, "group:")):
            subjects.add(record.key)
        if record.key == subject or record.key.startswith((_CONTROL, *_TESTS)):
            kept.append(record)
        elif asked is None and query.encode() in (record.value or b""):
            decision = decoded(Decision, record)
            if decision is not None and decision.action_id == query:
                named = _Asked(decision.subject, query)
    return kept, subjects, named


def _standing(actions: Iterable[Logged]) -> dict[str, Action]:
    newest: dict[str, Logged] = {}
    for record in actions:
        if record.value is None:
            newest.pop(record.key, None)
        else:
            newest[record.key] = record
    return {
        action.subject: action
        for record in newest.values()
        if (action := decoded(Action, record)) is not None
    }


def _policies(values: Iterable[bytes | None]) -> dict[str, Policy]:
    """Give the shipped policy, and those that llm.control still has, by version."""
    from streams.policy.policy_file import default_policy, parse_policy

    known = {default_policy().version: default_policy()}
    for value in values:
        try:
            entry = decode_record(ControlEntry, value or b"")
            if entry.kind == "policy":
                policy = parse_policy(entry.value, place=entry.entry_id)
                known[policy.version] = policy
        except (ContractError, PolicyError):
            continue  # the workers refused it as well
    return known


def _nearest(query: str, everybody: Iterable[str]) -> tuple[str, ...]:
    """Give the subjects whose names begin or read alike."""
    bare = query.partition(":")[2] or query
    ordered = sorted(everybody)
    begins = [one for one in ordered if one.partition(":")[2].startswith(bare)]
    alike = difflib.get_close_matches(query, ordered[:_COMPARED], _NEAREST)
    found = dict.fromkeys([*(begins if bare else ()), *alike])
    return tuple(found)[:_NEAREST]
