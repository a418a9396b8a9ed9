"""One record to bytes by functions that were made from its schema, field by field.

fastavro looks at the schema again for every value, which costs a decision with its
features 60 microseconds. Here each field has its function, made once. A value that is
not plainly of its type is refused, and then fastavro decides about the record.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from streams.contracts.plain_values import (
    LIMIT,
    LONG_BITS,
    PAIR,
    SHORT,
    NotPlainError,
    refuse,
    varint,
)

__all__ = ["Encode", "datum_encoder"]

Encode: TypeAlias = Callable[[Any], bytes]

_INT_LIMIT: Final = 1 << 31
_LONGEST_KEPT: Final = 64  # bytes; names of features, rungs and versions are shorter
_MOST_KEPT: Final = 4096  # strings; about 1 MB
_DOUBLE: Final = struct.Struct("<d")
_END: Final = b"\0"  # of an array or a map
_strings: Final[dict[str, bytes]] = {}
"""Strings that were encoded of late: most come again."""


def datum_encoder(avro: Any) -> Encode:
    r"""Make the encoder of a schema without logical types.

    Raises `NotPlainError` when the schema is not of records, arrays, maps, enums,
    primitives and their unions with null; the encoder raises anything for a value that
    is not plain.

    >>> encode = datum_encoder({"type": "array", "items": ["null", "long"]})
    >>> encode([None, -3])
    b'\x04\x00\x02\x05\x00'
    """
    return _encoder(avro, {})


def _encoder(avro: Any, named: dict[str, Encode]) -> Encode:
    match avro:
        case str() if avro in _PRIMITIVES:
            return _PRIMITIVES[avro]
        case str() if avro in named:
            return named[avro]
        case ["null", inner]:
            return _optional(_encoder(inner, named), SHORT[0], SHORT[2])
        case [inner, "null"]:
            return _optional(_encoder(inner, named), SHORT[2], SHORT[0])
        case dict():
            return _compound(avro, named)
    raise NotPlainError


def _compound(avro: Mapping[str, Any], named: dict[str, Encode]) -> Encode:
    match avro:
        case {"type": "record", "name": name, "fields": fields}:
            record = _record(
                {field["name"]: _encoder(field["type"], named) for field in fields}
            )
            for known in (name, f"{avro.get('namespace')}.{name}"):
                named[known] = record
            return record
        case {"type": "enum", "symbols": symbols}:
            codes = {symbol: varint(2 * at) for at, symbol in enumerate(symbols)}
            return codes.__getitem__
        case {"type": "array", "items": items}:
            return _array(_encoder(items, named))
        case {"type": "map", "values": values}:
            return _map(_encoder(values, named))
        case {"type": str() as primitive} if primitive in _PRIMITIVES:
            return _PRIMITIVES[primitive]
    raise NotPlainError


def _long(value: Any) -> bytes:
    if value.__class__ is not int or not -LIMIT <= value < LIMIT:
        refuse()
    code = value << 1 ^ value >> LONG_BITS
    return SHORT[code] if code < PAIR else varint(code)


def _int(value: Any) -> bytes:
    if value.__class__ is not int or not -_INT_LIMIT <= value < _INT_LIMIT:
        refuse()
    return _long(value)


def _string(value: Any) -> bytes:
    if value.__class__ is not str:
        refuse()
    known = _strings.get(value)
    if known is not None:
        return known
    raw: bytes = value.encode()
    encoded = _long(len(raw)) + raw
    if len(raw) <= _LONGEST_KEPT:
        if len(_strings) >= _MOST_KEPT:
            _strings.clear()
        _strings[value] = encoded
    return encoded


def _bytes(value: Any) -> bytes:
    if value.__class__ is not bytes:
        refuse()
    raw: bytes = value
    return _long(len(raw)) + raw


def _double(value: Any) -> bytes:
    if value.__class__ is not float and value.__class__ is not int:
        refuse()
    return _DOUBLE.pack(value)


def _boolean(value: Any) -> bytes:
    if value is True:
        return SHORT[1]
    return SHORT[0] if value is False else refuse()


_PRIMITIVES: Final[Mapping[str, Encode]] = {
    "int": _int,
    "long": _long,
    "string": _string,
    "bytes": _bytes,
    "double": _double,
    "boolean": _boolean,
}


def _optional(inner: Encode, null: bytes, branch: bytes) -> Encode:
    def encode(value: Any) -> bytes:
        return null if value is None else branch + inner(value)

    return encode


def _record(fields: Mapping[str, Encode]) -> Encode:
    count, pairs = len(fields), tuple(fields.items())
    doubles = [name for name, one in pairs[1:] if one is _double]
    if 1 < len(doubles) == count - 1:
        return _record_of_doubles(*pairs[0], doubles)

    def encode(record: Any) -> bytes:
        # A field too many or too few: defaults, or an error, are not for here.
        if len(record) != count:
            refuse()
        return b"".join([one(record[name]) for name, one in pairs])

    return encode


def _record_of_doubles(first: str, begin: Encode, doubles: Sequence[str]) -> Encode:
    """Encode records of one field, and doubles behind it, which are packed at once."""
    count, pick = 1 + len(doubles), itemgetter(*doubles)
    pack = struct.Struct(f"<{len(doubles)}d").pack

    def encode(record: Any) -> bytes:
        if len(record) != count:
            refuse()
        values = pick(record)
        for value in values:
            if value.__class__ is not float and value.__class__ is not int:
                refuse()
        return begin(record[first]) + pack(*values)

    return encode


def _array(item: Encode) -> Encode:
    def encode(values: Any) -> bytes:
        if values.__class__ is not list and values.__class__ is not tuple:
            refuse()
        if not values:
            return _END
        return b"".join([_long(len(values)), *map(item, values), _END])

    return encode


def _map(value: Encode) -> Encode:
    def encode(values: Any) -> bytes:
        if values.__class__ is not dict:
            refuse()
        if not values:
            return _END
        parts = [_string(key) + value(one) for key, one in values.items()]
        return b"".join([_long(len(values)), *parts, _END])

    return encode
