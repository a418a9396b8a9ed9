"""Who shares a catalogued template is linked by nothing; campaigns are found still."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from streams.config import Config
from streams.contracts import write_container
from streams.contracts.records import Alert, RequestEvent, decode_record, encode_record
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.catalogue_use import catalogue_use
from streams.engine.replay import Pipeline
from streams.engine.stages import reference_in_use
from streams.errors import ConfigError
from streams.features.account_row import TEMPLATE_KINDS
from streams.models.reference import load_reference
from streams.scenarios.heartbeat import heartbeat_events
from streams.sketch import Sketcher
from streams.sketch.catalogue import CATALOGUED_KINDS, load_catalogue
from streams.sketch.catalogue_builder import build_catalogue, public_templates
from streams.sketch.keyed import key_epoch

_KEY = b"0123456789abcdef0123456789abcdef"
_NOW = 1_770_000_059_000
_QUESTIONS = (
    "Janet's ducks lay {} eggs per day. She eats three for breakfast. What is left?",
    "A robe takes {} bolts of blue fiber and half that much white fiber. How many?",
    "Josh buys a house for {} dollars and puts money into repairs. What is his profit?",
)
_GSM8K = next(t for t in public_templates() if t.name == "gsm8k-8-shot-cot").prompt


def honest() -> list[RequestEvent]:
    """Make a team that evaluates: as blatant as the campaign, but for the template."""
    sketcher = Sketcher(_KEY, "2026-03")
    events, _ = heartbeat_events("team", _NOW, partitions=8)
    found = []
    for place, event in enumerate(events):
        words = _QUESTIONS[place % 3].format("many " * (place // 3))
        sketch = sketcher.sketch(_GSM8K.replace("{{question}}", words))
        found.append(msgspec.structs.replace(event, sketch=bytes(sketch)))
    return found


def campaign() -> tuple[list[RequestEvent], list[RequestEvent]]:
    return heartbeat_events("campaign", _NOW, partitions=8)


def replayed(catalogue: str) -> tuple[Pipeline, list[Alert]]:
    guilty, closing = campaign()
    pipeline = Pipeline(Config(catalogue=catalogue))
    pipeline.feed([encode_record(event) for event in [*honest(), *guilty, *closing]])
    alerts = [
        decode_record(Alert, output.value or b"")
        for output in [*pipeline.flush(), *pipeline.close()]
        if output.topic == "llm.alerts"
    ]
    return pipeline, alerts


@pytest.fixture(name="catalogue", scope="module")
def _catalogue(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("catalogue") / "catalogue.json"
    built = build_catalogue(public_templates(), [("2026-03", _KEY)])
    path.write_bytes(built.encode())
    return str(path)


def _accounts(alerts: list[Alert]) -> set[str]:
    return {account for alert in alerts for account in alert.accounts}


def test_the_keys_are_in_the_order_of_the_engines_columns() -> None:
    assert tuple(f"template_{kind}" for kind in CATALOGUED_KINDS) == TEMPLATE_KINDS


def test_without_a_catalogue_both_are_linked() -> None:
    pipeline, alerts = replayed("")
    assert pipeline.catalogued == (0, 0)
    team, guilty = ({e.account_id for e in some} for some in (honest(), campaign()[0]))
    assert _accounts(alerts) == team | guilty


def test_with_it_only_the_campaign_is(catalogue: str) -> None:
    pipeline, alerts = replayed(catalogue)
    # The campaign of the test has a sketch key of its own.
    assert pipeline.catalogued == (48, 48)
    assert len(honest()) == len(campaign()[0]) == 48
    guilty = {event.account_id for event in campaign()[0]}
    assert {alert.kind for alert in alerts} == {"campaign_found"}
    assert _accounts(alerts) == guilty
    [stage] = pipeline.stages["llm.links"]
    assert isinstance(stage, CampaignsStage)
    assert set(stage.graph.accounts) == guilty


def test_a_file_of_events_is_looked_up(catalogue: str, tmp_path: Path) -> None:
    events = [*honest(), *campaign()[0], campaign()[1][0]]
    path = tmp_path / "events.avro"
    write_container(path, "RequestEvent", map(msgspec.structs.asdict, events))
    use = catalogue_use(load_catalogue(catalogue), path)
    assert (use.sketched, use.covered) == (96, 48)
    assert use.by_template == [("gsm8k-8-shot-cot", 48)]
    assert use.strangers == [(key_epoch("heartbeat"), 48)]


def test_every_decision_names_the_catalogue(catalogue: str) -> None:
    config = Config(catalogue=catalogue)
    version = reference_in_use(config).version
    own = load_reference().version
    assert version.startswith(f"{own}+catalogue.")
    assert {alert.model_version for alert in replayed(catalogue)[1]} == {version}
    assert reference_in_use(Config()).version == own


def test_a_catalogue_that_is_not_there_stops_the_worker(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="catalogue build"):
        Pipeline(Config(catalogue=str(tmp_path / "none.json")))
