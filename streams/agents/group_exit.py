"""Tells a consumer group that a member has died, so that nobody waits for it.

The broker holds a dead member's partitions back until its session has ended. Who sees
the process end, its supervisor, knows at once, and may speak for it: any client with
its member id may. Where a whole machine goes, the session timeout remains.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import threading
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.group import LeaveGroupRequest

from streams.config import Config

__all__ = ["leave_for", "leave_for_later", "member_name"]

_log = logging.getLogger(__name__)

_TIMEOUT: Final = 5.0  # s; the session is not much longer


def member_name(index: int, pid: int | None = None) -> str:
    """Give the client id by which a worker's process is known to the broker.

    >>> member_name(1, 77).endswith("-1-77")
    True
    """
    host = "".join(c if c.isalnum() else "-" for c in socket.gethostname())
    return f"distillwatch-{host}-{index}-{os.getpid() if pid is None else pid}"


def leave_for(config: Config, name: str) -> int:
    """Leave the group for the dead process of that name; give how often it did.

    Raises what aiokafka raises, or `TimeoutError` after 5 s.
    """

    async def leave() -> int:
        async with asyncio.timeout(_TIMEOUT):
            return await _leave(config, name)

    return asyncio.run(leave())


def leave_for_later(config: Config, name: str) -> None:
    """Do as `leave_for` in a thread; a failure is logged: the session ends anyhow."""

    def leave() -> None:
        try:
            leave_for(config, name)
        except Exception as error:  # noqa: BLE001 - the session's end does it, later
            _log.warning("cannot tell the group that %s has died: %r", name, error)

    threading.Thread(target=leave, name="leave-for", daemon=True).start()


async def _leave(config: Config, name: str) -> int:
    admin = AIOKafkaAdminClient(bootstrap_servers=config.bootstrap)
    await admin.start()
    try:
        node = await admin.find_coordinator(config.app_id)
        members = await _members(admin, config.app_id, name)
        left = 0
        for member_id in members:
            # aiokafka has no call for this; to others it is "remove members".
            request = LeaveGroupRequest(config.app_id, member_id)
            answer: Any = await admin._send_request(request, node)
            left += answer.error_code == 0  # else its session was faster to end
        return left
    finally:
        await admin.close()


async def _members(admin: Any, group: str, name: str) -> list[str]:
    """Give the ids of the members with that client id."""
    found = []
    for answer in await admin.describe_consumer_groups([group]):
        for _error, _group, _state, _type, _protocol, members, *_ in answer.groups:
            for member_id, *rest in members:
                if name in rest[:2]:  # behind an instance id in newer versions
                    found.append(member_id)
    return found
