"""The API keys by which bouncers are known."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import Final, Self

from streams.errors import ConfigError

__all__ = ["ApiKeys", "api_key_line", "new_api_key"]

_KEY_BYTES: Final = 32
_MIN_KEY: Final = 16  # characters; CrowdSec's own keys have 32 and more
_NAME: Final = re.compile(r"[\w.@-]{1,100}")


def new_api_key() -> str:
    """Make a key of 256 random bits, in characters that need no quoting anywhere."""
    return secrets.token_urlsafe(_KEY_BYTES)


def api_key_line(name: str) -> str:
    """Give the line of a file of keys for a bouncer, with a new key."""
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name} is no name: use letters, digits and any of _.@-")
    return f"{name}:{new_api_key()}"


class ApiKeys:
    """Know bouncers by digests of their keys; the keys themselves are not kept.

    >>> keys = ApiKeys({"edge": "0123456789abcdef"})
    >>> keys.name_of("0123456789abcdef"), keys.name_of("guess")
    ('edge', None)
    """

    def __init__(self, keys: Mapping[str, str]) -> None:
        self._digests: Mapping[str, bytes] = MappingProxyType(
            {name: _digest(key) for name, key in keys.items()}
        )

    def __repr__(self) -> str:
        return f"ApiKeys({', '.join(self._digests)})"

    def __len__(self) -> int:
        return len(self._digests)

    @classmethod
    def from_file(cls, path: Path) -> Self:
        """Read lines ``name:key``; empty lines and those with ``#`` are passed over.

        `ConfigError` names the line, never the key.
        """
        try:
            lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(
                f"API keys {path} cannot be read ({type(error).__name__}); make it "
                f"with: distillwatch bridge key NAME >> {path}"
            ) from None
        keys = dict(_entries(path, lines))
        if not keys:
            raise ConfigError(
                f"API keys {path} has no key; add one with: distillwatch bridge key "
                f"NAME >> {path}"
            )
        return cls(keys)

    def name_of(self, key: str) -> str | None:
        """Give the bouncer's name; takes the same time wherever the key differs."""
        digest = _digest(key)
        found = None
        for name, known in self._digests.items():
            if hmac.compare_digest(known, digest):
                found = name
        return found


def _entries(path: Path, lines: Iterable[str]) -> Iterable[tuple[str, str]]:
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, key = (part.strip() for part in line.partition(":"))
        where = f"{path}:{number}"
        # Without a colon the line may be a key: it must not be repeated.
        if not colon or not _NAME.fullmatch(name):
            raise ConfigError(f"{where}: a line is name:key, the name without spaces")
        if len(key) < _MIN_KEY:
            raise ConfigError(
                f"{where}: the key of {name} is shorter than {_MIN_KEY} characters; "
                "make one with: distillwatch bridge key NAME"
            )
        if name in seen:
            raise ConfigError(f"{where}: {name} has a key in line {seen[name]} already")
        seen[name] = number
        yield name, key


def _digest(key: str) -> bytes:
    return sha256(key.encode()).digest()
