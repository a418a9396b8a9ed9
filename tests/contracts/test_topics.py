"""Topics: what topics.toml says, and how it tells its mistakes."""

from __future__ import annotations

import re

import pytest

from streams.contracts.schemas import schema_names
from streams.contracts.topics import load_topics, parse_topics
from streams.errors import ConfigError

GOOD = """
[defaults]
replication_factor = 1
compression = "lz4"

["a.b"]
key = "subject"
value = "Ack"
partitions = 2
cleanup = "delete"
retention_days = 7
compatibility = "BACKWARD_TRANSITIVE"
writers = ["gateway"]
readers = ["distillwatch"]
"""


def test_every_record_has_its_topic() -> None:
    values = {topic.value for topic in load_topics().values()}

    assert values == {*schema_names(), None}


def test_compacted_topics_keep_their_records_for_good() -> None:
    topics = load_topics()

    assert topics["llm.actions"].retention_ms is None
    assert topics["llm.actions"].config == {
        "cleanup.policy": "compact",
        "compression.type": "lz4",
    }
    assert topics["llm.requests"].config["retention.ms"] == str(7 * 86_400_000)
    assert topics["llm.requests.dlq"].value is None


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("partitions = 2", "partitions = 0", "[a.b] partitions = 0 is below 1"),
        ("partitions = 2", "partitions = true", "[a.b] partitions = True is not a int"),
        ("partitions = 2", "", "[a.b] partitions is missing"),
        ("partitions = 2", "partitions = 2\nspeed = 1", "[a.b] speed is not known"),
        ('"delete"', '"shred"', "[a.b] cleanup = 'shred' is none of delete, compact"),
        ('"delete"', '"compact"', "[a.b] retention_days goes with"),
        ("retention_days = 7", "", "[a.b] retention_days goes with"),
        ("retention_days = 7", "retention_days = 0", "[a.b] retention_days = 0 is"),
        ('"Ack"', '"Nothing"', "[a.b] value = 'Nothing' is none of"),
        ('"BACKWARD_TRANSITIVE"', '"SOME"', "[a.b] compatibility = 'SOME' is none"),
        ('["gateway"]', "[]", "[a.b] writers must list names of roles"),
        ('["gateway"]', "[1]", "[a.b] writers must list names of roles"),
        ('compression = "lz4"', "", "[defaults] compression is missing"),
        ('["a.b"]', "single = 1\n['a.b']", "[defaults] single is not known"),
        ("[defaults]", "single = 1\n[defaults]", "[single] is not a table"),
        ("[defaults]", "[defaults", "not TOML"),
    ],
)
def test_a_mistake_is_told_with_file_topic_and_key(
    old: str, new: str, told: str
) -> None:
    assert parse_topics(GOOD, "good.toml")["a.b"].partitions == 2

    with pytest.raises(ConfigError, match=re.escape(f"my.toml: {told}")):
        parse_topics(GOOD.replace(old, new, 1), "my.toml")
