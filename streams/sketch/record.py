"""`Sketch`: the keyed, lossy digest of one prompt, 88 bytes."""

from __future__ import annotations

import dataclasses
import struct
from typing import Self

from streams.errors import InvalidRecord
from streams.sketch.layout import MINHASH_SLOTS, RATIOS, SKETCH_BYTES, SKETCH_VERSION
from streams.sketch.markers import marker_names

__all__ = ["PACKING", "Sketch"]

# version, key epoch, markers, ratios, system, head, tail, minhash, exact, tools
PACKING = struct.Struct(f"<BBI{len(RATIOS)}s3Q{MINHASH_SLOTS * 2}s2Q")
_MINHASH = struct.Struct(f"<{MINHASH_SLOTS}H")
_SHOWN_DIGITS = 8


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Sketch:
    """One prompt's sketch; equal and hashed by its bytes.

    Build it by `Sketcher.sketch` or `Sketch.from_bytes`. Hashes are unsigned 64-bit
    integers in which 0 means absent.
    """

    _data: bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read a sketch; raise `InvalidRecord` for another size or version.

        >>> Sketch.from_bytes(b"abc")
        Traceback (most recent call last):
        streams.errors.InvalidRecord: field sketch: 3 bytes, but a sketch has 88
        """
        if len(data) != SKETCH_BYTES:
            raise InvalidRecord(
                f"field sketch: {len(data)} bytes, but a sketch has {SKETCH_BYTES}"
            )
        if data[0] != SKETCH_VERSION:
            raise InvalidRecord(
                f"field sketch: layout version {data[0]}, but this release reads "
                f"version {SKETCH_VERSION}; upgrade the older side"
            )
        return cls(bytes(data))

    def to_bytes(self) -> bytes:
        """Give the bytes that go into ``RequestEvent.sketch``."""
        return self._data

    __bytes__ = to_bytes

    def __repr__(self) -> str:
        head, exact = self.head.to_bytes(8, "little"), self.exact.to_bytes(8, "little")
        return (
            f"<Sketch v{self.version} key {self.key_epoch:02x} "
            f"head {head.hex()[:_SHOWN_DIGITS]} exact {exact.hex()[:_SHOWN_DIGITS]}>"
        )

    def _word(self, offset: int) -> int:
        return int.from_bytes(self._data[offset : offset + 8], "little")

    @property
    def version(self) -> int:
        """Version of the layout."""
        return self._data[0]

    @property
    def key_epoch(self) -> int:
        """Byte that tells keys apart, `streams.sketch.keyed.key_epoch`."""
        return self._data[1]

    @property
    def marker_bits(self) -> int:
        """Markers as an unsigned 32-bit integer."""
        return int.from_bytes(self._data[2:6], "little")

    @property
    def markers(self) -> frozenset[str]:
        """Names of the markers that are set."""
        return marker_names(self.marker_bits)

    @property
    def ratios(self) -> dict[str, int]:
        """The quantised ratios, 0..255, by name."""
        return dict(zip(RATIOS, self._data[6:16], strict=True))

    @property
    def system(self) -> int:
        """Hash of the masked system prompt."""
        return self._word(16)

    @property
    def head(self) -> int:
        """Hash of the first masked tokens."""
        return self._word(24)

    @property
    def tail(self) -> int:
        """Hash of the last masked tokens."""
        return self._word(32)

    @property
    def minhash(self) -> tuple[int, ...]:
        """16 slots of 16 bits; all 0 when the prompt is too short."""
        return _MINHASH.unpack_from(self._data, 40)

    @property
    def exact(self) -> int:
        """Hash of the whole normalised prompt."""
        return self._word(72)

    @property
    def tools(self) -> int:
        """Hash of the canonical tool definitions."""
        return self._word(80)

    @property
    def turns(self) -> int:
        """Count of earlier turns, at most 255."""
        return self._data[15]
