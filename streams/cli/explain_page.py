"""An explanation as a page for the terminal, or as a picture for a ticket."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from streams.cli.record_lines import printable, time_text
from streams.policy.counterfactual import Change, Counterfactual
from streams.policy.customer_answer import CustomerAnswer
from streams.policy.explanation import (
    CampaignSeen,
    Explanation,
    Reason,
    StandingNow,
    TimelineStep,
)
from streams.policy.feature_words import baseline_words
from streams.policy.ladder import RUNGS

__all__ = ["customer_page", "explanation_page", "save_picture"]

_BAR: Final = 20  # cells of a bar
_FULL, _EMPTY = "█", "░"
_SPARKS: Final = "▁▂▃▄▅▆▇█"
_LIFTED: Final = "·"
_QUIET: Final = "dim"
_STYLES: Final = {
    "standing": "bold red",
    "released": "green",
    "expired": "green",
    "withheld": "yellow",
    "found": "bold red",
    "nothing": "green",
}
_CAUTION: Final = "label.caution"
_TOLD_BELOW: Final = frozenset(
    {"account.templated_exchanges", _CAUTION, "label.examples"}
)
"""Told in the line below the table: they have no benign quantile of their own."""
_SHOWN: Final = 12  # accounts and facets by name
_STEPS: Final = 60  # lines of a timeline; the rest is a count
_PICTURE_WIDTH: Final = 110  # columns
_REMOTE_FONT: Final = re.compile(r"@font-face\s*\{.*?\}", re.DOTALL)


def explanation_page(told: Explanation) -> RenderableType:
    """Lay out everything that an explanation says."""
    parts: list[RenderableType] = [_heading(told)]
    for about, title in (("account", "Own evidence"), ("campaign", "Its group")):
        reasons = [
            each
            for each in told.reasons
            if each.about == about and each.name not in _TOLD_BELOW
        ]
        if reasons:
            below = _own(told) if about == "account" else None
            against = baseline_words(reasons[0].name)
            parts += _section(f"{title}, against {against}", _reasons(reasons), below)
    if told.campaign is not None:
        parts += _section("Campaign", _campaign(told.campaign))
    if told.counterfactuals:
        cleared = [_counterfactual(each) for each in told.counterfactuals]
        parts += _section("What would have cleared it", *cleared)
    if told.timeline:
        parts += _section("Timeline", *_timeline(told.timeline))
    if told.budget is not None:
        use = told.budget
        parts += _section(
            "Budget",
            Text(
                f"{use.day}: {use.before:.4f} benign groups left before the test, "
                f"{use.after:.4f} after it, of {use.daily:g} a day and what finds earn"
            ),
            _bar_line("left", use.after / (use.daily or 1)),
            Text(f"this campaign's {use.tests} tests spent {use.spent:.4f}"),
        )
    version = told.versions
    parts += _section(
        "Decided by",
        Text(
            f"policy {version.policy or '-'}, scenario {version.scenario or '-'}, "
            f"reference {version.model or '-'}"
        ),
        *(Text(f"note: {printable(note)}", "yellow") for note in told.notes),
    )
    return Group(*parts)


def customer_page(answer: CustomerAnswer) -> RenderableType:
    """Lay out what a customer may read."""
    lines = [Text(answer.restriction, "bold")]
    if answer.until is not None:
        lines.append(Text(f"Until {time_text(answer.until)} UTC"))
    lines += [
        Text(f"- {words} ({printable(code)})") for code, words in answer.reasons.items()
    ]
    if answer.appeal_token is not None:
        lines.append(Text(f"Appeal token: {printable(answer.appeal_token)}"))
        lines.append(Text(answer.how_to_appeal))
    return Group(*lines)


def save_picture(page: RenderableType, title: str, file: Path) -> None:
    """Write a page as SVG that loads nothing from anywhere."""
    console = Console(record=True, width=_PICTURE_WIDTH, file=io.StringIO())
    console.print(page)
    drawn = console.export_svg(title=title, unique_id="explain")
    file.write_text(_REMOTE_FONT.sub("", drawn), encoding="utf-8")


def _section(title: str, *parts: RenderableType | None) -> list[RenderableType]:
    shown = [
        Padding(each, (0, 0, 0, 2), expand=False) for each in parts if each is not None
    ]
    return [Rule(title, align="left", style=_QUIET), *shown]


def _heading(told: Explanation) -> Text:
    now = told.standing
    line = Text.assemble(
        (printable(told.subject), "bold"), " ", (_state(now), _STYLES[now.state])
    )
    if now.until is not None:
        line.append(f" until {time_text(now.until)}", _QUIET)
    if now.human_review:
        line.append(" (a person must confirm)", "yellow")
    for name, value in now.parameters.items():
        line.append(f" {printable(name)}={printable(value)}")
    if now.why:
        line.append(f"\n{printable(now.why)}", _QUIET)
    if now.action_id:
        line.append(f"\naction {now.action_id}, sequence {now.sequence}", _QUIET)
        if told.appeal_token:
            line.append(f", appeal token {printable(told.appeal_token)}", _QUIET)
    if told.reason_codes:
        codes = ", ".join(map(printable, told.reason_codes))
        line.append(f"\nthe customer reads: {codes}", _QUIET)
    return line


def _state(now: StandingNow) -> str:
    since = "" if now.since is None else f" since {time_text(now.since)}"
    match now.state:
        case "standing":
            return f"{now.rung} ({now.mode}){since}"
        case "released" | "expired":
            was = "" if now.rung is None else f", was {now.rung} ({now.mode})"
            return f"{now.state}{since}{was}"
        case "withheld":
            return f"nothing stands: withheld{since}"
        case "found":
            return f"found{since}"
        case _:
            return "nothing was decided about it"


def _reasons(reasons: Iterable[Reason]) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("measured", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("above benign", no_wrap=True)
    table.add_column("weight", justify="right", no_wrap=True)
    table.add_column("what it is", style=_QUIET)
    for each in reasons:
        table.add_row(
            printable(each.name.partition(".")[2] or each.name),
            f"{each.value:.4g}",
            f"{_bar(each.benign_quantile)} {each.benign_quantile:7.2%}",
            f"{each.weight:.0%}",
            printable(each.words),
        )
    return table


def _own(told: Explanation) -> Text | None:
    own, line = told.own, Text()
    if own is None:
        return None
    parts = (
        ("templated exchanges", own.exchanges, own.exchanges_needed),
        ("e-value", own.e_value, own.e_value_needed),
        ("confirmations", own.confirmations, own.confirmations_needed),
    )
    for name, seen, needed in parts:
        line.append(f"{'; ' if line else ''}{name} {seen:,.6g}")
        if needed is not None:
            line.append(f", the rung needs {needed:,.6g}", _QUIET)
    for each in told.reasons:
        if each.name == _CAUTION:
            line.append(f"; labels lowered its e-value to {each.value:.3g} of it")
    return line


def _campaign(seen: CampaignSeen) -> Group:
    lines = [Text(f"{printable(seen.campaign_id)}", "bold")]
    if seen.merged_into:
        lines.append(Text(f"part of {printable(seen.merged_into)} by now", "yellow"))
    if seen.found_at is not None:
        lines.append(
            Text(
                f"found {time_text(seen.found_at)}, {seen.account_count:,} accounts, "
                f"{seen.exchange_count:,} exchanges since "
                f"{time_text(seen.started_at or 0)}"
            )
        )
    if seen.families:
        lines.append(Text(f"families: {', '.join(map(printable, seen.families))}"))
    if seen.rungs:
        rungs = (f"{count:,} {printable(name)}" for name, count in seen.rungs.items())
        lines.append(Text(f"actions: {', '.join(rungs)}"))
    for name, values in (("facets", seen.facets), ("accounts", seen.accounts)):
        if values:
            shown = ", ".join(map(printable, values[:_SHOWN]))
            more = len(values) - _SHOWN
            rest = f" and {more:,} more in --json" if more > 0 else ""
            lines.append(Text(f"{name}: {shown}{rest}", _QUIET))
    if not seen.tests:
        return Group(*lines)
    table = Table(box=None, pad_edge=False)
    for name in ("test", "look", "exchanges", "e-value", "needed", "level", "left"):
        table.add_column(name, justify="left" if name == "test" else "right")
    for test in seen.tests:
        table.add_row(
            f"{time_text(test.at)} {'campaign' if test.rejected else 'not rejected'}",
            str(test.look),
            f"{test.exchanges:,}",
            f"{test.e_value:,.1f}",
            f"{test.needed:,.1f}",
            f"{test.level:.5f}",
            f"{test.budget_left:.4f}",
        )
    return Group(*lines, table)


def _counterfactual(told: Counterfactual) -> Group:
    whose = "the account" if told.about == "account" else "the group"
    cleared = [each for each in told.features if each.clears_at is not None]
    enough = [each for each in told.evidence if each.clears_at is not None]
    enough += cleared
    lines = [Text(f"{whose}: any one of" if enough else whose, "bold")]
    lines += map(_change, enough)
    if told.features and not cleared:
        lines.append(Text("no single feature would have cleared it", "yellow"))
        if told.together:
            names = ", ".join(told.together)
            lines.append(Text(f"together, all at 0: {names}"))
    if cleared and not told.evidence:
        others = len(told.features) - len(cleared)
        lines.append(Text(f"none of the {others} others would have", _QUIET))
    return Group(*lines)


def _change(change: Change) -> Text:
    return Text.assemble(
        f"  {change.name} ",
        (f"{change.seen:,.6g}", "red"),
        " → ",
        (f"{change.clears_at:,.6g} or less", "green")
        if (change.clears_at or 0) <= change.seen
        else (f"{change.clears_at:,.6g} or more", "green"),
    )


def _timeline(steps: tuple[TimelineStep, ...]) -> list[RenderableType]:
    moves = [each for each in steps if each.rung is not None and each.mode is not None]
    sparks = "".join(map(_spark, moves))
    parts: list[RenderableType] = [Text(f"rungs {sparks}")] if moves else []
    parts += [_step(each) for each in steps[-_STEPS:]]
    if len(steps) > _STEPS:
        parts.append(Text(f"{len(steps) - _STEPS:,} earlier ones in --json", _QUIET))
    return parts


def _spark(step: TimelineStep) -> str:
    """Draw the rung that a published move led to; a dot is none."""
    if step.rung is None or step.kind in ("released", "expired"):
        return _LIFTED
    return _SPARKS[min(RUNGS.index(step.rung), len(_SPARKS) - 1)]


def _step(step: TimelineStep) -> Text:
    line = Text.assemble(
        ("▶ " if step.asked else "  ", "bold"),
        (time_text(step.at), _QUIET),
        f" {step.kind:<9}",
    )
    if step.rung is not None:
        line.append(f" {step.rung}", "bold")
        line.append(f" ({step.mode or 'not published'})")
    if step.kind == "tested":
        line.append(f" {printable(step.subject)}")
    if step.e_value:
        line.append(f" e-value {step.e_value:,.0f}, {step.exchanges:,} exchanges")
    if step.reason:
        line.append(f" {printable(step.reason)}")
    if step.author:
        entry = printable(step.entry_id or "")
        line.append(f" [{printable(step.author)}, {entry}]", _QUIET)
    return line


def _bar(share: float) -> str:
    filled = round(min(max(share, 0.0), 1.0) * _BAR)
    return _FULL * filled + _EMPTY * (_BAR - filled)


def _bar_line(name: str, share: float) -> Text:
    return Text(f"{_bar(share)} {share:.0%} {name}")
