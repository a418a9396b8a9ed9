"""The campaigns stage: link, merge, test, decide.

One object per partition of llm.links. Minute by minute it brings the graph of accounts
and suspect facets up to date, tests the groups that reached a look, and moves the
accounts of a found campaign along the ladder, each on its own evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from streams.campaigns.campaign import Campaign, campaign_id
from streams.campaigns.group import Group
from streams.campaigns.group_features import group_features, owner_count
from streams.campaigns.groups import Groups
from streams.campaigns.link_graph import AccountNode, Edge, FacetNode, LinkGraph
from streams.contracts.records import AlertKind, Mode
from streams.engine.campaign_records import Verdict, action_output, alert_output
from streams.engine.campaigns_state import CampaignsState
from streams.engine.link_rows import LinkRow, decode_links
from streams.engine.minute_inbox import Row as InboxRow
from streams.engine.minute_stage import MinuteStage
from streams.engine.stage import Output, Row
from streams.features.account_row import TRAFFIC
from streams.models.reference import GROUP_LOOKS, Reference
from streams.policy.ladder import LADDER, Standing, climb

__all__ = ["MIN_OWNERS", "CampaignsStage", "Observer"]

MIN_OWNERS = 5
"""Distinct owners a group needs before it is tested at all, fixed in advance."""

_NEVER = 1 << 62

Observer = Callable[[int, int, dict[str, float], Group], None]
"""Called at each look with minute, look, features and group; builders use it."""


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
        observer: Observer | None = None,
    ) -> None:
        super().__init__(partition, sources=facet_partitions)
        self.graph = LinkGraph()
        self.groups = Groups(self.graph)
        self.state = CampaignsState(self.graph, self.groups)
        self._reference = reference
        self._mode: Mode = mode
        self.observer = observer

    def _decode(self, payload: bytes) -> list[InboxRow]:
        return [(link.minute, link) for link in decode_links(payload)]

    def _outputs(self, news: list[Output], closed: int) -> list[Output]:
        del closed  # what leaves the pipeline closes nobody's minutes
        return news

    def _apply_minute(
        self, minute: int, rows: list[tuple[Any, ...]]
    ) -> Iterator[Output]:
        touched: dict[int, set[str]] = {}
        facets: dict[int, None] = {}
        links = self._without_traffic(minute, rows)
        for link in links:
            self._put(link)
            facets[link.facet] = None
        for link in links:
            if self.graph.facets[link.facet].is_template:
                group = self.groups.of_template(link.facet, minute)
                touched.setdefault(group.number, set()).add(link.account)
        for number, accounts in touched.items():
            for account in sorted(accounts):
                self.groups.recount(self.groups.by_number[number], account)
        for facet in sorted(facets):
            for into, merged in self._link_groups(facet):
                accounts = touched.pop(merged, set())
                touched.setdefault(into, set()).update(accounts)
                yield from self._merge_campaigns(minute, into, merged)
        for number in sorted(touched):
            group = self.groups.by_number[number]
            self.state.touch_group(number)
            known = self.state.campaigns.get(number)
            confirmed = known.confirmations if known else 0
            yield from self._test(minute, group)
            campaign = self.state.campaigns.get(number)
            if campaign is not None:
                yield from self._news(minute, group, campaign)
                renewed = campaign.confirmations > confirmed
                actable = group.uses if renewed else touched[number]
                yield from self._decide(minute, group, campaign, sorted(actable))

    def _without_traffic(
        self, minute: int, rows: list[tuple[Any, ...]]
    ) -> list[LinkRow]:
        links: list[LinkRow] = []
        for _, link in rows:
            if link.kind == TRAFFIC:
                self.note_traffic(minute, link.count)
            else:
                links.append(link)
        return links

    def note_traffic(self, minute: int, events: int) -> None:
        """Count all events of a minute, whoever sent them."""
        self.state.traffic.add(minute, events)

    def traffic_last_day(self) -> int:
        """All events of the last 24 hours."""
        return self.state.traffic.total()

    def _put(self, link: LinkRow) -> None:
        graph = self.graph
        node = graph.facets.get(link.facet)
        if node is None:
            node = graph.facets[link.facet] = FacetNode(
                link.kind, link.name, 0, 0, 0, ""
            )
        node.degree, node.samples = link.degree, link.samples
        node.distinct, node.pivot = link.distinct, link.pivot
        node.families = link.families
        account = graph.accounts.get(link.account)
        if account is None:
            account = AccountNode(link.owner, link.created, 0, 0, 0)
            graph.accounts[link.account] = account
        account.events, account.templated = link.events, link.templated
        account.likeness = link.likeness
        account.infrastructure = link.infrastructure
        edge = Edge(link.first, link.last, link.count, link.slots)
        self.groups.put_edge(link.account, link.facet, edge)
        self.state.touch(link.facet, link.account)

    def _link_groups(self, facet: int) -> Iterator[tuple[int, int]]:
        """Merge the groups that a grown facet shows to be one; yield (into, from)."""
        node = self.graph.facets[facet]
        members = len(self.graph.members[facet])
        if members < max(node.next_check, 3):
            return
        node.next_check = 2 * members
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
        summary = f"campaign {source.identifier} is part of {target.identifier}"
        group = self.groups.by_number[into]
        yield self._alert("campaign_merged", minute, target, group, summary)

    def _test(self, minute: int, group: Group) -> Iterator[Output]:
        """Test a group that reached a look; one that is rejected is a campaign."""
        reached = group.look
        while reached < len(GROUP_LOOKS) and group.exchanges >= GROUP_LOOKS[reached]:
            reached += 1
        if reached == group.look or owner_count(self.graph, group) < MIN_OWNERS:
            return
        group.look = reached
        features = group_features(self.graph, group)
        if self.observer is not None:
            self.observer(minute, reached - 1, features, group)
        if (
            self._reference.group_limit(reached - 1) * self.state.budget.level(minute)
            < 1
        ):
            # No e-value could reach the level: the budget is not spent on it.
            return
        assessment = self._reference.assess_group(features, reached - 1)
        level = self.state.budget.next_level(minute)
        if assessment.e_value * level < 1:
            return
        campaign = self.state.campaigns.get(group.number)
        if campaign is None:
            campaign = Campaign(
                identifier=campaign_id(group),
                started=group.first,
                found=minute,
                e_value=assessment.e_value,
                level=level,
            )
            self.state.campaigns[group.number] = campaign
            for facet in group.facets:
                # Look again, at its next use, whether it is one with another campaign.
                self.graph.facets[facet].next_check = 0
            self.state.touch_facets(group.facets)
        else:
            campaign.confirmations += 1
        campaign.e_value = assessment.e_value
        campaign.features = features
        campaign.quantiles = assessment.quantiles
        if campaign.sequence == 0:
            campaign.announced = len(group.uses)
            summary = (
                f"{len(group.uses)} accounts share templates and coordinate: "
                f"{group.exchanges} exchanges, e-value {campaign.e_value:.0f}"
            )
            yield self._alert("campaign_found", minute, campaign, group, summary)

    def _news(self, minute: int, group: Group, campaign: Campaign) -> Iterator[Output]:
        if len(group.uses) >= 2 * campaign.announced:
            campaign.announced = len(group.uses)
            summary = f"grown to {len(group.uses)} accounts"
            yield self._alert("campaign_grown", minute, campaign, group, summary)
        for facet in group.facets:
            model = self.graph.facets[facet].pivot
            if model and model not in campaign.pivots:
                campaign.pivots.append(model)
                summary = f"traffic has moved to model {model}"
                yield self._alert("campaign_pivoted", minute, campaign, group, summary)

    def _alert(
        self,
        kind: AlertKind,
        minute: int,
        campaign: Campaign,
        group: Group,
        summary: str,
    ) -> Output:
        return alert_output(
            kind,
            minute,
            campaign,
            group,
            self.graph,
            model_version=self._reference.version,
            summary=summary,
        )

    def _decide(
        self, minute: int, group: Group, campaign: Campaign, accounts: list[str]
    ) -> Iterator[Output]:
        profile = self.groups.profile(group)
        for account in accounts:
            uses = group.uses[account]
            if uses < LADDER[0].uses:
                continue
            e_value = self._reference.assess_member(profile.member(account))
            standing = self.state.standing.get(account) or Standing()
            step = climb(
                standing,
                minute=minute,
                uses=uses,
                e_value=e_value,
                confirmations=campaign.confirmations,
            )
            if step is not None:
                self.state.stand(account, standing)
                verdict = Verdict(account, minute, step, standing, e_value, uses)
                yield action_output(
                    verdict,
                    campaign,
                    mode=self._mode,
                    model_version=self._reference.version,
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
