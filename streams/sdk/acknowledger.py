"""Tell ``llm.acks`` what became of actions; never wait for Kafka."""

from __future__ import annotations

import atexit
import ctypes
import logging
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, Message

from streams.contracts.records import Ack, Action, Outcome, encode_record
from streams.errors import ConfigError
from streams.sdk.event_producer import EventProducer, is_purged, producer_settings
from streams.sdk.report_ledger import ReportLedger
from streams.sdk.reporter_stats import DropReason, ReporterStats
from streams.sdk.throttled_log import ThrottledLog

__all__ = ["ACK_TYPE", "Acknowledger", "ack_latency"]

ACK_TYPE: Final = "io.distillwatch.Ack"
"""The CloudEvents type of every acknowledgement."""

_TOPIC: Final = "llm.acks"
_SOURCE: Final = "urn:distillwatch:enforcer:"
_LINGER: Final = 0.005  # s: an acknowledgement is soon wanted, and they are few
_EXPIRY: Final = 3_600_000  # ms: an outage of an hour loses none while there is room
_POLL: Final = 0.2  # s that delivery reports are waited for
_PAUSE: Final = 0.005  # s between two looks of a caller who chose to wait
_CLOSE_TIMEOUT: Final = 5.0  # s
_JOIN_TIMEOUT: Final = 5.0  # s
_MAX_DETAIL: Final = 200  # characters of the reason for a refusal
_TOO_LATE: Final = "not delivered in the time given to close()"
_FORKED: Final = (
    "this Acknowledger was made before a fork; make one in each process, after it"
)

_log = logging.getLogger("distillwatch.sdk")
_open: weakref.WeakSet[Acknowledger] = weakref.WeakSet()


def ack_latency(ack: Ack, action: Action) -> float:
    """Give the seconds from the decision, in event time, to the enforcer's answer.

    >>> from streams.contracts import Evidence
    >>> action = Action(action_id="x", subject="account:1", sequence=1, rung="label",
    ...     mode="enforce", issued_at=1_000, expires_at=9_000, campaign_id="c",
    ...     evidence=Evidence(e_value=20.0, budget_spent=0.01))
    >>> ack = Ack(ack_id="a", subject="account:1", action_id="x", sequence=1,
    ...     outcome="applied", enforcer="gateway-1", occurred_at=1_250)
    >>> ack_latency(ack, action)
    0.25
    """
    return (ack.occurred_at - action.issued_at) / 1000


class Acknowledger:
    """Publish `Ack` records, keyed by subject, as CloudEvents.

    ``enforcer`` names this process for people and for the reconciliation of desired
    with applied: unique among the enforcers, and the same after a restart (a host or
    pod name of a stateful set). At most ``max_buffered`` wait in the process; what
    finds no room is dropped and counted. An ack's id is made of the enforcer, the
    action and the outcome, so a repeat after a restart has the same id. ``schema_id``
    chooses Confluent's framing. ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        enforcer: str,
        topic: str = _TOPIC,
        max_buffered: int = 100_000,
        schema_id: int | None = None,
        kafka_settings: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not enforcer:
            raise ConfigError("enforcer is empty; name this process, as its pod")
        if max_buffered < 1:
            raise ConfigError(f"max_buffered = {max_buffered} is below 1 ack")
        self.enforcer = enforcer
        self._bootstrap = bootstrap
        self._topic = topic
        self._schema_id = schema_id
        self._clock = clock
        self._ledger = ReportLedger(max_buffered)
        self._log = ThrottledLog(_log)
        self._producer = EventProducer(
            producer_settings(
                bootstrap,
                linger=_LINGER,
                queue_limit=max_buffered,
                overrides={
                    "client.id": "distillwatch-acknowledger",
                    "message.timeout.ms": _EXPIRY,
                    **(kafka_settings or {}),
                },
            ),
            topic=topic,
            source=_SOURCE + enforcer,
            event_type=ACK_TYPE,
            on_settled=self._settle,
            on_error=lambda error: self._log.tell("Kafka", error.str()),
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name="distillwatch-acknowledger", daemon=True
        )
        self._thread.start()
        atexit.register(self.close)
        _open.add(self)

    def __repr__(self) -> str:
        state = "closed" if self._ledger.closed else "open"
        return f"Acknowledger({self._bootstrap!r}, {self.enforcer!r}, {state})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def stats(self) -> ReporterStats:
        """Counts of acknowledgements, each in exactly one of them."""
        return self._ledger.stats()

    @property
    def has_room(self) -> bool:
        """Whether the next acknowledgement would find room."""
        return self._ledger.waiting < self._ledger.limit

    def acknowledge(
        self,
        action: Action,
        outcome: Outcome,
        *,
        detail: str | None = None,
        occurred_at: int | None = None,
    ) -> bool:
        """Say what was done with an action; False when it found no room.

        Never waits for Kafka. ``occurred_at`` is in milliseconds since the epoch, by
        default now. ``detail`` is the reason for a refusal and holds no content. Raises
        `ReporterClosed` after `close`.
        """
        moment = int(self._clock() * 1000) if occurred_at is None else occurred_at
        ack = Ack(
            ack_id=self._ack_id(action, outcome),
            subject=action.subject,
            action_id=action.action_id,
            sequence=action.sequence,
            outcome=outcome,
            enforcer=self.enforcer,
            occurred_at=moment,
            detail=None if detail is None else detail[:_MAX_DETAIL],
        )
        value = encode_record(ack, schema_id=self._schema_id)
        if not self._ledger.accept():
            self._overflow()
            return False
        try:
            if self._producer.send(value, ack.subject, moment, ack.ack_id):
                return True
        except KafkaException as error:
            self._ledger.refuse()
            self._log.tell("ack failed", error.args[0].name())
            return False
        self._ledger.drop(DropReason.BUFFER_FULL)
        return False

    def flush(self, timeout: float = _CLOSE_TIMEOUT) -> int:
        """Wait at most ``timeout`` seconds; return how many are still buffered."""
        deadline = time.monotonic() + timeout
        while (left := self._ledger.waiting) and time.monotonic() < deadline:
            time.sleep(_PAUSE)
        return left

    def close(self, timeout: float = _CLOSE_TIMEOUT) -> int:
        """Flush, give up what is left and return its number; again does nothing."""
        if self._ledger.closed == _FORKED or self._stop.is_set():
            return 0
        self._ledger.close(f"{self!r} is closed: acknowledge before close()")
        left = self.flush(timeout)
        self._stop.set()
        self._thread.join(_JOIN_TIMEOUT)
        atexit.unregister(self.close)
        return left

    def _ack_id(self, action: Action, outcome: Outcome) -> str:
        parts = (self.enforcer, action.subject, action.action_id)
        identity = "\0".join((*parts, str(action.sequence), outcome))
        return blake2b(identity.encode(), digest_size=16).hexdigest()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(_POLL)
        self._producer.purge()

    def _settle(self, error: KafkaError | None, _message: Message) -> None:
        if error is None:
            self._ledger.deliver()
        elif is_purged(error):
            self._ledger.drop(DropReason.CLOSED)
            self._log.tell("ack dropped", _TOO_LATE)
        else:
            self._ledger.fail()
            self._log.tell("ack failed", f"{error.name()}, topic {self._topic}")

    def _overflow(self) -> None:
        self._ledger.overflow()
        detail = f"{self._ledger.limit} are waiting for {self._bootstrap}"
        self._log.tell("ack dropped, buffer_full", detail)


def _abandon_in_child() -> None:
    """After a fork: neither threads nor sockets of an acknowledger exist here."""
    for each in list(_open):
        each._ledger = ReportLedger(1)  # noqa: SLF001  the old lock may be held for good
        each._ledger.close(_FORKED)  # noqa: SLF001  same module
        # librdkafka would wait for its threads when it is freed: never free it.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(each._producer))  # noqa: SLF001  same


os.register_at_fork(after_in_child=_abandon_in_child)
