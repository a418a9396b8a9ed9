"""Simulated populations and campaigns, and how well a run found them.

:mod:`streams.scenarios.scenario` reads a scenario from TOML,
:mod:`streams.scenarios.simulate` turns it into events, and
:mod:`streams.scenarios.score` compares what was decided with what was true.
"""

from __future__ import annotations

__all__: list[str] = []
