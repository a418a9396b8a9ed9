"""A campaign's thread of alerts tells all of its accounts."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.contracts.records import Alert
from streams.policy.campaign_seen import campaign_seen, named_accounts


def _alert(sequence: int, accounts: tuple[str, ...], total: int = 4) -> Alert:
    return Alert(
        alert_id=f"a{sequence}",
        campaign_id="dc-1",
        sequence=sequence,
        kind="campaign_grown" if sequence else "campaign_found",
        severity="warning",
        occurred_at=sequence * 60_000,
        started_at=0,
        summary="",
        e_value=900.0,
        account_count=total,
        exchange_count=9,
        accounts=accounts,
        model_version="2026-x",
    )


@given(st.permutations([(0, ("b", "a")), (1, ("d", "a")), (2, ()), (3, ("c",))]))
def test_a_campaign_is_seen_with_all_accounts_that_its_alerts_name(
    thread: list[tuple[int, tuple[str, ...]]],
) -> None:
    alerts = [_alert(sequence, accounts) for sequence, accounts in thread]
    assert named_accounts(alerts) == ("b", "a", "d", "c")
    seen = campaign_seen("dc-1", [], alerts, {})
    assert (seen.accounts, seen.account_count) == (("b", "a", "d", "c"), 4)
    assert campaign_seen("dc-2", [], alerts, {}).accounts == ()
