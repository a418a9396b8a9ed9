"""The test stand: publishes actions for accounts of its own, watches the enforcer."""

from __future__ import annotations

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import Producer

from streams.bus.cloudevents import headers
from streams.bus.kafka_settings import producer_settings
from streams.config import Config
from streams.contracts.records import Action, Evidence, Feature, Outcome, encode_record
from streams.engine.murmur2 import partition_of
from streams.errors import BusError
from streams.sdk.conformance.ack_index import AckIndex
from streams.sdk.conformance.http_probe import Answer, HttpProbe

__all__ = ["CAMPAIGN", "FEATURE", "REASON", "SECRET_E_VALUE", "Stand"]

REASON: Final = "CONFORMANCE_TEST"
CAMPAIGN: Final = "conformance-campaign"
FEATURE: Final = "conformance.internal_feature"
SECRET_E_VALUE: Final = 987654321.25
"""Internals of the detector that no refusal may show."""

_TOPIC: Final = "llm.actions"
_LIFE: Final = 600.0  # s: what a broken run leaves behind ends by itself
_LOOK: Final = 0.01  # s between two requests while something is waited for
_FLUSH: Final = 20.0  # s


class Stand:
    """What the checks use. Subjects begin with ``conformance-`` and a random run id.

    ``within`` is the seconds an enforcer may take to obey.
    """

    def __init__(
        self,
        bootstrap: str,
        probe: HttpProbe,
        *,
        facet_kind: str,
        within: float,
        kafka_settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.probe = probe
        self.within = within
        self.facet_kind = facet_kind
        self.latencies: list[float] = []
        self.acks = AckIndex(bootstrap, kafka_settings)
        self._run = secrets.token_hex(4)
        self._used: dict[str, None] = {}
        self._lock = threading.Lock()
        settings = producer_settings(Config(bootstrap=bootstrap))
        self._producer = Producer({**settings, **(kafka_settings or {})})
        listed = self._producer.list_topics(_TOPIC, within).topics[_TOPIC]
        self._partitions = len(listed.partitions)
        self._numbers = itertools.count()

    def account(self, name: str) -> str:
        """Name a test account."""
        return f"conformance-{self._run}-{name}"

    def issue(
        self, subject: str, sequence: int = 1, *, life: float = _LIFE, **changes: Any
    ) -> Action:
        """Publish an action, by default an enforced suspension; life in seconds."""
        now = time.time()
        fields: dict[str, Any] = {
            "action_id": f"{subject}/{sequence}/{next(self._numbers)}",
            "subject": subject,
            "sequence": sequence,
            "rung": "suspend",
            "mode": "enforce",
            "issued_at": int(now * 1000),
            "expires_at": int((now + life) * 1000),
            "campaign_id": CAMPAIGN,
            "reason_codes": (REASON,),
            "evidence": Evidence(
                features=(
                    Feature(name=FEATURE, value=1.0, benign_quantile=1.0, weight=1.0),
                ),
                e_value=SECRET_E_VALUE,
                budget_spent=0.0,
            ),
            "appeal_token": "conformance-appeal",
        }
        action = Action(**fields | changes)
        self.publish(subject, encode_record(action), action.action_id)
        return action

    def lift(self, subject: str) -> None:
        """Publish a tombstone."""
        self.publish(subject, None, f"{subject}/lift")

    def publish(self, subject: str, value: bytes | None, event_id: str) -> None:
        """Send a record and wait until Kafka has it."""
        with self._lock:
            self._used[subject] = None
        self._producer.produce(
            _TOPIC,
            value,
            subject,
            headers=[
                *headers(
                    event_id,
                    "io.distillwatch.Action",
                    "urn:distillwatch:conformance",
                    int(time.time() * 1000),
                )
            ],
        )
        if self._producer.flush(_FLUSH):
            raise BusError(f"Kafka did not take a record for {_TOPIC}; look at its log")

    def ask(self, account: str, facet: str | None = None) -> Answer:
        """Make one request as an account."""
        return self.probe.ask(account, facet)

    def soon(
        self, condition: Callable[[], object], within: float | None = None
    ) -> bool:
        """Wait until a condition holds; False when the enforcer's time is over."""
        deadline = time.monotonic() + (self.within if within is None else within)
        while not condition():
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK)
        return True

    def acknowledged(
        self, action: Action, outcome: Outcome, *, within: float | None = None
    ) -> bool:
        """Wait for an acknowledgement."""
        wanted = action.action_id
        return self.soon(lambda: self.acks.find(wanted, outcome), within)

    def refused_soon(
        self, account: str, facet: str | None = None, *, within: float | None = None
    ) -> bool:
        """Wait for a refusal just asked for, and note how long it took."""
        began = time.monotonic()
        wait = self.within if within is None else min(within, self.within)
        refused = self.soon(lambda: self.ask(account, facet).refused, wait)
        if refused:
            self.latencies.append(time.monotonic() - began)
        return refused

    def served_soon(self, account: str, facet: str | None = None) -> bool:
        """Wait until requests pass."""
        return self.soon(lambda: self.ask(account, facet).served)

    def settled(self, subject: str) -> bool:
        """Wait until the enforcer has read what was published for a subject so far.

        A suspension of another account follows in the same partition: what is in force
        there was read after all that lies before it.
        """
        partition = partition_of(subject, self._partitions)
        account = next(
            name
            for number in self._numbers
            if partition_of(
                f"account:{(name := self.account(f'marker-{number}'))}",
                self._partitions,
            )
            == partition
        )
        self.issue(f"account:{account}")
        return self.refused_soon(account)

    def clean_up(self) -> None:
        """Lift every subject of the run, and close what is open."""
        for subject in list(self._used):
            self._producer.produce(_TOPIC, None, subject)
        self._producer.flush(_FLUSH)
        self.acks.close()
