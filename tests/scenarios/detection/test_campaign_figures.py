import pytest

from streams.scenarios.detection.campaign_figures import figures
from streams.scenarios.detection.run import Run


def test_a_loud_campaign_is_found_with_its_accounts(done: Run) -> None:
    found = figures(done)
    (loud,) = found.campaigns
    assert loud.found
    assert not loud.merged
    assert loud.accounts == 14
    assert loud.accounts_used == 14 + len(
        set(done.opened) & set(done.sent["account_id"])
    )
    assert loud.hours_first_alert is not None
    assert 0 < loud.hours_first_alert < 10
    assert loud.leak_first_alert.hits == loud.events_first_alert
    assert loud.leak_first_alert.hits <= loud.leak_own_action.hits <= loud.exchanges
    assert loud.leak_own_action.hits <= loud.leak_not_covered.hits
    assert loud.leak_not_covered.hits <= loud.leak_unchallenged.hits <= loud.exchanges
    assert loud.precision.rate is not None
    assert loud.precision.rate > 0.9
    assert loud.cost_multiplier is not None
    assert loud.cost_multiplier > 1


def test_ordinary_accounts_are_counted_by_cohort(done: Run) -> None:
    found = figures(done)
    assert "campaign" not in {cohort.cohort for cohort in found.cohorts}
    assert found.account_days == done.outcome.account_days
    assert sum(c.accounts for c in found.cohorts) + found.campaigns[
        0
    ].accounts_used == pytest.approx(found.accounts)
    for rung, rate in found.wrong.items():
        assert rate.hits == sum(c.rungs.get(rung, 0) for c in found.cohorts)


def test_respawned_accounts_are_followed(done: Run) -> None:
    (loud,) = figures(done).campaigns
    assert loud.respawned_linked.trials > 0
    assert loud.respawn_requests is not None
    # A successor may be linked in the minute of its first request.
    assert 0 <= loud.respawn_requests <= 20
    assert loud.respawn_hours is not None
    assert loud.respawn_hours >= -1 / 60
