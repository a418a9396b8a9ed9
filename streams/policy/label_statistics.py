"""How right actions were, as far as people have said: labels by the rung reached.

Labels are no random sample: people look at what is complained of. So the precision is
that of the labelled accounts, and says of the others only what the labels are worth.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from streams.contracts.records import ControlEntry, Decision
from streams.models.exact_tests import rate_interval
from streams.policy.ladder import RUNGS

__all__ = [
    "ACCOUNTS",
    "NO_RUNG",
    "RUNG",
    "TEACHES",
    "LabelStatistics",
    "RungLabels",
    "label_statistics",
]

ACCOUNTS: Final = "label.accounts"
TEACHES: Final = "label.teaches"
RUNG: Final = "label.rung."
NO_RUNG: Final = "none"
"""Names of features in the ``applied`` decision of a label: how many accounts it speaks
for, of how many enough is known to learn from, and how many stood on each rung, or on
none."""


class RungLabels(msgspec.Struct, frozen=True):
    """Labelled accounts that had reached a rung; ``interval`` holds the precision.

    ``precision`` is the share of distillation, None without labels; the interval is
    Clopper and Pearson's of 95 %.
    """

    rung: str
    distillation: int
    benign: int
    precision: float | None
    interval: tuple[float, float]


class LabelStatistics(msgspec.Struct, frozen=True):
    """Labels in force: how many, by whom, and how right the actions were.

    ``waiting`` labels were not applied yet. ``teaching`` counts accounts of which
    enough is known. ``rungs`` has those that labelled accounts stood on, and ``felt``
    all from throttle on, which a customer notices.
    """

    labels: int
    waiting: int
    accounts: int
    teaching: int
    authors: dict[str, dict[str, int]]
    rungs: tuple[RungLabels, ...]
    felt: RungLabels


def label_statistics(
    entries: Mapping[str, ControlEntry], applied: Iterable[Decision]
) -> LabelStatistics:
    """Count the labels in force, by what the workers said of them, oldest first."""
    labels = {key: one for key, one in entries.items() if one.kind == "label"}
    told: dict[str, Decision] = {}
    for decision in applied:
        entry = labels.get(decision.entry_id or "")
        if entry is not None and decision.author == entry.author and decision.features:
            told[entry.entry_id] = decision
    authors: defaultdict[str, Counter[str]] = defaultdict(Counter)
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    totals: Counter[str] = Counter()
    for key, entry in labels.items():
        authors[entry.author][entry.value] += 1
        for feature in told[key].features if key in told else ():
            if feature.name.startswith(RUNG):
                rung = feature.name.removeprefix(RUNG)
                counts[rung][entry.value] += int(feature.value)
            else:
                totals[feature.name] += int(feature.value)
    reached = [name for name in (NO_RUNG, *RUNGS) if name in counts]
    felt: Counter[str] = Counter()
    for name in RUNGS[RUNGS.index("throttle") :]:
        felt.update(counts[name])
    return LabelStatistics(
        labels=len(labels),
        waiting=len(labels) - len(told),
        accounts=totals[ACCOUNTS],
        teaching=totals[TEACHES],
        authors={name: dict(authors[name]) for name in sorted(authors)},
        rungs=tuple(_rung(name, counts[name]) for name in reached),
        felt=_rung("throttle or above", felt),
    )


def _rung(name: str, counts: Counter[str]) -> RungLabels:
    distillation, benign = counts["distillation"], counts["benign"]
    total = distillation + benign
    return RungLabels(
        name,
        distillation,
        benign,
        round(distillation / total, 6) if total else None,
        rate_interval(distillation, total),
    )
