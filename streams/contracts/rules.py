"""What a record must not carry, and what its fields must hold.

distillwatch never takes prompt or output text. Four things are refused: a schema or a
JSON object with a field for text; a string too long for an id, a name or a hash; and
an id that looks like a raw secret. Errors name the field, never its value.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any, Final

from streams.errors import ContentRefused, InvalidRecord

__all__ = [
    "CONTENT_FIELDS",
    "MAX_FIELD_CHARS",
    "SECRET",
    "SECRET_STARTS",
    "Rules",
    "check_record",
    "content_key",
    "content_schema_field",
    "is_content_field",
    "rules",
]

MAX_FIELD_CHARS: Final = 512
"""Longest string of a RequestEvent, characters: ids, names and hashes are shorter."""

# OpenTelemetry's opt-in content attributes (semantic conventions, "GenAI attributes"),
# without gen_ai and with underscores, and the names gateways use for the same.
CONTENT_FIELDS: Final = frozenset(
    {
        *("input_messages", "output_messages", "system_instructions"),
        *("tool_definitions", "tool_call_arguments", "tool_call_result"),
        *("retrieval_query_text", "retrieval_documents", "prompt", "completion"),
        *("message", "messages", "content", "contents", "text", "texts", "input"),
        *("inputs", "output", "outputs", "body", "response", "prompts", "completions"),
        *("request_body", "response_body", "system", "system_prompt", "user_prompt"),
        *("choices", "instructions", "query", "documents", "reasoning", "thinking"),
        *("reasoning_content", "prompt_text", "completion_text", "output_text"),
        *("input_text", "response_text", "raw_request", "raw_response"),
        *("event_content", "tool_calls", "arguments"),
    }
)
_PREFIX: Final = "gen_ai_"
_PROVIDER: Final = "gen_ai_system"
"""OpenTelemetry's old name of the provider; without its prefix it is a prompt."""

# Starts of credentials that providers publish so that leaks can be found: OpenAI and
# Anthropic (sk-), Stripe (sk_, rk_, pk_), GitHub (gh?_, github_pat_), GitLab (glpat-),
# Slack (xox?-), AWS (AKIA, ASIA), Google (AIza, ya29.), Hugging Face (hf_), JWT (eyJ).
SECRET: Final = re.compile(
    r"(?:Bearer\s"
    r"|(?:sk|pk|rk)[-_][A-Za-z0-9_-]{16}"
    r"|gh[pousr]_[A-Za-z0-9]{20}"
    r"|github_pat_[A-Za-z0-9]"
    r"|glpat-[A-Za-z0-9]"
    r"|xox[a-z]-[A-Za-z0-9]"
    r"|(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|AIza[A-Za-z0-9_-]{30}"
    r"|ya29\."
    r"|hf_[A-Za-z0-9]{20}"
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]"
    r"|-----BEGIN)"
)
SECRET_STARTS: Final = (
    *("Be", "sk", "pk", "rk", "gh", "gi", "gl", "xo"),
    *("AK", "AS", "AI", "ya", "hf", "ey", "--"),
)
"""The first two characters of everything `SECRET` matches."""


@dataclasses.dataclass(frozen=True, slots=True)
class Rules:
    """What the fields of one record must hold, beyond their types.

    ``required`` strings are not empty, ``times`` are not negative, ``ids`` do not look
    like secrets, and no string is longer than ``max_chars`` (None: no limit).
    """

    required: tuple[str, ...] = ()
    times: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    max_chars: int | None = None


_RULES: Final[Mapping[str, Rules]] = {
    "RequestEvent": Rules(
        required=("event_id", "account_id"),
        times=("occurred_at",),
        ids=(
            *("event_id", "account_id", "organization_id", "api_key_id", "network"),
            *("client", "payment", "conversation_id", "tools_hash"),
            "enforced_action_id",
        ),
        max_chars=MAX_FIELD_CHARS,
    ),
    "Action": Rules(
        required=("action_id", "subject", "campaign_id"),
        times=("issued_at", "expires_at"),
    ),
    "Alert": Rules(required=("alert_id", "campaign_id"), times=("occurred_at",)),
    "Ack": Rules(required=("ack_id", "subject", "action_id"), times=("occurred_at",)),
    "ControlEntry": Rules(required=("entry_id", "subject"), times=("created_at",)),
    "Decision": Rules(required=("decision_id", "subject"), times=("occurred_at",)),
}
_NO_RULES = Rules()


def rules(name: str) -> Rules:
    """Give the rules of a record.

    >>> rules("RequestEvent").required
    ('event_id', 'account_id')
    """
    return _RULES.get(name, _NO_RULES)


def check_record(
    name: str, record: Mapping[str, Any], *, sketch_bytes: int | None = None
) -> None:
    """Raise `InvalidRecord` or `ContentRefused` unless the fields are as they must be.

    ``sketch_bytes`` is the size a sketch must have; None takes any.
    """
    rule = rules(name)
    _check_ranges(name, record, rule)
    sketch = record.get("sketch")
    if sketch is not None and len(sketch) != (sketch_bytes or len(sketch)):
        raise InvalidRecord(
            f"{name}.sketch has {len(sketch)} bytes, not {sketch_bytes}; the "
            "producer's sketch version differs"
        )
    _check_content(name, record, rule)


def _check_ranges(name: str, record: Mapping[str, Any], rule: Rules) -> None:
    for field in rule.required:
        if not record[field]:
            raise InvalidRecord(f"{name}.{field} is empty")
    for field in rule.times:
        if record[field] < 0:
            raise InvalidRecord(f"{name}.{field} is before 1970")


def _check_content(name: str, record: Mapping[str, Any], rule: Rules) -> None:
    if rule.max_chars is not None:
        for field, value in record.items():
            if _longest(value) > rule.max_chars:
                raise ContentRefused(
                    f"{name}.{field} is longer than {rule.max_chars} characters, as "
                    "text would be; send ids and hashes only"
                )
    for field in rule.ids:
        value = record.get(field)
        if value is not None and SECRET.match(value):
            raise ContentRefused(
                f"{name}.{field} looks like a raw secret; send its HMAC"
            )


def _longest(value: Any) -> int:
    """Give the length of the longest string in a field's value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, list | tuple):
        return max(map(_longest, value), default=0)
    return 0


def is_content_field(name: str) -> bool:
    """Tell whether a field of this name is for prompt or output text.

    >>> is_content_field("gen_ai.input.messages"), is_content_field("output_type")
    (True, False)
    """
    plain = name.lower().replace(".", "_").replace("-", "_")
    return plain != _PROVIDER and plain.removeprefix(_PREFIX) in CONTENT_FIELDS


def content_schema_field(avro: Any) -> str | None:
    """Find the first field for text in a schema, at any depth; None without one."""
    match avro:
        case list():
            found = (content_schema_field(branch) for branch in avro)
        case {"fields": fields}:
            for field in fields:
                if is_content_field(field["name"]):
                    return str(field["name"])
            found = (content_schema_field(field["type"]) for field in fields)
        case {"type": "array", "items": inner} | {"type": "map", "values": inner}:
            return content_schema_field(inner)
        case {"type": inner}:
            return content_schema_field(inner)
        case _:
            return None
    return next((name for name in found if name is not None), None)


def content_key(value: Any) -> str | None:
    """Find the first key for text in decoded JSON, at any depth; None without one."""
    if isinstance(value, dict):
        for key in value:
            if is_content_field(key):
                # Its lower-case form is one of ours, so that nothing foreign is told.
                return str(key).lower()
        value = list(value.values())
    if isinstance(value, list):
        found = (content_key(inner) for inner in value)
        return next((key for key in found if key is not None), None)
    return None
