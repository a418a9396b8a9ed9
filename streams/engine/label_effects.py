"""What a label does beside releasing: it is remembered, teaches, and may be disputed.

Labels are learned where decisions are made, in the order of the one log, so a replay
learns the same. What disputes labels is told on llm.alerts and names the author.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from heapq import nsmallest
from typing import Final

from streams.campaigns.label_features import label_features
from streams.contracts.records import ControlEntry, Feature
from streams.contracts.time_units import MINUTES_PER_DAY
from streams.engine.campaigns_state import CampaignsState
from streams.engine.decider import Decider
from streams.engine.stage import Output
from streams.features.stable_hash import stable_hash
from streams.models.exact_tests import poisson_tail
from streams.models.label_model import on_grid
from streams.policy.budget import EARNED_BY_A_FIND
from streams.policy.control_entries import parse_subject
from streams.policy.controls import subject_key
from streams.policy.label_book import BENIGN, LabelledAccount, LabelRecord
from streams.policy.label_statistics import ACCOUNTS, NO_RUNG, RUNG, TEACHES

__all__ = ["MAX_ACCOUNTS", "LabelEffects"]

MAX_ACCOUNTS: Final = 20
"""Accounts that a label of a campaign, a facet or an organization speaks for: its word
on hundreds of accounts is still one word."""

_CLAIM: Final = "claim"
_MIN_WRONG: Final = 3
_MIN_AUTHORS: Final = 2
_SURPRISE: Final = 0.001
"""Campaigns that people call ordinary, and authors who say so, before the claim is in
doubt; and the probability at which their number is not chance."""


class LabelEffects:
    """Keeps the book of labels, and alerts people to what is odd about them."""

    def __init__(self, state: CampaignsState, decider: Decider) -> None:
        self._state = state
        self._decider = decider

    def learn(self, entry: ControlEntry, minute: int) -> Iterator[Output]:
        """Remember a label; yield what there is to say about it and its author."""
        subject = parse_subject(entry.subject)
        accounts = self._accounts_of(subject_key(subject), subject.rest)
        confirmed = [name for name in accounts if self._is_confirmed(name)]
        record = LabelRecord(
            entry.entry_id,
            entry.subject,
            entry.author,
            entry.value,
            self._state.operation.control_offset,
            minute,
            [self.look_at(name) for name in accounts],
        )
        self._state.put_label(record)
        yield from self._tell_conflicts(record)
        if record.value == BENIGN and confirmed:
            text = (
                f"{entry.author} labels benign what a person confirmed for "
                f"suspension: account:{confirmed[0]}{_more(len(confirmed))}"
            )
            yield from self._dispute(entry.author, minute, text)
        yield from self._compare(record)
        self._state.settle_labels(record)
        yield from self._check_claim(record)

    def forget(self, entry_id: str) -> None:
        """Take back what a label taught."""
        self._state.withdraw_label(entry_id)

    def told(self, entry_id: str) -> tuple[Feature, ...]:
        """Describe a label for its decision: statistics are made of these."""
        record = self._state.labels.records.get(entry_id)
        if record is None:
            return ()
        rungs = Counter(each.rung or NO_RUNG for each in record.accounts)
        values = {
            ACCOUNTS: len(record.accounts),
            TEACHES: len(record.teachable),
            **{f"{RUNG}{name}": rungs[name] for name in sorted(rungs)},
        }
        return tuple(
            Feature(name=name, value=float(value), benign_quantile=0.0, weight=0.0)
            for name, value in values.items()
        )

    def look_at(self, account: str) -> LabelledAccount:
        """Describe an account as it is now, for what learns from labels."""
        standing = self._state.standing.get(account)
        rung = (standing.rung if standing else None) or ""
        group = self._state.home_of(account)
        if group is None:
            return LabelledAccount(account, rung=rung)
        reference, groups = self._decider.reference, self._state.groups
        member = groups.profile(group).member(account)
        node = self._state.graph.accounts[account]
        return LabelledAccount(
            account,
            label_features(self._state.graph, node, member),
            prior=on_grid(reference.member_prior(member)),
            rung=rung,
            evident=self._decider.is_evident(reference.assess_member(member)),
        )

    def _accounts_of(self, key: tuple[str, str | int], rest: str) -> list[str]:
        """Choose the accounts that a label speaks for, the same in every replay."""
        graph = self._state.graph
        covered: Iterable[str]
        match key:
            case ("account", _):
                return [rest]
            case ("campaign", _):
                found = self._state.campaign(rest)
                covered = found[0].uses if found else ()
            case ("facet", int(facet)):
                covered = graph.members.get(facet, ())
            case (_, owner):
                covered = (n for n, each in graph.accounts.items()
                           if each.owner == owner)  # fmt: skip
        return nsmallest(MAX_ACCOUNTS, covered, key=lambda n: (stable_hash(n), n))

    def _is_confirmed(self, account: str) -> bool:
        standing = self._state.standing.get(account)
        return standing is not None and standing.rung == standing.approved == "suspend"

    def _tell_conflicts(self, record: LabelRecord) -> Iterator[Output]:
        for other, accounts in self._state.labels.conflicts(record):
            text = (
                f"{record.author} says {record.value} of what {other} labelled "
                f"otherwise: account:{accounts[0]}{_more(len(accounts))}; such "
                "accounts teach nothing until the labels agree"
            )
            yield from self._tell(f"conflict:{record.author}", record.minute, text)

    def _compare(self, record: LabelRecord) -> Iterator[Output]:
        book, minute = self._state.labels, record.minute
        while (odd := book.compare(record.author)) is not None:
            text = (
                f"{odd.wrong} of {odd.labels} labels by {odd.author} contradict what "
                "the other authors' labels teach"
            )
            yield from self._dispute(odd.author, minute, text)
        if record.value != BENIGN or not book.is_look(record.author):
            return
        alone = book.unsupported(record.author)
        if alone is not None:
            text = (
                f"{alone.author} alone calls {alone.accounts} accounts benign that "
                "have evidence: their labels teach no more than the first 25 would, "
                "until another author labels the same"
            )
            yield from self._tell(f"alone:{alone.author}", minute, text)

    def _dispute(self, author: str, minute: int, text: str) -> Iterator[Output]:
        if author not in self._state.labels.disputes.since:
            self._state.dispute_labels(author, minute)
            summary = (
                f"{text}: nothing of theirs is learned until another author labels "
                "half of it the same, or it is withdrawn"
            )
            yield self._decider.publisher.notice("labels_disputed", minute, summary)

    def _tell(self, key: str, minute: int, text: str) -> Iterator[Output]:
        if self._state.is_label_news(key, minute // MINUTES_PER_DAY):
            yield self._decider.publisher.notice("labels_disputed", minute, text)

    def _check_claim(self, record: LabelRecord) -> Iterator[Output]:
        """Alert when people call more campaigns ordinary than the budget allows.

        Nothing falls back to shadow for it: else labels could switch enforcement off.
        """
        state, minute = self._state, record.minute
        if record.value != BENIGN or not record.subject.startswith("campaign:"):
            return
        said = [
            each
            for each in state.labels.records.values()
            if each.value == BENIGN
            and each.subject.startswith("campaign:")
            and each.accounts
            and each.author not in state.labels.disputes.since
        ]
        wrong = len({each.subject for each in said})
        first = min((each.found for each in state.campaigns.values()), default=minute)
        days = max((minute - first) / MINUTES_PER_DAY, 1.0)
        found = EARNED_BY_A_FIND * len(state.campaigns)
        expected = (days + found) * self._decider.policy.daily_budget
        if (
            wrong >= _MIN_WRONG
            and len({each.author for each in said}) >= _MIN_AUTHORS
            and poisson_tail(wrong, expected) <= _SURPRISE
            and state.is_label_news(_CLAIM, minute // MINUTES_PER_DAY)
        ):
            summary = (
                f"{wrong} campaigns are labelled benign, and the budget expects "
                f"{expected:.1f}: consider shadow mode, and a reference of your own"
            )
            yield self._decider.publisher.notice("canary_failed", minute, summary)


def _more(count: int) -> str:
    return f" and {count - 1} more" if count > 1 else ""
