"""The secret that providers agree on, and the ids it makes of raw ones."""

from __future__ import annotations

import hmac
from pathlib import Path
from typing import Final, Self

from streams.errors import ConfigError

__all__ = ["SharingKey"]

_MIN_BYTES: Final = 32  # as long as the digest: shorter keys weaken HMAC (RFC 2104, 3)
_DOMAIN: Final = b"distillwatch-sharing-1"
_KEY_ID_BYTES: Final = 8  # tells the keys of a handful of circles apart


class SharingKey:
    """A key of at least 32 bytes; two providers that have it make equal ids.

    ``key_id`` names the key without revealing it, so that a receiver sees at once that
    a bundle was made with another one. Raises `ConfigError` when the key is too short.

    >>> key = SharingKey(bytes(range(32)))
    >>> key.key_id, key.keyed("tls", "t13d1516h2_8daaf6152771_b0da82dd1658")[:16]
    ('c0a52a33e70919a6', '90fdf031d43e60a3')
    """

    __slots__ = ("_key", "key_id")

    def __init__(self, key: bytes) -> None:
        if len(key) < _MIN_BYTES:
            raise ConfigError(
                f"the sharing key has {len(key)} bytes, fewer than {_MIN_BYTES}; "
                "make one: openssl rand -hex 32"
            )
        self._key = key
        self.key_id = hmac.digest(key, _DOMAIN, "sha256")[:_KEY_ID_BYTES].hex()

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read hexadecimal digits from a file; no error shows what it holds."""
        try:
            text = path.read_bytes()
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}") from None
        try:
            key = bytes.fromhex(text.decode("ascii"))
        except ValueError:
            raise ConfigError(
                f"{path} holds something else than hexadecimal digits; a sharing key "
                "is made with: openssl rand -hex 32"
            ) from None
        return cls(key)

    def keyed(self, kind: str, identifier: str) -> str:
        """Give the HMAC-SHA256 of an id, 64 hexadecimal digits.

        The kind is part of it: equal values of two kinds get different ids.
        """
        message = b"\0".join((_DOMAIN, kind.encode(), identifier.encode()))
        return hmac.digest(self._key, message, "sha256").hex()
