from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Rung
from streams.policy.ladder import RUNGS
from streams.scenarios.detection.respawn import REPLACED_FROM, Respawns
from streams.scenarios.outcomes import Action

SEATS = ("a", "b", "c")


def action(account: str, rung: Rung) -> Action:
    return Action(f"account:{account}", rung, 0, 1)


def record(account: str) -> dict[str, object]:
    return {
        "account_id": account,
        "api_key_id": "k",
        "account_created_at": 1,
        "payment": "p",
        "network": "n",
        "client": "c",
    }


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(RUNGS)), max_size=30))
def test_each_seat_has_one_holder_and_every_holder_is_new(
    steps: list[tuple[int, Rung]],
) -> None:
    respawns = Respawns(1, SEATS)
    expected = 0
    for number, (seat, rung) in enumerate(steps):
        holder = respawns.dress(record(SEATS[seat]), frozenset())["account_id"]
        respawns.take([action(holder, rung)], number * 1000)
        expected += RUNGS.index(rung) >= RUNGS.index(REPLACED_FROM)
    assert len(respawns.opened) == len(set(respawns.opened)) == expected
    for account in respawns.opened:
        assert respawns.seat(account) in SEATS


def test_an_old_account_is_not_replaced_twice() -> None:
    respawns = Respawns(1, SEATS)
    respawns.take([action("a", "challenge"), action("a", "suspend")], 5)
    assert len(respawns.opened) == 1
    respawns.take([action("stranger", "suspend")], 5)
    assert len(respawns.opened) == 1


def test_what_others_share_stays_and_the_rest_is_new() -> None:
    respawns = Respawns(1, SEATS)
    respawns.take([action("a", "challenge")], 50_000_000)
    sent = respawns.dress(record("a"), frozenset({"p"}))
    assert sent["payment"] == "p"
    assert sent["client"] == "c"
    assert sent["network"] != "n"
    assert sent["account_id"] == respawns.opened[0]
    assert 50_000_000 - 6 * 3_600_000 <= sent["account_created_at"] <= 50_000_000
    assert respawns.dress(record("b"), frozenset())["account_id"] == "b"
