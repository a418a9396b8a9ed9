"""Tool definitions in a canonical form, so that the same tools hash the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

__all__ = ["ToolDefinitions", "canonical_tools"]

ToolDefinitions = str | Sequence[Any] | None

# Stands for what JSON cannot hold: cycles, keys that cannot be sorted, nesting past
# the interpreter's stack. Requests bring such things; a sketch must not fail on them.
_UNREPRESENTABLE = "\0unrepresentable"


def canonical_tools(tools: ToolDefinitions) -> bytes:
    r"""Write tools as JSON with sorted keys, the tools in sorted order; b"" for none.

    A text that is JSON is read first, so a gateway may pass what it has.

    >>> canonical_tools('[{"b": 1, "a": 2}, "x"]')
    b'"x"\n{"a":2,"b":1}'
    >>> canonical_tools(["x", {"a": 2, "b": 1}])
    b'"x"\n{"a":2,"b":1}'
    """
    if not tools:
        return b""
    if isinstance(tools, str):
        parsed = _read(tools)
        tools = parsed if isinstance(parsed, list) else [parsed]
    return "\n".join(sorted(_write(_read(tool)) for tool in tools)).encode("ascii")


def _read(tool: Any) -> Any:
    """Parse a text if it is a JSON object or array, else return it as it is."""
    if not isinstance(tool, str) or tool.lstrip()[:1] not in ("{", "["):
        return tool
    try:
        return json.loads(tool)
    except (ValueError, RecursionError):
        return tool


def _write(tool: Any) -> str:
    try:
        return json.dumps(
            tool, sort_keys=True, separators=(",", ":"), default=_type_name
        )
    except (ValueError, TypeError, RecursionError):
        return json.dumps(_UNREPRESENTABLE)


def _type_name(value: Any) -> str:
    """Stand in for an object JSON does not know; its repr may hold an address."""
    return type(value).__name__
