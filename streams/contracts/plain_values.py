"""What the encoders of plain values have in common: numbers, and the refusal of others.

A value is plain when it is of the very type that its field asks for. What is not is
left to the usual encoder, which encodes it all the same or says what is wrong.
"""

from __future__ import annotations

from typing import Final, NoReturn

__all__ = [
    "FIRST",
    "GROUP",
    "LIMIT",
    "LONG_BITS",
    "PAIR",
    "SHORT",
    "NotPlainError",
    "refuse",
    "varint",
]

GROUP: Final = 7
"""Bits of a number in one byte of a varint."""
_MORE: Final = 1 << GROUP  # the bit that says another byte follows
PAIR: Final = 1 << 2 * GROUP
"""Codes of at most two groups, which are looked up at once."""
LONG_BITS: Final = 63
LIMIT: Final = 1 << LONG_BITS
"""A long is from -LIMIT to LIMIT - 1."""

SHORT: Final = [bytes((n,)) for n in range(_MORE)] + [
    bytes((n % _MORE | _MORE, n >> GROUP)) for n in range(_MORE, PAIR)
]
"""The varint of each code below `PAIR`."""
FIRST: Final = [bytes((n % _MORE | _MORE, n >> GROUP | _MORE)) for n in range(PAIR)]
"""Two groups behind which others follow."""


class NotPlainError(Exception):
    """A value or a type that only the usual encoder can judge."""


def refuse() -> NoReturn:
    """Raise `NotPlainError`, where an expression is wanted."""
    raise NotPlainError


def varint(code: int) -> bytes:
    r"""Write a code, 0 or more: seven bits a byte, the lowest first.

    Avro and Kafka take zigzag codes: ``value << 1 ^ value >> 63``.

    >>> varint(2), varint(600)
    (b'\x02', b'\xd8\x04')
    """
    if code < PAIR:
        return SHORT[code]
    if code < PAIR * PAIR:
        return FIRST[code % PAIR] + SHORT[code // PAIR]
    pairs = FIRST[code % PAIR] + FIRST[code // PAIR % PAIR]
    return pairs + varint(code // (PAIR * PAIR))
