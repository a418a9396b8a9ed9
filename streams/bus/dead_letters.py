"""Headers that say why a record lies in the dead-letter topic.

Key, value and headers of the record stay as they came; these headers are added. Names
and text encoding are those of Kafka Connect (``DeadLetterQueueReporter`` of
org.apache.kafka:connect-runtime, KIP-298), so that tools made for its dead letters
read ours.
"""

from __future__ import annotations

from streams.errors import ContractError

__all__ = ["HEADER_PREFIX", "dead_letter_headers"]

HEADER_PREFIX = "__connect.errors."
_CONNECTOR_NAME = "distillwatch"


def dead_letter_headers(
    topic: str, partition: int, offset: int, error: ContractError, *, stage: str
) -> list[tuple[str, bytes]]:
    """Return the headers to add to the record at ``topic[partition]@offset``.

    ``stage`` names the step that refused it. What Connect calls a task is a partition
    here. There is no stack trace: the message of a `ContractError` never repeats
    content, a trace with other exceptions in it might.

    >>> from streams.errors import InvalidRecord
    >>> error = InvalidRecord("llm.requests[3]@42: usage_input_tokens is negative")
    >>> headers = dead_letter_headers("llm.requests", 3, 42, error, stage="decode")
    >>> dict(headers)["__connect.errors.exception.message"]
    b'llm.requests[3]@42: usage_input_tokens is negative'
    """
    values = {
        "topic": topic,
        "partition": partition,
        "offset": offset,
        "connector.name": _CONNECTOR_NAME,
        "task.id": partition,
        "stage": stage,
        "class.name": _raised_in(error),
        "exception.class.name": _qualified(type(error)),
        "exception.message": error,
    }
    return [
        (HEADER_PREFIX + name, str(value).encode()) for name, value in values.items()
    ]


def _raised_in(error: ContractError) -> str:
    """Return the module that raised it, or that defines it if nobody did yet."""
    trace = error.__traceback__
    if trace is None:
        return type(error).__module__
    while trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals["__name__"])


def _qualified(cls: type) -> str:
    return f"{cls.__module__}.{cls.__qualname__}"
