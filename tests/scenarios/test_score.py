from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.errors import ScenarioError
from streams.policy.ladder import RUNGS
from streams.scenarios.outcomes import Action, Alert, Outcome
from streams.scenarios.score import Score, score

HOUR = 3_600_000
MEMBERS = [f"bad{n}" for n in range(8)]
PEOPLE = [f"good{n}" for n in range(20)]


def action(account: str, rung: str, hour: float, **more: Any) -> Action:
    return Action(
        subject=f"account:{account}",
        rung=rung,  # type: ignore[arg-type]  # one of RUNGS
        issued_at=int(hour * HOUR),
        expires_at=int(more.pop("until", 1000) * HOUR),
        campaign_id=more.pop("campaign", "c1"),
    )


def alert(hour: float, *accounts: str, campaign: str = "c1") -> Alert:
    return Alert(campaign, "campaign_found", int(hour * HOUR), accounts)


def outcome(actions: list[Action], alerts: list[Alert], name: str = "k") -> Outcome:
    """Let eight accounts send ten exchanges each, one an hour, from hour 0 to 9."""
    truth = [(a, "campaign", name) for a in MEMBERS]
    truth += [(a, "people", "") for a in PEOPLE]
    times = [(a, name, h * HOUR) for h in range(10) for a in MEMBERS]
    return Outcome(
        truth=pl.DataFrame(truth, ("account_id", "cohort", "campaign"), orient="row"),
        exchanges=pl.DataFrame(times, ("account_id", "campaign", "time"), orient="row"),
        events=500,
        account_days=40,
        actions=actions,
        alerts=alerts,
    )


def test_a_run_that_did_nothing_found_nothing_and_wronged_nobody() -> None:
    result = score(outcome([], []))
    (campaign,) = result.campaigns
    assert not campaign.found
    assert campaign.delay_hours is None
    assert campaign.share_before_alert == campaign.share_before_own_action == 1.0
    assert (result.precision, result.recall) == (None, 0.0)
    assert result.wrong_per_million_account_days == 0


def test_delays_and_shares_are_counted_from_the_first_exchange() -> None:
    actions = [
        action("bad0", "observe", 1),
        action("bad0", "label", 3),
        action("bad1", "throttle", 5),
        action("bad1", "suspend", 6),
        action("bad2", "suspend", 7, until=8),
    ]
    result = score(outcome(actions, [alert(4, *MEMBERS[:4]), alert(2, "bad0")]))
    (campaign,) = result.campaigns
    assert campaign.found_as == ("c1",)
    assert (campaign.delay_hours, campaign.delay_exchanges) == (2.0, 16)
    assert campaign.share_before_alert == 0.2
    assert campaign.share_before_action == 0.3
    assert campaign.share_before_effective == 0.5
    # bad1 from hour 5, bad2 from hour 7: 5 + 7 + 6 * 10 of 80 came before.
    assert campaign.share_before_own_action == 72 / 80
    # bad2 was let go again at hour 8.
    assert campaign.share_not_covered == 74 / 80
    assert (campaign.accounts_actioned, campaign.accounts_effective) == (3, 2)
    assert (result.right_accounts, result.recall) == (3, 3 / 8)


def test_wrong_actions_are_told_by_cohort_and_highest_rung() -> None:
    actions = [
        action("good0", "observe", 1),
        action("good1", "label", 1),
        action("good2", "suspend", 1),
        action("good2", "throttle", 2),
        action("bad0", "throttle", 1),
        action("stranger", "suspend", 1),
        Action("facet:network:x", "throttle", 1, 2),
    ]
    result = score(outcome(actions, []))
    people = next(c for c in result.cohorts if c.cohort == "people")
    assert people.rungs == {"none": 17, "observe": 1, "label": 1, "suspend": 1}
    assert people.actioned == 2
    assert (result.wrong_accounts, result.wrong_effective) == (2, 1)
    assert result.wrong_suspended == 1
    assert result.precision == 1 / 3
    assert result.wrong_per_million_account_days == 50_000
    assert (result.unknown_accounts, result.other_subjects) == (1, 1)


@pytest.mark.parametrize(
    ("linked", "found", "false"),
    [
        (MEMBERS[:3], True, False),
        (MEMBERS[:2], False, False),
        ([*MEMBERS[:4], *PEOPLE[:3]], True, False),
        ([*MEMBERS[:4], *PEOPLE[:4]], False, False),
        ([*MEMBERS[:3], *PEOPLE[:4]], False, True),
        (["stranger"], False, False),
    ],
)
def test_a_campaign_is_what_the_majority_of_its_accounts_are(
    linked: list[str], found: bool, false: bool
) -> None:
    result = score(outcome([], [alert(1, *linked)]))
    assert (bool(result.campaigns_found), bool(result.false_campaigns)) == (
        found,
        false,
    )


def test_account_actions_link_accounts_that_the_alert_did_not_name() -> None:
    actions = [action(account, "label", 3) for account in MEMBERS[:3]]
    assert score(outcome(actions, [alert(2)])).campaigns[0].delay_hours == 2.0
    observed = [action(account, "observe", 3) for account in MEMBERS[:3]]
    assert not score(outcome(observed, [alert(2)])).campaigns_found


def test_without_a_campaign_in_the_truth_all_alerts_are_false() -> None:
    result = score(outcome([], [alert(1, *PEOPLE[:5])], name=""))
    assert result.campaigns == ()
    assert result.false_campaigns == ("c1",)
    assert result.recall is None


accounts = st.sampled_from([*MEMBERS, *PEOPLE, "stranger"])


@given(
    st.lists(
        st.builds(action, accounts, st.sampled_from(RUNGS), st.integers(-2, 12)),
        max_size=30,
    ),
    st.lists(
        st.builds(lambda h, a: alert(h, *a), st.integers(-2, 12), st.lists(accounts)),
        max_size=4,
    ),
)
def test_figures_hold_together_whatever_was_decided(
    actions: list[Action], alerts: list[Alert]
) -> None:
    result: Score = score(outcome(actions, alerts))
    (campaign,) = result.campaigns
    shares = (
        campaign.share_before_alert,
        campaign.share_before_action,
        campaign.share_before_effective,
        campaign.share_before_own_action,
        campaign.share_not_covered,
    )
    assert all(0 <= share <= 1 for share in shares)
    assert campaign.share_before_action <= campaign.share_before_effective
    assert campaign.share_before_effective <= campaign.share_before_own_action
    assert campaign.share_before_own_action <= campaign.share_not_covered
    assert campaign.accounts_effective <= campaign.accounts_actioned
    assert campaign.accounts_actioned == result.right_accounts
    assert sum(c.accounts for c in result.cohorts) == result.accounts
    assert all(sum(c.rungs.values()) == c.accounts for c in result.cohorts)
    assert result.wrong_suspended <= result.wrong_effective <= result.wrong_accounts


def write(folder: Path, name: str, *lines: dict[str, Any]) -> None:
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / name).write_text(text, encoding="utf-8")


@pytest.fixture
def run(small_run: Path, tmp_path: Path) -> Path:
    """Return a copy of the small run, with no decisions yet."""
    for file in small_run.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    write(tmp_path, "actions.jsonl")
    write(tmp_path, "alerts.jsonl")
    return tmp_path


def test_a_folder_is_read_with_the_names_of_the_schemas(run: Path) -> None:
    truth = pl.read_csv(run / "truth.csv").fill_null("")
    graders = truth.filter(pl.col("campaign") == "graders")["account_id"].to_list()
    start = 1_772_409_600_000
    write(
        run,
        "actions.jsonl",
        *(
            {
                "action_id": "x", "subject": f"account:{account}", "sequence": 1,
                "rung": "throttle", "mode": "shadow", "issued_at": start,
                "expires_at": start + 100 * HOUR, "campaign_id": "c9", "evidence": {},
            }
            for account in graders
        ),
    )  # fmt: skip
    write(
        run, "alerts.jsonl",
        {"alert_id": "y", "campaign_id": "c9", "kind": "campaign_found",
         "occurred_at": start, "accounts": graders},
    )  # fmt: skip
    result = score(Outcome.read(run))
    found = {campaign.name: campaign for campaign in result.campaigns}
    assert set(found) == {"graders", "heads"}
    assert found["graders"].share_not_covered == 0
    assert found["graders"].found_as == ("c9",)
    assert not found["heads"].found
    assert result.wrong_accounts == 0
    assert result.ordinary_account_days > len(truth) - len(graders) - 40


def test_without_exchanges_all_of_a_campaign_accounts_events_count(run: Path) -> None:
    marked = Outcome.read(run).exchanges
    (run / "exchanges.csv").unlink()
    fallback = Outcome.read(run).exchanges
    assert fallback.columns == marked.columns
    heads = [len(f.filter(campaign="heads")) for f in (marked, fallback)]
    graders = [len(f.filter(campaign="graders")) for f in (marked, fallback)]
    assert heads[0] < 0.6 * heads[1]
    assert graders[0] == graders[1]


@pytest.mark.parametrize(
    "name", ["events.avro", "truth.csv", "actions.jsonl", "alerts.jsonl"]
)
def test_a_file_that_is_not_there_is_named(run: Path, name: str) -> None:
    (run / name).unlink()
    with pytest.raises(ScenarioError, match=f"{name} is not there"):
        Outcome.read(run)


def test_a_malformed_line_and_a_wrong_header_are_named(run: Path) -> None:
    (run / "actions.jsonl").write_text('\n{"subject": 1}\n', encoding="utf-8")
    with pytest.raises(ScenarioError, match=r"actions\.jsonl:2: "):
        Outcome.read(run)
    (run / "truth.csv").write_text("account,cohort\nx,y\n", encoding="utf-8")
    with pytest.raises(ScenarioError, match="header is not account_id,cohort,campaign"):
        Outcome.read(run)
