"""What an enforcer installs: the standing actions in memory, asked at each request."""

from __future__ import annotations

import collections
import ctypes
import logging
import math
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from streams.bus.records_consumer import ReceivedRecord
from streams.contracts.records import Action
from streams.contracts.writers import WriterSchemas
from streams.errors import ContractError, StateError
from streams.sdk.acknowledger import Acknowledger
from streams.sdk.action_record import read_action_record
from streams.sdk.allowlist import Allowlist
from streams.sdk.allowlist_follower import AllowlistFollower
from streams.sdk.decision import Decision, actions_checksum
from streams.sdk.outcomes import Outcomes
from streams.sdk.standing_actions import MAX_SUBJECTS, Change, Honour, StandingActions
from streams.sdk.throttled_log import ThrottledLog
from streams.sdk.topic_follower import TopicFollower
from streams.sdk.view_snapshot import read_snapshot, write_snapshot
from streams.sdk.view_stats import ViewState, ViewStats

__all__ = ["ActionView", "OnChange"]

OnChange: TypeAlias = Callable[[Action, bool], object]
"""Told an action, and whether it is what is in force for its subject from now on."""

_TOPIC: Final = "llm.actions"
_POLL: Final = 0.1  # s between two looks at the clock, for expiries
_PAUSE: Final = 1.0  # s after a round that failed
_JOIN_TIMEOUT: Final = 10.0  # s that the thread may take to end
_SNAPSHOT_EVERY: Final = 30.0  # s between two snapshots of a state that changes
# Kafka keeps a tombstone for a day (delete.retention.ms); who was away for longer has
# missed it for good. An hour leaves room.
_RELOAD_AFTER: Final = 3600.0

_log = logging.getLogger("distillwatch.sdk")
_views: weakref.WeakSet[ActionView] = weakref.WeakSet()


class ActionView:
    """Follow ``llm.actions`` in a thread and answer `decide` from memory.

    It reads the compacted topic from its beginning, without a consumer group, then
    follows. It upserts by subject, ignores a lower sequence and repeats, stops at
    ``expires_at`` by the local clock, and lifts at a tombstone. An action in shadow, or
    one that waits for a person, is visible but never enforced. Records that cannot be
    read are counted and skipped.

    The constructor does not wait for Kafka: see `wait_ready`. When Kafka is away the
    last state and its expiries hold. With ``snapshot_path`` the state is also kept on
    disk (replaced as a whole, every 30 s while it changes, and at `close`), and a
    process that starts while Kafka is away begins with it: `state` is ``snapshot``
    until the topic was read. What the topic no longer has is lifted then.

    It also follows the allowlist entries of ``llm.control``, which beat every action:
    who is allowlisted is let through even while the workers are down or behind. Give
    the organization of an account among the facets, as ``organization``, so that its
    entries count. A topic that is missing delays nothing. ``allowlist=False`` leaves
    all that to the workers.

    ``honour`` is the enforcer's own policy: it returns None, or why an action is
    refused here. ``acknowledger`` is told what was applied, refused, expired and
    released. ``on_change`` is called in the view's thread with each action that comes
    into force or, with False, that is not or no longer in force; the last call for a
    subject holds, also during a load. It must neither wait nor raise.

    At most ``max_subjects`` are held, 1.2 kB each; what finds no room is counted and
    refused. The features of the evidence are left out, since no enforcer needs them,
    unless ``keep_evidence``. ``clock`` gives seconds since the epoch.

    Make a view after a server has forked its workers, one in each: in a child of its
    process it keeps the state and follows no more.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        topic: str = _TOPIC,
        allowlist: bool = True,
        honour: Honour | None = None,
        acknowledger: Acknowledger | None = None,
        on_change: OnChange | None = None,
        snapshot_path: str | os.PathLike[str] | None = None,
        max_subjects: int = MAX_SUBJECTS,
        keep_evidence: bool = False,
        writers: WriterSchemas | None = None,
        kafka_settings: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._keep_evidence = keep_evidence
        self._writers = writers or WriterSchemas("Action")
        self._clock = clock
        self._on_change = on_change
        self._log = ThrottledLog(_log)
        self._counts: collections.Counter[str] = collections.Counter()
        self._last_undecodable = ""
        self._outcomes = Outcomes(acknowledger, log=self._log, clock=self._now)
        self._allowlist = Allowlist()
        self._actions = StandingActions(
            max_subjects=max_subjects, honour=honour, allowlist=self._allowlist
        )
        self._state: ViewState = "loading"
        self._loading = True
        self._snapshot_path = Path(snapshot_path) if snapshot_path else None
        self._saved_at = time.monotonic()
        self._changed = False
        self._start_from_snapshot(allowlist=allowlist)
        self._actions.begin_load()
        self._follower = TopicFollower(
            bootstrap,
            topic,
            on_error=lambda detail: self._log.tell("Kafka", detail),
            kafka_settings=kafka_settings,
        )
        self._control: AllowlistFollower | None = None
        if allowlist:
            self._control = AllowlistFollower(
                bootstrap,
                self._allowlist,
                on_error=lambda detail: self._log.tell("allowlist", detail),
                on_unreadable=self._skip,
                kafka_settings=kafka_settings,
            )
        self._ready = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="distillwatch-actions", daemon=True
        )
        self._thread.start()
        _views.add(self)

    def __repr__(self) -> str:
        return f"ActionView({self._bootstrap!r}, topic={self._topic!r}, {self._state})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def state(self) -> ViewState:
        """How much is known: see `ViewState`."""
        return self._state

    @property
    def silent_for(self) -> float:
        """Seconds since the leaders of the topic were heard; infinite before."""
        return math.inf if self._state == "closed" else self._follower.silent_for

    @property
    def stats(self) -> ViewStats:
        """Counts since the view was made."""
        counts = self._counts
        return ViewStats(
            state=self._state,
            subjects=len(self._actions),
            enforced=sum(each.withheld is None for each in self._actions),
            received=counts["received"],
            tombstones=counts["tombstones"],
            allowlist=len(self._allowlist),
            undecodable=counts["undecodable"],
            last_undecodable=self._last_undecodable,
            ignored=self._actions.ignored,
            dropped=self._actions.dropped,
            failures=counts["failures"],
            silent_for=self.silent_for,
            latencies=tuple(self._outcomes.latencies.copy()),
        )

    def wait_ready(self, timeout: float | None = None) -> bool:
        """Wait until the topic was read to its end; False when the time is over."""
        return self._ready.wait(timeout)

    def get(self, subject: str) -> Action | None:
        """Give the action that stands for a subject, whatever its mode, or None."""
        return self._actions.get(subject, self._clock() * 1000)

    def decide(
        self, account_id: str | None, facets: Mapping[str, str] | None = None
    ) -> Decision:
        """Say what to do with a request: the strongest action that applies to it.

        ``facets`` maps kinds to ids, so that ``{"network": "ab12"}`` meets the subject
        ``facet:network:ab12``. Never waits and takes no lock.
        """
        return self._actions.decide(account_id, facets, self._clock)

    def actions(self) -> list[Action]:
        """List all actions that stand now."""
        now = self._clock() * 1000
        return [e.action for e in self._actions if e.action.expires_at > now]

    def checksum(self, at: int | None = None) -> str:
        """Digest what stands at a moment (ms since the epoch; None: now).

        Views that have read the same records give the same for the same moment: see
        `actions_checksum`.
        """
        moment = self._clock() * 1000 if at is None else at
        return actions_checksum(
            each.action for each in self._actions if each.action.expires_at > moment
        )

    def close(self) -> None:
        """Stop following; `decide` goes on with the last state. Again does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(_JOIN_TIMEOUT)

    def _start_from_snapshot(self, *, allowlist: bool) -> None:
        if self._snapshot_path is None:
            return
        try:
            kept = read_snapshot(self._snapshot_path, self._topic)
        except StateError as error:
            self._log.tell("snapshot", str(error))
            return
        if kept is None:
            return
        now = self._now()
        for entry in kept.allowlist if allowlist else ():
            self._allowlist.put(entry, now)
        self._actions.recall(kept.settled)
        for action in kept.actions:
            self._actions.upsert(action, now)
        self._outcomes.know(e.action for e in self._actions if e.withheld is None)
        for action in kept.actions:
            self._show([], action)
        self._state = "snapshot"

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._round()
            except Exception as error:  # noqa: BLE001  whatever comes, the state must stay current
                self._counts["failures"] += 1
                self._log.tell("view", f"{type(error).__name__}; tried again")
                self._stop.wait(_PAUSE)
        self._save(at_once=True)
        self._state = "closed"
        self._follower.close()
        if self._control is not None:
            self._control.close()

    def _round(self) -> None:
        """Read what has come, end what is over, tell what became of it."""
        follower = self._follower
        was_silent = follower.silent_for
        for record in follower.read(_POLL):
            self._outcomes.tell(self._take(record))
        expired = self._actions.expire(self._now())
        self._show(expired)
        self._changed |= bool(expired)
        self._outcomes.tell(expired)
        self._read_allowlist()
        if self._loading and follower.caught_up and self._knows_allowlist:
            self._end_load()
        heard_again = follower.silent_for < was_silent
        if follower.lost_place or (
            heard_again and _RELOAD_AFTER < was_silent < math.inf
        ):
            self._loading = True
            self._actions.begin_load()
            follower.start_over()
            if self._control is not None:
                self._control.start_over()
        self._outcomes.pay(self._actions)
        self._save()

    @property
    def _knows_allowlist(self) -> bool:
        return self._control is None or self._control.settled

    def _read_allowlist(self) -> None:
        # While there is no broker one search for a topic is slow enough.
        if self._control is None or not self._follower.is_assigned:
            return
        now = self._now()
        subjects = self._control.read(now)
        if subjects:
            self._changed = True
            changes = self._actions.judge_anew(subjects, now)
            self._show(changes)
            self._outcomes.tell(changes, measured=False)

    def _end_load(self) -> None:
        self._loading = False
        lifted = self._actions.end_load()
        self._show(lifted)
        self._outcomes.tell(lifted)
        if not self._ready.is_set():
            self._outcomes.account_for_load(self._actions)
        self._state = "live"
        self._ready.set()

    def _take(self, record: ReceivedRecord) -> list[Change]:
        self._counts["received"] += 1
        self._changed = True
        try:
            subject, action = read_action_record(
                record, self._writers, keep_evidence=self._keep_evidence
            )
        except ContractError as error:
            self._skip(record.place, f"{record.place}: {error}")
            return []
        if action is None:
            self._counts["tombstones"] += 1
            changes = self._actions.lift(subject)
        else:
            changes = self._actions.upsert(action, self._now())
        self._show(changes, action)
        return changes

    def _skip(self, place: str, why: str) -> None:
        self._counts["undecodable"] += 1
        self._last_undecodable = place
        self._log.tell("skipped", why)

    def _show(self, changes: list[Change], action: Action | None = None) -> None:
        if self._on_change is not None:
            for each, in_force in self._actions.news(changes, action):
                self._on_change(each, in_force)

    def _save(self, *, at_once: bool = False) -> None:
        path, now = self._snapshot_path, time.monotonic()
        due = at_once or now - self._saved_at >= _SNAPSHOT_EVERY
        # Half a load is less than the file that is there.
        if path is None or not due or not self._changed or not self._ready.is_set():
            return
        self._saved_at, self._changed = now, False
        try:
            write_snapshot(
                path,
                self._topic,
                self._now(),
                self._actions.settled,
                (each.action for each in self._actions),
                allowlist=self._allowlist.entries,
            )
        except StateError as error:
            self._changed = True
            self._log.tell("snapshot", str(error))

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _abandon(self) -> None:
        self._state = "closed"
        self._stop.set()
        # librdkafka would wait for its threads when it is freed: never free it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._follower))
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._control))


def _abandon_in_child() -> None:
    """After a fork: a view's thread and sockets do not exist in the child."""
    for view in list(_views):
        view._abandon()  # noqa: SLF001  same module


os.register_at_fork(after_in_child=_abandon_in_child)
