"""From columns to RequestEvents, in time order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streams.scenarios.chance import digest
from streams.scenarios.traffic import NO_CAMPAIGN, Requests
from streams.scenarios.usage import Usage
from streams.scenarios.world import World

__all__ = ["Events"]

Ints = NDArray[np.int64]
BATCH = 5_000
PROVIDER = "example"
_OF_ACCOUNT = {
    "account_id": "id",
    "organization_id": "organization",
    "api_key_id": "api_key",
    "account_created_at": "created_at",
    "payment": "payment",
}
_OF_MANNER = {
    "request_max_tokens": "max_tokens",
    "request_temperature": "temperature",
    "request_top_p": "top_p",
    "request_choice_count": "choices",
    "request_seed": "seed",
    "request_stream": "stream",
    "output_type": "output_type",
    "tool_count": "tool_count",
    "tools_hash": "tools_hash",
    "logprobs": "logprobs",
}


class Events:
    """The finished requests of a world, sorted by time, ties by event id."""

    def __init__(self, world: World) -> None:
        self._world = world
        requests = world.traffic.requests()
        inside = np.flatnonzero((requests.time >= 0) & (requests.time < world.end))
        name = world.scenario.name
        ids = np.fromiter(
            (digest(16, "event", world.seed, name, n).hex().encode()
             for n in range(len(inside))), dtype="S32", count=len(inside),
        )  # fmt: skip
        order = np.lexsort((ids, requests.time[inside]))
        self.ids = ids[order]
        rows = inside[order]
        self.requests = Requests(*(column[rows] for column in requests))

    def __len__(self) -> int:
        return len(self.ids)

    def exchanges(self) -> Iterator[tuple[str, str, str]]:
        """Event, account and campaign of each campaign exchange, in time order."""
        world = self._world
        guilty = np.flatnonzero(self.requests.campaign != NO_CAMPAIGN)
        for position in guilty.tolist():
            account = world.traffic.accounts[int(self.requests.account[position])]
            name = world.scenario.campaign[int(self.requests.campaign[position])].name
            yield self.ids[position].decode(), account.id, name

    def active(self) -> list[int]:
        """Rows of the accounts that sent anything, in the order they were made."""
        return [int(row) for row in np.unique(self.requests.account)]

    def records(self) -> Iterator[dict[str, Any]]:
        """RequestEvents as mappings, in time order.

        Columns are drawn whole, as numbers; only a batch at a time becomes objects.
        """
        world, requests = self._world, self.requests
        sketches, prompt_tokens = world.prompts.columns()
        usage = Usage.draw(
            world.rng("events"),
            requests.manner,
            world.traffic.manners,
            prompt_tokens[requests.prompt],
        )
        known = {
            field: [getattr(row, name) for row in world.traffic.accounts]
            for field, name in _OF_ACCOUNT.items()
        }
        of_manner = {
            field: [getattr(row, name) for row in world.traffic.manners]
            for field, name in _OF_MANNER.items()
        }
        for at in range(0, len(self), BATCH):
            part = slice(at, at + BATCH)
            account = requests.account[part].tolist()
            manner = requests.manner[part].tolist()
            columns: dict[str, list[Any]] = {
                **self._columns(part, sketches),
                **{name: [of[n] for n in account] for name, of in known.items()},
                **{name: [of[n] for n in manner] for name, of in of_manner.items()},
                **usage.columns(part),
            }
            names = tuple(columns)
            for row in zip(*columns.values(), strict=True):
                yield dict(zip(names, row, strict=True))

    def _columns(self, part: slice, sketches: list[bytes]) -> dict[str, list[Any]]:
        """Give what is of the request itself, for the requests of a slice."""
        world, requests = self._world, self.requests
        model = [world.models[n] for n in requests.model[part].tolist()]
        build = [world.builds[n] for n in requests.build[part].tolist()]
        return {
            "event_id": self.ids[part].astype(str).tolist(),
            "occurred_at": (requests.time[part] + world.start).tolist(),
            "network": [world.networks[n] for n in requests.network[part].tolist()],
            "tls_ja4": [row.tls_ja4 for row in build],
            "client": [row.client for row in build],
            "operation_name": ["chat"] * len(model),
            "provider_name": [PROVIDER] * len(model),
            "request_model": model,
            "response_model": model,
            "conversation_id": [
                None if n < 0 else world.ids.make("conversation", n, size=8)
                for n in requests.conversation[part].tolist()
            ],
            "enforced_action_id": [None] * len(model),
            "sketch": [sketches[n] for n in requests.prompt[part].tolist()],
        }
