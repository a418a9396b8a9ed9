"""How each kind of ordinary client calls the API: parameters, tools, output lengths."""

from __future__ import annotations

import numpy as np

from streams.scenarios.facets import Ids
from streams.scenarios.scenario import Behaviour
from streams.scenarios.texts import Kit
from streams.scenarios.traffic import Manner

__all__ = ["PERSON", "manner_of"]

PERSON = Manner(stream=True, output_tokens=320.0)
"""A person in a browser: defaults of the service, streamed."""


def manner_of(
    behaviour: Behaviour, kit: Kit | None, ids: Ids, rng: np.random.Generator
) -> Manner:
    """Draw the parameters of one program, or of the client these people use."""
    if behaviour in {"interactive", "classroom"}:
        return PERSON._replace(reasoning=float(rng.choice((0.0, 0.4))))
    if behaviour == "app":
        return Manner(
            temperature=float(rng.choice((0.3, 0.7, 1.0))),
            max_tokens=int(rng.choice((512, 800, 1024))),
            stream=bool(rng.random() < 0.7),
            output_tokens=180.0,
            cached=0.3,
        )
    if behaviour == "harness":
        return Manner(
            temperature=0.0,
            top_p=1.0,
            max_tokens=int(rng.choice((256, 1024, 2048))),
            seed=int(rng.choice((0, 42, 1234))),
            logprobs=bool(rng.random() < 0.3),
            output_tokens=120.0,
            cached=0.6,
        )
    if behaviour == "agentic":
        tools = kit.tools if kit else None
        return Manner(
            temperature=float(rng.choice((0.0, 0.2, 1.0))),
            max_tokens=8192,
            stream=bool(rng.random() < 0.5),
            tool_count=kit.tool_count if kit else 0,
            tools_hash=ids.make("tools", tools, size=8) if tools else None,
            output_tokens=220.0,
            output_spread=1.1,
            reasoning=0.5,
            cached=0.8,
        )
    return Manner(
        temperature=float(rng.choice((0.0, 0.0, 0.2, 0.7))),
        max_tokens=int(rng.choice((64, 256, 512, 1024))),
        output_type=str(rng.choice(("text", "json"))),
        choices=int(rng.choice((1, 1, 1, 2))),
        output_tokens=float(rng.choice((12, 60, 150, 400))),
        output_spread=0.7,
        cached=0.2,
    )
