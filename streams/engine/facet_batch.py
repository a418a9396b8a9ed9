"""The kernel of the facets stage: whole minutes of uses and sums, applied by column.

Rows are sorted by facet, minute and account, and cut into nested runs: `FacetBatch`
names them *uses* (a facet, minute and account), *minutes* (a facet and minute) and
*facets*. Running sums within a facet give its state at the end of each of its minutes,
so a batch of an hour gives bit for bit what sixty batches of a minute give.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.engine.facet_uses import FacetNews
from streams.features.account_row import INFRASTRUCTURE_KINDS, TEMPLATE_KINDS
from streams.features.facet_table import (
    KNOWN_OWNERS,
    MAX_FILLING_SAMPLES,
    FacetTable,
    distinct_shares,
)
from streams.features.member_table import MemberTable, slots_after
from streams.features.segments import run_starts, running
from streams.features.whole_rows import put_rows, take_rows
from streams.models.families import FAMILIES

__all__ = [
    "MAX_LINK_DEGREE",
    "MIN_DISTINCT_FILLINGS",
    "MIN_INFRASTRUCTURE_OWNERS",
    "MIN_TEMPLATE_OWNERS",
    "FacetBatch",
]

MIN_TEMPLATE_OWNERS: Final = 5
"""Owners that must share a template before it links anybody (design study: five)."""

MIN_INFRASTRUCTURE_OWNERS: Final = 3
"""Evidence-bearing owners that must share a network, payment, … to be a link."""

MIN_DISTINCT_FILLINGS: Final = 0.3
"""Below this share of distinct fillings a template is a repeated prompt."""

MAX_LINK_DEGREE: Final = 20_000
"""A facet that more accounts use is a carrier or a popular SDK: its discount would
leave nothing of the link (FRAUDAR's log-degree weight, Hooi et al. 2016)."""

_TEMPLATES: Final = len(TEMPLATE_KINDS)
_MOST_OWNERS: Final = KNOWN_OWNERS + 1
_MASKS: Final = np.array(list(FAMILIES.values()), np.uint32)
_MINUTE_BITS: Final = 32
_SLOT_MINUTES: Final = 30
_NEVER: Final = np.iinfo(np.int64).max

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class FacetBatch:
    """Uses and sums of whole minutes, sorted into runs, and what they make of state.

    Arrays that end in ``_at`` have an entry for each (facet, minute): the facet's
    state at the end of that minute. Call the methods in the order of their text.
    """

    def __init__(
        self, facets: FacetTable, members: MemberTable, news: FacetNews
    ) -> None:
        self.facets, self.members, self.news = facets, members, news
        uses, sums = news.uses, news.sums
        numbers = facets.numbers(
            np.concatenate([uses["facet"], sums["sum_facet"]]),
            np.concatenate([uses["kind"], sums["sum_kind"]]),
        )
        self._sort_sums(numbers[len(uses["facet"]) :])
        self._sort_uses(numbers[: len(uses["facet"])])
        self._find_members()

    def _sort_sums(self, number: Ints) -> None:
        sums = self.news.sums
        order = np.lexsort((sums["sum_minute"], number))
        self.sum_facet = number[order]
        self.sum_minute = sums["sum_minute"][order].astype(np.int64)
        self.sum_accounts = sums["sum_accounts"][order].astype(np.int64)
        self.sum_events = sums["sum_events"][order].astype(np.int64)

    def _sort_uses(self, number: Ints) -> None:
        uses, texts = self.news.uses, self.news.texts
        model = _ranks(texts["model"])[uses["model"]]
        account = uses["account"]
        if self._reaches_limit(number):
            # Which fillings are the last to be counted: those of the first accounts.
            account = _ranks(texts["account"])[account]
        keys = (model, account, uses["minute"], number)
        order = np.lexsort(keys)
        if len(run_starts(*(key[order] for key in keys))) < len(order):
            # An account in two partitions: the order of the sources must not matter.
            rest = (uses[name] for name in ("templated", "events", "owner", "count"))
            order = np.lexsort((*rest, *keys))
        self.uses = {name: column[order] for name, column in uses.items()}
        counts = uses["fillings"].astype(np.int64)
        begin = np.cumsum(counts) - counts
        self.fillings = counts[order]
        ends = np.cumsum(self.fillings)
        within = np.arange(len(self.news.exact)) - np.repeat(
            ends - self.fillings, self.fillings
        )
        self.exact = self.news.exact[np.repeat(begin[order], self.fillings) + within]
        facet, minute = number[order], self.uses["minute"].astype(np.int64)
        self.use_begin = run_starts(facet, minute, self.uses["account"])
        self.use_facet, self.use_minute = facet[self.use_begin], minute[self.use_begin]
        self.minute_begin = run_starts(self.use_facet, self.use_minute)
        self.facet_of = self.use_facet[self.minute_begin]
        self.minute_of = self.use_minute[self.minute_begin]
        self.facet_begin = run_starts(self.facet_of)
        self.numbers = self.facet_of[self.facet_begin]
        # Where each minute lies among the facets, and each use among the minutes.
        self.facet_at = _labels(self.facet_begin, len(self.facet_of))
        self.minute_at = _labels(self.minute_begin, len(self.use_facet))
        self.row_begin = self.use_begin[self.minute_begin]
        self.before = take_rows(self.facets.rows, self.numbers)
        self.count = self.uses["count"].astype(np.int64)
        self.use_count = _sums(self.count, self.use_begin)

    def _reaches_limit(self, number: Ints) -> bool:
        used, which = np.unique(number, return_inverse=True)
        taken = np.bincount(which, self.news.uses["fillings"], minlength=len(used))
        before = self.facets.rows["samples"][used]
        reaches = before + taken > MAX_FILLING_SAMPLES
        return bool(np.any(reaches & (before < MAX_FILLING_SAMPLES) & (taken > 0)))

    def _find_members(self) -> None:
        """Sort the uses by member; nothing is changed yet."""
        account = self.uses["account"][self.use_begin]
        used, which = np.unique(account, return_inverse=True)
        texts = self.news.texts["account"]
        numbers = self.members.account_numbers(texts[n] for n in used.tolist())
        self.use_account = np.array(numbers, np.int64)[which]
        self.by_member = np.lexsort((self.use_minute, self.use_account, self.use_facet))
        self.member_begin = run_starts(
            self.use_facet[self.by_member], self.use_account[self.by_member]
        )
        self.first_use = self.by_member[self.member_begin]
        self.place = self.members.find(
            self.use_facet[self.first_use], self.use_account[self.first_use]
        )
        self.joining = self.place < 0
        self.joins = self.first_use[self.joining]
        joined = np.bincount(self.minute_at[self.joins], minlength=len(self.minute_of))
        self.members_at = running(joined, self.facet_begin, self.before["members"])

    def crowded(self, most: int) -> tuple[int, Ints]:
        """Give the first minute in which facets have too many members, and which.

        The minute is -1 where there is none.
        """
        too_many = self.members_at > most
        if not too_many.any():
            return -1, np.zeros(0, np.int64)
        minute = int(self.minute_of[too_many].min())
        return minute, np.unique(self.facet_of[too_many & (self.minute_of == minute)])

    def count_all(self) -> None:
        """Work out the facets' state at the end of each of their minutes."""
        begin, before = self.facet_begin, self.before
        uses = _sums(self.use_count, self.minute_begin)
        self.exchanges_at = running(uses, begin, before["exchanges"])
        belongs = (self.uses["markers"][:, None] & _MASKS) != 0
        weights = belongs * self.count[:, None]
        self.families_at = running(
            _sums(weights, self.row_begin), begin, before["families"]
        )
        self._name_facets()
        self._count_fillings()
        self._count_owners()
        self._count_degree()
        self.shares_at = distinct_shares(self.samples_at, self.ones_at)
        self._find_suspects()

    def _name_facets(self) -> None:
        names, table = self.news.texts["name"], self.facets.names
        at = self.row_begin[self.facet_begin]
        name = self.uses["name"][at].tolist()
        for number in np.flatnonzero(self.before["kind"] >= _TEMPLATES).tolist():
            table[self.numbers[number]] = names[name[number]]

    def _count_fillings(self) -> None:
        begin, before = self.facet_begin, self.before
        offered = running(
            _sums(self.fillings, self.row_begin), begin, before["samples"]
        )
        self.samples_at = np.minimum(offered, MAX_FILLING_SAMPLES)
        row_minute = _labels(self.row_begin, len(self.fillings))
        minute = np.repeat(row_minute, self.fillings)
        facet = self.facet_at[minute]
        first = np.searchsorted(facet, np.arange(len(begin)))
        rank = np.arange(len(facet)) - first[facet] + before["samples"][facet]
        taken = rank < MAX_FILLING_SAMPLES
        minute, facet, exact = minute[taken], facet[taken], self.exact[taken]
        fresh = self.facets.add_fillings(self.numbers[facet], exact)
        ones = np.bincount(minute[fresh], minlength=len(self.minute_of))
        self.ones_at = running(ones, begin, before["ones"])

    def _count_owners(self) -> None:
        """Count distinct owners of members, up to as many as a rule asks for."""
        owner = self.uses["owner"][self.use_begin[self.joins]]
        minute = self.minute_at[self.joins]
        facet = self.facet_at[minute]
        order = np.lexsort((minute, owner, facet))
        owner, minute, facet = owner[order], minute[order], facet[order]
        first = run_starts(facet, owner)
        owner, minute, facet = owner[first], minute[first], facet[first]
        known = (self.before["known"][facet] == owner[:, None]).any(axis=1)
        owner, minute, facet = owner[~known], minute[~known], facet[~known]
        fresh = np.bincount(minute, minlength=len(self.minute_of))
        count = running(fresh, self.facet_begin, self.before["owners"])
        self.owners_at = np.minimum(count, _MOST_OWNERS)
        # Known owners fill the columns from the right, sorted; zeros are before them.
        begin = np.searchsorted(facet, facet)
        column = KNOWN_OWNERS - 1 - self.before["owners"][facet].astype(np.int64)
        column -= np.arange(len(facet)) - begin
        fits = column >= 0
        table = self.before["known"].copy()
        table[facet[fits], column[fits]] = owner[fits]
        table.sort(axis=1)
        table[self.owners_at[self._last] == _MOST_OWNERS] = 0
        self.known = table

    @property
    def _last(self) -> Ints:
        """The last minute of each facet."""
        return _ends(self.facet_begin, len(self.minute_of))

    def _count_degree(self) -> None:
        key = self.sum_facet << _MINUTE_BITS | self.sum_minute
        upto = np.append(0, np.cumsum(self.sum_accounts))
        facet = self.facet_of << _MINUTE_BITS
        begin = np.searchsorted(key, facet)
        end = np.searchsorted(key, facet | self.minute_of, "right")
        degree = self.before["degree"].astype(np.int64)[self.facet_at]
        self.degree_at = degree + upto[end] - upto[begin]

    def _find_suspects(self) -> None:
        """Find in which minute a facet becomes suspect; it stays so."""
        template = (self.before["kind"] < _TEMPLATES)[self.facet_at]
        shared = (self.owners_at >= MIN_TEMPLATE_OWNERS) & (
            self.shares_at >= MIN_DISTINCT_FILLINGS
        )
        linked = (self.owners_at >= MIN_INFRASTRUCTURE_OWNERS) & (
            self.degree_at <= MAX_LINK_DEGREE
        )
        already = self.before["suspect"][self.facet_at]
        turning = np.flatnonzero(np.where(template, shared, linked) & ~already)
        facets, first = np.unique(self.facet_at[turning], return_index=True)
        self.since = np.where(self.before["suspect"], -1, _NEVER)
        self.since[facets] = turning[first]
        self.newly = turning[first]

    def model_uses(self) -> tuple[Ints, Ints, Ints, Ints, npt.NDArray[Any]]:
        """Count uses of suspect templates by minute and model, from suspicion on.

        Gives where each lies among the minutes, the model's number, the uses, by how
        many owners, and by whom, if it was one: else 0.
        """
        row_minute = _labels(self.row_begin, len(self.count))
        facet = self.facet_at[row_minute]
        told = (self.since[facet] <= row_minute) & (
            self.before["kind"][facet] < _TEMPLATES
        )
        minute, model = row_minute[told], self.uses["model"][told]
        owner = self.uses["owner"][told]
        order = np.lexsort((owner, model, minute))
        minute, model, owner = minute[order], model[order], owner[order]
        begin = run_starts(minute, model)
        uses = _sums(self.count[told][order], begin)
        each = run_starts(minute, model, owner)
        upto = np.searchsorted(each, np.append(begin, len(order)))
        owners = np.diff(upto)
        whose = np.where(owners == 1, owner[begin], 0)
        return minute[begin], model[begin], uses, owners, whose

    def update_members(self) -> None:
        """Work out the members' state at the end of each of their minutes.

        New members get a row; rows of the others are still as they were before.
        """
        joins, members = self.joins, self.members
        self.joined = len(members)
        row = self.use_begin[joins]
        self.place[self.joining] = members.add(
            self.use_facet[joins], self.use_account[joins]
        )
        new = self.place[self.joining]
        members.rows["owner"][new] = self.uses["owner"][row]
        members.rows["created"][new] = self.uses["created"][row]
        members.rows["first"][new] = self.use_minute[joins]
        members.rows["last"][new] = self.use_minute[joins]
        before = take_rows(members.rows, self.place)
        minute = self.use_minute[self.by_member]
        last_row = _ends(self.use_begin, len(self.count))[self.by_member]
        self.after = np.zeros(len(minute), members.rows.dtype)
        after = self.after
        of = _labels(self.member_begin, len(minute))
        for field in ("facet", "account", "owner", "created", "first"):
            after[field] = before[field][of]
        after["last"] = minute
        after["count"] = running(
            self.use_count[self.by_member], self.member_begin, before["count"]
        )
        for field in ("events", "templated", "likeness"):
            after[field] = self.uses[field][last_row]
        for column, kind in enumerate(INFRASTRUCTURE_KINDS):
            after["infrastructure"][:, column] = self.uses[kind][last_row]
        after["slots"] = self._slots(of, minute, before)

    def _slots(
        self, of: Ints, minute: Ints, before: npt.NDArray[Any]
    ) -> npt.NDArray[np.uint64]:
        """Move activity bits on, all members' first half hours first."""
        begin = run_starts(of, minute // _SLOT_MINUTES)
        member, now = of[begin], minute[begin]
        rank = np.arange(len(begin)) - np.searchsorted(member, member)
        order = np.argsort(rank, kind="stable")
        bits, last = before["slots"].copy(), before["last"].astype(np.int64)
        found = np.zeros(len(begin), np.uint64)
        for some in np.split(order, run_starts(rank[order])[1:]):
            who = member[some]
            found[some] = bits[who] = slots_after(bits[who], last[who], now[some])
            last[who] = now[some]
        return found[_labels(begin, len(of))]

    def write(self) -> None:
        """Bring the tables up to date."""
        ends = _ends(self.member_begin, len(self.after))
        put_rows(self.members.rows, self.place, take_rows(self.after, ends))
        self.members.touch(self.place)
        rows, last = self.facets.rows, self._last
        number = self.numbers
        after = self.before.copy()
        for field in ("exchanges", "samples", "ones", "members", "owners", "families"):
            after[field] = getattr(self, f"{field}_at")[last]
        after["known"] = self.known
        after["suspect"] = self.since < _NEVER
        after["first"] = np.minimum(after["first"], self.minute_of[self.facet_begin])
        after["last"] = np.maximum(after["last"], self.minute_of[last])
        put_rows(rows, number, after)
        self.facets.touch(number)
        self._write_sums()

    def _write_sums(self) -> None:
        rows = self.facets.rows
        begin = run_starts(self.sum_facet)
        if not len(begin):
            return
        number = self.sum_facet[begin]
        last = _ends(begin, len(self.sum_facet))
        rows["degree"][number] += _sums(self.sum_accounts, begin).astype(np.uint32)
        rows["traffic"][number] += _sums(self.sum_events, begin).astype(np.uint64)
        first, newest = self.sum_minute[begin], self.sum_minute[last]
        rows["first"][number] = np.minimum(rows["first"][number], first)
        rows["last"][number] = np.maximum(rows["last"][number], newest)
        self.facets.touch(number)


def _labels(begin: Ints, size: int) -> Ints:
    """Give each entry the number of its run."""
    return np.repeat(np.arange(len(begin)), np.diff(np.append(begin, size)))


def _ends(begin: Ints, size: int) -> Ints:
    """Give the last entry of each run."""
    return np.append(begin[1:], size)[: len(begin)] - 1


def _sums(values: npt.NDArray[Any], begin: Ints) -> Ints:
    """Add up each run."""
    if not len(begin):
        return np.zeros((0, *values.shape[1:]), np.int64)
    return np.add.reduceat(values, begin, axis=0, dtype=np.int64)


def _ranks(texts: list[str]) -> Ints:
    """Give the rank of each text of a table."""
    order = sorted(range(len(texts)), key=texts.__getitem__)
    ranks = np.zeros(len(texts), np.int64)
    ranks[order] = np.arange(len(texts))
    return ranks
