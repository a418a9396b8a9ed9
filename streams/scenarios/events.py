"""From columns to RequestEvents, in time order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.scenarios.chance import digest
from streams.scenarios.traffic import NO_CAMPAIGN, Manner, Requests
from streams.scenarios.world import World

__all__ = ["Events"]

Ints = NDArray[np.int64]
BATCH = 5_000
PROVIDER = "example"
STATUS, STATUS_SHARE = (200, 429, 500), (0.985, 0.01, 0.005)
MOST_OUTPUT_TOKENS = 16_384
FIRST_CHUNK_SECONDS = 0.45
_NUMBERS = ("output_tokens", "output_spread", "reasoning", "cached")


class Events:
    """The finished requests of a world, sorted by time, ties by event id."""

    def __init__(self, world: World) -> None:
        self._world = world
        requests = world.traffic.requests()
        inside = (requests.time >= 0) & (requests.time < world.end)
        kept = [column[inside] for column in requests]
        ids = np.array(
            [digest(16, "event", world.seed, world.scenario.name, n).hex()
             for n in range(int(inside.sum()))], dtype="U32",
        )  # fmt: skip
        order = np.lexsort((ids, kept[0]))
        self.ids = ids[order]
        self.requests = Requests(*(column[order] for column in kept))

    def __len__(self) -> int:
        return len(self.ids)

    def exchanges(self) -> Iterator[tuple[str, str, str]]:
        """Event, account and campaign of each campaign exchange, in time order."""
        world = self._world
        guilty = np.flatnonzero(self.requests.campaign != NO_CAMPAIGN)
        for position in guilty.tolist():
            account = world.traffic.accounts[int(self.requests.account[position])]
            name = world.scenario.campaign[int(self.requests.campaign[position])].name
            yield str(self.ids[position]), account.id, name

    def active(self) -> list[int]:
        """Rows of the accounts that sent anything, in the order they were made."""
        return [int(row) for row in np.unique(self.requests.account)]

    def records(self) -> Iterator[dict[str, Any]]:
        """RequestEvents as mappings, in time order."""
        columns = self._columns()
        names = tuple(columns)
        for at in range(0, len(self), BATCH):
            rows = [column[at : at + BATCH] for column in columns.values()]
            for row in zip(*rows, strict=True):
                yield dict(zip(names, row, strict=True))

    def _columns(self) -> dict[str, list[Any]]:
        world, requests = self._world, self.requests
        sketches, prompt_tokens = world.prompts.columns()
        manners, accounts = world.traffic.manners, world.traffic.accounts
        rng = world.rng("events")
        manner = requests.manner.tolist()
        account = requests.account.tolist()
        usage = _usage(rng, requests, manners, prompt_tokens)
        conversation: list[str | None] = [
            None if n < 0 else world.ids.make("conversation", n, size=8)
            for n in requests.conversation.tolist()
        ]
        model = [world.models[n] for n in requests.model.tolist()]
        build = [world.builds[n] for n in requests.build.tolist()]

        def of_account(name: str) -> list[Any]:
            values = [getattr(row, name) for row in accounts]
            return [values[n] for n in account]

        def of_manner(name: str) -> list[Any]:
            values = [getattr(row, name) for row in manners]
            return [values[n] for n in manner]

        return {
            "event_id": self.ids.tolist(),
            "occurred_at": (requests.time + world.start).tolist(),
            "account_id": of_account("id"),
            "organization_id": of_account("organization"),
            "api_key_id": of_account("api_key"),
            "account_created_at": of_account("created_at"),
            "network": [world.networks[n] for n in requests.network.tolist()],
            "tls_ja4": [row.tls_ja4 for row in build],
            "client": [row.client for row in build],
            "payment": of_account("payment"),
            "operation_name": ["chat"] * len(self),
            "provider_name": [PROVIDER] * len(self),
            "request_model": model,
            "response_model": model,
            "conversation_id": conversation,
            "request_max_tokens": of_manner("max_tokens"),
            "request_temperature": of_manner("temperature"),
            "request_top_p": of_manner("top_p"),
            "request_choice_count": of_manner("choices"),
            "request_seed": of_manner("seed"),
            "request_stream": of_manner("stream"),
            "output_type": of_manner("output_type"),
            "tool_count": of_manner("tool_count"),
            "tools_hash": of_manner("tools_hash"),
            "logprobs": of_manner("logprobs"),
            "enforced_action_id": [None] * len(self),
            "sketch": [sketches[n] for n in requests.prompt.tolist()],
            **usage,
        }


def _usage(
    rng: np.random.Generator,
    requests: Requests,
    manners: list[Manner],
    prompt_tokens: Ints,
) -> dict[str, list[Any]]:
    """Draw token counts, status and what follows from them."""
    n = len(requests.time)
    table = np.array([[getattr(m, name) for name in _NUMBERS] for m in manners])
    median, spread, reasoning, cached = table.reshape(-1, len(_NUMBERS))[
        requests.manner
    ].T
    limit = np.array([m.max_tokens or MOST_OUTPUT_TOKENS for m in manners])
    drawn = median * rng.lognormal(0.0, 1.0, n) ** spread
    output = np.minimum(drawn.astype(np.int64) + 1, limit[requests.manner])
    thought = (output * reasoning * rng.lognormal(0.0, 0.5, n)).astype(np.int64)
    given = prompt_tokens[requests.prompt]
    read = np.where(rng.random(n) < cached, given * cached, 0).astype(np.int64)
    status = rng.choice(np.array(STATUS), n, p=STATUS_SHARE)
    good = (status == STATUS[0]).tolist()
    cut = (output == limit[requests.manner]).tolist()
    tools = [m.tool_count for m in manners]
    calls = rng.random(n) < 0.6
    first = np.round(FIRST_CHUNK_SECONDS * rng.lognormal(0.0, 0.5, n), 3).tolist()
    streamed = [bool(m.stream) for m in manners]
    manner = requests.manner.tolist()

    def reason(position: int) -> list[str]:
        if not good[position]:
            return []
        if cut[position]:
            return ["length"]
        called = tools[manner[position]] and calls[position]
        return ["tool_calls" if called else "stop"]

    def when_good(values: list[Any]) -> list[Any]:
        return [v if ok else None for v, ok in zip(values, good, strict=True)]

    return {
        "response_finish_reasons": [reason(position) for position in range(n)],
        "response_time_to_first_chunk": [
            value if ok and streamed[row] else None
            for value, ok, row in zip(first, good, manner, strict=True)
        ],
        "usage_input_tokens": when_good(given.tolist()),
        "usage_output_tokens": when_good((output + thought).tolist()),
        "usage_reasoning_output_tokens": when_good(thought.tolist()),
        "usage_cache_read_input_tokens": when_good(read.tolist()),
        "status_code": status.tolist(),
    }
