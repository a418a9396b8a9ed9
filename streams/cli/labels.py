"""``distillwatch labels``: what labels say of the actions, and what labels bring."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

from streams.cli.control_writes import DEFAULT_CLUSTER, Cluster, standing_entries

if TYPE_CHECKING:
    from streams.policy.label_statistics import LabelStatistics, RungLabels
    from streams.scenarios.label_trial import Outcome

__all__ = ["app"]

app = App(name="labels", help="How right actions were by the labels; what labels do.")

_Flag = Annotated[bool, Parameter(negative=())]


@app.command
def stats(
    *,
    json: _Flag = False,
    cluster: Cluster = DEFAULT_CLUSTER,
) -> None:
    """Show how right the actions were, by the labels in force.

    Parameters
    ----------
    json
        Print one JSON object instead of a table.
    """
    from streams.bus.applied_decisions import read_applied
    from streams.cli.listings import print_json
    from streams.policy.label_statistics import label_statistics

    entries = standing_entries(cluster.servers)
    found = label_statistics(entries, read_applied(cluster.servers))
    if json:
        print_json(found)
    else:
        _show_statistics(found)


@app.command
def trial(
    *,
    accounts: Annotated[int, Parameter(validator=validators.Number(gte=60))] = 300,
    seed: int = 1,
    json: _Flag = False,
) -> None:
    """Simulate a campaign, and decide it again with honest and dishonest labels.

    Parameters
    ----------
    accounts
        Accounts of the campaign, and as many ordinary ones that use its templates.
    seed
        Of the population and of the labels.
    json
        Print one JSON object instead of a table.
    """
    from streams.cli.listings import print_json
    from streams.cli.progress import show_progress
    from streams.scenarios.label_trial import label_cases, make_history, replay_with

    outcomes: dict[str, Outcome] = {}
    with show_progress() as show:
        show("label trial", "simulating")
        history = make_history(accounts=accounts, seed=seed)
        for name, labels in label_cases(history, seed).items():
            show("label trial", name)
            outcomes[name] = replay_with(history, labels)
    if json:
        print_json({name: each._asdict() for name, each in outcomes.items()})
    else:
        _show_trial(outcomes)


def _show_statistics(found: LabelStatistics) -> None:
    from streams.cli.listings import print_rows
    from streams.cli.record_lines import printable

    if not found.labels:
        print("No label is in force")
        return
    headings = ("rung when labelled", "distillation", "benign", "precision", "95 %")
    rows = [_cells(each) for each in (*found.rungs, found.felt)]
    print_rows(headings, rows, title="Labelled accounts")
    waiting = f"; {found.waiting:,} not applied yet" if found.waiting else ""
    print(
        f"{found.labels:,} labels of {found.accounts:,} accounts, of which "
        f"{found.teaching:,} are known well enough to learn from{waiting}"
    )
    for author, counts in found.authors.items():
        told = ", ".join(f"{n:,} {value}" for value, n in sorted(counts.items()))
        print(printable(f"by {author}: {told}"))


def _cells(each: RungLabels) -> tuple[str, ...]:
    low, high = each.interval
    known = each.precision is not None
    return (
        each.rung,
        f"{each.distillation:,}",
        f"{each.benign:,}",
        f"{each.precision:.1%}" if known else "-",
        f"{low:.1%} to {high:.1%}" if known else "-",
    )


def _show_trial(outcomes: dict[str, Outcome]) -> None:
    from streams.cli.listings import print_rows
    from streams.scenarios.label_trial import CASES

    headings = ("labels", "AUC", "wrong", "throttled", "right", "held", "alerts")
    rows = [
        (
            name,
            f"{each.area:.4f}",
            f"{each.share('wrong', 'observe'):.1%}",
            f"{each.share('wrong', 'throttle'):.1%}",
            f"{each.share('right', 'throttle'):.1%}",
            f"{each.share('held', 'throttle'):.1%}",
            "\n".join(each.disputed) or "-",
        )
        for name, each in outcomes.items()
    ]
    print_rows(headings, rows, title="Accounts without a label, of each kind")
    for name in outcomes:
        print(f"{name}: {CASES[name]}")
