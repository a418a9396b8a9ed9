"""The campaigns stage: link, merge, test, decide.

One object per partition of llm.links. Minute by minute it brings the graph of accounts
and suspect facets up to date, tests the groups that reached a look, and moves the
accounts of a found campaign along the ladder, each on its own evidence.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import chain
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.campaigns.campaign import Campaign
from streams.campaigns.group import Group
from streams.campaigns.groups import Groups
from streams.campaigns.link_columns import LinkRows
from streams.campaigns.link_graph import LinkGraph
from streams.campaigns.model_mix import TemplateUses, pooled_models, uses_by_group
from streams.campaigns.shared_infrastructure import SharedInfrastructure
from streams.contracts.records import Mode
from streams.contracts.stage_batch import StageBatch
from streams.engine.campaign_alerts import CampaignAlerts
from streams.engine.campaign_union import CampaignUnion
from streams.engine.campaigns_state import CampaignsState
from streams.engine.column_inbox import ColumnInbox
from streams.engine.control_effects import ControlEffects
from streams.engine.control_stage import CONTROL_SOURCE, decode_control
from streams.engine.decider import Decider
from streams.engine.group_tests import GroupTests
from streams.engine.link_news import LinkNews, MinuteLinks
from streams.engine.minute_inbox import Barrier
from streams.engine.minute_stage import MinuteStage
from streams.engine.stage import DirtyRows, Output, Row
from streams.features.account_row import TEMPLATE_KINDS
from streams.models.reference import Reference
from streams.policy.policy import Policy
from streams.policy.policy_file import default_policy

__all__ = ["CampaignsStage"]

_NEVER = 1 << 62
_GROWN: Final = 1.1
"""Times the accounts at which a group was compared with others, and was alone, from
which on it is compared again."""
_FEWEST_COMPARED: Final = 3
"""Accounts of a facet below which no groups are compared for it."""

_TEMPLATES: Final = len(TEMPLATE_KINDS)


class _Put(NamedTuple):
    """What was put of a minute: facets and accounts, by their numbers.

    ``accounts`` are those of the links, of which each facet has some from ``begin`` to
    ``end``; ``grown`` are facets whose members have doubled since their groups were
    compared.
    """

    facets: npt.NDArray[np.int64]
    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    accounts: list[int]
    grown: npt.NDArray[np.bool_]


class CampaignsStage(MinuteStage[Output]):
    """Groups, campaigns and standing actions of one campaign shard."""

    record = "MemberLinks"

    def __init__(
        self,
        partition: int,
        *,
        facet_partitions: int,
        reference: Reference,
        mode: Mode,
        policy: Policy | None = None,
        appeal_key: str = "",
    ) -> None:
        inbox = ColumnInbox(facet_partitions)
        super().__init__(partition, sources=facet_partitions, inbox=inbox)
        self.graph = LinkGraph()
        self.groups = Groups(self.graph)
        self.sharing = SharedInfrastructure(self.groups)
        self.state = CampaignsState(self.graph, self.groups)
        self._union = CampaignUnion(self.state, self.sharing)
        self._alerts = CampaignAlerts(self.state, reference)
        self._decider = Decider(
            self.state,
            self.groups,
            reference,
            policy or default_policy(),
            mode=mode,
            appeal_key=appeal_key,
        )
        self._control = ControlEffects(self.state, self._decider)
        self.tests = GroupTests(
            self.state, self._union, self._decider, self._alerts, reference
        )

    @property
    def decider(self) -> Decider:
        """What decides about the accounts of campaigns."""
        return self._decider

    def use_policy(self, policy: Policy) -> None:
        """Decide under another policy than the shipped one, until an entry says so."""
        self._decider.policy = policy
        self._control = ControlEffects(self.state, self._decider)

    def _receive(self, offset: int, batch: StageBatch) -> None:
        if batch.source_partition != CONTROL_SOURCE:
            super()._receive(offset, batch)
            return
        record = decode_control(batch.payload)
        self._inbox.add_barrier(offset, record, record.after)

    def _decode(self, payload: bytes) -> list[LinkNews]:
        return [LinkNews.read(payload)]

    def _by_minute(self, rows: list[LinkNews]) -> Iterator[tuple[int, MinuteLinks]]:
        if rows:
            for told in LinkNews.join(rows).by_minute(self.graph):
                yield told.minute, told

    def _outputs(self, news: list[Output], closed: int) -> list[Output]:
        del closed  # what leaves the pipeline closes nobody's minutes
        return news

    def _apply_minute(self, minute: int, told: MinuteLinks) -> Iterator[Output]:
        yield from self._decider.expire(minute)
        for model, events in told.traffic:
            self.note_traffic(minute, events, model)
        put = self._put(told)
        self.state.touch_numbers(put.facets.tolist(), put.accounts)
        touched = self._recounted(minute, put)
        hashes = told.facets["facet"]
        asked = chain(hashes[put.grown].tolist(), self._due(touched))
        alone: set[int] = set()
        for facet in asked:
            for into, merged in self._link_groups(facet, alone):
                accounts = touched.pop(merged, set())
                touched.setdefault(into, set()).update(accounts)
                yield from self._merge_campaigns(minute, into, merged)
        yield from self._grow_sharing(minute, put, touched)
        uses = uses_by_group(self.graph, told.models)
        for number in sorted(touched):
            group = self.groups.by_number.get(number)
            if group is None:
                continue  # its accounts were found by their templates in this minute
            self.state.touch_group(number)
            known = self.state.campaigns.get(number)
            confirmed = known.confirmations if known else 0
            looks = group.look
            yield from self.tests.take(minute, group)
            if group.look > looks and self.tests.observer is None:
                yield from self._unite(minute, group)
            campaign = self.state.campaigns.get(number)
            if campaign is not None:
                yield from self._alerts.grown(minute, campaign, group)
                used = uses.get(number, ())
                yield from self._moves(minute, group, campaign, used)
            if campaign is not None and not group.infrastructure:
                renewed = campaign.confirmations > confirmed
                names = self.graph.names
                actable = (
                    group.uses if renewed else map(names.__getitem__, touched[number])
                )
                chosen = self.graph.numbers_of(sorted(actable))
                yield from self._decider.decide(minute, group, campaign, chosen)

    def _recounted(self, minute: int, put: _Put) -> dict[int, set[int]]:
        """Count templated exchanges of groups anew; give who has some, by group."""
        at, touched = self.graph.facet.at, dict[int, set[int]]()
        template = at.kind[put.facets] < _TEMPLATES
        for facet in put.facets[template & (at.home[put.facets] == 0)].tolist():
            self.groups.of_template(int(at.hash[facet]), minute)
        self._collect(put, template, touched)
        self.groups.recount(touched)
        return touched

    def _collect(
        self, put: _Put, chosen: npt.NDArray[np.bool_], touched: dict[int, set[int]]
    ) -> None:
        """Add the users of chosen facets to those of their groups, if they have one."""
        facets = put.facets[chosen]
        homes = self.graph.facet.at.home[facets].tolist()
        bounds = put.begin[chosen].tolist(), put.end[chosen].tolist()
        for home, begin, end in zip(homes, *bounds, strict=True):
            if home > 0:
                number = self.graph.group_at(home)
                touched.setdefault(number, set()).update(put.accounts[begin:end])

    def _grow_sharing(
        self, minute: int, put: _Put, touched: dict[int, set[int]]
    ) -> Iterator[Output]:
        """Bring the groups of shared payments and networks up to date."""
        at = self.graph.facet.at
        own = at.kind[put.facets] >= _TEMPLATES
        for facet in self.sharing.grown(put.facets[own]):
            for into, source in self.sharing.grow(facet, minute, self._seniority):
                touched.setdefault(into.number, set()).update(
                    touched.pop(source.number, ())
                )
                self.state.merged_group(into.number, source)
                yield from self._merge_campaigns(minute, into.number, source.number)
        counted: dict[int, set[int]] = {}
        self._collect(put, own, counted)
        self.groups.recount(counted)
        for number, accounts in counted.items():
            touched.setdefault(number, set()).update(accounts)

    def _due(self, touched: Mapping[int, set[int]]) -> Iterator[int]:
        """Give a facet of each touched group that is to be tested, to be linked anew.

        The kinds of facet of one template tell of the same exchanges, and its groups
        reach a look in the same minute: they are one before a test is spent on each.
        """
        for number in sorted(touched):
            group = self.groups.by_number.get(number)
            if group is not None and self.tests.reached(group) > group.look:
                facet = group.facets[0]
                self.graph.facets[facet].next_check = 0
                self.state.touch((facet,))
                if self.graph.member_count(facet) >= _FEWEST_COMPARED:
                    yield facet

    def _apply_barrier(self, barrier: Barrier) -> Iterator[Output]:
        yield from self._decider.expire(barrier.minute)
        yield from self._control.apply(barrier.item, barrier.minute)

    def _end_minutes(self, closed: int) -> Iterator[Output]:
        yield from self._decider.expire(closed)

    def note_traffic(self, minute: int, events: int, model: int = 0) -> None:
        """Count all events of a minute and model, whoever sent them."""
        self.state.operation.traffic.add(minute, events)
        self.state.operation.models.add(minute, model, events)

    def _put(self, told: MinuteLinks) -> _Put:
        """Take the states of facets and of accounts, and their memberships."""
        state, at = told.facets, self.graph.facet.at
        facets, begin, end = state["number"], state["begin"], state["end"]
        at.degree[facets], at.samples[facets] = state["degree"], state["samples"]
        at.distinct[facets], at.families[facets] = state["distinct"], state["families"]
        if len(facets):
            of = np.repeat(facets, end - begin)
            self.groups.put_links(LinkRows(facet=of, **told.links))
        members = at.members[facets]
        grown = (members >= _FEWEST_COMPARED) & (members >= at.next_check[facets])
        accounts = told.links["account"].tolist()
        return _Put(facets, begin, end, accounts, grown)

    def _link_groups(self, facet: int, alone: set[int]) -> Iterator[tuple[int, int]]:
        """Merge the groups that a grown facet shows to be one; yield (into, from).

        Which groups are one with that of a template does not depend on which of its
        facets has grown: ``alone`` has those for which there were none, and nothing
        was merged since. A large group has many facets that grow in a minute, so it is
        compared when it has grown itself; what has grown beside it compares itself.
        """
        node = self.graph.facets[facet]
        is_asked = not node.next_check
        node.next_check = 2 * self.graph.member_count(facet)
        home = self.groups.by_number[node.group] if node.is_template else None
        if home is not None:
            if home.number in alone:
                return
            if not is_asked and len(home.uses) < home.next_comparison:
                return
        numbers = self.groups.partners(facet, self.state.campaigns)
        if len(numbers) < 2:
            if home is not None:
                alone.add(home.number)
                home.next_comparison = math.ceil(_GROWN * len(home.uses))
                self.state.touch_group(home.number)
            return
        alone.clear()
        # A found campaign keeps its identity; otherwise the oldest group does.
        into = min(numbers, key=self._seniority)
        for number in numbers:
            if number != into:
                source = self.groups.by_number[number]
                self.groups.merge(self.groups.by_number[into], source)
                self.state.merged_group(into, source)
                yield into, number

    def _seniority(self, number: int) -> tuple[int, int, int]:
        campaign = self.state.campaigns.get(number)
        found = _NEVER if campaign is None else campaign.found
        return found, self.groups.by_number[number].first, number

    def _merge_campaigns(self, minute: int, into: int, merged: int) -> Iterator[Output]:
        source = self.state.campaigns.pop(merged, None)
        target = self.state.campaigns.get(into)
        if source is None or target is None:
            return
        target.started = min(target.started, source.started)
        target.confirmations = max(target.confirmations, source.confirmations)
        target.merged += [source.identifier, *source.merged]
        self.state.put_campaign(into, target)
        group = self.groups.by_number[into]
        yield self._alerts.merged(minute, target, group, source.identifier)

    def _unite(self, minute: int, group: Group) -> Iterator[Output]:
        """Join what was found by templates with what was found by sharing."""
        for into, source in list(self._union.pairs(group)):
            given_up = self._union.unite(into, source)
            if given_up:
                campaign = self.state.campaigns[into.number]
                yield self._alerts.merged(minute, campaign, into, given_up)

    def _moves(
        self,
        minute: int,
        group: Group,
        campaign: Campaign,
        used: Collection[TemplateUses],
    ) -> Iterator[Output]:
        """Tell of the moves to other models that a minute's exchanges make plain."""
        if not used:
            return
        traffic = self.state.operation.models
        for move in campaign.mix.note(minute, pooled_models(used), traffic):
            if move.model not in campaign.pivots:
                campaign.pivots.append(move.model)
            yield self._alerts.moved(minute, campaign, group, move)

    def dirty_rows(self) -> DirtyRows:
        """Give changed keys, then the marker."""
        return self.state.dirty_rows(self._inbox.state())

    def restore(self, rows: Iterable[Row]) -> None:
        """Stage changelog rows; a marker makes the rows before it valid."""
        for inbox in self.state.restore(rows):
            self._inbox.restore(inbox)
            self._sent_minute = inbox.applied_minute

    def restored(self) -> None:
        """Drop rows behind the last marker, and rebuild what is derived."""
        self.state.restored()
        self._control.restored()
