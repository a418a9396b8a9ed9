"""The report as others read it."""

from __future__ import annotations

import msgspec

from streams.models.reference import load_reference
from streams.scenarios.detection.account_peers import PeerFigures
from streams.scenarios.detection.campaign_figures import figures
from streams.scenarios.detection.plan import QUICK
from streams.scenarios.detection.report import Report
from streams.scenarios.detection.run import Run


def test_the_report_has_the_keys_that_others_read(
    done: Run, peers: tuple[PeerFigures, ...]
) -> None:
    report = Report(seed=1, plan=QUICK, population=figures(done), peers=peers)
    found = msgspec.json.decode(msgspec.json.encode(report.as_json()))
    keys = "name shape share found leak_first_alert leak_effective hours_first_alert"
    for campaign in found["campaigns"]:
        assert set(f"{keys} precision recall".split()) <= set(campaign)
        low, high = campaign["leak_first_alert_interval"]
        assert low <= campaign["leak_first_alert"] <= high
    rates = found["wrong_actions_per_million_account_days"]
    assert all(isinstance(rate, float | int) for rate in rates.values())
    assert found["reference"]["digest"] == load_reference().digest
    assert found["hard_negatives"] == found["window"] == []
