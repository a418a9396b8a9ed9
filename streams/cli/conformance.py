"""``distillwatch conformance``: does an enforcer keep the rules of llm.actions."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter, validators

from streams.errors import ConfigError

if TYPE_CHECKING:
    from streams.sdk.conformance import ConformanceReport

__all__ = ["app"]

EXIT_VIOLATED = 1
_Flag = Annotated[bool, Parameter(negative=())]
_Positive = validators.Number(gt=0)

app = App(name="conformance", help="Check an enforcer, in whatever language, by HTTP.")


@app.default
def conformance(
    *,
    url: str,
    bootstrap: str | None = None,
    account_header: str = "X-Account",
    facet: str = "network=X-Network",
    within: Annotated[float, Parameter(validator=_Positive)] = 5.0,
    acks: bool = True,
    json: _Flag = False,
) -> None:
    """Publish actions for test accounts, ask as those accounts, lift all at the end.

    Ends with exit code 1 when a rule was broken.

    Parameters
    ----------
    url
        Where the enforcer serves requests, for example http://127.0.0.1:8080/. Without
        an action it must answer GET with a status below 400.
    bootstrap
        Kafka bootstrap servers, HOST:PORT, comma-separated; by default the setting
        DISTILLWATCH_BOOTSTRAP, or 127.0.0.1:9092.
    account_header
        Request header from which the enforcer takes the account id.
    facet
        A facet's kind and the request header of its id, KIND=HEADER.
    within
        Seconds that the enforcer may take to obey.
    acks
        Whether it must acknowledge on llm.acks, too.
    json
        One JSON object instead of the table.
    """
    from streams.config import Config
    from streams.sdk.conformance import run_conformance

    kind, equals, header = facet.partition("=")
    if not (kind and equals and header):
        raise ConfigError(f"--facet {facet} is not KIND=HEADER, as network=X-Network")
    report = run_conformance(
        bootstrap or Config.from_mapping(os.environ).bootstrap,
        url,
        account_header=account_header,
        facet_kind=kind,
        facet_header=header,
        within=within,
        acks=acks,
    )
    if json:
        import msgspec

        passed = {"passed": report.passed}
        print(msgspec.json.encode(passed | msgspec.to_builtins(report)).decode())
    else:
        _print_table(report)
    if not report.passed:
        sys.exit(EXIT_VIOLATED)


def _print_table(report: ConformanceReport) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("", "rule", "seen instead", box=None, pad_edge=False)
    for result in report.results:
        mark = "[green]kept[/]" if result.passed else "[red]BROKEN[/]"
        table.add_row(mark, result.rule, result.violation)
    console = Console()
    console.print(table)
    kept = sum(result.passed for result in report.results)
    told = f"{kept} of {len(report.results)} rules kept by {report.url}"
    if waits := report.latencies:
        half = waits[len(waits) // 2]
        told += f"; decision to refusal: median {half:.2f} s, worst {waits[-1]:.2f} s"
    console.print(told, highlight=False, soft_wrap=True)
