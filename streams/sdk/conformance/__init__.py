"""Check that an enforcer, in whatever language, keeps the rules of ``llm.actions``.

The suite publishes actions for accounts that exist nowhere else, asks the enforcer over
HTTP as those accounts, and reads its acknowledgements.
"""

from streams.sdk.conformance.report import CheckResult, ConformanceReport
from streams.sdk.conformance.suite import run_conformance

__all__ = ["CheckResult", "ConformanceReport", "run_conformance"]
