"""The columns of a simulation while it grows: accounts, and their requests."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["NO_CAMPAIGN", "Account", "Manner", "Requests", "Traffic"]

Ints = NDArray[np.int64]
NO_CAMPAIGN = -1


class Account(NamedTuple):
    """An account; ``cohort`` and ``campaign`` are the truth, never in an event."""

    id: str
    cohort: str
    campaign: str
    created_at: int
    organization: str | None
    payment: str | None
    api_key: str | None


class Manner(NamedTuple):
    """How a program or person calls the API; the same for all of one flow.

    ``output_tokens`` is the median of a log-normal with sigma ``output_spread``;
    ``reasoning`` the median share of reasoning tokens on top of the output;
    ``cached`` the share of the input that is read from the prompt cache.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    choices: int | None = None
    seed: int | None = None
    stream: bool | None = False
    output_type: str | None = "text"
    tool_count: int = 0
    tools_hash: str | None = None
    logprobs: bool = False
    output_tokens: float = 300.0
    output_spread: float = 0.9
    reasoning: float = 0.0
    cached: float = 0.0


class Requests(NamedTuple):
    """Requests as parallel columns; indices point into the tables of `Traffic`."""

    time: Ints
    prompt: Ints
    account: Ints
    manner: Ints
    model: Ints
    network: Ints
    build: Ints
    conversation: Ints
    campaign: Ints


class Traffic:
    """Collects the accounts and requests of all cohorts and campaigns."""

    def __init__(self) -> None:
        self.accounts: list[Account] = []
        self.manners: list[Manner] = []
        self.conversations = 0
        self._parts: list[tuple[Ints | int, ...]] = []
        self._sizes: list[int] = []

    def manner(self, manner: Manner) -> int:
        """Row of a manner of calling."""
        self.manners.append(manner)
        return len(self.manners) - 1

    def account(self, account: Account) -> int:
        """Row of an account."""
        self.accounts.append(account)
        return len(self.accounts) - 1

    def add(
        self,
        account: int,
        times: Ints,
        prompts: Ints,
        *,
        manner: Ints | int,
        model: Ints,
        network: Ints | int,
        build: int,
        session: Ints | None = None,
        campaign: Ints | int = NO_CAMPAIGN,
    ) -> None:
        """Add one account's requests; ``session`` numbers its conversations from 0."""
        if not len(times):
            return
        conversation: Ints | int = -1
        if session is not None:
            conversation = session + self.conversations
            self.conversations += int(session.max()) + 1
        self._sizes.append(len(times))
        self._parts.append(
            (times, prompts, account, manner, model, network, build, conversation,
             campaign)
        )  # fmt: skip

    def requests(self) -> Requests:
        """All requests so far, in the order they were added."""
        total = sum(self._sizes)
        columns = [np.empty(total, dtype=np.int64) for _ in Requests._fields]
        position = 0
        for size, part in zip(self._sizes, self._parts, strict=True):
            for column, values in zip(columns, part, strict=True):
                column[position : position + size] = values
            position += size
        return Requests(*columns)
