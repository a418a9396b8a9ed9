from __future__ import annotations

import io

from rich.console import Console

from streams.cli.progress import show_progress


def test_in_a_log_each_step_is_one_line_and_its_details_do_not_flood() -> None:
    output = io.StringIO()
    with show_progress(Console(file=output)) as show:
        show("Downloading", "")
        for number in range(1000):
            show("Downloading", f"{number} jars")
        show("Starting Kafka", "")
    lines = output.getvalue().splitlines()
    assert lines[0] == "Downloading"
    assert lines[-1] == "Starting Kafka"
    assert len(lines) < 10


def test_on_a_terminal_the_latest_detail_is_shown() -> None:
    output = io.StringIO()
    with show_progress(Console(file=output, force_terminal=True)) as show:
        show("Downloading", "[47 jars]")
    assert "47 jars" in output.getvalue()
