"""Tokens as numbers: text is cut once per distinct word, not once per prompt.

But for quotations no token holds white space, and what a run without white space is cut
into does not depend on what stands around it. So a prompt is split at quotations and
white space, which is fast, and the tokens of each *chunk* come from a bounded cache.
Markers, phrases, hashes and counts are then looked up by number, for many prompts at a
time. All of it gives exactly the tokens of `streams.sketch.text.tokenise`.
"""

from __future__ import annotations

import re
import struct
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streams.sketch.keyed import FieldHash
from streams.sketch.markers import MARKER_TOKENS
from streams.sketch.text import (
    LINE_BREAK,
    LONGEST_QUOTE,
    LONGEST_WORD,
    PLACEHOLDERS,
    SENTENCE_ENDS,
    SPACELESS,
    every_token,
    is_quotation,
    mask,
)

__all__ = [
    "BREAK",
    "FEWEST_OTHER",
    "NEW_LINE",
    "NUMBER_BYTES",
    "PLACEHOLDER_NUMBERS",
    "TokenNumbers",
    "Vocabulary",
    "fixed_number",
]

_CACHED: Final = 65_536  # tokens, and chunks; about 25 MB; English uses 20,000 words
_PACKING: Final = struct.Struct("<i")
NUMBER_BYTES: Final = _PACKING.size

# Numbers that never change. A character of a new line, which may be a blank one, comes
# before its being a line break, which is a token, is settled.
NEW_LINE, BREAK = 0, 1
_NEW_LINE_PACKED: Final = _PACKING.pack(NEW_LINE)
_FIXED: Final = (
    LINE_BREAK,
    *PLACEHOLDERS,
    *sorted(MARKER_TOKENS | frozenset(SENTENCE_ENDS) - {LINE_BREAK}),
)
_FIXED_NUMBERS: Final = {token: at for at, token in enumerate(_FIXED, BREAK)}
PLACEHOLDER_NUMBERS: Final = tuple(_FIXED_NUMBERS[each] for each in PLACEHOLDERS)
FEWEST_OTHER: Final = BREAK + len(_FIXED)
"""Numbers from here on are of tokens without a meaning of their own."""

# Quotations and marks left alone, but no apostrophe within a word; a zero byte stands
# for a new line. All alternatives begin with a literal, so that the search skips to it.
_ASCII_QUOTES: Final = re.compile(
    rb"""("[^"\0]{0,%(n)d}"|'(?<!\w')[^'\0]{1,%(n)d}'(?!\w)|`[^`\0]{1,%(n)d}`"""
    rb"""|``*|"|'(?!\w)|'(?<!\w'))""" % {b"n": LONGEST_QUOTE}
)
_MARKS_ALONE: Final = b"``"  # how a row of these begins, which quotes nothing
_MARKS: Final = frozenset((b".", b",", b"?", b"!", b":", b";", b")"))
_WORD: Final = rf"[^\W{SPACELESS}]"
_OTHER_QUOTE: Final = re.compile(
    rf"[\"'`«「『《](?:(?<!')|(?<!{_WORD}')|(?!{_WORD}))|://"
)
_SPACELESS: Final = re.compile(f"[{SPACELESS}]")
_RUNS: Final = re.compile(rf"([{SPACELESS}]+)|([^\s{SPACELESS}]+)")
# In a text that is not ASCII these are white space; within ASCII they are not.
_SEPARATORS: Final = re.compile("[\x1c-\x1f]")


def fixed_number(token: str) -> int:
    """Give the number of a marker's token or a sentence's end, in every vocabulary."""
    return _FIXED_NUMBERS[token]


class TokenNumbers(NamedTuple):
    """The tokens of one text; see `Vocabulary.read`.

    ``packed`` holds a little-endian 32-bit number for each token; `NEW_LINE` stands
    for each new line, so not each is a token. ``long`` are, in order, the tokens that
    are too long to have a number of their own, and ``quoted`` the quotations.
    """

    packed: bytes
    long: list[str]
    quoted: list[str]


class Vocabulary:
    r"""Numbers of tokens under one key; not for two threads at a time.

    ``hashes[n]`` is the keyed hash of the masked form of the token with number n, and
    0 for a line break. Long tokens, which are fillings and seldom come again, are never
    kept: they get the number of their placeholder.

    >>> vocabulary = Vocabulary(b"0123456789abcdef0123456789abcdef")
    >>> packed, long, quoted = vocabulary.read('say "no", then\n\nsay it again')
    >>> len(packed) // NUMBER_BYTES, long, quoted
    (9, [], ['"no"'])
    """

    __slots__ = ("_ascii", "_numbers", "_other")

    def __init__(self, key: bytes) -> None:
        self._numbers = _Numbers(key)
        self._ascii = _AsciiChunks(self._numbers)
        self._other = _OtherChunks(self._numbers)
        self.clear()

    def __len__(self) -> int:
        """Count the entries that are kept."""
        return len(self._numbers) + len(self._ascii) + len(self._other)

    def __repr__(self) -> str:
        return f"<Vocabulary of {len(self._numbers)} tokens>"

    @property
    def hashes(self) -> NDArray[np.uint64]:
        """Keyed hashes by number."""
        return self._numbers.hashes

    @property
    def full(self) -> bool:
        """Whether it is time to `clear`."""
        sizes = len(self._numbers), len(self._ascii), len(self._other)
        return max(sizes) > _CACHED

    def clear(self) -> None:
        """Forget all but the fixed numbers; numbers given before mean nothing now."""
        self._numbers.reset()
        self._ascii.clear()
        self._ascii[b"\0"] = _NEW_LINE_PACKED
        self._other.clear()

    def read(self, folded: str) -> TokenNumbers:
        """Cut a text, as `streams.sketch.text.window` folds it."""
        long: list[str] = []
        quoted: list[str] = []
        self._numbers.long = long
        if folded.isascii():
            packed = self._ascii_text(folded, quoted)
        elif _SEPARATORS.search(folded):
            packed = self._every_token(folded, quoted, ascii_only=False)
        else:
            lines = folded.split(LINE_BREAK)
            packed = _NEW_LINE_PACKED.join([self._line(line, quoted) for line in lines])
        return TokenNumbers(packed, long, quoted)

    def _ascii_text(self, folded: str, quoted: list[str]) -> bytes:
        # No zero byte is left in folded text. Unlike str, bytes split where ASCII
        # regular expressions see white space.
        raw = folded.encode().replace(b"\n", b" \0 ")
        if b'"' in raw or b"'" in raw or b"`" in raw:
            if b"://" in raw:  # an address may swallow quotation marks
                return self._every_token(folded, quoted, ascii_only=True)
            first, *others = _ASCII_QUOTES.split(raw)
            chunks = first.split()
            for number in range(0, len(others), 2):
                quote = others[number]
                if len(quote) > 1 and not quote.startswith(_MARKS_ALONE):
                    quoted.append(quote.decode())
                chunks.append(quote)
                chunks += others[number + 1].split()
        else:
            chunks = raw.split()
        return b"".join(map(self._ascii.__getitem__, chunks))

    def _line(self, line: str, quoted: list[str]) -> bytes:
        if line.isascii():
            return self._ascii_text(line, quoted)
        if _OTHER_QUOTE.search(line):
            return self._every_token(line, quoted, ascii_only=False)
        if not _SPACELESS.search(line):
            return b"".join(map(self._other.__getitem__, line.split()))
        number = self._numbers.__getitem__
        return b"".join(
            b"".join(map(number, spaceless)) if spaceless else self._other[run]
            for spaceless, run in _RUNS.findall(line)
        )

    def _every_token(
        self, folded: str, quoted: list[str], *, ascii_only: bool
    ) -> bytes:
        tokens = every_token(folded, ascii_only=ascii_only)
        quoted += filter(is_quotation, tokens)
        return b"".join(map(self._numbers.__getitem__, tokens))


class _Numbers(dict[str, bytes]):
    """Token to its packed number; gives new ones."""

    __slots__ = (
        "_fixed",
        "_hash",
        "_masks",
        "_next",
        "_placeholders",
        "hashes",
        "long",
    )

    def __init__(self, key: bytes) -> None:
        super().__init__()
        self._hash = FieldHash(key, "token")
        self.long: list[str] = []
        self.hashes: NDArray[np.uint64] = np.zeros(2 * FEWEST_OTHER, dtype="<u8")
        self._fixed = {t: _PACKING.pack(n) for t, n in _FIXED_NUMBERS.items()}
        self._placeholders = {each: self._fixed[each] for each in PLACEHOLDERS}
        self._masks = {each: self._hash(each.encode()) for each in PLACEHOLDERS}
        for token, number in _FIXED_NUMBERS.items():
            if token != LINE_BREAK:
                self.hashes[number] = self._hash_of(mask(token))
        self.reset()

    def reset(self) -> None:
        """Keep the fixed numbers only."""
        self.clear()
        self.update(self._fixed)
        self._next = FEWEST_OTHER

    def __missing__(self, token: str) -> bytes:
        masked = mask(token)
        if len(token) > LONGEST_WORD:
            self.long.append(token)
            return self._placeholders[masked]
        number = self._next
        if number == len(self.hashes):
            self.hashes = np.concatenate([self.hashes, np.zeros_like(self.hashes)])
        self.hashes[number] = self._hash_of(masked)
        self._next = number + 1
        packed = _PACKING.pack(number)
        self[token] = packed
        return packed

    def _hash_of(self, masked: str) -> int:
        found = self._masks.get(masked)
        return found or self._hash(masked.encode("utf-8", "surrogatepass"))


class _AsciiChunks(dict[bytes, bytes]):
    """Chunk of an ASCII text, or of an ASCII line, to its packed numbers."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: _Numbers) -> None:
        super().__init__()
        self._numbers = numbers

    def __missing__(self, chunk: bytes) -> bytes:
        packed = self._known_word(chunk)
        if not packed:
            tokens = every_token(chunk.decode(), ascii_only=True)
            packed = b"".join(map(self._numbers.__getitem__, tokens))
        if len(chunk) <= LONGEST_WORD:
            self[chunk] = packed
        return packed

    def _known_word(self, chunk: bytes) -> bytes:
        """Read a known word with a mark behind it, the most frequent new chunk."""
        word, mark = chunk[:-1], chunk[-1:]
        alone = mark in _MARKS and word[-1:].isalnum()
        if alone and word in self and b"://" not in word:  # addresses swallow marks
            return self[word] + self._numbers[mark.decode()]
        return b""


class _OtherChunks(dict[str, bytes]):
    """Chunk of a line that is not ASCII to its packed numbers."""

    __slots__ = ("_numbers",)

    def __init__(self, numbers: _Numbers) -> None:
        super().__init__()
        self._numbers = numbers

    def __missing__(self, chunk: str) -> bytes:
        tokens = every_token(chunk, ascii_only=False)
        packed = b"".join(map(self._numbers.__getitem__, tokens))
        if len(chunk) <= LONGEST_WORD:
            self[chunk] = packed
        return packed
