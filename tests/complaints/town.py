"""The events of a small town, what the pipeline makes of them, and enforcers."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec
from memory_view import MemoryView

from streams.config import Config
from streams.contracts import (
    Action,
    Decision,
    RequestEvent,
    decode_record,
    encode_record,
    iter_datums,
    to_dict,
    write_container,
)
from streams.engine.replay import Pipeline, replay
from streams.engine.stage import Output
from streams.sdk.conformance.reference import reference_app
from streams.sdk.standing_actions import StandingActions

__all__ = [
    "HeldView",
    "actioned",
    "decisions",
    "events",
    "members",
    "move_to_now",
    "published",
    "replayed",
    "status",
]


def events(folder: Path, **changes: Any) -> list[RequestEvent]:
    """Give the town's events; ``changes`` are made to those of the campaign."""
    campaign = members(folder)
    read = [decode_record(RequestEvent, each) for each in iter_datums(folder / EVENTS)]
    return [
        msgspec.structs.replace(each, **changes)
        if each.account_id in campaign
        else each
        for each in read
    ]


def move_to_now(folder: Path, path: Path) -> None:
    """Write the town's events as if they had ended just now."""
    some = events(folder)
    shift = int(time.time() * 1000) - max(each.occurred_at for each in some)
    shift -= shift % 60_000
    write_container(
        path, "RequestEvent", (to_dict(_moved(each, shift)) for each in some)
    )


def _moved(event: RequestEvent, shift: int) -> RequestEvent:
    opened = event.account_created_at
    return msgspec.structs.replace(
        event,
        occurred_at=event.occurred_at + shift,
        account_created_at=None if opened is None else opened + shift,
    )


def members(folder: Path) -> list[str]:
    """Name the campaign's accounts, sorted."""
    with (folder / "truth.csv").open() as file:
        rows = list(csv.DictReader(file))
    return sorted(row["account_id"] for row in rows if row["campaign"])


def replayed(some: Iterable[RequestEvent], mode: str = "enforce") -> list[Output]:
    """Run events through the shipped pipeline and reference."""
    values = [encode_record(each) for each in some]
    pipeline = Pipeline(Config(mode=mode))
    outputs = list(replay(values, pipeline))
    assert not pipeline.rejected
    return outputs


def published(outputs: Iterable[Output]) -> list[tuple[str, Action | None]]:
    """Give subject and action (None: lifted) of all that was published, in order."""
    return [
        (
            (each.key or b"").decode(),
            decode_record(Action, each.value) if each.value else None,
        )
        for each in outputs
        if each.topic == "llm.actions"
    ]


def decisions(outputs: Iterable[Output], kind: str) -> list[Decision]:
    """Give the decisions of a kind."""
    found = [
        decode_record(Decision, each.value or b"")
        for each in outputs
        if each.topic == "llm.decisions"
    ]
    return [each for each in found if each.kind == kind]


def actioned(outputs: Iterable[Output]) -> set[str]:
    """Name the accounts that were ever under an action."""
    return {
        subject.removeprefix("account:")
        for subject, action in published(outputs)
        if action is not None
    }


class HeldView(MemoryView):
    """An enforcer's view of what was published, at a moment in ms."""

    def __init__(self, held: StandingActions, now: int) -> None:
        super().__init__()
        self._held, self._now = held, now

    def decide(
        self, account_id: str | None, facets: Mapping[str, str] | None = None
    ) -> Any:
        return self._held.decide(account_id, facets, lambda: self._now / 1000)


def status(view: Any, account: str) -> int:
    """Ask for something behind the shipped middleware; give the HTTP status."""
    app: Callable[..., Any] = reference_app(view)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://g") as http:
            return await http.get("/v1/messages", headers={"X-Account": account})

    return asyncio.run(ask()).status_code


EVENTS = "events.avro"
