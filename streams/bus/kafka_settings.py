"""The one translation of our settings to librdkafka's."""

from __future__ import annotations

from typing import Any

from confluent_kafka.admin import AdminClient

from streams.config import Config

__all__ = ["admin_client", "client_settings", "producer_settings"]

# librdkafka writes each refused connection to stderr at level 3 (error); who uses the
# client gets them as exceptions, with the way out.
_LOG_CRITICAL = 2


def client_settings(config: Config) -> dict[str, Any]:
    """Return what every client of the broker needs."""
    return {
        "bootstrap.servers": config.bootstrap,
        "client.id": config.app_id,
        "log_level": _LOG_CRITICAL,
    }


def producer_settings(config: Config) -> dict[str, Any]:
    """Return the settings of a producer whose keys meet our state.

    ``murmur2_random`` is the partitioner of Java and of aiokafka; librdkafka's own
    default (CRC32) would split a key over two partitions when both kinds write.

    >>> producer_settings(Config())["partitioner"]
    'murmur2_random'
    """
    return {
        **client_settings(config),
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "acks": "all",
        "compression.type": "lz4",
    }


def admin_client(bootstrap: str) -> AdminClient:
    """Return an admin client that keeps quiet about refused connections."""
    return AdminClient(client_settings(Config(bootstrap=bootstrap)))
