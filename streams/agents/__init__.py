"""The Faust shell: it moves chunks into stages, and their results out to Kafka."""

from __future__ import annotations
