from __future__ import annotations

import os
from pathlib import Path

import pytest
from action_samples import NOW, action

from streams.errors import StateError
from streams.policy.control_entries import allowlist_entry
from streams.sdk.view_snapshot import read_snapshot, write_snapshot

TOPIC = "llm.actions"
ACTIONS = [action(f"account:{number}", number) for number in range(1201)]
SETTLED = {"account:x": 7}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "actions"
    write_snapshot(path, TOPIC, NOW, SETTLED, ACTIONS)
    return path


def test_what_was_written_is_read_again(path: Path) -> None:
    kept = read_snapshot(path, TOPIC)
    assert kept is not None
    assert kept.actions == ACTIONS
    assert (kept.topic, kept.saved_at, kept.settled) == (TOPIC, NOW, SETTLED)
    assert os.listdir(path.parent) == ["actions"]  # noqa: PTH208  names are compared


def test_the_allowlist_is_kept_and_a_file_without_one_has_none(path: Path) -> None:
    kept = read_snapshot(path, TOPIC)
    assert kept is not None
    assert kept.allowlist == []
    entry = allowlist_entry("account:1", author="ana", reason="r", created_at=NOW)
    write_snapshot(path, TOPIC, NOW, SETTLED, ACTIONS, allowlist=[entry])
    kept = read_snapshot(path, TOPIC)
    assert kept is not None
    assert (kept.allowlist, kept.actions) == ([entry], ACTIONS)


def test_no_file_is_no_error(tmp_path: Path) -> None:
    assert read_snapshot(tmp_path / "none", TOPIC) is None


@pytest.mark.parametrize("at", [0, 30, 5000, -1])
def test_complaint_8_a_damaged_file_is_refused_whole(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    with pytest.raises(StateError, match="another format" if at == 0 else "damaged"):
        read_snapshot(path, TOPIC)


@pytest.mark.parametrize("size", [0, 10, 40, 20_000])
def test_a_cut_file_is_refused(path: Path, size: int) -> None:
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(StateError, match="of no use"):
        read_snapshot(path, TOPIC)


def test_a_file_of_another_topic_is_refused(path: Path) -> None:
    with pytest.raises(StateError, match=r"of topic llm\.actions, not other"):
        read_snapshot(path, "other")


def test_a_folder_that_is_not_there_leaves_no_traces(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="cannot be written"):
        write_snapshot(tmp_path / "none" / "actions", TOPIC, NOW, {}, [])
    with pytest.raises(StateError, match="of no use"):
        read_snapshot(tmp_path, TOPIC)
