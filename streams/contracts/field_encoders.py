"""From the values of one field to their bytes: one value, or a column of them.

Every field has an encoder, made once from its type and its rules. Most values come from
a table, as models, clients, networks and small numbers repeat. A column goes through
functions of the interpreter's own, without a call in Python for each value, where all
its values are plain and keep the rules; else value by value.
"""

from __future__ import annotations

import operator
import struct
import sys
from collections.abc import Callable, Hashable, Iterable
from typing import Any, Final, NamedTuple, TypeAlias

from streams.contracts.plain_values import (
    FIRST,
    GROUP,
    LIMIT,
    LONG_BITS,
    refuse,
    varint,
)
from streams.contracts.rules import SECRET, SECRET_STARTS, Rules
from streams.errors import ContractError

__all__ = ["FieldEncoder", "FieldEncoders"]

_Encode: TypeAlias = Callable[[Any], bytes]
_Values: TypeAlias = tuple[Any, ...]
_Parts: TypeAlias = tuple[bytes | Iterable[bytes], ...]

_LONGEST: Final = 1024  # bytes; longer strings are left to the usual encoder
_LONGEST_KEPT: Final = 64  # bytes; ids, models and fingerprints are shorter
_MOST_KEPT: Final = 16_384  # values in a table; about 4 MB of strings
_SECRET_STARTS: Final = frozenset(SECRET_STARTS)
_START: Final = operator.itemgetter(slice(2))  # the characters of each of them
_DOUBLE: Final = struct.Struct("<d")
_HALF_BITS: Final = 2 * GROUP - 1  # bits of a positive long in its first two groups
_HALF_PAIR: Final = 1 << _HALF_BITS  # from here on there are more groups
_LAST_BITS: Final = _HALF_PAIR - 1
_END: Final = b"\0"  # of an array
_NULL: Final = "null"
_NONE: Final = type(None)


class _Table(dict[Hashable, bytes]):
    """Value to its bytes, filled as values come; emptied when it is full."""

    __slots__ = ("_encode",)

    def __init__(self, encode: _Encode) -> None:
        super().__init__()
        self._encode = encode

    def __missing__(self, value: Hashable) -> bytes:
        encoded = self._encode(value)
        if len(encoded) <= _LONGEST_KEPT:
            if len(self) >= _MOST_KEPT:
                self.clear()
            self[value] = encoded
        return encoded


class FieldEncoder(NamedTuple):
    """Encodes the values of one field; raises what it likes for what is not plain."""

    one: Callable[[Any], bytes]
    """Gives the bytes of a value."""

    column: Callable[[_Values], _Parts]
    """Gives what goes one after the other into each record: bytes, the same for all,
    or an iterable with those of each. There is at least one value that is not None.
    """

    null: bytes | None
    """The bytes of None, where the field may be None."""


def _by_value(one: _Encode, null: bytes | None = None) -> FieldEncoder:
    return FieldEncoder(one, lambda values: (map(one, values),), null)


class FieldEncoders:
    """Makes the encoder of each field; fields that are checked alike share a table."""

    def __init__(self, rule: Rules, direct: frozenset[str]) -> None:
        """``direct`` are the fields with too many values for a table."""
        self._rules = rule
        self._direct = direct
        self._tables: dict[tuple[object, ...], _Table] = {}

    def of_field(self, name: str, avro: Any) -> FieldEncoder:
        r"""Make the encoder of a field by its physical type.

        Raises `ContractError` for a type that has none, as maps and records.

        >>> encoder = FieldEncoders(Rules(), frozenset()).of_field("x", "string")
        >>> encoder.one("ab"), list(*encoder.column(("ab", "c")))
        (b'\x04ab', [b'\x04ab', b'\x02c'])
        """
        branch, null = b"", None
        if isinstance(avro, list) and len(avro) == 2 and _NULL in avro:
            # In a union the index of the branch goes first, 0 or 1 in zigzag.
            place = avro.index(_NULL)
            null, branch = varint(place << 1), varint((1 - place) << 1)
            avro = avro[1 - place]
        match avro:
            case "string":
                return self._string(name, branch, null)
            case "long":
                return self._long(name, branch, null)
            case "double":
                return _double(branch, null)
            case "boolean":
                return _boolean(branch, null)
            case "bytes":
                return _bytes(branch, null)
            case {"type": "array", "items": "string"}:
                return _by_value(_array(self._string(name, b"", None).one))
        raise ContractError(
            f"field {name} is of type {avro}, which has no encoder here; add one, "
            f"or encode these records with streams.contracts.encode"
        )

    def _string(self, name: str, branch: bytes, null: bytes | None) -> FieldEncoder:
        least = 1 if name in self._rules.required else 0
        most = self._rules.max_chars or sys.maxsize
        ids = name in self._rules.ids
        starts = _starts(branch)

        def encode(value: str | None) -> bytes:
            if value.__class__ is not str:
                return null if value is None and null is not None else refuse()
            if not least <= len(value) <= most:
                refuse()
            if ids and _START(value) in _SECRET_STARTS and SECRET.match(value):
                refuse()
            raw = value.encode()
            return starts[len(raw)] + raw

        def column(values: _Values) -> _Parts:
            plain = _plain(values, str)
            if not plain:
                return (map(encode, values),)
            raw = [*map(str.encode, plain)]
            sizes = [*map(len, raw)]
            if (
                min(sizes) < least
                or max(sizes) > most  # no fewer bytes than characters
                or (ids and not _SECRET_STARTS.isdisjoint(map(_START, plain)))
            ):
                return (map(encode, values),)
            if len(plain) == len(values):
                return map(starts.__getitem__, sizes), raw
            return _with_nulls(
                values, map(operator.add, map(starts.__getitem__, sizes), raw), null
            )

        if name in self._direct:
            return FieldEncoder(encode, column, null)
        table = self._table(encode, "string", branch, least, most, ids)
        return _by_value(table.__getitem__, null)

    def _long(self, name: str, branch: bytes, null: bytes | None) -> FieldEncoder:
        least = 0 if name in self._rules.times else -LIMIT

        def encode(value: int | None) -> bytes:
            if value.__class__ is int and least <= value < LIMIT:
                return branch + varint(value << 1 ^ value >> LONG_BITS)
            return null if value is None and null is not None else refuse()

        if name in self._direct:
            return FieldEncoder(encode, _positive_longs(encode, branch, null), null)
        table = self._table(encode, "long", branch, least)

        def look_up(value: int | None) -> bytes:
            # Only of an int: True and 1.0 would find what belongs to 1.
            return table[value] if value.__class__ is int else encode(value)

        def column(values: _Values) -> _Parts:
            plain = _plain(values, int)
            if not plain:
                return (map(look_up, values),)
            return _with_nulls(values, map(table.__getitem__, plain), null)

        return FieldEncoder(look_up, column, null)

    def _table(self, encode: _Encode, *alike: object) -> _Table:
        return self._tables.setdefault(alike, _Table(encode))


def _plain(values: _Values, kind: type) -> _Values:
    """Give the values that are not None if all of them are of this very type."""
    match len(kinds := set(map(type, values))):
        case 1 if kinds == {kind}:
            return values
        case 2 if kinds == {kind, _NONE}:
            return tuple(value for value in values if value is not None)
    return ()


def _with_nulls(
    values: _Values, encoded: Iterable[bytes], null: bytes | None
) -> _Parts:
    """Put what stands for no value between the bytes of those there are."""
    if None not in values:
        return (encoded,)
    others = iter(encoded)
    no_value = refuse() if null is None else null
    return ([no_value if value is None else next(others) for value in values],)


def _starts(branch: bytes) -> list[bytes]:
    """Give what goes before a string, by its bytes; longer ones are not plain."""
    return [branch + varint(size << 1) for size in range(_LONGEST)]


def _positive_longs(
    one: _Encode, branch: bytes, null: bytes | None
) -> Callable[[_Values], _Parts]:
    """Make the function of a column; times have their first bits in common."""
    first = [branch + each for each in FIRST[::2]]  # zigzag doubles what is positive
    others = _Table(varint)

    def column(values: _Values) -> _Parts:
        plain = _plain(values, int)
        if not plain:
            return (map(one, values),)
        if min(plain) < _HALF_PAIR or max(plain) >= LIMIT:
            return (map(one, values),)
        encoded = [
            first[value & _LAST_BITS] + others[value >> _HALF_BITS] for value in plain
        ]
        return _with_nulls(values, encoded, null)

    return column


def _double(branch: bytes, null: bytes | None) -> FieldEncoder:
    def encode(value: float | None) -> bytes:
        if value.__class__ is float or value.__class__ is int:
            return branch + _DOUBLE.pack(value)
        return null if value is None and null is not None else refuse()

    def column(values: _Values) -> _Parts:
        plain = _plain(values, float)
        if not plain:
            return (map(encode, values),)
        if len(plain) == len(values):
            return branch, map(_DOUBLE.pack, values)
        return _with_nulls(values, [branch + _DOUBLE.pack(v) for v in plain], null)

    return FieldEncoder(encode, column, null)


def _boolean(branch: bytes, null: bytes | None) -> FieldEncoder:
    true, false = branch + b"\1", branch + b"\0"

    def encode(value: bool | None) -> bytes:
        if value is True:
            return true
        if value is False:
            return false
        return null if value is None and null is not None else refuse()

    table = {True: true, False: false}

    def column(values: _Values) -> _Parts:
        if set(map(type, values)) == {bool}:
            return (map(table.__getitem__, values),)
        return (map(encode, values),)

    return FieldEncoder(encode, column, null)


def _bytes(branch: bytes, null: bytes | None) -> FieldEncoder:
    starts = _starts(branch)

    def encode(value: bytes | None) -> bytes:
        if value.__class__ is bytes:
            return starts[len(value)] + value
        return null if value is None and null is not None else refuse()

    def column(values: _Values) -> _Parts:
        plain = _plain(values, bytes)
        if len(plain) < len(values):
            return (map(encode, values),)
        sizes = set(map(len, values))
        if len(sizes) == 1:
            return starts[sizes.pop()], values
        return map(starts.__getitem__, map(len, values)), values

    return FieldEncoder(encode, column, null)


def _array(item: _Encode) -> _Encode:
    def encode(values: tuple[str, ...]) -> bytes:
        if not values:
            return _END
        return b"".join((varint(len(values) << 1), *map(item, values), _END))

    table = _Table(encode)

    def look_up(values: list[str] | tuple[str, ...]) -> bytes:
        if values.__class__ is not list and values.__class__ is not tuple:
            refuse()
        return table[tuple(values)]

    return look_up
