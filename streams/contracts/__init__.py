"""The contracts: schemas, topics, Avro codecs by row and by chunk, typed records."""

from streams.contracts.codec import decode, encode
from streams.contracts.columnar import DecodedChunk, decode_chunk
from streams.contracts.projection import frame_schema
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
    "DecodedChunk",
    "Topic",
    "WriterSchemas",
    "decode",
    "decode_chunk",
    "encode",
    "fingerprint",
    "frame_schema",
    "load_topics",
    "physical",
    "schema",
    "schema_names",
    "versions",
]
