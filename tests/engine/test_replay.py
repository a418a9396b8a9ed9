"""The whole pipeline gives the same news, whatever the size of a batch."""

from __future__ import annotations

import pytest
from event_streams import EPOCH, Burst, bursts, campaign, records
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lenient_reference import lenient_reference, news

from streams.contracts.compiled import loops, plain_numpy
from streams.engine import replay as replay_module
from streams.engine.accounts_stage import AccountsStage
from streams.engine.campaigns_stage import CampaignsStage
from streams.engine.murmur2 import partition_of
from streams.engine.replay import Pipeline, replay
from streams.engine.stage import Output
from streams.engine.stages import STAGES, Topology

_TOPOLOGY = Topology(request_partitions=3, facet_partitions=2, link_partitions=1)


def _pipeline() -> Pipeline:
    """Make a small pipeline that finds campaigns within a few hundred exchanges."""
    pipeline = Pipeline(topology=_TOPOLOGY)
    pipeline.stages["llm.links"] = [
        CampaignsStage(
            0,
            facet_partitions=_TOPOLOGY.facet_partitions,
            reference=lenient_reference(),
            mode="enforce",
        )
    ]
    return pipeline


def _values(stream: list[Burst]) -> list[bytes]:
    return [record.value for record in records(stream) if record.value is not None]


def _in_batches(
    pipeline: Pipeline, values: list[bytes], sizes: list[int]
) -> list[Output]:
    outputs, at = [], 0
    for size in [*sizes, len(values)]:
        pipeline.feed(values[at : at + size])
        outputs += pipeline.flush()
        at += size
    return outputs + pipeline.close()


_LONG = [*campaign(12, 20), *campaign(12, 4, gap=1500), Burst(0, 9, 3, 3, "broken")]


@given(bursts(accounts=12), st.lists(st.integers(0, 60), max_size=12))
@example(_LONG, [7] * 80)
@settings(max_examples=30)
def test_batches_do_not_matter(stream: list[Burst], sizes: list[int]) -> None:
    values = _values(stream)
    one, other = _pipeline(), _pipeline()
    whole, cut = _in_batches(one, values, []), _in_batches(other, values, sizes)
    assert whole == cut
    assert len(one.rejected) == len(other.rejected)
    news(whole)


@given(bursts(accounts=12), st.lists(st.integers(0, 60), max_size=12))
@example(_LONG, [7] * 80)
@settings(max_examples=30)
def test_compiled_loops_and_plain_numpy_give_the_same(
    stream: list[Burst], sizes: list[int]
) -> None:
    values = _values(stream)
    assert loops()
    compiled, plain = _pipeline(), _pipeline()
    outputs = _in_batches(compiled, values, sizes)
    with plain_numpy():
        assert _in_batches(plain, values, sizes) == outputs
    for topic, stages in plain.stages.items():
        for stage, other in zip(stages, compiled.stages[topic], strict=True):
            assert list(stage.dirty_rows()) == list(other.dirty_rows())
    assert len(plain.rejected) == len(compiled.rejected)


def test_a_campaign_is_found_in_a_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    values = _values(_LONG)
    done: list[int] = []
    whole = list(replay(values, _pipeline(), progress=done.append))
    assert sum(done) == len(values)
    read = news(whole)
    assert any(key.startswith("dc-") for key in read)
    assert any(key.startswith("account:") for key in read)
    monkeypatch.setattr(replay_module, "_BATCH", 13)
    assert list(replay(iter(values), _pipeline())) == whole


def test_records_go_where_kafka_would_put_them() -> None:
    pipeline = _pipeline()
    pipeline.feed(_values(campaign(9, 2)))
    stages = pipeline.stages["llm.requests"]
    found: set[str] = set()
    for partition, stage in enumerate(stages):
        assert isinstance(stage, AccountsStage)
        found |= set(stage.accounts.ids)
        homes = {partition_of(account, len(stages)) for account in stage.accounts.ids}
        assert homes <= {partition}
    assert len(found) == 9


def test_what_cannot_be_read_is_kept_apart() -> None:
    pipeline = _pipeline()
    stream = [Burst(n, 1, 0, 2, ("plain", "broken", "wild")[n % 3]) for n in range(6)]
    pipeline.feed(_values(stream), [(EPOCH + 3) * 60_000] * 12)
    assert len(pipeline.rejected) == 8


def test_an_empty_stream_gives_nothing() -> None:
    assert list(replay([], Pipeline())) == []


def test_stages_are_wired_as_the_topics_say() -> None:
    pipeline = Pipeline()
    assert pipeline.topology == Topology.shipped()
    for spec, count in zip(STAGES, pipeline.topology, strict=True):
        assert len(pipeline.stages[spec.input_topic]) == count
