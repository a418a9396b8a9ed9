"""``distillwatch policy``: show, check, compare, try and apply policies."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

from cyclopts import App, Parameter

from streams.cli.control_writes import (
    DEFAULT_CLUSTER,
    DEFAULT_WRITING,
    Cluster,
    Writing,
    command,
    now_ms,
    standing_entries,
    write_entries,
)
from streams.cli.policy_backtest import app as backtest
from streams.errors import PolicyError

if TYPE_CHECKING:
    from streams.contracts import ControlEntry
    from streams.policy.policy import Policy
    from streams.policy.policy_text import Difference

__all__ = ["InForce", "app", "in_force", "read_policy"]

EXIT_DIFFERENT = 1

_Flag = Annotated[bool, Parameter(negative=())]

app = App(
    name="policy",
    help="What is done about evidence: show, check, compare, try and apply policies.",
)


class InForce(NamedTuple):
    """The policy in force, its text, and the entry that applied it, if one did."""

    policy: Policy
    text: str
    entry: ControlEntry | None

    @property
    def origin(self) -> str:
        """Where it comes from, for people."""
        from streams.cli.record_lines import printable, time_text

        if self.entry is None:
            return "the shipped policy"
        return printable(
            f"applied {time_text(self.entry.created_at)} by {self.entry.author}: "
            f"{self.entry.reason}"
        )


@app.command(sort_key=0)
def show(
    *,
    default: _Flag = False,
    json: _Flag = False,
    where: Cluster = DEFAULT_CLUSTER,
) -> None:
    """Print the policy in force, as a file that can be changed and applied.

    Parameters
    ----------
    default
        The shipped policy, which documents every key; needs no broker.
    json
        Every key with its value, defaults included, as one JSON object.
    """
    from streams.cli.listings import print_json
    from streams.policy.policy_text import policy_dict

    found = _shipped() if default else in_force(where.servers)
    if json:
        print_json(policy_dict(found.policy))
        return
    if not default:
        print(f"# {found.origin}")
    print(found.text.rstrip())


@app.command(sort_key=1)
def check(file: Path) -> None:
    """Say whether a file is a policy; exit code 1 and the place of the error if not.

    Parameters
    ----------
    file
        TOML; `policy show --default` prints one with every key.
    """
    policy, _ = read_policy(file)
    names = ", ".join(scenario.name for scenario in policy.scenarios)
    print(f"{file} is a policy: version {policy.version}, scenarios {names}")
    for note in _notes(policy):
        print(f"note: {note}")


@app.command(sort_key=2)
def diff(
    file: Path,
    *,
    against: Path | None = None,
    json: _Flag = False,
    where: Cluster = DEFAULT_CLUSTER,
) -> None:
    """Show what a file would change; exit code 1 if anything.

    Parameters
    ----------
    file
        The policy that would be applied.
    against
        Another file, in the place of the policy in force; needs no broker.
    json
        One JSON object per difference, instead of a table.
    """
    from streams.cli.listings import print_json
    from streams.policy.policy_text import differences

    new, _ = read_policy(file)
    if against is not None:
        old, title = read_policy(against)[0], str(against)
    else:
        found = in_force(where.servers)
        old, title = found.policy, found.origin
    changes = differences(old, new)
    if json:
        print_json([each._asdict() for each in changes])
    elif changes:
        _print_changes(changes, f"{file} against {title}")
    else:
        print(f"{file} says the same as {title}")
    if changes:
        sys.exit(EXIT_DIFFERENT)


app.command(backtest)


@app.command(sort_key=4)
def apply(file: Path, *, why: str, how: Writing = DEFAULT_WRITING) -> None:
    """Check a policy, show what it changes, and put it in force without a restart.

    What stands goes on; new decisions follow the new policy.

    Parameters
    ----------
    file
        The policy.
    why
        The reason, for who reads it later.
    """
    from streams.policy.control_entries import policy_entry
    from streams.policy.policy_text import differences

    policy, text = read_policy(file)
    found = in_force(how.servers)
    changes = differences(found.policy, policy)
    if not changes:
        print(f"{file} says the same as {found.origin}; nothing was written")
        return
    if policy.version == found.policy.version:
        raise PolicyError(
            f"{file}: version {policy.version!r} is in force with another content; "
            "actions name the version, so give this change a new one"
        )
    entry = policy_entry(text, author=how.who, reason=why, created_at=now_ms())
    _print_changes(changes, f"{file} against {found.origin}")
    for note in _notes(policy):
        print(f"note: {note}")
    told = (
        f"policy {policy.version} is on llm.control. Back to the shipped policy: "
        f"{command('withdraw', entry.entry_id)}"
    )
    write_entries([entry], told, how=how)


def read_policy(file: Path) -> tuple[Policy, str]:
    """Read and check a file; give the policy and the text."""
    from streams.policy.policy_file import parse_policy

    if not file.is_file():
        raise PolicyError(
            f"{file} is not a file; begin with: distillwatch policy show --default"
        )
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise PolicyError(f"{file}: it is not UTF-8; save it as that") from error
    return parse_policy(text, place=str(file)), text


def in_force(servers: str) -> InForce:
    """Read the policy in force: the newest entry on llm.control, or the shipped one."""
    from streams.policy.control_entries import is_closing
    from streams.policy.policy_file import parse_policy

    entry = standing_entries(servers).get("policy")
    if entry is None or is_closing(entry):
        return _shipped()
    try:
        return InForce(
            parse_policy(entry.value, place="llm.control"), entry.value, entry
        )
    except PolicyError as error:
        # Written by other means than `policy apply`: the workers refuse it as well.
        print(
            f"left out: {error}; the workers keep the policy that they had",
            file=sys.stderr,
        )
        return _shipped()


def _shipped() -> InForce:
    from streams.policy.policy_file import default_policy, default_text

    return InForce(default_policy(), default_text(), None)


def _print_changes(changes: list[Difference], title: str) -> None:
    from streams.cli.listings import print_rows

    print(title)
    rows = [(c.path, c.old or "-", c.new or "-") for c in changes]
    print_rows(("key", "now", "then"), rows)


def _notes(policy: Policy) -> list[str]:
    """List what is allowed and probably not meant."""
    from streams.models.evidence import resolution_limit
    from streams.models.reference import load_reference
    from streams.policy.conditions import compile_condition

    largest = resolution_limit(load_reference().bystanders.size)
    notes = [
        f"scenario {scenario.name}: no account can reach {step.rung}, since e_value = "
        f"{step.e_value:g} and the reference allows at most {largest:,.0f}"
        for scenario in policy.scenarios
        for step in scenario.ladder
        if step.e_value > largest
    ]
    notes += [
        f"scenario {scenario.name} decides about nobody: only accounts are decided on"
        for scenario in policy.scenarios
        if "account" not in scenario.subject_types
    ]
    if not compile_condition(policy.scenarios[-1].when).always:
        notes.append("where no scenario holds, nothing is done")
    if policy.caps.traffic_share is None:
        notes.append("no cap on the share of traffic: one wrong rule can reach it all")
    return notes
