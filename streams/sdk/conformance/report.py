"""The outcome of a conformance run."""

from __future__ import annotations

import msgspec

__all__ = ["CheckResult", "ConformanceReport"]


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """One rule; ``violation`` says what was seen instead, empty when it was kept."""

    name: str
    rule: str
    violation: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the rule was kept."""
        return not self.violation


class ConformanceReport(msgspec.Struct, frozen=True, kw_only=True):
    """All rules, in the order of the suite, and how fast decisions took hold."""

    url: str
    results: tuple[CheckResult, ...]
    latencies: tuple[float, ...]
    """Seconds from the publishing of an action to the first refusal by it, sorted."""

    @property
    def passed(self) -> bool:
        """Whether all rules were kept."""
        return all(result.passed for result in self.results)
