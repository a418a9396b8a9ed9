"""The contracts: schemas, topics, Avro codecs by row and by chunk, typed records."""

from streams.contracts.codec import decode, encode
from streams.contracts.columnar import DecodedChunk, decode_chunk
from streams.contracts.containers import iter_datums, read_container, write_container
from streams.contracts.projection import frame_schema
from streams.contracts.records import (
    Ack,
    Action,
    Alert,
    ControlEntry,
    Decision,
    Evidence,
    Feature,
    RequestEvent,
    decode_record,
    encode_record,
    from_dict,
    to_dict,
)
from streams.contracts.rules import MAX_FIELD_CHARS
from streams.contracts.schemas import (
    fingerprint,
    physical,
    schema,
    schema_names,
    versions,
)
from streams.contracts.topics import Topic, load_topics
from streams.contracts.writers import WriterSchemas

__all__ = [
    "MAX_FIELD_CHARS",
    "Ack",
    "Action",
    "Alert",
    "ControlEntry",
    "Decision",
    "DecodedChunk",
    "Evidence",
    "Feature",
    "RequestEvent",
    "Topic",
    "WriterSchemas",
    "decode",
    "decode_chunk",
    "decode_record",
    "encode",
    "encode_record",
    "fingerprint",
    "frame_schema",
    "from_dict",
    "iter_datums",
    "load_topics",
    "physical",
    "read_container",
    "schema",
    "schema_names",
    "to_dict",
    "versions",
    "write_container",
]
