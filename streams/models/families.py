"""What traffic looks like, told by the markers of its prompts.

Families explain an alert and route it to the right people. They are no evidence:
an evaluation harness and a rubric campaign read the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from streams.sketch import MARKERS

__all__ = ["FAMILIES", "families_of"]


def _mask(*names: str) -> int:
    return sum(1 << MARKERS.index(name) for name in names)


FAMILIES: Final[Mapping[str, int]] = {
    "rubric": _mask("rubric_or_score_scale", "grade_or_judge"),
    "reasoning": _mask("step_by_step", "reasoning_trace_request"),
    "tools": _mask("tool_schema"),
    "coding": _mask("code_fence", "code_request"),
    "instructions": _mask("instruction_generation"),
}
"""Family to the markers of which any one suffices."""


def families_of(markers: int) -> list[str]:
    """Name the families that a prompt's marker bits belong to.

    >>> families_of(1 << MARKERS.index("step_by_step"))
    ['reasoning']
    """
    return [name for name, mask in FAMILIES.items() if markers & mask]
