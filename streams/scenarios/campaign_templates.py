"""The wordings of a campaign: its own, or those of public templates it hides behind."""

from __future__ import annotations

import re
from random import Random
from typing import Final

from streams.errors import ScenarioError
from streams.scenarios.scenario import Campaign
from streams.scenarios.templates import Template, templates
from streams.sketch.catalogue_builder import public_templates

__all__ = ["campaign_templates", "public_wordings"]

_PLACEHOLDER: Final = re.compile(r"\s*\{\{[^{}]*\}\}\s*")


def campaign_templates(campaign: Campaign, rng: Random) -> list[Template]:
    """Give a campaign's wordings; made-up ones are the first thing drawn from ``rng``.

    Raises `ScenarioError` when it names a public template that does not ship.
    """
    spec = campaign.templates
    if spec.public:
        return public_wordings(spec.public)
    return templates(
        campaign.shape,
        spec.count,
        spec.wrap,
        rng,
        word_drop=spec.word_drop,
        random_prefix=spec.random_prefix,
    )


def public_wordings(names: tuple[str, ...]) -> list[Template]:
    """Give what public templates put before their first placeholder and after the last.

    >>> public_wordings(("zero-shot-cot",))[0].suffix
    "A: Let's think step by step."
    """
    shipped = {each.name: each for each in public_templates()}
    unknown = sorted(set(names) - set(shipped))
    if unknown:
        raise ScenarioError(
            f"no public template is called {unknown[0]!r}; "
            f"distillwatch catalogue show lists them"
        )
    made = []
    for name in names:
        parts = _PLACEHOLDER.split(shipped[name].prompt.strip())
        end = parts[-1] if len(parts) > 1 else ""
        made.append(Template(parts[0], end, shipped[name].system or None))
    return made
