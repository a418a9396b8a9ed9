"""``distillwatch reconcile``: is what was decided also enforced."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Final

from cyclopts import App, Parameter, validators

from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.policy.enforcement_state import EnforcementState
    from streams.sdk.reconcile_metrics import ReconcileMetrics
    from streams.sdk.reconciler import Reconciler

__all__ = ["EXIT_OVERDUE", "app"]

EXIT_OVERDUE: Final = 1
_REDRAWS: Final = 2  # a second
_JSON_EVERY: Final = 1.0  # s between two lines at least
_Flag = Annotated[bool, Parameter(negative=())]
_Positive = validators.Number(gt=0)

app = App(name="reconcile", help="Compare what is to be enforced with what is.")


@app.default
def reconcile(
    *,
    within: Annotated[float, Parameter(validator=_Positive)] = 10.0,
    enforcer: Annotated[
        tuple[str, ...], Parameter(negative=(), consume_multiple=False)
    ] = (),
    listen: str = "127.0.0.1:9401",
    once: _Flag = False,
    json: _Flag = False,
    bootstrap: str | None = None,
) -> None:
    """Follow actions and acknowledgements, and raise the alarm when they differ.

    Alerts of the kind not_enforced go to llm.alerts, one thread per enforcer. Run one
    of these per cluster; a restart repeats no alert.

    Parameters
    ----------
    within
        Seconds that an enforcer may take to apply an action, and to lift it.
    enforcer
        Name of an enforcer that has to answer; may be repeated. By default all that
        have acknowledged something in the last 24 hours.
    listen
        HOST:PORT of the Prometheus metrics, at /metrics; empty for none.
    once
        Print how all stands and end: exit code 1 if something is overdue. Publishes no
        alert and serves no metrics.
    json
        JSON instead of the table: one line, and without --once another at each change.
    bootstrap
        Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
        DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092.
    """
    from rich.console import Console

    from streams.cli.reconcile_screen import enforcement_table, state_json
    from streams.config import Config
    from streams.sdk.reconciler import Reconciler, enforcement_now

    servers = bootstrap or Config.from_mapping(os.environ).bootstrap
    if once:
        state = enforcement_now(servers, within=within, enforcers=enforcer)
        if json:
            print(state_json(state))
        else:
            Console(soft_wrap=True).print(enforcement_table(state, within))
        sys.exit(0 if state.well else EXIT_OVERDUE)
    with (
        _exporter(listen) as metrics,
        Reconciler(
            servers, within=within, enforcers=enforcer, metrics=metrics
        ) as reconciler,
    ):
        if json:
            _print_changes(reconciler)
        else:
            _show(reconciler, within)


def _print_changes(reconciler: Reconciler) -> None:
    from streams.cli.reconcile_screen import state_json

    told, due = None, 0.0
    while True:
        reconciler.round()
        state = reconciler.state
        if state is None or time.monotonic() < due:
            continue
        seen = _without_time(state)
        if seen != told:
            print(state_json(state), flush=True)
            told, due = seen, time.monotonic() + _JSON_EVERY


def _without_time(state: EnforcementState) -> EnforcementState:
    import msgspec

    return msgspec.structs.replace(state, at=0)


def _show(reconciler: Reconciler, within: float) -> None:
    """Redraw the table on a terminal, with alerts above it; elsewhere alerts only."""
    from rich.console import Console
    from rich.live import Live

    from streams.cli.reconcile_screen import alert_line, enforcement_table

    console = Console(highlight=False)
    live = Live(
        get_renderable=lambda: enforcement_table(reconciler.state, within),
        console=console,
        refresh_per_second=_REDRAWS,
    )
    with live if console.is_terminal else contextlib.nullcontext():
        while True:
            for alert in reconciler.round():
                console.print(alert_line(alert), soft_wrap=True)
                console.file.flush()


@contextlib.contextmanager
def _exporter(listen: str) -> Iterator[ReconcileMetrics | None]:
    """Serve the metrics in a thread."""
    if not listen:
        yield None
        return
    from prometheus_client import CollectorRegistry, start_http_server

    from streams.sdk.reconcile_metrics import ReconcileMetrics

    host, colon, port = listen.rpartition(":")
    if not (host and colon and port.isdecimal() and 0 < int(port) < 1 << 16):
        raise ConfigError(f"--listen {listen} is not HOST:PORT, as 127.0.0.1:9401")
    registry = CollectorRegistry()
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        raise ConfigError(
            f"--listen {listen}: {error.strerror}; name another, or none with "
            '--listen ""'
        ) from None
    try:
        yield ReconcileMetrics(registry)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
