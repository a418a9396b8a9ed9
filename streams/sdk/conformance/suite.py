"""Run all checks against one enforcer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from streams.errors import ConfigError
from streams.sdk.conformance.checks import ACK_CHECKS, CHECKS, Check
from streams.sdk.conformance.http_probe import HttpProbe
from streams.sdk.conformance.report import CheckResult, ConformanceReport
from streams.sdk.conformance.stand import Stand

__all__ = ["run_conformance"]

_AT_ONCE = 8  # checks wait most of their time


def run_conformance(
    bootstrap: str,
    url: str,
    *,
    account_header: str = "X-Account",
    facet_kind: str = "network",
    facet_header: str = "X-Network",
    within: float = 5.0,
    acks: bool = True,
    on_result: Callable[[CheckResult], object] = lambda _result: None,
    kafka_settings: Mapping[str, Any] | None = None,
) -> ConformanceReport:
    """Check an enforcer that answers at ``url``; lift all test actions at the end.

    The enforcer must take the account id from ``account_header`` and the id of a facet
    of ``facet_kind`` from ``facet_header``, serve other accounts with a status below
    400, and may take ``within`` seconds to obey. Without ``acks`` acknowledgements are
    not looked for. Raises `ConfigError` when nobody answers at the URL, `BusError` when
    Kafka is not there.
    """
    probe = HttpProbe(url, account_header=account_header, facet_header=facet_header)
    if not (answer := probe.ask("conformance-nobody")).status:
        raise ConfigError(
            f"nobody answers at {url} ({answer.body}); start the enforcer"
        )
    checks = CHECKS + (ACK_CHECKS if acks else ())
    stand = Stand(
        bootstrap,
        probe,
        facet_kind=facet_kind,
        within=within,
        kafka_settings=kafka_settings,
    )
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            started = [pool.submit(_run, stand, check, on_result) for check in checks]
        results = tuple(each.result() for each in started)
    finally:
        stand.clean_up()
    return ConformanceReport(
        url=url, results=results, latencies=tuple(sorted(stand.latencies))
    )


def _run(
    stand: Stand, check: Check, on_result: Callable[[CheckResult], object]
) -> CheckResult:
    began = time.monotonic()
    violation = check.violation(stand, stand.account(check.name.replace("_", "-")))
    result = CheckResult(
        name=check.name,
        rule=check.rule,
        violation=violation,
        seconds=round(time.monotonic() - began, 3),
    )
    on_result(result)
    return result
