"""Files of one JSON object a line, as `distillwatch replay` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from streams.errors import ConfigError, InvalidRecord

__all__ = ["json_lines"]


def json_lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the place (FILE:LINE) and the object of each line.

    Raises `ConfigError` when the file cannot be opened, `InvalidRecord` with the place
    of a line that is no object.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; distillwatch replay writes it"
        ) from None
    with file:
        for number, text in enumerate(file, 1):
            place = f"{path}:{number}"
            try:
                yield place, msgspec.json.decode(text, type=dict[str, Any])
            except msgspec.DecodeError:
                raise InvalidRecord(f"{place} is no JSON object") from None
