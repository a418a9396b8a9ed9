"""Check many datums at once, byte by byte, before anything decodes them.

A datum says nothing about its own length, so a corrupt one can swallow the bytes of
the next and still decode. This walk steps through the fields of all datums in
lockstep, one numpy operation for a whole chunk, and knows for each datum whether it
ends exactly where it should. A datum it is not sure of is *doubtful*: the row codec
decides on it alone. So the walk may be stricter than Avro, never laxer.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from streams.contracts.byte_column import ByteColumn, LongColumn, padded
from streams.contracts.compiled import loops
from streams.contracts.rules import SECRET_STARTS, Rules

__all__ = ["Marks", "Step", "Walked", "plan", "walk", "walk_fields"]

_Bytes = npt.NDArray[np.uint8]
_Ints = npt.NDArray[np.int64]
_Mask = npt.NDArray[np.bool_]

_MORE: Final = 128
"""The bit of a varint's byte that says another byte follows."""
_LONGEST_VARINT = 9
"""Bytes; the 64-bit values that need ten are left to the row codec."""
_LONGEST_INT = 4
"""Bytes of a varint that surely fits 32 bits."""
_MOST_ITEMS = 16
"""Items of an array; longer ones are left to the row codec."""
_LONGEST_LENGTH = 4
"""Bytes of the length of a string or of bytes: up to 128 MB."""
_NOT_AN_INDEX = 0xFD
"""Bits that the index of a union of two, 0 or 2 in zigzag, never has."""
_MOST_TABLES = 64
"""Descriptions of steps kept, one for each writer's schema and choice of fields."""
_WORD: Final = 8
_HIGH_BITS: Final = np.uint64(0x8080808080808080)
_LOW_BYTES: Final = np.array([(1 << 8 * n) - 1 for n in range(_WORD + 1)], np.uint64)
"""Masks of the first n bytes of a little-endian word."""
_JOINS: Final = [
    (np.uint64(keep), np.uint64(shift))
    for keep, shift in (
        (0x007F007F007F007F, 1),
        (0x00003FFF00003FFF, 2),
        (0x000000000FFFFFFF, 4),
    )
]
"""Halves of ever larger groups of a varint's bits that stay; shifts of the others."""
_FIXED_SIZES = {"double": 8, "float": 4, "null": 0}


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One field: its kind, and what of it is not doubtful.

    ``kind`` is an Avro primitive, ``enum`` or ``array`` (of strings); ``null_index`` is
    the place of ``null`` in the field's union, None for no union; ``longest`` bounds
    the bytes of a string.
    """

    kind: str
    null_index: int | None = None
    symbols: int = 0
    shortest: int = 0
    longest: int | None = None
    size: int | None = None
    is_id: bool = False
    not_negative: bool = False


def plan(
    avro: Mapping[str, Any], rules: Rules, *, sketch_bytes: int | None = None
) -> tuple[Step, ...] | None:
    """Plan the walk through a flat physical schema; None when it is not flat.

    Flat: every field is a primitive, an enum, an array of strings, or a union of null
    and a primitive.
    """
    steps = []
    for field in avro["fields"]:
        step = _step(field["type"])
        if step is None:
            return None
        name = field["name"]
        steps.append(
            dataclasses.replace(
                step,
                shortest=1 if name in rules.required else 0,
                longest=rules.max_chars if step.kind in ("string", "array") else None,
                size=sketch_bytes if name == "sketch" else None,
                is_id=name in rules.ids and step.kind == "string",
                not_negative=name in rules.times,
            )
        )
    return tuple(steps)


_PRIMITIVES = frozenset(
    {"null", "boolean", "int", "long", "float", "double", "bytes", "string"}
)


def _step(avro: Any) -> Step | None:
    match avro:
        case str() if avro in _PRIMITIVES:
            return Step(avro)
        case ["null", str() as inner] if inner in _PRIMITIVES - {"null"}:
            return Step(inner, null_index=0)
        case [str() as inner, "null"] if inner in _PRIMITIVES - {"null"}:
            return Step(inner, null_index=1)
        case {"type": "enum", "symbols": symbols} if len(symbols) < _MORE // 2:
            return Step("enum", symbols=len(symbols))
        case {"type": "array", "items": "string"}:
            return Step("array")
    return None


def walk(
    steps: Sequence[Step],
    blob: bytes,
    starts: _Ints,
    ends: _Ints,
    *,
    ascii_only: bool = False,
) -> _Mask:
    """Step through the datums ``blob[starts[i]:ends[i]]`` in lockstep.

    Returns which of them are *sure*: well formed to the last byte, every field within
    the steps' limits. UTF-8 is not checked, but with ``ascii_only`` a string that is
    not ASCII is doubtful.

    >>> steps = (Step("string"), Step("long"))
    >>> blob = bytes([4, 97, 98, 2]) + bytes([4, 97, 98])
    >>> sure = walk(steps, blob, np.array([0, 4]), np.array([4, 7]))
    >>> sure.tolist()
    [True, False]
    """
    walker = _Walker(blob, starts, ascii_only=ascii_only)
    for step in steps:
        walker.take(step)
    sure: _Mask = ~walker.doubtful & (walker.at == ends)
    return sure


class Marks(NamedTuple):
    """Where a field's value lies in each datum, and its bytes; -1 where it is null."""

    at: _Ints
    size: _Ints


class Walked(NamedTuple):
    """What a walk found: which datums are sure, which are also plain, and the fields.

    In a *plain* datum all strings are ASCII, so that nobody need look for bad UTF-8.
    Only the marks of sure datums mean anything.
    """

    sure: _Mask
    plain: _Mask
    block: _Bytes
    marks: dict[int, Marks]

    def bytes_of(self, step: int, index: _Ints) -> ByteColumn:
        """Give the strings or bytes of a step, of the datums at ``index``."""
        marks = self.marks[step]
        return ByteColumn(self.block, marks.at[index], marks.size[index])

    def longs_of(self, step: int, index: _Ints) -> LongColumn:
        """Give the integers of a step, of the datums at ``index``."""
        at, size = (column[index] for column in self.marks[step])
        present = size >= 0
        if loops():
            from streams.contracts.walk_loops import longs_loop  # noqa: PLC0415  numba

            decoded = np.zeros(len(at), np.int64)
            longs_loop(self.block, at, size, decoded)
            return LongColumn(decoded, present)
        words = ByteColumn(self.block, at, size).words()
        code = _seven_bits(words[at] & _LOW_BYTES[np.clip(size, 0, _WORD)])
        ninth = self.block[at + _WORD].astype(np.uint64) << np.uint64(7 * _WORD)
        code |= np.where(size > _WORD, ninth, np.uint64(0))
        sign = -(code & np.uint64(1)).astype(np.int64)
        values = (code >> np.uint64(1)).astype(np.int64) ^ sign
        return LongColumn(np.where(present, values, 0), present)


def walk_fields(
    steps: Sequence[Step], blob: bytes, starts: _Ints, ends: _Ints, wanted: set[int]
) -> Walked:
    """Walk as `walk` does, and mark the fields of the ``wanted`` steps.

    >>> steps = (Step("string"), Step("long"))
    >>> blob = bytes([4, 97, 98, 2])
    >>> walked = walk_fields(steps, blob, np.array([0]), np.array([4]), {0, 1})
    >>> walked.bytes_of(0, np.array([0])).texts(), walked.longs_of(1, np.array([0]))[0]
    (['ab'], array([1]))
    """
    if loops() and all(steps[number].kind in _MARKED for number in wanted):
        return _walk_with_loop(steps, padded(blob), starts, ends, sorted(wanted))
    walker = _Walker(blob, starts, counting=True)
    for number, step in enumerate(steps):
        walker.take(step, mark=number if number in wanted else None)
    sure: _Mask = ~walker.doubtful & (walker.at == ends)
    plain = sure & (walker.high_bytes(starts, ends) == walker.beside)
    return Walked(sure, plain, walker.bytes, walker.marks)


_MARKED: Final = frozenset({"string", "bytes", "int", "long"})


def _walk_with_loop(
    steps: Sequence[Step],
    block: _Bytes,
    starts: _Ints,
    ends: _Ints,
    wanted: Sequence[int],
) -> Walked:
    from streams.contracts.walk_loops import walk_loop  # noqa: PLC0415  loads numba

    shape = len(wanted), len(starts)
    at, size = np.zeros(shape, np.int64), np.full(shape, -1, np.int64)
    sure, plain = np.empty(len(starts), np.bool_), np.empty(len(starts), np.bool_)
    table = _table(tuple(steps), tuple(wanted))
    walk_loop(block, starts, ends, table, _SECRET_PAIRS, at, size, sure, plain)
    marks = {step: Marks(at[n], size[n]) for n, step in enumerate(wanted)}
    return Walked(sure, plain, block, marks)


@lru_cache(maxsize=_MOST_TABLES)
def _table(steps: tuple[Step, ...], wanted: tuple[int, ...]) -> _Ints:
    """Describe steps as the loop takes them, one row of its columns each."""
    from streams.contracts.walk_loops import COLUMNS, KINDS  # noqa: PLC0415  numba

    rows = []
    for number, step in enumerate(steps):
        numbers = {
            "kind": KINDS.index(step.kind),
            "mark": wanted.index(number) if number in wanted else None,
        }
        told = {**dataclasses.asdict(step), **numbers}
        rows.append([-1 if told[name] is None else int(told[name]) for name in COLUMNS])
    return np.array(rows, np.int64)


def _seven_bits(word: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Join the low seven bits of each of the eight bytes of a word."""
    word &= ~_HIGH_BITS
    for keep, shift in _JOINS:
        word = (word & keep) | (word & ~keep) >> shift
    return word


class _Walker:
    """Positions of all datums, and which of them are doubtful so far."""

    def __init__(
        self,
        blob: bytes,
        starts: _Ints,
        *,
        ascii_only: bool = False,
        counting: bool = False,
    ) -> None:
        self.bytes: _Bytes = padded(blob)
        self.limit = len(blob) + 1  # behind every end, so it cannot pass for one
        self.at: _Ints = starts.astype(np.int64)
        self.doubtful: _Mask = np.zeros(len(starts), dtype=np.bool_)
        self.marks: dict[int, Marks] = {}
        # Bytes of each datum that have the high bit and are of no string.
        self.beside: _Ints | None = None
        self._of: _Ints | slice = slice(None)
        self._value: tuple[_Ints, _Ints | int] | None = None
        if counting:
            self.beside = np.zeros(len(starts), dtype=np.int64)
            self.words = ByteColumn(self.bytes, starts, starts).words()
        # How many bytes before each place are not ASCII.
        self.foreign: _Ints | None = None
        if ascii_only:
            self.foreign = np.cumsum(self.bytes >= _MORE) - (self.bytes >= _MORE)

    def take(self, step: Step, mark: int | None = None) -> None:
        """Step over one field of every datum; ``mark`` it if its number is given."""
        where: _Ints | None = None
        if step.null_index is not None:
            index = self.bytes[self.at]
            self.doubtful |= (index & _NOT_AN_INDEX) != 0
            present = (index == 0) == bool(step.null_index)
            self.at += 1
            if not present.all():
                where = np.flatnonzero(present)
        self._value = None
        if where is None:
            self._of = slice(None)
            width, doubtful = self._step(step, self.at)
            self.at += width
            self.doubtful |= doubtful
        elif len(where):
            self._of = where
            width, doubtful = self._step(step, self.at[where])
            self.at[where] += width
            self.doubtful[where] |= doubtful
        if mark is not None:
            self._mark(mark)
        # A walk that left its datum never comes back, so holding it here loses
        # nothing, and the next step stays inside the array.
        np.minimum(self.at, self.limit, out=self.at)

    def _mark(self, mark: int) -> None:
        place = np.zeros(len(self.at), dtype=np.int64)
        size = np.full(len(self.at), -1, dtype=np.int64)
        if self._value is not None:
            place[self._of], size[self._of] = self._value
        self.marks[mark] = Marks(place, size)

    def _count(self, high: _Ints | int) -> None:
        if self.beside is not None:
            self.beside[self._of] += high

    def _high_bits(self, at: _Ints, size: int) -> _Ints:
        """Count bytes with the high bit in stretches of one size."""
        high = np.zeros(len(at), dtype=np.int64)
        for start in range(0, size, _WORD):
            mask = _HIGH_BITS & _LOW_BYTES[min(size - start, _WORD)]
            # A walk that left its datum may be at the end of the block.
            word = self.words[np.minimum(at + start, len(self.words) - 1)]
            high += np.bitwise_count(word & mask)
        return high

    def high_bytes(self, starts: _Ints, ends: _Ints) -> _Ints:
        """Count bytes with the high bit in each datum."""
        size = len(self.bytes) // _WORD * _WORD
        high = self.bytes[:size].view("<u8") & _HIGH_BITS
        # Numpy adds up in one pass only where the types are the same.
        counts = np.bitwise_count(high).astype(np.uint32)
        before = np.append(np.uint32(0), np.cumsum(counts, dtype=np.uint32))

        def upto(place: _Ints) -> _Ints:
            word = place // _WORD
            head = high[word] & _LOW_BYTES[place % _WORD]
            count: _Ints = before[word].astype(np.int64) + np.bitwise_count(head)
            return count

        return upto(ends) - upto(starts)

    def _step(self, step: Step, at: _Ints) -> tuple[_Ints | int, _Mask | bool]:
        """Give the width of the field at each position, and where it is doubtful."""
        width: _Ints | int
        doubtful: _Mask | bool
        match step.kind:
            case "string" | "bytes":
                width, doubtful = self._text(step, at)
            case "array":
                width, doubtful = self._array(step, at)
            case "long" | "int":
                width, doubtful = self._integer(step, at)
            case "boolean":
                width, doubtful = 1, self.bytes[at] > 1
            case "enum":
                index = self.bytes[at]
                width, doubtful = 1, (index >= 2 * step.symbols) | _odd(index)
            case _:
                width, doubtful = _FIXED_SIZES[step.kind], False
                if self.beside is not None:
                    self._count(self._high_bits(at, width))
        return width, doubtful

    def _integer(self, step: Step, at: _Ints) -> tuple[_Ints, _Mask | bool]:
        longest = _LONGEST_INT if step.kind == "int" else _LONGEST_VARINT
        byte = self.bytes[at]
        doubtful = _odd(byte) if step.not_negative else False
        more = byte >= _MORE
        width = np.ones(len(at), dtype=np.int64)
        while more.any():
            width += more
            doubtful = doubtful | (width > longest)
            more &= (self.bytes[at + (width - 1)] >= _MORE) & (width <= longest)
        self._value = at.copy(), width
        self._count(width - 1)
        return width, doubtful

    def _text(self, step: Step, at: _Ints) -> tuple[_Ints, _Mask]:
        length, width, doubtful = self._length(at)
        if step.shortest:
            doubtful = doubtful | (length < step.shortest)
        if step.longest is not None:
            doubtful = doubtful | (length > step.longest)
        if step.size is not None:
            doubtful = doubtful | (length != step.size)
        if step.is_id:
            first = at + width
            pair = self.bytes[first].astype(np.uint16) << 8
            doubtful = doubtful | _SECRET_PAIRS[pair | self.bytes[first + 1]]
        if self.foreign is not None and step.kind != "bytes":
            end = np.minimum(at + width + length, self.limit)
            doubtful = doubtful | (self.foreign[at + width] != self.foreign[end])
        self._value = at + width, length
        if self.beside is not None:
            self._count(width - 1)
            if step.kind == "bytes":
                # Bytes of any size are not worth a count: their datums are not plain.
                fixed = step.size is not None
                self._count(self._high_bits(at + width, step.size or 0) - (not fixed))
        return length + width, doubtful

    def _length(self, at: _Ints) -> tuple[_Ints, _Ints | int, _Mask]:
        """Read a length of at most four bytes; a negative one is doubtful."""
        byte = self.bytes[at]
        doubtful = _odd(byte)
        raw = byte.astype(np.int64)
        more = byte >= _MORE
        if not more.any():
            return raw >> 1, 1, doubtful
        raw &= _MORE - 1
        width = np.ones(len(at), dtype=np.int64)
        for shift in range(7, 7 * _LONGEST_LENGTH, 7):
            byte = self.bytes[at + width]
            raw |= np.where(more, byte & (_MORE - 1), 0).astype(np.int64) << shift
            width += more
            more &= byte >= _MORE
        return raw >> 1, width, doubtful | more

    def _array(self, step: Step, at: _Ints) -> tuple[_Ints, _Mask]:
        of = np.arange(len(self.at))[self._of]
        count = self.bytes[at]
        doubtful = count > 2 * _MOST_ITEMS
        left = np.where(doubtful, 0, (count + 1) >> 1)
        end = at + 1
        # A negative count is followed by the block's size, as some Go encoders do.
        if (where := np.flatnonzero(_odd(count))).size:
            _, width, odd = self._length(end[where])
            end[where] += width
            doubtful[where] |= odd
            self._of = of[where]
            self._count(width - 1)
        filled = left > 0
        while (where := np.flatnonzero(left)).size:
            self._of = of[where]
            width, odd = self._text(step, end[where])
            end[where] = np.minimum(end[where] + width, self.limit)
            doubtful[where] |= odd
            left[where] -= 1
        # One more block may follow where the closing zero should be.
        doubtful |= filled & (self.bytes[end] != 0)
        return end + filled - at, doubtful


def _odd(byte: _Bytes) -> _Mask:
    """Tell where the zigzag code is of a negative number."""
    return (byte & 1).astype(np.bool_)


def _secret_pairs() -> _Mask:
    table = np.zeros(1 << 16, dtype=np.bool_)
    for start in SECRET_STARTS:
        table[int.from_bytes(start.encode("ascii"), "big")] = True
    return table


_SECRET_PAIRS: Final = _secret_pairs()
