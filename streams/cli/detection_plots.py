"""The result of ``benchmark detection`` as PNG plots; needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from streams.scenarios.detection.budget_trial import BudgetFigures
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.report import Report

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["save_plots"]

_DPI = 120
_BARS = 0.38
"""Half the space between two campaigns' bars."""


def save_plots(report: Report, folder: Path) -> list[str]:
    """Write a plot for each part that was run; give the names of the files."""
    plots = {
        "campaigns.png": _campaigns(report) if report.population else None,
        "adaptive.png": _adaptive(report) if report.adaptive else None,
        "windows.png": _windows(report) if report.windows else None,
        "wrong.png": _wrong(report),
        "budget.png": _budget(report.budget) if report.budget else None,
    }
    saved = []
    for name, figure in plots.items():
        if figure is not None:
            figure.savefig(folder / name, dpi=_DPI)
            saved.append(name)
    return saved


def _figure(width: float, height: float) -> Figure:
    """Make a figure without pyplot, which keeps figures and picks a display."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _error(rates: list[Rate]) -> list[list[float]]:
    middles = [rate.rate or 0.0 for rate in rates]
    return [
        [max(m - rate.low, 0) for m, rate in zip(middles, rates, strict=True)],
        [max(rate.high - m, 0) for m, rate in zip(middles, rates, strict=True)],
    ]


def _barh(axes: Any, at: list[float], rates: list[Rate], label: str) -> None:
    values = [rate.rate or 0.0 for rate in rates]
    axes.barh(at, values, height=_BARS, label=label, xerr=_error(rates), capsize=2)


def _campaigns(report: Report) -> Figure | None:
    population = report.population
    if population is None:
        return None
    found = population.campaigns
    figure = _figure(10, 1.5 + 0.5 * len(found))
    axes = figure.subplots()
    places = list(range(len(found)))
    first = [each.leak_first_alert for each in found]
    _barh(axes, [p - _BARS / 2 for p in places], first, "before the first alert")
    effective = [each.leak_effective for each in found]
    upper = [p + _BARS / 2 for p in places]
    _barh(axes, upper, effective, "before the first effective action")
    labels = [
        f"{each.name}, {each.share:.0%}, {each.accounts:,} accounts" for each in found
    ]
    axes.set_yticks(places, labels)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel(
        "share of the campaign's exchanges (all: never found), 95 % interval"
    )
    axes.legend()
    return figure


def _adaptive(report: Report) -> Figure:
    found = report.adaptive
    figure = _figure(10, 1.5 + 0.4 * len(found))
    left, right = figure.subplots(1, 2, sharey=True)
    places: list[float] = [float(place) for place in range(len(found))]
    _barh(left, places, [each.leak_not_covered for each in found], "not covered")
    left.set_yticks(places, [each.name for each in found])
    left.invert_yaxis()
    left.set_xlim(0, 1)
    left.set_xlabel("exchanges that got through")
    for shift, name in ((-_BARS / 2, "accounts"), (_BARS / 2, "infrastructure")):
        costs = [getattr(each, f"cost_{name}") or 0.0 for each in found]
        at = [place + shift for place in places]
        right.barh(at, costs, height=_BARS, label=name)
    right.set_xscale("log")
    right.axvline(1.0, color="black", linewidth=0.8)
    right.set_xlabel("cost per exchange that got through")
    right.legend()
    return figure


def _wrong(report: Report) -> Figure | None:
    """Plot who was wronged: hard negatives alone, cohorts among the campaigns."""
    alone = {f"{each.name}, alone": each.rate for each in report.negatives}
    among = {
        each.cohort: Rate.of(each.above_label(), each.accounts)
        for each in (report.population.cohorts if report.population else ())
    }
    rates = alone | among
    if not rates:
        return None
    figure = _figure(9, 1.5 + 0.3 * len(rates))
    axes = figure.subplots()
    places = [float(place) for place in range(len(rates))]
    _barh(axes, places, list(rates.values()), "")
    axes.set_yticks(places, list(rates))
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_xlabel("honest accounts actioned above label, with 95 % interval")
    return figure


def _budget(budget: BudgetFigures) -> Figure:
    """Plot wrong campaigns a day: promised, spent on tests, and seen."""
    figure = _figure(7, 2.5)
    axes = figure.subplots()
    places = [0.0, 1.0, 2.0]
    values = [budget.stated, budget.spent, budget.observed]
    below = [0.0, 0.0, max(budget.observed - budget.low, 0.0)]
    above = [0.0, 0.0, max(budget.high - budget.observed, 0.0)]
    axes.barh(places, values, height=_BARS, xerr=[below, above], capsize=2)
    axes.set_yticks(places, ["stated", "spent on tests", "observed"])
    axes.invert_yaxis()
    axes.set_xlabel(
        "honest groups taken for campaigns a day, "
        f"{budget.populations:,} populations, 95 % interval"
    )
    return figure


def _windows(report: Report) -> Figure:
    groups = ("pooled", "heterogeneous")
    windows = sorted({cell.window for cell in report.windows})
    figure = _figure(4 * len(windows), 7)
    grid = figure.subplots(2, len(windows), squeeze=False, sharey=True)
    for row, kind in zip(grid, groups, strict=True):
        for axes, window in zip(row, windows, strict=True):
            _curves(axes, report, kind, window)
            axes.set_title(f"{kind}, {window:,} prompts")
    grid[0][0].set_ylabel("true positives")
    grid[1][0].set_ylabel("true positives")
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _curves(axes: Any, report: Report, kind: str, window: int) -> None:
    cells = [c for c in report.windows if (c.groups, c.window) == (kind, window)]
    for statistic in dict.fromkeys(cell.statistic for cell in cells):
        curve = sorted(
            (cell for cell in cells if cell.statistic == statistic),
            key=lambda cell: cell.share,
        )
        rates = [cell.tpr for cell in curve]
        axes.errorbar(
            [cell.share for cell in curve],
            [rate.rate or 0.0 for rate in rates],
            yerr=_error(rates),
            label=statistic,
            marker=".",
            capsize=2,
        )
    axes.set_xscale("log")
    axes.set_ylim(-0.02, 1.02)
    axes.set_xlabel("share of the attack")
