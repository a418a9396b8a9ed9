"""Kafka: topics, dead letters, event headers, and the development broker."""

from __future__ import annotations
