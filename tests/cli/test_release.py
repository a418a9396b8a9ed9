from __future__ import annotations

import getpass
import time
from typing import TYPE_CHECKING

import pytest

from streams.bus.control_log import read_entries

if TYPE_CHECKING:
    from conftest import Invoke


@pytest.mark.broker
def test_each_release_is_an_entry_of_its_own(topics: str, invoke: Invoke) -> None:
    at = ("--why", "talked to them", "--bootstrap", topics)
    subjects = ["account:7", "campaign:dc-1", "organization:o", "facet:network:n:1"]
    for subject in subjects:
        code, out, err = invoke("release", subject, *at)
        assert (code, err) == (0, "")
        assert out.startswith(subject)
        assert out.count("\n") == 1
        assert f"distillwatch allowlist add {subject}" in out
    time.sleep(0.002)  # the next millisecond
    invoke("release", "account:7", *at)
    entries = list(read_entries(topics).values())
    assert [each.subject for each in entries] == [*subjects, "account:7"]
    assert {each.kind for each in entries} == {"release"}
    assert {each.author for each in entries} == {getpass.getuser()}
    for each in entries:
        assert each.entry_id == f"release:{each.subject}:{each.created_at}"


@pytest.mark.broker
def test_everybody_at_once_is_not_released(topics: str, invoke: Invoke) -> None:
    code, out, err = invoke("release", "*", "--why", "x", "--bootstrap", topics)
    assert (code, out) == (1, "")
    assert "allowed are those of type account, organization, facet, campaign" in err
    assert read_entries(topics) == {}
