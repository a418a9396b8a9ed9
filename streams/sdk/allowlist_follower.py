"""Keep an enforcer's allowlist as ``llm.control`` has it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from streams.bus.control_log import CONTROL_TOPIC, decode_entry
from streams.bus.records_consumer import ReceivedRecord
from streams.errors import ContractError
from streams.sdk.allowlist import Allowlist
from streams.sdk.topic_follower import TopicFollower

__all__ = ["AllowlistFollower"]

_GRACE: Final = 5.0  # s that actions wait for an allowlist that cannot be read
_RETRY: Final = 5.0  # s between two looks for a topic that need not be there


class AllowlistFollower:
    """Reads ``llm.control`` into an allowlist; one thread calls it.

    A topic that is not there, or may not be read, is an allowlist without entries: it
    is told to ``on_error`` and looked for again. ``on_unreadable`` is told the place of
    an entry that cannot be read and why; the entry is skipped.
    """

    def __init__(
        self,
        bootstrap: str,
        allowlist: Allowlist,
        *,
        on_error: Callable[[str], object],
        on_unreadable: Callable[[str, str], object],
        kafka_settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._allowlist = allowlist
        self._on_unreadable = on_unreadable
        self._follower = TopicFollower(
            bootstrap,
            CONTROL_TOPIC,
            on_error=on_error,
            kafka_settings=kafka_settings,
            retry=_RETRY,
        )
        self._began: float | None = None
        self._loading = True
        allowlist.begin_load()

    @property
    def settled(self) -> bool:
        """Whether there is nothing more to wait for: read, absent or unreadable."""
        if not self._loading or self._follower.absent:
            return True
        return self._began is not None and time.monotonic() - self._began > _GRACE

    def read(self, now: int) -> set[str]:
        """Take what has come by ``now`` (ms); give subjects for which it changes."""
        if self._began is None:
            self._began = time.monotonic()
        changed = set[str]()
        for record in self._follower.read(0):
            changed |= self._take(record, now)
        if self._follower.lost_place:
            self.start_over()
        elif self._loading and self._follower.caught_up:
            self._loading = False
            changed |= self._allowlist.end_load()
        return changed | self._allowlist.expire(now)

    def start_over(self) -> None:
        """Read the topic again: a withdrawal may have been missed for good."""
        self._loading = True
        self._allowlist.begin_load()
        self._follower.start_over()

    def close(self) -> None:
        """Leave the broker."""
        self._follower.close()

    def _take(self, record: ReceivedRecord, now: int) -> set[str]:
        try:
            if record.value is not None:
                return self._allowlist.put(decode_entry(record), now)
            return self._allowlist.withdraw((record.key or b"").decode())
        except ContractError as error:
            self._on_unreadable(record.place, str(error))
        except UnicodeDecodeError:
            self._on_unreadable(record.place, f"{record.place}: its key is not UTF-8")
        return set()
