"""What the operators' verbs share: who writes, what is told, and waiting for it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import getpass
import os
import shlex
import sys
import time
from collections.abc import Callable, Sequence
from typing import Annotated, Final

from cyclopts import Parameter, validators

from streams.contracts import ControlEntry, Decision
from streams.contracts.time_units import MS_PER_MINUTE
from streams.errors import ConfigError

__all__ = [
    "DEFAULT_CLUSTER",
    "DEFAULT_WRITING",
    "EXIT_NOT_APPLIED",
    "Cluster",
    "Writing",
    "command",
    "now_ms",
    "parse_expiry",
    "standing_entries",
    "withdraw_entry",
    "write_entries",
]

EXIT_NOT_APPLIED: Final = 4
"""Exit code when the workers did not confirm in the time that --wait gives."""

_DEFAULT_WAIT: Final = 60.0  # s: some closed minutes of a live stream
_TOLD_DECISIONS: Final = 5  # of many labels; the rest is a count
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)


@Parameter(name="*")
@dataclasses.dataclass(frozen=True)
class Cluster:
    """Which cluster."""

    bootstrap: str | None = None
    """Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
    DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092."""

    @property
    def servers(self) -> str:
        """The bootstrap servers that are meant."""
        from streams.config import Config

        return self.bootstrap or Config.from_mapping(os.environ).bootstrap


@Parameter(name="*")
@dataclasses.dataclass(frozen=True)
class Writing(Cluster):
    """Who writes an entry, and whether to wait until it counts."""

    author: Annotated[str | None, Parameter(name=["--author", "--owner"])] = None
    """Who answers for it; by default the user of this process."""

    wait: Annotated[
        list[float] | None,
        Parameter(
            consume_multiple=(0, 1), negative=(), validator=validators.Number(gt=0)
        ),
    ] = None
    """Wait until the workers have applied it, at most so many seconds (60); exit code 4
    if they have not."""

    @property
    def who(self) -> str:
        """The author."""
        return self.author or getpass.getuser()

    @property
    def seconds(self) -> float | None:
        """How long to wait; None: not at all."""
        if self.wait is None:
            return None
        return self.wait[0] if self.wait else _DEFAULT_WAIT


DEFAULT_CLUSTER: Final = Cluster()
DEFAULT_WRITING: Final = Writing()


def now_ms() -> int:
    """Milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def parse_expiry(text: str, now: int) -> int:
    """Read a duration or a date, UTC, as milliseconds since the epoch.

    >>> parse_expiry("30m", 0), parse_expiry("1970-01-03", 0)
    (1800000, 172800000)
    >>> parse_expiry("soon", 0)
    Traceback (most recent call last):
    streams.errors.ConfigError: --expires soon is neither a duration (30m, 24h, 7d) nor
    a date (2030-12-31, 2030-12-31T18:00)
    """
    from streams.errors import PolicyError
    from streams.policy.durations import parse_duration

    try:
        return now + parse_duration(text) * MS_PER_MINUTE
    except PolicyError:
        pass
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"--expires {text} is neither a duration (30m, 24h, 7d) nor a date "
            "(2030-12-31, 2030-12-31T18:00)"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    return (moment - _EPOCH) // _MILLISECOND


def command(*words: str) -> str:
    """Write a command that can be copied.

    >>> command("label", "account:a b", "--benign")
    "distillwatch label 'account:a b' --benign --why ..."
    """
    return f"distillwatch {shlex.join(words)} --why ..."


def standing_entries(servers: str) -> dict[str, ControlEntry]:
    """Read llm.control; an entry that cannot be read is told on stderr."""
    from streams.bus.control_log import read_entries

    def complain(told: str) -> None:
        print(f"left out: {told}", file=sys.stderr)

    return read_entries(servers, on_unreadable=complain)


def write_entries(
    entries: Sequence[ControlEntry],
    told: str,
    *,
    how: Writing,
    on_acknowledged: Callable[[int], object] = lambda _count: None,
) -> None:
    """Write entries, print what that means, and wait for the workers if asked to.

    Ends the process with exit code 4 when they did not confirm in time, and with 1 when
    they refused an entry.
    """
    from streams.bus.control_log import append_entries

    def write() -> None:
        append_entries(how.servers, entries, on_acknowledged=on_acknowledged)

    _write_and_wait(write, {each.entry_id for each in entries}, told, how)


def withdraw_entry(entry: ControlEntry, why: str, told: str, *, how: Writing) -> None:
    """Withdraw an entry: say who and why under its id, then put a tombstone there."""
    from streams.bus.control_log import append_entries, withdraw
    from streams.policy.control_entries import closing_entry

    closing = closing_entry(entry, author=how.who, reason=why, created_at=now_ms())

    def write() -> None:
        append_entries(how.servers, [closing])
        withdraw(how.servers, [entry.entry_id])

    _write_and_wait(write, {entry.entry_id}, told, how)


def _write_and_wait(
    write: Callable[[], None], entry_ids: set[str], told: str, how: Writing
) -> None:
    from streams.bus.applied_decisions import AppliedDecisions
    from streams.cli.record_lines import printable

    line = printable(told)
    if how.seconds is None:
        write()
        print(line)
        return
    with AppliedDecisions(how.servers) as applied:
        write()
        print(line, flush=True)
        decisions = applied.wait_for(entry_ids, how.seconds)
    refused = _tell_applied(decisions)
    if missing := sorted(entry_ids - set(decisions)):
        print(
            f"not applied within {how.seconds:g} s: {printable(missing[0])}"
            + (f" and {len(missing) - 1:,} more" if len(missing) > 1 else "")
            + "; it stays on llm.control and counts when the workers read it: do they "
            "run?",
            file=sys.stderr,
        )
        sys.exit(EXIT_NOT_APPLIED)
    if refused:
        sys.exit(1)


def _tell_applied(decisions: dict[str, Decision]) -> int:
    """Print what the workers said; return the number of entries they refused."""
    from streams.cli.record_lines import printable, time_text
    from streams.policy.control_entries import REFUSED

    taken = {k: d for k, d in decisions.items() if not d.reason.startswith(REFUSED)}
    for entry_id, each in list(taken.items())[:_TOLD_DECISIONS]:
        detail = f": {each.reason}" if each.reason else ""
        print(printable(f"{time_text(each.occurred_at)} applied {entry_id}{detail}"))
    if (more := len(taken) - _TOLD_DECISIONS) > 0:
        print(f"and {more:,} more applied")
    for entry_id in sorted(decisions.keys() - taken.keys()):
        reason = decisions[entry_id].reason.removeprefix(REFUSED)
        print(
            printable(f"refused by the workers: {entry_id}: {reason}"), file=sys.stderr
        )
    return len(decisions) - len(taken)
