"""The result of ``benchmark detection`` as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.table import Table

from streams.scenarios.detection.adaptive import AdaptiveFigures
from streams.scenarios.detection.campaign_figures import RunFigures
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.report import Report
from streams.scenarios.detection.windows import WindowFigures

__all__ = ["interval", "tables"]

_MILLION = 1e6
_NAME_WIDTH = 18
"""Characters of a name that a narrow terminal still shows."""


def interval(rate: Rate) -> str:
    """Show a rate with its bounds, in per cent.

    >>> interval(Rate.of(5, 10))
    '50.0 % (18.7..81.3)'
    """
    if rate.rate is None:
        return "-"
    middle, low, high = (100 * value for value in (rate.rate, rate.low, rate.high))
    return f"{middle:.1f} % ({low:.1f}..{high:.1f})"


def tables(report: Report) -> Iterator[Table]:
    """Give the tables of the parts that were run."""
    if report.population is not None:
        yield _campaigns(report.population)
        yield _lateness(report.population)
        yield _wrong(report.population)
    if report.peers:
        yield _peers(report)
    if report.negatives:
        yield _negatives(report)
    if report.adaptive:
        yield _adaptive(report)
    if report.windows:
        yield _windows(report.windows)
    if report.budget is not None:
        yield _budget(report)
    if report.ablation:
        yield _ablation(report)


def _table(title: str, first: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first, no_wrap=True, min_width=_NAME_WIDTH)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _number(value: float | None, unit: str = "") -> str:
    return "-" if value is None else f"{value:,.1f}{unit}"


def _campaigns(population: RunFigures) -> Table:
    table = _table(
        f"Campaigns among {population.accounts:,} accounts, {population.events:,} "
        f"events ({population.events_per_second:,.0f} events/s)",
        "campaign", "shape", "share", "accounts", "found", "to first alert",
        "exchanges", "before alert", "before effective action", "linked: precision",
        "recall",
    )  # fmt: skip
    table.caption = (
        "before alert, before effective action: exchanges of the campaign that were "
        "sent before the first alert, and before throttle or more first stood against "
        "any of its accounts (100 %: never). found, merged: with another campaign"
    )
    table.caption_justify = "left"
    for each in population.campaigns:
        table.add_row(
            each.name,
            each.shape,
            f"{each.share:.0%}",
            f"{each.accounts:,}",
            ("merged" if each.merged else "yes") if each.found else "no",
            _number(each.hours_first_alert, " h"),
            "-" if each.events_first_alert is None else f"{each.events_first_alert:,}",
            interval(each.leak_first_alert),
            interval(each.leak_effective),
            interval(each.precision),
            interval(each.recall),
        )
    return table


def _lateness(population: RunFigures) -> Table:
    table = _table(
        "What got through, and what it cost the attacker",
        "campaign", "exchanges", "before own action", "not covered",
        "not challenged", "accounts used", "accounts per exchange",
        "respawned: in 20 requests", "median requests", "median time",
        "pivot told after",
    )  # fmt: skip
    table.caption = (
        "before own action: exchanges before throttle or more stood against the very "
        "account that sent them; not covered: outside all such actions' time; not "
        "challenged: outside that of actions that stop requests. accounts per "
        "exchange: what one that got through costs, in units of what it costs where "
        "nobody enforces"
    )
    table.caption_justify = "left"
    for each in population.campaigns:
        table.add_row(
            each.name,
            f"{each.exchanges:,}",
            interval(each.leak_own_action),
            interval(each.leak_not_covered),
            interval(each.leak_unchallenged),
            f"{each.accounts_used:,}",
            _number(each.cost_multiplier, " x"),
            interval(each.respawned_linked),
            _number(each.respawn_requests),
            _number(each.respawn_hours, " h"),
            _number(each.pivot_hours, " h") if each.pivots else "",
        )
    return table


def _wrong(population: RunFigures) -> Table:
    rungs = list(population.wrong)
    table = _table(
        f"Ordinary accounts by highest rung, {population.account_days:,} account-days, "
        f"{population.false_campaigns} false campaigns (in brackets: per million "
        "account-days of the cohort)",
        "cohort", "accounts", "account-days", "linked", *rungs,
    )  # fmt: skip
    for each in population.cohorts:
        of_days = each.per_million()
        counts = [
            f"{each.rungs[rung]:,} ({of_days[rung]:,.0f})" if rung in of_days else ""
            for rung in rungs
        ]
        linked = str(each.linked or "")
        table.add_row(
            each.cohort, f"{each.accounts:,}", f"{each.account_days:,}", linked, *counts
        )
    table.add_section()
    million = [
        f"{rate.rate * _MILLION:,.0f} (<{rate.high * _MILLION:,.0f})"
        for rate in population.wrong.values()
        if rate.rate is not None
    ]
    table.add_row("per million account-days", "", "", "", *million)
    return table


def _peers(report: Report) -> Table:
    names = [peer.name for peer in report.peers]
    table = _table(
        "Peers on the same population: accounts alarmed, each by itself",
        "of", *names,
    )  # fmt: skip
    table.add_row("ordinary accounts", *(interval(peer.wrong) for peer in report.peers))
    for campaign in report.peers[0].campaigns:
        rates = [peer.campaigns[campaign].rate or 0.0 for peer in report.peers]
        table.add_row(campaign, *(f"{rate:.1%}" for rate in rates))
    return table


def _negatives(report: Report) -> Table:
    table = _table(
        "Hard negatives, each alone",
        "kind", "accounts", "linked", "above label", "rate", "campaigns made of it",
    )  # fmt: skip
    for each in report.negatives:
        table.add_row(
            each.name,
            f"{each.accounts:,}",
            f"{each.linked:,}",
            f"{each.actions_above_label:,}",
            interval(each.rate),
            f"{each.campaigns:,}",
        )
    return table


def _adaptive(report: Report) -> Table:
    table = _table(
        "Adaptive attackers; cost per exchange that got through, plain unhindered = 1",
        "attacker", "found", "wins", "to first alert", "before alert",
        "before effective action", "not covered", "linked", "accounts",
        "cost: accounts", "infrastructure", "honest accounts wronged",
    )  # fmt: skip
    table.caption = (
        "wins: not found, or no effective action covers 80 % of its exchanges. "
        "Who wins, and what an exchange then costs in accounts: "
        + (", ".join(_won(each) for each in report.adaptive if each.wins) or "nobody")
    )
    table.caption_justify = "left"
    for each in report.adaptive:
        table.add_row(
            each.name,
            "yes" if each.found else "no",
            "yes" if each.wins else "no",
            _number(each.hours_first_alert, " h"),
            interval(each.leak_first_alert),
            interval(each.leak_effective),
            interval(each.leak_not_covered),
            interval(each.linked),
            f"{each.accounts_used:,}",
            _number(each.cost_accounts, " x"),
            _number(each.cost_infrastructure, " x"),
            f"{each.wrong_accounts:,}",
        )
    return table


def _won(attacker: AdaptiveFigures) -> str:
    return f"{attacker.name} ({_number(attacker.cost_accounts, ' x')})"


def _windows(cells: tuple[WindowFigures, ...]) -> Table:
    shares = sorted({cell.share for cell in cells})
    table = _table(
        "Windows: true positives by share of the attack",
        "statistic", "groups", "window", "false positives",
        *(f"{share:.0%}" for share in shares),
    )  # fmt: skip
    rows: dict[tuple[str, str, int], dict[float, WindowFigures]] = {}
    for cell in cells:
        key = (cell.statistic, cell.groups, cell.window)
        rows.setdefault(key, {})[cell.share] = cell
    for (statistic, groups, window), found in rows.items():
        first = next(iter(found.values()))
        table.add_row(
            statistic,
            groups,
            f"{window:,}",
            interval(first.fpr),
            *(interval(found[share].tpr) for share in shares),
        )
    return table


def _budget(report: Report) -> Table:
    table = _table(
        "Budget: honest groups taken for campaigns, per day of a population",
        "what", "figure",
    )  # fmt: skip
    budget = report.budget
    if budget is None:
        return table
    table.add_row("stated, at most", f"{budget.stated:g}")
    table.add_row("of it spent on tests", f"{budget.spent:.4f}")
    observed = f"{budget.observed:.4f} ({budget.low:.4f}..{budget.high:.4f})"
    table.add_row("observed", observed)
    table.add_row("populations, a day's budget each", f"{budget.populations:,}")
    table.add_row("  with a wrong campaign", interval(budget.hit))
    table.add_row("  wrong campaigns in the worst", f"{budget.most:,}")
    table.add_row("  with a wrong enforcement", interval(budget.enforced))
    table.add_row("groups tested", f"{budget.tests:,}")
    table.add_row("  nearest e-value, of what it needed", f"{budget.nearest:.1%}")
    table.add_row("accounts", f"{budget.accounts:,}")
    table.add_row("account-days", f"{budget.account_days:,}")
    table.add_row(
        "accounts wrongly enforced (above label)", f"{budget.wrong_accounts:,}"
    )
    wrong = budget.wrong_enforcement
    million = f"{budget.wrong_per_million:,.1f} (<{wrong.high * _MILLION:,.0f})"
    table.add_row("  per million account-days", million)
    for kind, count in budget.wrong_by_kind.items():
        table.add_row(f"  of them {kind}", f"{count:,}")
    return table


def _ablation(report: Report) -> Table:
    plan, cells = report.plan.ablation, report.ablation
    columns = dict.fromkeys((cell.stratum, cell.exchanges) for cell in cells)
    table = _table(
        "Campaigns of other populations found by the joint score, fitted without "
        f"some features; p at most 1 in {plan.one_in}, by so many exchanges",
        "score",
        *(f"{name.replace('_', ' ')}, {seen:,}" for name, seen in columns),
    )
    found = {(c.score, c.stratum, c.exchanges): c.found for c in cells}
    for score in dict.fromkeys(cell.score for cell in cells):
        table.add_row(score, *(interval(found[score, *key]) for key in columns))
    return table
