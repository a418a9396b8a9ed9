"""Follow actions and acknowledgements on Kafka, and say what is not enforced."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Self

from confluent_kafka import KafkaError, KafkaException, Message

from streams.bus.records_consumer import ReceivedRecord, RecordsConsumer
from streams.contracts.records import Ack, Alert, decode_record, encode_record
from streams.contracts.topics import load_topics
from streams.errors import ContractError
from streams.policy.enforcement_alerts import ALERT_THREAD, next_alerts
from streams.policy.enforcement_state import EnforcementState
from streams.policy.reconciliation import Reconciliation
from streams.sdk.action_record import read_action_record
from streams.sdk.event_producer import EventProducer, producer_settings
from streams.sdk.reconcile_metrics import ReconcileMetrics
from streams.sdk.throttled_log import ThrottledLog
from streams.sdk.topic_follower import TopicFollower

__all__ = ["Reconciler", "enforcement_now"]

_ACTIONS: Final = "llm.actions"
_ACKS: Final = "llm.acks"
_ALERTS: Final = "llm.alerts"
_ALERT_TYPE: Final = "io.distillwatch.Alert"
_SOURCE: Final = "urn:distillwatch:reconcile"
_NAME: Final = {"client.id": "distillwatch-reconcile"}
_POLL: Final = 0.1  # s that a topic is waited for
_FULL: Final = 1000  # records of a read after which there may be more at once
_JUDGE_EVERY: Final = 0.5  # s
_JUDGE_SHARE: Final = 5  # reading gets at least so many times the time of judging
_LINGER: Final = 0.005  # s: alerts are few and wanted soon
_MAX_ALERTS: Final = 10_000  # in flight
# Leaders are heard at least every 1.5 s (see TopicFollower).
_LOST: Final = 5.0  # s without hearing one of them that mean lost contact
_SETTLE: Final = 3.0  # s after it is back for the records of the meantime to come
_CLOSE_TIMEOUT: Final = 5.0  # s
_SECOND: Final = 1000  # ms

_log = logging.getLogger("distillwatch.reconcile")


def enforcement_now(
    bootstrap: str,
    *,
    within: float,
    enforcers: Sequence[str] = (),
    kafka_settings: Mapping[str, Any] | None = None,
    clock: Callable[[], float] = time.time,
) -> EnforcementState:
    """Read both topics to their end and tell how all stands.

    ``within`` is in seconds, ``clock`` gives seconds since the epoch. Raises
    `BrokerUnavailable` and `TopicMismatch`.
    """
    feed = _Feed(within, enforcers, None)
    began = int(clock() * _SECOND)
    with RecordsConsumer(
        bootstrap, [_ACTIONS, _ACKS], from_beginning=True, kafka_settings=kafka_settings
    ) as consumer:
        for record in consumer.records_to_end():
            feed.take(record)
    # What has come meanwhile may be answered where the end was seen before.
    feed.reconciliation.advance(began)
    feed.reconciliation.take_measurements()
    return feed.reconciliation.state()


class _Feed:
    """Hands the records of both topics to a reconciliation."""

    def __init__(
        self, within: float, enforcers: Sequence[str], metrics: ReconcileMetrics | None
    ) -> None:
        self._metrics = metrics
        self._log = ThrottledLog(_log)
        kept = load_topics()[_ACKS].retention_ms
        more = {} if kept is None else {"acks_kept": kept}
        self.reconciliation = Reconciliation(within=within, enforcers=enforcers, **more)

    def take(self, record: ReceivedRecord) -> None:
        try:
            if record.topic == _ACTIONS:
                news = read_action_record(record)
                self.reconciliation.take_action(*news, record.timestamp)
            else:
                ack = decode_record(Ack, record.value or b"")
                self.reconciliation.take_ack(ack)
        except ContractError as error:
            self._log.tell(record.topic, f"{record.place}: {error}")
            if self._metrics is not None:
                self._metrics.count_unreadable(record.topic)


class Reconciler:
    """Compare ``llm.actions`` with ``llm.acks``, and publish what is overdue.

    One thread calls `round` in a loop. The constructor reads the last alerts back, so a
    restart repeats none; it raises `BrokerUnavailable` and `TopicMismatch`. Afterwards
    a broker that goes away is waited for, and nothing is judged meanwhile: the state is
    that of the last moment up to which both topics were read.

    ``within`` is in seconds, ``clock`` gives seconds since the epoch.
    """

    def __init__(
        self,
        bootstrap: str,
        *,
        within: float,
        enforcers: Sequence[str] = (),
        metrics: ReconcileMetrics | None = None,
        kafka_settings: Mapping[str, Any] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._within = within
        self._enforcers = enforcers
        self._metrics = metrics
        self._clock = clock
        self._log = ThrottledLog(_log)
        self._last = _last_alerts(bootstrap, kafka_settings)
        self._sent: dict[str, Alert] = {}
        self._published: list[Alert] = []
        self._producer = EventProducer(
            producer_settings(
                bootstrap,
                linger=_LINGER,
                queue_limit=_MAX_ALERTS,
                overrides={**_NAME, **(kafka_settings or {})},
            ),
            topic=_ALERTS,
            source=_SOURCE,
            event_type=_ALERT_TYPE,
            on_settled=self._settle,
            on_error=lambda error: self._log.tell("Kafka", error.str()),
        )
        self._actions, self._acks = (
            TopicFollower(
                bootstrap,
                topic,
                on_error=lambda detail: self._log.tell("Kafka", detail),
                kafka_settings={**_NAME, **(kafka_settings or {})},
            )
            for topic in (_ACTIONS, _ACKS)
        )
        self._start_over()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @property
    def state(self) -> EnforcementState | None:
        """What was judged last; None until both topics were read to their end."""
        return self._state

    def round(self) -> list[Alert]:
        """Read what has come and judge it; give the alerts that are now with Kafka."""
        began = self._clock()
        full = self._read(self._actions)
        if self._actions.caught_up:
            full |= self._read(self._acks)
        self._producer.poll(0)
        if self._actions.lost_place or self._acks.lost_place:
            self._actions.start_over()
            self._acks.start_over()
            self._start_over()
        elif self._acks.caught_up and not full:
            self._move_to(began)
        published, self._published = self._published, []
        return published

    def close(self) -> None:
        """Leave the broker; alerts on their way get 5 s."""
        deadline = time.monotonic() + _CLOSE_TIMEOUT
        while self._sent and time.monotonic() < deadline:
            self._producer.poll(_POLL)
        self._producer.purge()
        self._actions.close()
        self._acks.close()

    def _start_over(self) -> None:
        self._feed = _Feed(self._within, self._enforcers, self._metrics)
        self._state: EnforcementState | None = None
        self._heard = -1.0
        self._hold_until = -1.0
        self._judge_from = 0.0

    def _read(self, follower: TopicFollower) -> bool:
        records = follower.read(_POLL)
        for record in records:
            self._feed.take(record)
        return len(records) >= _FULL

    def _move_to(self, began: float) -> None:
        """Judge as of the last moment at which both topics were heard."""
        silence = max(self._actions.silent_for, self._acks.silent_for)
        heard = max(self._heard, began - silence)
        if self._state is not None and heard - self._heard > _LOST:
            self._hold_until = began + _SETTLE
        self._heard = heard
        if began < self._hold_until or heard < self._judge_from:
            return
        begin = time.monotonic()
        reconciliation = self._feed.reconciliation
        reconciliation.advance(int(heard * _SECOND))
        latencies, refused = reconciliation.take_measurements()
        first, self._state = self._state is None, reconciliation.state()
        if self._metrics is not None:
            self._metrics.show(self._state)
            if not first:  # the past was counted when it happened
                self._metrics.count(latencies, refused)
        told = {**self._last, **self._sent}
        for alert in next_alerts(self._state, told, within=self._within):
            self._send(alert)
        took = time.monotonic() - begin
        self._judge_from = heard + max(_JUDGE_EVERY, _JUDGE_SHARE * took)

    def _send(self, alert: Alert) -> None:
        thread = alert.campaign_id
        self._sent[thread] = alert
        value = encode_record(alert)
        try:
            if self._producer.send(value, thread, alert.occurred_at, alert.alert_id):
                return
        except KafkaException as error:
            self._log.tell("alert", error.args[0].name())
        del self._sent[thread]  # it is told in a later round

    def _settle(self, error: KafkaError | None, message: Message) -> None:
        thread = (message.key() or b"").decode()
        alert = self._sent.pop(thread, None)
        if error is not None:
            self._log.tell("alert", error.str())
        elif alert is not None:
            self._last[thread] = alert
            self._published.append(alert)


def _last_alerts(
    bootstrap: str, kafka_settings: Mapping[str, Any] | None
) -> dict[str, Alert]:
    """Read the newest alert of each of our threads back."""
    found: dict[str, Alert] = {}
    with RecordsConsumer(
        bootstrap,
        [_ALERTS],
        from_beginning=True,
        kafka_settings=kafka_settings,
    ) as consumer:
        for record in consumer.records_to_end():
            thread = (record.key or b"").decode("utf-8", "replace")
            if thread.partition(":")[0] != ALERT_THREAD or record.value is None:
                continue
            try:
                alert = decode_record(Alert, record.value)
            except ContractError:
                continue
            if thread not in found or alert.sequence > found[thread].sequence:
                found[thread] = alert
    return found
