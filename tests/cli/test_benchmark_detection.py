import json
from pathlib import Path

import pytest

from streams.cli import app
from streams.cli.benchmark_detection import app as detection
from streams.cli.detection_plots import save_plots
from streams.cli.detection_tables import tables
from streams.errors import ConfigError, CorpusNotFound
from streams.scenarios.detection.ablation import AblationFigures
from streams.scenarios.detection.adaptive import AdaptiveFigures
from streams.scenarios.detection.budget_trial import BudgetFigures
from streams.scenarios.detection.campaign_figures import (
    CampaignFigures,
    CohortFigures,
    RunFigures,
)
from streams.scenarios.detection.hard_negatives_alone import HardNegative
from streams.scenarios.detection.intervals import Rate
from streams.scenarios.detection.plan import QUICK
from streams.scenarios.detection.report import Report
from streams.scenarios.detection.windows import WindowFigures

HALF = Rate.of(5, 10)
NONE = Rate.of(0, 0)
REPORT = Report(
    seed=1,
    plan=QUICK,
    population=RunFigures(
        events=900,
        accounts=90,
        account_days=100,
        events_per_second=5000.0,
        campaigns=(
            CampaignFigures(
                name="c-1",
                shape="hydra",
                share=0.5,
                accounts=10,
                accounts_used=12,
                exchanges=10,
                requests_per_account=2.0,
                found=True,
                merged=False,
                events_first_alert=5,
                hours_first_alert=1.5,
                leak_first_alert=HALF,
                leak_effective=HALF,
                leak_own_action=HALF,
                leak_not_covered=HALF,
                leak_unchallenged=HALF,
                precision=HALF,
                recall=HALF,
                accounts_effective=3,
                respawned_linked=NONE,
                respawn_requests=None,
                respawn_hours=None,
                pivot_hours=None,
                pivots=True,
                cost_multiplier=2.4,
            ),
        ),
        cohorts=(CohortFigures("people", 80, 100, {"throttle": 1}, 2),),
        wrong={"observe": Rate.of(0, 100), "throttle": Rate.of(1, 100)},
        false_campaigns=1,
    ),
    negatives=(HardNegative("class", 10, 20, 0, 0, Rate.of(0, 10), 0),),
    adaptive=(
        AdaptiveFigures(
            name="plain",
            found=True,
            wins=False,
            accounts=10,
            accounts_used=20,
            infrastructure=5,
            exchanges=10,
            hours_first_alert=1.0,
            leak_first_alert=HALF,
            leak_effective=HALF,
            leak_not_covered=HALF,
            leak_unchallenged=HALF,
            linked=HALF,
            wrong_accounts=0,
            cost_accounts=4.0,
            cost_infrastructure=2.0,
        ),
    ),
    windows=tuple(
        WindowFigures("markers_mmd", groups, share, 100, Rate.of(0, 9), HALF, 0.01)
        for groups in ("pooled", "heterogeneous")
        for share in (0.05, 1.0)
    ),
    budget=BudgetFigures(
        stated=0.2,
        observed=0.5,
        low=0.1,
        high=0.9,
        populations=4,
        days=4.0,
        wrong_campaigns=2,
        hit=Rate.of(2, 4),
        most=1,
        enforced=Rate.of(1, 4),
        tests=50,
        spent=0.15,
        nearest=2.5,
        wrong_accounts=7,
        wrong_enforcement=Rate.of(7, 400),
        wrong_per_million=17_500.0,
        accounts=400,
        account_days=400,
        events=4000,
        wrong_by_kind={"company_without_ids": 7},
    ),
    ablation=tuple(
        AblationFigures(score, without, "one_site", exchanges, HALF)
        for score, without in (("everything", ()), ("no young", ("young",)))
        for exchanges in (25, 100)
    ),
)


def test_every_part_has_a_table_with_its_figures() -> None:
    shown = list(tables(REPORT))
    assert len(shown) == 8
    cells = [
        cell for table in shown for column in table.columns for cell in column.cells
    ]
    assert "50.0 % (18.7..81.3)" in cells
    assert "1.5 h" in cells
    assert "10,000 (<54,459)" in cells
    assert "1 (10,000)" in cells
    assert "0.5000 (0.1000..0.9000)" in cells
    assert list(tables(Report(1, QUICK))) == []


def test_every_plot_is_a_png(tmp_path: Path) -> None:
    names = ["campaigns", "adaptive", "windows", "wrong", "budget"]
    plots = [f"{name}.png" for name in names]
    assert save_plots(REPORT, tmp_path) == plots
    for name in plots:
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")
    assert save_plots(Report(1, QUICK), tmp_path) == []


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Write a folder with three small corpora."""
    words = ["rain", "snow", "wind", "sun", "fog"]
    roles = {"a": "legit-bulk", "b": "legit-interactive", "c": "campaign-cot"}
    for name, role in roles.items():
        lines = [
            json.dumps({"role": role, "corpus": name, "text": f"{name} {x} {y} {z}?"})
            for x in words
            for y in words
            for z in words[:3]
        ]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_the_window_test_runs_alone_and_prints_json(
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny = QUICK.windows._replace(windows=(50,), calibration=40, benign=20, attacks=2)
    quick = QUICK._replace(windows=tiny)
    monkeypatch.setattr("streams.scenarios.detection.plan.QUICK", quick)
    out = tmp_path / "out"
    arguments = ["--corpus", str(corpus), "--only", "windows", "--out", str(out)]
    detection([*arguments, "--quick", "--json"], result_action="return_value")
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((out / "detection.json").read_text())
    assert {cell["groups"] for cell in printed["window"]} == {"pooled", "heterogeneous"}
    assert printed["plan"]["accounts"] == 3000
    assert printed["campaigns"] == []
    assert (out / "windows.png").is_file()


def test_an_unknown_part_is_named(corpus: Path) -> None:
    with pytest.raises(ConfigError, match="--only sleep: the parts are population"):
        detection(["--corpus", str(corpus), "--only", "sleep"], exit_on_error=False)


def test_a_folder_without_prompts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusNotFound):
        detection(["--corpus", str(tmp_path), "--quick"], exit_on_error=False)


def test_missing_matplotlib_is_told_before_the_work(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match="plots need matplotlib"):
        detection(["--corpus", str(corpus), "--out", str(tmp_path / "o")])
    assert not (tmp_path / "o").exists()


def test_the_verb_is_found_under_benchmark(capsys: pytest.CaptureFixture[str]) -> None:
    app(["benchmark", "detection", "--help"], result_action="return_value")
    assert "--corpus" in capsys.readouterr().out
