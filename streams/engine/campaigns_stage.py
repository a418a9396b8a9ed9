"""The campaigns stage: link, merge, test, decide.

One object per partition of llm.links. Minute by minute it brings the graph of accounts
and suspect facets up to date, tests the groups that reached a look, and moves the
accounts of a found campaign along the ladder, each on its own evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import chain, groupby
from operator import attrgetter
from typing import Any

from streams.campaigns.campaign import Campaign, campaign_id
from streams.campaigns.group import Group
from streams.campaigns.group_features import group_features, owner_count
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import AccountNode, Edge, FacetNode, LinkGraph
from streams.campaigns.model_mix import (
    ModelUses,
    TemplateUses,
    pooled_models,
    uses_by_group,
)
from streams.campaigns.shared_infrastructure import SharedInfrastructure
from streams.contracts.records import AlertKind, Mode, Severity
from streams.contracts.stage_batch import StageBatch
from streams.contracts.time_units import MINUTES_PER_DAY
from streams.engine.campaign_records import alert_output
from streams.engine.campaign_union import CampaignUnion
from streams.engine.campaigns_state import CampaignsState
from streams.engine.control_effects import ControlEffects, watched_entries
from streams.engine.control_stage import CONTROL_SOURCE, decode_control
from streams.engine.decider import Decider
from streams.engine.decision_records import TestTaken, tested_output
from streams.engine.evidence_records import group_evidence
from streams.engine.link_rows import LinkRow, decode_links
from streams.engine.minute_inbox import Barrier
from streams.engine.minute_inbox import Row as InboxRow
from streams.engine.minute_stage import MinuteStage
from streams.engine.stage import Output, Row
from streams.features.account_row import MODEL_USES, TEMPLATE_KINDS, TRAFFIC
from streams.models.reference import GROUP_LOOKS, Assessment, Reference
from streams.policy.policy import Policy
from streams.policy.policy_file import default_policy

__all__ = ["CONFIRMING_LEVEL", "MIN_OWNERS", "CampaignsStage", "Observer"]

MIN_OWNERS = 5
"""Distinct owners a group needs before it is tested at all, fixed in advance."""

CONFIRMING_LEVEL = 1 / 20
"""Error level of a look that confirms a campaign, which the harder rungs ask for."""

GROWTH = 2.0
"""Times the accounts of the last alert at which a campaign's growth is told again."""

SHARING_GROWTH = 1.25
"""The same without templates, where nothing but the alerts names the accounts."""

_NEVER = 1 << 62

Observer = Callable[[int, int, dict[str, float], Group], bool]
"""Called at each look with minute, look, features and group; builders use it. What is
true is taken for a campaign without any test: a simulation knows its campaigns."""


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
        observer: Observer | None = None,
    ) -> None:
        super().__init__(partition, sources=facet_partitions)
        self.graph = LinkGraph()
        self.groups = Groups(self.graph)
        self.sharing = SharedInfrastructure(self.groups)
        self.state = CampaignsState(self.graph, self.groups)
        self._union = CampaignUnion(self.state, self.sharing)
        self._reference = reference
        self._decider = Decider(
            self.state,
            self.groups,
            reference,
            policy or default_policy(),
            mode=mode,
            appeal_key=appeal_key,
        )
        self._control = ControlEffects(self.state, self._decider)
        self.observer = observer

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

    def _decode(self, payload: bytes) -> list[InboxRow]:
        return [(link.minute, link) for link in decode_links(payload)]

    def _outputs(self, news: list[Output], closed: int) -> list[Output]:
        del closed  # what leaves the pipeline closes nobody's minutes
        return news

    def _apply_minute(
        self, minute: int, rows: list[tuple[Any, ...]]
    ) -> Iterator[Output]:
        yield from self._decider.expire(minute)
        links, models = self._sorted_out(minute, rows)
        facets = {link.facet: link for link in links}
        self._put_facets(facets.values())
        self._put(links)
        self.state.touch(facets, (link.account for link in links))
        touched = self._recounted(minute, links)
        asked = chain(sorted(facets), self._due(touched))
        for facet in filter(self._is_grown, asked):
            for into, merged in self._link_groups(facet):
                accounts = touched.pop(merged, set())
                touched.setdefault(into, set()).update(accounts)
                yield from self._merge_campaigns(minute, into, merged)
        yield from self._grow_sharing(minute, links, touched)
        uses = uses_by_group(self.graph, models)
        for number in sorted(touched):
            group = self.groups.by_number.get(number)
            if group is None:
                continue  # its accounts were found by their templates in this minute
            self.state.touch_group(number)
            known = self.state.campaigns.get(number)
            confirmed = known.confirmations if known else 0
            looks = group.look
            yield from self._test(minute, group)
            if group.look > looks and self.observer is None:
                yield from self._unite(minute, group)
            campaign = self.state.campaigns.get(number)
            if campaign is not None:
                yield from self._news(minute, group, campaign)
                used = uses.get(number, ())
                yield from self._moves(minute, group, campaign, used)
            if campaign is not None and not group.infrastructure:
                renewed = campaign.confirmations > confirmed
                actable = group.uses if renewed else touched[number]
                chosen = sorted(actable)
                yield from self._decider.decide(minute, group, campaign, chosen)

    def _recounted(self, minute: int, links: list[LinkRow]) -> dict[int, set[str]]:
        """Count templated exchanges of groups anew; give who has some, by group."""
        touched: dict[int, set[str]] = {}
        facets, templates = self.graph.facets, len(TEMPLATE_KINDS)
        for facet, some in groupby(links, key=attrgetter("facet")):
            if facets[facet].kind < templates:
                number = self.groups.of_template(facet, minute).number
                users = {link.account for link in some}
                touched[number] = (
                    touched[number] | users if number in touched else users
                )
        for number, accounts in touched.items():
            group = self.groups.by_number[number]
            for account in sorted(accounts):
                self.groups.recount(group, account)
        return touched

    def _grow_sharing(
        self, minute: int, links: list[LinkRow], touched: dict[int, set[str]]
    ) -> Iterator[Output]:
        """Bring the groups of shared payments and networks up to date."""
        facets, by_number = self.graph.facets, self.groups.by_number
        templates = len(TEMPLATE_KINDS)
        own = [link for link in links if facets[link.facet].kind >= templates]
        for facet in sorted({link.facet for link in own}):
            for into, source in self.sharing.grow(facet, minute, self._seniority):
                touched.setdefault(into.number, set()).update(
                    touched.pop(source.number, ())
                )
                self.state.merged_group(into.number, source)
                yield from self._merge_campaigns(minute, into.number, source.number)
        for link in own:
            if facets[link.facet].group in by_number:
                group = by_number[facets[link.facet].group]
                self.groups.recount(group, link.account)
                touched.setdefault(group.number, set()).add(link.account)

    def _due(self, touched: Mapping[int, set[str]]) -> Iterator[int]:
        """Give a facet of each touched group that is to be tested, to be linked anew.

        The kinds of facet of one template tell of the same exchanges, and its groups
        reach a look in the same minute: they are one before a test is spent on each.
        """
        for number in sorted(touched):
            group = self.groups.by_number.get(number)
            if group is not None and self._reached(group) > group.look:
                facet = group.facets[0]
                self.graph.facets[facet].next_check = 0
                self.state.touch_facets((facet,))
                yield facet

    def _reached(self, group: Group) -> int:
        """Count the looks that a group has reached; those taken while it is small."""
        reached = group.look
        while reached < len(GROUP_LOOKS) and group.exchanges >= GROUP_LOOKS[reached]:
            reached += 1
        if reached > group.look and owner_count(self.graph, group) < MIN_OWNERS:
            return group.look
        return reached

    def _apply_barrier(self, barrier: Barrier) -> Iterator[Output]:
        yield from self._decider.expire(barrier.minute)
        yield from self._control.apply(barrier.item, barrier.minute)

    def _end_minutes(self, closed: int) -> Iterator[Output]:
        yield from self._decider.expire(closed)

    def _sorted_out(
        self, minute: int, rows: list[tuple[Any, ...]]
    ) -> tuple[list[LinkRow], dict[int, dict[str, ModelUses]]]:
        """Give the memberships, and by template its uses by model; count traffic."""
        links: list[LinkRow] = []
        models: dict[int, dict[str, ModelUses]] = {}
        for _, link in rows:
            if link.kind == TRAFFIC:
                self.note_traffic(minute, link.count, link.facet)
            elif link.kind == MODEL_USES:
                uses = ModelUses.by(link.degree, link.owner, link.count)
                models.setdefault(link.facet, {})[link.name] = uses
            else:
                links.append(link)
        return links, models

    def note_traffic(self, minute: int, events: int, model: int = 0) -> None:
        """Count all events of a minute and model, whoever sent them."""
        self.state.operation.traffic.add(minute, events)
        self.state.operation.models.add(minute, model, events)

    def _put_facets(self, links: Iterable[LinkRow]) -> None:
        """Take facets' states, each the same in all of its rows of a minute."""
        facets = self.graph.facets
        for link in links:
            node = facets.get(link.facet)
            if node is None:
                node = facets[link.facet] = FacetNode(link.kind, link.name, 0, 0, 0)
            node.degree, node.samples = link.degree, link.samples
            node.distinct, node.families = link.distinct, link.families

    def _put(self, links: Iterable[LinkRow]) -> None:
        """Take accounts' states and their memberships."""
        accounts, put_edge = self.graph.accounts, self.groups.put_edge
        for link in links:
            name = link.account
            account = accounts.get(name)
            if account is None:
                account = AccountNode(link.owner, link.created, 0, 0, 0)
                accounts[name] = account
            account.events, account.templated = link.events, link.templated
            account.likeness = link.likeness
            account.infrastructure = link.infrastructure
            edge = Edge(link.first, link.last, link.count, link.slots, link.events)
            put_edge(name, link.facet, edge)

    def _is_grown(self, facet: int) -> bool:
        """Whether a facet's members have doubled since its groups were compared."""
        members = len(self.graph.members[facet])
        return members >= 3 and members >= self.graph.facets[facet].next_check

    def _link_groups(self, facet: int) -> Iterator[tuple[int, int]]:
        """Merge the groups that a grown facet shows to be one; yield (into, from)."""
        self.graph.facets[facet].next_check = 2 * len(self.graph.members[facet])
        numbers = self.groups.partners(facet, self.state.campaigns)
        if len(numbers) < 2:
            return
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
        summary = f"campaign {source.identifier} is part of {target.identifier}"
        group = self.groups.by_number[into]
        yield self._alert("campaign_merged", minute, target, group, summary)

    def _unite(self, minute: int, group: Group) -> Iterator[Output]:
        """Join what was found by templates with what was found by sharing."""
        for into, source in list(self._union.pairs(group)):
            given_up = self._union.unite(into, source)
            if given_up:
                campaign = self.state.campaigns[into.number]
                summary = f"campaign {given_up} is part of {campaign.identifier}"
                yield self._alert("campaign_merged", minute, campaign, into, summary)

    def _test(self, minute: int, group: Group) -> Iterator[Output]:
        """Test a group that reached a look; one that is rejected is a campaign."""
        reached = self._reached(group)
        if reached == group.look:
            return
        group.look = reached
        features = group_features(self.graph, group)
        look = reached - 1
        if group.infrastructure and not features["mixing"]:
            return  # one customer or one place explains it
        if self.observer is not None and self.observer(minute, look, features, group):
            self._confirm(minute, group, Assessment(0.0, {}, {}), 0.0)
            return
        if group.infrastructure and any(self._union.pairs(group)):
            return  # its accounts were found by their templates
        watched = sorted(
            watched_entries(self.state.controls, self.graph, group, minute)
        )
        purse = self.state.operation.purse(
            self._decider.policy,
            watched=bool(watched),
            reserved=self.state.controls.has_indicators,
        )
        known = self.state.campaigns.get(group.number)
        level = purse.level(minute) if known is None else CONFIRMING_LEVEL
        if not self._reachable(features, look, level):
            # No e-value could reach the level: the budget is not spent on it.
            if known is None and self._reachable(features, look, purse.fresh_level):
                yield from self._tell_exhausted(minute)
            return
        assessment = self._reference.assess_group(features, look, level)
        if known is None:
            # A campaign is found once: looks that confirm it cost nothing more, and
            # make no more benign groups campaigns.
            purse.spend(minute)
        left = purse.left(minute) if known is None else 0.0
        if assessment.e_value * level >= 1:
            campaign = self._confirm(minute, group, assessment, level)
            campaign.features, campaign.watched = features, watched
            if known is None:
                purse.note_find()
                yield self._tell_found(minute, campaign, group)
        test = TestTaken(minute, look, level, left)
        yield tested_output(
            test,
            group,
            self.state.campaigns.get(group.number),
            assessment.e_value,
            features=lambda: group_evidence(
                features, assessment.quantiles, watched, self._reference
            ),
            policy_version=self._decider.policy.version,
            model_version=self._reference.version,
        )

    def _reachable(self, features: dict[str, float], look: int, level: float) -> bool:
        """Tell whether the reference is large enough for a test at this level."""
        return self._reference.group_limit(features, look, level) * level >= 1

    def _confirm(
        self, minute: int, group: Group, assessment: Assessment, level: float
    ) -> Campaign:
        """Take note that a group was rejected; the first time makes it a campaign."""
        campaign = self.state.campaigns.get(group.number)
        if campaign is None:
            campaign = Campaign(
                identifier=campaign_id(group),
                started=group.first,
                found=minute,
                e_value=assessment.e_value,
                level=level,
            )
            self.state.put_campaign(group.number, campaign)
            for facet in group.facets:
                # Look again, at its next use, whether it is one with another campaign.
                self.graph.facets[facet].next_check = 0
            self.state.touch_facets(group.facets)
        else:
            campaign.confirmations += 1
        campaign.e_value = assessment.e_value
        campaign.quantiles = assessment.quantiles
        return campaign

    def _tell_found(self, minute: int, campaign: Campaign, group: Group) -> Output:
        campaign.announced = len(group.uses)
        shared = (
            "payments or networks that hardly anyone else uses"
            if group.infrastructure
            else "templates"
        )
        summary = (
            f"{len(group.uses)} accounts share {shared} and coordinate: "
            f"{group.exchanges} exchanges, e-value {campaign.e_value:.0f}"
        )
        return self._alert("campaign_found", minute, campaign, group, summary)

    def _tell_exhausted(self, minute: int) -> Iterator[Output]:
        """Tell, once a day, that groups go untested for want of budget."""
        day = minute // MINUTES_PER_DAY
        if self.state.operation.exhausted_day < day:
            self.state.operation.exhausted_day = day
            summary = (
                "the day's budget has become so thin that no evidence could reach its "
                "level: groups go untested until more of it falls due"
            )
            yield self._decider.publisher.notice("budget_exhausted", minute, summary)

    def _news(self, minute: int, group: Group, campaign: Campaign) -> Iterator[Output]:
        growth = SHARING_GROWTH if group.infrastructure else GROWTH
        if len(group.uses) >= growth * campaign.announced:
            campaign.announced = len(group.uses)
            summary = f"grown to {len(group.uses)} accounts"
            yield self._alert("campaign_grown", minute, campaign, group, summary)

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
            yield self._alert(
                "campaign_pivoted",
                minute,
                campaign,
                group,
                move.summary,
                severity=move.severity,
            )

    def _alert(
        self,
        kind: AlertKind,
        minute: int,
        campaign: Campaign,
        group: Group,
        summary: str,
        *,
        severity: Severity | None = None,
    ) -> Output:
        return alert_output(
            kind,
            minute,
            campaign,
            group,
            self.graph,
            model_version=self._reference.version,
            summary=summary,
            severity=severity,
        )

    def dirty_rows(self) -> list[Row]:
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
