from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from streams.cli.demo_processes import find_port, running_workers
from streams.errors import BusError


def test_a_port_is_passed_over_when_it_or_the_next_is_taken(
    free_ports: Callable[[int], list[int]],
) -> None:
    port = find_port()
    assert 20_000 <= port < 30_000
    (taken,) = free_ports(1)
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", taken))
        assert find_port(taken) not in (taken - 1, taken)
        assert find_port(taken - 1) not in (taken - 1, taken)
    assert find_port(taken) >= taken


def test_workers_that_end_are_told_with_their_last_words(tmp_path: Path) -> None:
    # Nobody listens on port 1.
    with (
        running_workers("127.0.0.1:1", 1, tmp_path / "log") as workers,
        pytest.raises(BusError, match=r"(?s)ended with 1; .*BrokerUnavailable: no"),
    ):
        workers.wait_until_ready(1)
    assert workers.cpu_seconds() == 0
