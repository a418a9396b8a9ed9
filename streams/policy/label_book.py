"""The labels in force, what each author may teach, and who is in dispute.

What one person says must not turn the detector. So an author's labels count no more
than `_LONE` of them, or a third of what all others said; evidence is lowered by at most
a factor of 8 for each author; an author whom the others' labels contradict teaches
nothing; and accounts that people label differently teach nothing.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec

from streams.models.exact_tests import binomial_tail
from streams.models.label_model import MAX_EXAMPLES, Example, LabelModel, fit

__all__ = [
    "BENIGN",
    "DISTILLATION",
    "Conflict",
    "Disagreement",
    "Dispute",
    "Disputes",
    "LabelBook",
    "LabelRecord",
    "LabelledAccount",
]

BENIGN: Final = "benign"
DISTILLATION: Final = "distillation"

_LONE: Final = 25
"""Accounts that one author may teach while the others said little or nothing."""
_OTHERS_SHARE: Final = 1 / 3
"""Of the others' accounts, that an author's may count: a quarter of all."""
_LOWEST_PER_AUTHOR: Final = 1 / 8
"""Factor by which one author can lower an e-value: a step of the ladder or two."""
_MOST_AUTHORS: Final = 4
_COUNTED_ACCOUNTS: Final = 3
"""Ordinary accounts an author must have taught, to count among these authors."""

_FIRST_LOOK: Final = 5
"""Labels of an author's before they are compared with the others'."""
_OTHER_AUTHORS: Final = 2
"""So many others it takes to contradict one author: between two, nobody can tell."""
_USUAL_DISAGREEMENT: Final = 0.2
"""Honest people differ from what others' labels teach in at most so many cases, or as
often as those others do among themselves."""
_SURPRISE: Final = 0.001
"""Probability at which a disagreement is not chance. A thousand labels are looked at
some 50 times; people who differ half as often as assumed are never near it."""
_COMPARED: Final = 16
"""Authors compared at a look, those with most labels first: each takes a fit."""


class LabelledAccount(msgspec.Struct, array_like=True):
    """An account as it was when it was labelled; ``prior`` in log-odds.

    ``features`` are empty when it was in no group: it teaches nothing. ``rung`` is what
    it stood on, or empty; ``evident`` whether it had evidence for the first rung.
    """

    account: str
    features: dict[str, float] = {}
    prior: float = 0.0
    rung: str = ""
    evident: bool = False


class LabelRecord(msgspec.Struct, array_like=True):
    """A label in force; ``place`` is its place in the log of entries."""

    entry_id: str
    subject: str
    author: str
    value: str
    place: int
    minute: int
    accounts: list[LabelledAccount] = []

    @property
    def teachable(self) -> list[LabelledAccount]:
        """The accounts that something is known of."""
        return [each for each in self.accounts if each.features]


class Disputes(msgspec.Struct, array_like=True):
    """Authors in dispute and since when, and the day of each one's last alert."""

    since: dict[str, int] = {}
    told: dict[str, int] = {}


class Conflict(NamedTuple):
    """Accounts that ``other`` labelled differently."""

    other: str
    accounts: list[str]


class Disagreement(NamedTuple):
    """Labels of an author that the others' labels would have told the other way."""

    author: str
    labels: int
    wrong: int
    chance: float


class Dispute(NamedTuple):
    """How much an author's labels contradict evidence while nobody bears them out."""

    author: str
    accounts: int


class _Learned(NamedTuple):
    """What the labels in force taught."""

    model: LabelModel
    least: float
    examples: int


class LabelBook:
    """Labels by id, and the model that they teach.

    >>> LabelBook().factor({"always": 1.0}, prior=2.0)
    1.0
    """

    def __init__(self) -> None:
        self.records: dict[str, LabelRecord] = {}
        self.disputes = Disputes()
        self._of_account: dict[str, dict[str, LabelRecord]] = {}
        self._accounts = 0
        self._said: Counter[str] = Counter()
        self._learned: _Learned | None = None

    def put(self, record: LabelRecord) -> None:
        """Take a label in the place of an earlier one."""
        self.withdraw(record.entry_id)
        self._learned = None
        self.records[record.entry_id] = record
        self._accounts += len(record.accounts)
        self._said[record.author] += 1
        for each in record.accounts:
            self._of_account.setdefault(each.account, {})[record.entry_id] = record

    def overflow(self) -> list[str]:
        """Drop the oldest labels beyond `MAX_EXAMPLES` accounts; give their ids."""
        gone = []
        while self._accounts > MAX_EXAMPLES and len(self.records) > 1:
            oldest = min(self.records.values(), key=lambda each: each.place)
            self.withdraw(oldest.entry_id)
            gone.append(oldest.entry_id)
        return gone

    def withdraw(self, entry_id: str) -> LabelRecord | None:
        """Remove a label, and what it taught; give it, or None when there was none."""
        record = self.records.pop(entry_id, None)
        if record is None:
            return None
        self._accounts -= len(record.accounts)
        self._said[record.author] -= 1
        for each in record.accounts:
            known = self._of_account[each.account]
            known.pop(entry_id, None)
            if not known:
                del self._of_account[each.account]
        self._learned = None
        return record

    @property
    def model(self) -> LabelModel:
        """What the labels in force teach."""
        return self._learn().model

    @property
    def taught(self) -> int:
        """Examples that the model was learned from."""
        return self._learn().examples

    @property
    def least_factor(self) -> float:
        """The lowest factor that the authors who taught can together bring about."""
        return self._learn().least

    def factor(self, features: Mapping[str, float], prior: float) -> float:
        """Factor of the e-value of an account like this: 1 without labels."""
        if not self.records:
            return 1.0
        learned = self._learn()
        return learned.model.factor(features, prior, learned.least)

    def _learn(self) -> _Learned:
        if self._learned is None:
            examples = self._examples()
            ordinary = Counter(
                each.author for each in examples if not each.distillation
            )
            authors = sum(n >= _COUNTED_ACCOUNTS for n in ordinary.values())
            least = _LOWEST_PER_AUTHOR ** max(1, min(authors, _MOST_AUTHORS))
            self._learned = _Learned(fit(examples), least, len(examples))
        return self._learned

    def _teaching(self, without: str = "") -> Iterator[LabelRecord]:
        for record in self.records.values():
            if record.author != without and record.author not in self.disputes.since:
                yield record

    def _examples(self, without: str = "") -> list[Example]:
        """List what teaches, once an author and account; none in conflict."""
        newest: dict[tuple[str, str], tuple[LabelRecord, LabelledAccount]] = {}
        said: defaultdict[str, set[str]] = defaultdict(set)
        for record in sorted(self._teaching(without), key=lambda each: each.place):
            for each in record.teachable:
                newest[each.account, record.author] = record, each
        for (account, _), (record, _) in newest.items():
            said[account].add(record.value)
        agreed = {key: one for key, one in newest.items() if len(said[key[0]]) == 1}
        counts = Counter(author for _, author in agreed)
        total = counts.total()
        weights = {
            author: min(count, max(_LONE, (total - count) * _OTHERS_SHARE)) / count
            for author, count in counts.items()
        }
        return [
            Example(
                account=account,
                author=author,
                features=each.features,
                prior=each.prior,
                distillation=record.value == DISTILLATION,
                weight=weights[author],
            )
            for (account, author), (record, each) in sorted(agreed.items())
        ]

    def conflicts(self, record: LabelRecord) -> list[Conflict]:
        """List the authors who label some of a record's accounts differently."""
        against: defaultdict[str, list[str]] = defaultdict(list)
        for each in record.accounts:
            for other in self._of_account.get(each.account, {}).values():
                if other.author != record.author and other.value != record.value:
                    against[other.author].append(each.account)
        return [
            Conflict(other, sorted(set(names)))
            for other, names in sorted(against.items())
        ]

    def unsupported(self, author: str) -> Dispute | None:
        """Tell of an author whose labels contradict evidence, with nobody's support.

        Where there are others' labels enough to compare with, these decide instead.
        """
        accounts = {
            each.account
            for record in self.records.values()
            if record.author == author and record.value == BENIGN
            for each in record.accounts
            if each.evident and not self._is_supported(each.account, author, BENIGN)
        }
        if len(accounts) < _LONE or any(self._disagreement(author)):
            return None
        return Dispute(author, len(accounts))

    def _is_supported(self, account: str, author: str, value: str) -> bool:
        return any(
            other.author != author
            and other.value == value
            and other.author not in self.disputes.since
            for other in self._of_account.get(account, {}).values()
        )

    def settle(self, record: LabelRecord) -> list[str]:
        """End disputes that a label, new or gone, has made pointless; give the authors.

        One ends when the author's labels are gone, or half of them are borne out.
        """
        concerned = {record.author} | {
            other.author
            for each in record.accounts
            for other in self._of_account.get(each.account, {}).values()
        }
        settled = []
        for author in sorted(self.disputes.since.keys() & concerned):
            said = [
                (each.account, record.value)
                for record in self.records.values()
                if record.author == author
                for each in record.accounts
            ]
            borne = sum(self._is_supported(each, author, value) for each, value in said)
            if 2 * borne >= len(said):
                del self.disputes.since[author]
                settled.append(author)
        if settled:
            self._learned = None
        return settled

    def dispute(self, author: str, minute: int) -> None:
        """Learn nothing more from an author, nor from what they said."""
        self.disputes.since[author] = minute
        self._learned = None

    def is_news(self, author: str, day: int) -> bool:
        """Whether an author was not named in an alert on that day; now it is."""
        if self.disputes.told.get(author, -1) >= day:
            return False
        self.disputes.told[author] = day
        return True

    def is_look(self, author: str) -> bool:
        """Whether it is time to look at an author's labels again."""
        count = self._said[author]
        if author in self.disputes.since or count < _FIRST_LOOK:
            return False
        return _tenths(count) > _tenths(count - 1)

    def compare(self, author: str) -> Disagreement | None:
        """Compare authors with the others at a look; give the one who stands out.

        A label of ``author`` has just come. That author is compared when the number of
        their labels has grown by a tenth, and all are when that of all has doubled.
        """
        labels = self._labels()
        compared: set[str] = set()
        if self.is_look(author):
            compared.add(author)
        if author in labels and _doubled(labels.total()):
            compared.update(name for name, _ in _most(labels.items()))
        found = [
            one
            for name in sorted(compared)
            if labels[name] >= _FIRST_LOOK
            for one in self._disagreement(name)
            if one.chance <= _SURPRISE
        ]
        return min(found, key=lambda one: (one.chance, one.author), default=None)

    def _labels(self) -> Counter[str]:
        """Count the labels of each author who teaches."""
        return Counter(
            {
                name: count
                for name, count in self._said.items()
                if name not in self.disputes.since
            }
        )

    def _disagreement(self, author: str) -> Iterator[Disagreement]:
        """Compare an author with the others; nothing where they are too few."""
        labels = self._labels()
        others = [name for name in labels
                  if name != author and labels[name] >= _FIRST_LOOK]  # fmt: skip
        if len(others) < _OTHER_AUTHORS:
            return
        model = fit(self._examples(without=author))
        if not model.separates:
            return
        mine: list[bool] = []
        theirs: list[bool] = []
        for record in self._teaching():
            if record.teachable:
                wrong = _tells_otherwise(model, record)
                (mine if record.author == author else theirs).append(wrong)
        usual = max(_USUAL_DISAGREEMENT, (sum(theirs) + 1) / (len(theirs) + 2))
        chance = binomial_tail(sum(mine), len(mine), usual)
        yield Disagreement(author, len(mine), sum(mine), chance)


def _tells_otherwise(model: LabelModel, record: LabelRecord) -> bool:
    """Whether a model takes most of a label's accounts for the other kind."""
    distillation = sum(
        model.tells_distillation(each.features, each.prior) for each in record.teachable
    )
    wrong = (
        distillation if record.value == BENIGN else len(record.teachable) - distillation
    )
    return 2 * wrong > len(record.teachable)


def _tenths(labels: int) -> int:
    """Count the steps of a tenth up to a number: up to 10 each label is one."""
    return math.floor(math.log(labels) / math.log(1.1))


def _doubled(labels: int) -> bool:
    """Whether a number is 5, 10, 20, 40 and so on."""
    times, rest = divmod(labels, _FIRST_LOOK)
    return labels > 0 and rest == 0 and times & (times - 1) == 0


def _most(counts: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(counts, key=lambda each: (-each[1], each[0]))[:_COMPARED]
