from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from control_bench import HOUR, action, now, publish

from streams.bus.control_log import append_entries, read_entries
from streams.policy.appeals import appeal_entry, read_appeal

if TYPE_CHECKING:
    from conftest import Invoke

WORDS = "We grade our own models."


@pytest.fixture
def actions(topics: str) -> str:
    publish(
        topics,
        "llm.actions",
        [action("account:a"), action("account:b"), ("account:b", None)],
    )
    return topics


@pytest.mark.broker
def test_an_appeal_is_opened_listed_and_decided_with_both_sides_kept(
    actions: str, invoke: Invoke
) -> None:
    at = ("--bootstrap", actions)
    assert invoke("appeal", "list", *at)[1] == "No appeal was opened\n"
    jo, ana = ("--author", "jo"), ("--author", "ana")
    code, out, err = invoke(
        "appeal", "open", "token-account:a", "--why", WORDS, *jo, *at
    )
    assert (code, err) == (0, "")
    assert "is open for account:a against suspend id-account:a-1: the action sta" in out
    assert out.count("\n") == 1
    code, _, err = invoke("appeal", "open", "token-account:a", "--why", "again", *at)
    assert code == 1
    assert "appeal token-account:a is open since 20" in err
    _, out, _ = invoke("appeal", "list", *at)
    assert WORDS in out
    assert "open for " in out
    assert "1 open, the oldest for " in out

    code, out, err = invoke(
        "appeal", "decide", "token-account:a", "--grant", "--why", "True.", *ana, *at
    )
    assert (code, err) == (0, "")
    assert out.startswith("appeal token-account:a of account:a is granted: what stands")
    assert "There is no undo" in out
    (row,) = json.loads(invoke("appeal", "list", "--json", *at)[1])
    assert (row["state"], row["words"], row["decision"]) == ("granted", WORDS, "True.")
    assert (row["opened_by"], row["decided_by"]) == ("jo", "ana")
    assert row["open_ms"] == row["decided_at"] - row["opened_at"] >= 0
    code, _, err = invoke("appeal", "open", "token-account:a", "--why", "again", *at)
    assert code == 1
    assert "was granted at 20" in err

    said = ("--uphold", "--why", "It was not.")
    assert invoke("appeal", "decide", "token-account:a", *said, *at)[0] == 0
    (entry,) = read_entries(actions).values()
    appeal = read_appeal(entry)
    assert (appeal.state, appeal.words, appeal.opened_by) == ("upheld", WORDS, "jo")


@pytest.mark.broker
def test_the_token_of_a_lifted_action_is_still_known(
    actions: str, invoke: Invoke
) -> None:
    at = ("--why", WORDS, "--bootstrap", actions)
    code, out, _ = invoke("appeal", "open", "token-account:b", *at)
    assert code == 0
    assert "open for account:b" in out


@pytest.mark.broker
def test_what_cannot_be_done_is_told_and_writes_nothing(
    actions: str, invoke: Invoke
) -> None:
    at = ("--why", "x", "--bootstrap", actions)
    for token in ("unknown", "token-account", "account:a"):
        code, out, err = invoke("appeal", "open", token, *at)
        assert (code, out) == (1, "")
        assert f"no action on llm.actions carries the token {token};" in err
    code, _, err = invoke("appeal", "decide", "token-account:a", "--grant", *at)
    assert code == 1
    assert "no appeal token-account:a was opened" in err
    for both in ((), ("--grant", "--uphold")):
        code, _, err = invoke("appeal", "decide", "token-account:a", *both, *at)
        assert code == 1
        assert "decide either --uphold or --grant" in err
    assert read_entries(actions) == {}


@pytest.mark.broker
def test_the_list_tells_ages_and_how_long_decisions_took(
    topics: str, invoke: Invoke
) -> None:
    def opened(token: str, hours: int, *, decide: bool = False) -> None:
        first = appeal_entry(
            token,
            "account:1",
            "open",
            author="jo",
            reason=WORDS,
            created_at=now() - hours * HOUR,
        )
        append_entries(topics, [first])
        if decide:
            decided = appeal_entry(
                token,
                "account:1",
                "upheld",
                author="ana",
                reason="no",
                created_at=first.created_at + 2 * HOUR,
                earlier=first,
            )
            append_entries(topics, [decided])

    opened("t1", 50, decide=True)
    opened("t2", 75)
    _, out, _ = invoke("appeal", "list", "--bootstrap", topics)
    assert out.index("open for 3 d 3 h") < out.index("upheld after 2 h by ana")
    assert out.splitlines()[-1] == (
        "1 open, the oldest for 3 d 3 h; "
        "1 decided, in 2 h at the median and 2 h at most"
    )
