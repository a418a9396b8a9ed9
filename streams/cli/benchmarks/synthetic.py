"""Events by the million in a moment: one encoded event, patched column by column.

For the benchmarks of memory and recovery, where only the number of accounts counts:
every prompt is another one, and nobody is in a campaign.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from streams.contracts import encode
from streams.contracts.time_units import MS_PER_DAY, MS_PER_MINUTE
from streams.sketch.layout import SKETCH_BYTES, SKETCH_DTYPE, SKETCH_VERSION

__all__ = ["SyntheticEvents", "account_ids"]

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_ACCOUNT: Final = b"A" * 24
_EVENT: Final = b"E" * 32
_NETWORK: Final = b"N" * 16
_PAYMENT: Final = b"P" * 16
_START: Final = (
    1_772_409_600_000  # 2026-03-02 in ms; its varint has 6 bytes for decades
)
_SHARING: Final = 20_000
"""Accounts with the same network and payment when they do not have their own: a
carrier's and a reseller's. Where some dozens share both, each of them is suspect."""
_HEX: Final = np.frombuffer(b"".join(b"%02x" % n for n in range(256)), "<u2")
_HASHES_AT: Final = int(np.dtype(SKETCH_DTYPE).fields["system"][1])  # type: ignore[index]  # it has fields
_SKETCH: Final = bytes([SKETCH_VERSION]) + b"S" * (SKETCH_BYTES - 1)


def account_ids(numbers: Ints) -> list[str]:
    """Give the ids of accounts by number, 24 hex digits each.

    >>> account_ids(np.array([0, 1]))
    ['000000000000000000000000', '000000016f68261b57e7a770']
    """
    text = _hex(_identity(numbers)).tobytes().decode()
    size = len(_ACCOUNT)
    return [text[at : at + size] for at in range(0, len(text), size)]


class SyntheticEvents:
    """Makes framed RequestEvents; ``own_facets`` gives each account its own network.

    With ``own_payments`` each account pays for itself although networks are shared, as
    behind carriers: that is no evidence. Who shares both is followed by later stages.
    """

    def __init__(
        self, *, own_facets: bool, own_payments: bool = False, seed: int = 7
    ) -> None:
        self._own = own_facets
        self._own_payments = own_facets or own_payments
        self._rng = np.random.default_rng(seed)
        self._made = 0
        event = {
            "event_id": _EVENT.decode(),
            "occurred_at": _START,
            "account_id": _ACCOUNT.decode(),
            "account_created_at": _START - 40 * MS_PER_DAY,
            "network": _NETWORK.decode(),
            "tls_ja4": "t13d1516h2_8daaf6152771_02713d6af862",
            "client": "python/1.54",
            "payment": _PAYMENT.decode(),
            "operation_name": "chat",
            "request_model": "aurora-2",
            "usage_input_tokens": 240,
            "usage_output_tokens": 310,
            "status_code": 200,
            "sketch": _SKETCH,
        }
        encoded = encode("RequestEvent", event)
        self._template = np.frombuffer(encoded, np.uint8)
        self._places = {
            mark: encoded.index(mark)
            for mark in (_ACCOUNT, _EVENT, _NETWORK, _PAYMENT, _SKETCH, _time_bytes())
        }

    def values(self, accounts: Ints, minutes: Ints) -> list[bytes]:
        """Make one event for each account number, in the minute (from 0) beside it."""
        count = len(accounts)
        rows = np.tile(self._template, (count, 1))
        numbers = np.arange(self._made, self._made + count)
        self._made += count
        shared = accounts // _SHARING
        facets = accounts if self._own else shared
        payments = accounts if self._own_payments else shared
        self._put(rows, _ACCOUNT, _hex(_identity(accounts)))
        self._put(rows, _EVENT, _hex(_wide(numbers)))
        self._put(rows, _NETWORK, _hex(_identity(facets)[:, 4:]))
        self._put(rows, _PAYMENT, _hex(_identity(payments + 1)[:, 4:]))
        self._put(rows, _time_bytes(), _varint(_START + minutes * MS_PER_MINUTE))
        hashes = self._places[_SKETCH] + _HASHES_AT
        wide = SKETCH_BYTES - _HASHES_AT
        rows[:, hashes : hashes + wide] = self._rng.integers(
            1, 256, (count, wide), np.uint8
        )
        markers = self._places[_SKETCH] + 1
        rows[:, markers:hashes] = 0
        text, size = rows.tobytes(), rows.shape[1]
        return [text[at : at + size] for at in range(0, len(text), size)]

    def _put(self, rows: Bytes, mark: bytes, values: Bytes) -> None:
        at = self._places[mark]
        rows[:, at : at + len(mark)] = values


def _time_bytes() -> bytes:
    return _varint(np.array([_START])).tobytes()


def _varint(times: Ints) -> Bytes:
    """Encode longs of six bytes as Avro does: zigzag, seven bits a byte."""
    zigzag = times.astype(np.uint64) << np.uint64(1)
    shifts = np.arange(6, dtype=np.uint64) * np.uint64(7)
    groups = (zigzag[:, None] >> shifts) & np.uint64(0x7F)
    groups[:, :-1] |= np.uint64(0x80)
    return groups.astype(np.uint8)


def _mixed(numbers: Ints) -> npt.NDArray[np.uint64]:
    mixed = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(30)
    return mixed * np.uint64(0xBF58476D1CE4E5B9)


def _identity(numbers: Ints) -> Bytes:
    """Give 12 bytes that tell the number: 4 of it as it is, and 8 mixed."""
    plain = numbers.astype(">u4").view(np.uint8).reshape(-1, 4)
    mixed = _mixed(numbers).astype(">u8").view(np.uint8).reshape(-1, 8)
    return np.hstack([plain, mixed])


def _wide(numbers: Ints) -> Bytes:
    plain = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)
    mixed = _mixed(numbers).astype(">u8").view(np.uint8).reshape(-1, 8)
    return np.hstack([plain, mixed])


def _hex(values: Bytes) -> Bytes:
    return _HEX[values].view(np.uint8).reshape(len(values), -1)
