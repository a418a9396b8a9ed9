"""Encode and check a record in one pass over its fields, at a quarter of the cost.

fastavro asks at each union which branch a value fits, and `rules.check_record` looks at
each field again. Here every field has a function, made once from its type and its
rules, that gives the bytes of a plain value. Most values come from a table, as models,
clients, networks and small numbers repeat.

What is not plain (a subclass, a number of numpy) or breaks a rule is left to `codec`
and `rules`: they encode it all the same, or say what is wrong with it.
"""

from __future__ import annotations

import itertools
import operator
import struct
import sys
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, NoReturn, TypeAlias

from streams.contracts.codec import encode_datum
from streams.contracts.rules import SECRET, SECRET_STARTS, Rules, check_record, rules
from streams.contracts.schemas import physical, schema

__all__ = ["RowEncoder"]

_Encode: TypeAlias = Callable[[Any], bytes]

_GROUP: Final = 7  # bits of a number in one byte of a varint
_MORE: Final = 1 << _GROUP  # the bit that says another byte follows
_PAIR: Final = 1 << 2 * _GROUP  # two groups are looked up at once
_LONG_BITS: Final = 63
_LIMIT: Final = 1 << _LONG_BITS  # a long is from -_LIMIT to _LIMIT - 1
_LONGEST: Final = 1024  # bytes; longer strings are left to the usual encoder
_LONGEST_KEPT: Final = 64  # bytes; ids, models and fingerprints are shorter
_MOST_KEPT: Final = 16_384  # values in a table; about 4 MB of strings
_SECRET_STARTS: Final = frozenset(SECRET_STARTS)
_START: Final = 2  # characters of each of them
_DOUBLE: Final = struct.Struct("<d")
_FEW: Final = 4  # records below which going by fields costs more than it saves
_END: Final = b"\0"  # of an array
_NULL: Final = "null"

_LAST: Final = [bytes((n,)) for n in range(_MORE)] + [
    bytes((n % _MORE | _MORE, n >> _GROUP)) for n in range(_MORE, _PAIR)
]
_FIRST: Final = [bytes((n % _MORE | _MORE, n >> _GROUP | _MORE)) for n in range(_PAIR)]


class RowEncoder:
    """Encodes the records of one schema, without framing; threads may share it.

    The schema may hold strings, longs, doubles, booleans, bytes, arrays of strings, and
    unions of null and one of these.

    >>> encode = RowEncoder("RequestEvent")
    >>> event = {"event_id": "e", "occurred_at": 1, "account_id": "a"}
    >>> encode({**event, "request_model": "m"})[:6].hex(" ")
    '02 65 02 02 61 00'
    """

    __slots__ = ("_absent", "_defaults", "_encoders", "_name")

    def __init__(self, name: str, *, direct: Iterable[str] = ()) -> None:
        """Make the functions; ``direct`` fields have too many values for a table."""
        self._name = name
        declared = schema(name)["fields"]
        self._defaults = {field["name"]: field.get("default") for field in declared}
        makers = _Encoders(rules(name), frozenset(direct))
        self._encoders = [
            makers.of_field(field["name"], field["type"])
            for field in physical(schema(name))["fields"]
        ]
        self._absent = {
            field["name"]: encode(field["default"])
            for field, encode in zip(declared, self._encoders, strict=True)
            if "default" in field
        }

    def __call__(self, record: Mapping[str, Any]) -> bytes:
        """Encode a record; missing fields take their defaults, times are int ms.

        Raises what `codec.encode_datum` and `rules.check_record` raise.
        """
        # A field without a default becomes None here, which its encoder refuses.
        values = {**self._defaults, **record}.values()
        if len(values) == len(self._encoders):
            try:
                return b"".join(map(operator.call, self._encoders, values))
            except Exception:  # noqa: BLE001, S110  any misfit is left to those below
                pass
        datum = encode_datum(self._name, record)
        check_record(self._name, record)
        return datum

    def many(
        self, records: Sequence[dict[str, Any]], *, framing: bytes = b""
    ) -> list[bytes | Exception]:
        """Encode records, field by field where they have the same keys in one order.

        Each begins with ``framing``. In place of a record that cannot be encoded stands
        what a call would raise.
        """
        alike: dict[tuple[str, ...], list[int]] = {}
        for place, record in enumerate(records):
            alike.setdefault(tuple(record), []).append(place)
        if len(alike) == 1:
            return self._alike(records, framing)
        found: list[bytes | Exception] = [b""] * len(records)
        for places in alike.values():
            data = self._alike([records[place] for place in places], framing)
            for place, datum in zip(places, data, strict=True):
                found[place] = datum
        return found

    def _alike(
        self, records: Sequence[dict[str, Any]], framing: bytes
    ) -> list[bytes | Exception]:
        if len(records) < _FEW:
            return [self._one(record, framing) for record in records]
        rows = [record.values() for record in records]
        columns = dict(zip(records[0], zip(*rows, strict=True), strict=True))
        try:
            encoded = [
                map(encode, columns.pop(name))
                if name in columns
                else itertools.repeat(self._absent[name], len(records))
                for name, encode in zip(self._defaults, self._encoders, strict=True)
            ]
            if not columns:  # else nobody knows these fields
                framings = itertools.repeat(framing, len(records))
                return list(map(b"".join, zip(framings, *encoded, strict=True)))
        except Exception:  # noqa: BLE001, S110  whose misfit it is, the halves tell
            pass
        half = len(records) // 2
        return self._alike(records[:half], framing) + self._alike(
            records[half:], framing
        )

    def _one(self, record: dict[str, Any], framing: bytes) -> bytes | Exception:
        try:
            return framing + self(record)
        except Exception as error:  # noqa: BLE001  the others go on
            return error


class _NotPlainError(Exception):
    """A value that only the usual encoder can judge."""


def _refuse() -> NoReturn:
    raise _NotPlainError


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


def _varint(code: int) -> bytes:
    if code < _PAIR:
        return _LAST[code]
    if code < _PAIR * _PAIR:
        return _FIRST[code % _PAIR] + _LAST[code // _PAIR]
    pairs = _FIRST[code % _PAIR] + _FIRST[code // _PAIR % _PAIR]
    return pairs + _varint(code // (_PAIR * _PAIR))


class _Encoders:
    """Makes the function of each field; fields that are checked alike share a table."""

    def __init__(self, rule: Rules, direct: frozenset[str]) -> None:
        self._rules = rule
        self._direct = direct
        self._tables: dict[tuple[object, ...], _Table] = {}

    def of_field(self, name: str, avro: Any) -> _Encode:
        branch, null = b"", None
        if isinstance(avro, list):
            # In a union the index of the branch goes first, 0 or 1 in zigzag.
            place = avro.index(_NULL)
            null, branch = _varint(place << 1), _varint((1 - place) << 1)
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
                return _array(self._string(name, b"", None))
        raise NotImplementedError(f"field {name} is of type {avro}")

    def _string(self, name: str, branch: bytes, null: bytes | None) -> _Encode:
        least = 1 if name in self._rules.required else 0
        most = self._rules.max_chars or sys.maxsize
        ids = name in self._rules.ids

        starts = _starts(branch)

        def encode(value: str | None) -> bytes:
            if value.__class__ is not str:
                return null if value is None and null is not None else _refuse()
            if not least <= len(value) <= most:
                _refuse()
            if ids and value[:_START] in _SECRET_STARTS and SECRET.match(value):
                _refuse()
            raw = value.encode()
            return starts[len(raw)] + raw

        if name in self._direct:
            return encode
        return self._table(encode, "string", branch, least, most, ids).__getitem__

    def _long(self, name: str, branch: bytes, null: bytes | None) -> _Encode:
        least = 0 if name in self._rules.times else -_LIMIT

        def encode(value: int | None) -> bytes:
            if value.__class__ is int and least <= value < _LIMIT:
                return branch + _varint(value << 1 ^ value >> _LONG_BITS)
            return null if value is None and null is not None else _refuse()

        if name in self._direct:
            return encode
        table = self._table(encode, "long", branch, least)

        def look_up(value: int | None) -> bytes:
            # Only of an int: True and 1.0 would find what belongs to 1.
            return table[value] if value.__class__ is int else encode(value)

        return look_up

    def _table(self, encode: _Encode, *alike: object) -> _Table:
        return self._tables.setdefault(alike, _Table(encode))


def _starts(branch: bytes) -> list[bytes]:
    """Give what goes before a string, by its bytes; longer ones are not plain."""
    return [branch + _varint(size << 1) for size in range(_LONGEST)]


def _double(branch: bytes, null: bytes | None) -> _Encode:
    def encode(value: float | None) -> bytes:
        if value.__class__ is float or value.__class__ is int:
            return branch + _DOUBLE.pack(value)
        return null if value is None and null is not None else _refuse()

    return encode


def _boolean(branch: bytes, null: bytes | None) -> _Encode:
    true, false = branch + b"\1", branch + b"\0"

    def encode(value: bool | None) -> bytes:
        if value is True:
            return true
        if value is False:
            return false
        return null if value is None and null is not None else _refuse()

    return encode


def _bytes(branch: bytes, null: bytes | None) -> _Encode:
    starts = _starts(branch)

    def encode(value: bytes | None) -> bytes:
        if value.__class__ is bytes:
            return starts[len(value)] + value
        return null if value is None and null is not None else _refuse()

    return encode


def _array(item: _Encode) -> _Encode:
    def encode(values: tuple[str, ...]) -> bytes:
        if not values:
            return _END
        return b"".join((_varint(len(values) << 1), *map(item, values), _END))

    table = _Table(encode)

    def look_up(values: list[str] | tuple[str, ...]) -> bytes:
        if values.__class__ is not list and values.__class__ is not tuple:
            _refuse()
        return table[tuple(values)]

    return look_up
