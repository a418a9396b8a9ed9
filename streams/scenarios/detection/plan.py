"""How large each part of the detection benchmark is.

`QUICK` shows that everything runs and gives rough figures; `FULL` is what claims are
made from.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from streams.scenarios.detection.ablation import AblationPlan
from streams.scenarios.detection.windows import WindowPlan

__all__ = ["FULL", "PARTS", "QUICK", "Plan"]

PARTS: Final = (
    *("population", "negatives", "adaptive", "windows", "budget", "ablation"),
)
"""The parts, in the order in which they run."""


class Plan(NamedTuple):
    """Sizes of all parts; hours are simulated ones."""

    accounts: int
    hours: float
    peer_accounts: int
    hard_scale: float
    hard_ordinary: int
    hard_hours: float
    adaptive_ordinary: int
    adaptive_hours: float
    prompts: int
    windows: WindowPlan
    populations: int
    benign_ordinary: int
    benign_hours: float = 24.0
    benign_prompts: int = 1000
    ablation: AblationPlan = AblationPlan()


QUICK: Final = Plan(
    accounts=3000,
    hours=24.0,
    peer_accounts=600,
    hard_scale=0.3,
    hard_ordinary=80,
    hard_hours=24.0,
    adaptive_ordinary=80,
    adaptive_hours=24.0,
    prompts=200,
    windows=WindowPlan(
        shares=(0.05, 0.25, 1.0),
        windows=(100, 500),
        calibration=350,
        benign=120,
        attacks=4,
        reference=1500,
        folds=2,
        fitting=150,
        history=800,
    ),
    populations=20,
    benign_ordinary=60,
    benign_prompts=400,
    ablation=AblationPlan(campaigns=4, benign=4, one_in=50),
)
FULL: Final = Plan(
    accounts=200_000,
    hours=72.0,
    peer_accounts=20_000,
    hard_scale=1.0,
    hard_ordinary=500,
    hard_hours=48.0,
    adaptive_ordinary=500,
    adaptive_hours=48.0,
    prompts=400,
    windows=WindowPlan(),
    populations=1000,
    benign_ordinary=100,
)
