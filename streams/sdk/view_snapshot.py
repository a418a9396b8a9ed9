"""The actions that stand, on disk: what an enforcer starts with when Kafka is away.

A file is a line that names the format, blocks (4 bytes length, big-endian, then
MessagePack), a length of zero, and the BLAKE2b-128 of all that.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from streams.contracts.records import Action, ControlEntry
from streams.errors import StateError

__all__ = ["ViewSnapshot", "read_snapshot", "write_snapshot"]

_MAGIC: Final = b"distillwatch actions 1\n"
_LENGTH_BYTES: Final = 4
_DIGEST_BYTES: Final = 16
_BLOCK: Final = 500  # actions encoded in one go: other threads wait for less than 1 ms


class ViewSnapshot(msgspec.Struct, frozen=True):
    """What is kept; ``settled`` is the last sequence of subjects without an action."""

    topic: str
    saved_at: int
    settled: dict[str, int]
    actions: list[Action]
    allowlist: list[ControlEntry] = []


class _Header(msgspec.Struct, frozen=True):
    topic: str
    saved_at: int
    settled: Mapping[str, int]
    allowlist: Sequence[ControlEntry] = ()


def write_snapshot(
    path: Path,
    topic: str,
    saved_at: int,
    settled: Mapping[str, int],
    actions: Iterable[Action],
    *,
    allowlist: Sequence[ControlEntry] = (),
) -> None:
    """Replace the file as a whole, or leave the old one; `StateError` when it fails.

    ``saved_at`` is in milliseconds since the epoch.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    digest = blake2b(digest_size=_DIGEST_BYTES)
    header = _Header(topic, saved_at, settled, allowlist)
    try:
        with beside.open("wb") as file:
            for part in _parts(header, actions):
                digest.update(part)
                file.write(part)
            file.write(digest.digest())
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise StateError(
            f"snapshot {path} cannot be written ({error.strerror}); see to the folder"
        ) from error


def read_snapshot(path: Path, topic: str) -> ViewSnapshot | None:
    """Read the file; None when there is none, `StateError` when it cannot be used."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or "unreadable") from error
    body, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
    if not body.startswith(_MAGIC):
        raise _unusable(path, "another format")
    if blake2b(body, digest_size=_DIGEST_BYTES).digest() != digest:
        raise _unusable(path, "damaged")
    blocks = _blocks(memoryview(body)[len(_MAGIC) :])
    try:
        header = msgspec.msgpack.decode(next(blocks), type=_Header)
        decoder = msgspec.msgpack.Decoder(list[Action])
        actions = [action for block in blocks for action in decoder.decode(block)]
    except (msgspec.MsgspecError, StopIteration) as error:
        raise _unusable(path, "another layout") from error
    if header.topic != topic:
        raise _unusable(path, f"it is of topic {header.topic}, not {topic}")
    return ViewSnapshot(
        header.topic,
        header.saved_at,
        dict(header.settled),
        actions,
        list(header.allowlist),
    )


def _parts(header: _Header, actions: Iterable[Action]) -> Iterator[bytes]:
    yield _MAGIC
    yield _block(msgspec.msgpack.encode(header))
    left = iter(actions)
    while block := list(islice(left, _BLOCK)):
        yield _block(msgspec.msgpack.encode(block))
    yield bytes(_LENGTH_BYTES)


def _block(content: bytes) -> bytes:
    return len(content).to_bytes(_LENGTH_BYTES) + content


def _blocks(body: memoryview) -> Iterator[memoryview]:
    at = 0
    while length := int.from_bytes(body[at : at + _LENGTH_BYTES]):
        at += _LENGTH_BYTES
        yield body[at : at + length]
        at += length


def _unusable(path: Path, reason: str) -> StateError:
    return StateError(
        f"snapshot {path} is of no use: {reason}; it is written anew when Kafka answers"
    )
