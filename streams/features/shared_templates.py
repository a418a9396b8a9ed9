"""The shared gate: whether another owner's account of the partition used a template.

The local gate (`streams.features.template_gate`) opens at an account's own second use.
A campaign of many accounts has sent thousands of requests by then, so a partition also
remembers the templates of its last requests, whoever sent them: a use opens the gate
when the latest one of its template was another owner's, with another filling. Tails
do not count: of honest people's requests, one in fifteen ends like another's.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from streams.contracts.compiled import columns, loops
from streams.errors import StateError
from streams.features.account_row import TEMPLATE_KINDS
from streams.features.zero_pages import zero_pages

__all__ = ["PAGE", "PAGES", "SHARED_KINDS", "SLOTS", "SharedTemplates"]

SHARED_KINDS: Final = tuple(
    number for number, kind in enumerate(TEMPLATE_KINDS) if kind != "template_tail"
)
"""Kinds of template that open the gate, by number."""

PAGE: Final = 256
"""Requests a row of the changelog holds, of 21 bytes each: few enough that writing a
page again while it fills costs little, and many enough that rows are few."""

PAGES: Final = 512
"""Pages that are remembered, of 131,072 requests in all: a minute or two of a busy
partition, hours of another."""

SLOTS: Final = 1 << 19
"""Places for templates, four times the requests; the latest use of a place stays."""

_RECORD: Final = np.dtype(
    [("tags", "<u4", (len(SHARED_KINDS),)), ("owner", "<u4"), ("filling", "u1")]
)
_NEVER: Final = -(1 << 62)


class SharedTemplates:
    """The templates of a partition's last requests, and by whom each was used last.

    ``pages`` of ``page`` requests each are remembered; ``slots``, a power of two,
    bounds the templates that are.
    """

    def __init__(
        self, page: int = PAGE, pages: int = PAGES, slots: int = SLOTS
    ) -> None:
        self._page, self._pages = page, pages
        self._size = page * pages
        self._last_slot = np.uint32(slots - 1)
        self._count = 0
        self._written = 0
        self._ring = zero_pages(self._size, _RECORD)
        # Of each slot the latest use: its request's number times 4, plus its column.
        self._latest = np.full(slots, _NEVER)

    def mark(
        self,
        templates: npt.NDArray[np.uint64],
        owner: npt.NDArray[np.uint64],
        exact: npt.NDArray[np.uint64],
    ) -> npt.NDArray[np.bool_]:
        """Tell which template keys others used lately, and remember the requests.

        Parameters
        ----------
        templates
            Keyed template hashes of requests in log order, shape (n, 5); 0: absent.
        owner, exact
            Hashes of the accounts' owners and of the whole prompts, shape (n,).

        Returns
        -------
        Boolean array of shape (n, 5).

        """
        shared = np.zeros(templates.shape, bool)
        for start in range(0, len(owner), self._size):
            part = slice(start, start + self._size)
            requests = np.zeros(len(owner[part]), _RECORD)
            requests["tags"] = templates[part, SHARED_KINDS].astype(np.uint32)
            requests["owner"] = owner[part].astype(np.uint32)
            requests["filling"] = exact[part].astype(np.uint8)
            shared[part, SHARED_KINDS] = self._add(requests)
        return shared

    def _add(self, requests: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
        first, self._count = self._count, self._count + len(requests)
        if loops():
            from streams.features.shared_loops import (  # noqa: PLC0415  loads numba
                Requests,
                mark_loop,
            )

            shared = np.zeros(requests["tags"].shape, bool)
            mark_loop(
                first,
                self._page,
                self._pages,
                columns(Requests, requests),
                columns(Requests, self._ring),
                self._latest,
                shared,
            )
            return shared
        numbers = first + np.arange(len(requests))
        uses, tags = _uses(numbers, requests["tags"])
        latest = self._predecessors(uses, tags)
        number, mine = latest >> 2, uses >> 2
        known = (latest >= 0) & (
            number // self._page > mine // self._page - self._pages
        )
        old = self._ring[np.where(known, number, 0) % self._size]
        ours = number >= first
        old[ours] = requests[number[ours] - first]
        new = requests[mine - first]
        known &= old["tags"][np.arange(len(old)), latest & 3] == tags
        known &= (old["owner"] != new["owner"]) & (old["filling"] != new["filling"])
        self._ring[numbers % self._size] = requests
        found = np.zeros(requests["tags"].shape, bool)
        found[mine - first, uses & 3] = known
        return found

    def _predecessors(
        self, uses: npt.NDArray[np.int64], tags: npt.NDArray[np.uint32]
    ) -> npt.NDArray[np.int64]:
        """Give the use that was the latest of its slot before each use; note them."""
        slots = tags & self._last_slot
        order = np.argsort(slots, kind="stable")
        latest: npt.NDArray[np.int64] = self._latest[slots]
        follows = np.flatnonzero(slots[order[1:]] == slots[order[:-1]]) + 1
        latest[order[follows]] = uses[order[follows - 1]]
        self._latest[slots] = uses  # of a repeated index, the last is kept
        return latest

    def take_dirty(self) -> Iterator[tuple[int, bytes]]:
        """Give the pages that changed, by number; each begins with its first request's.

        No more pages are given than there are: what was overwritten is of no use.
        """
        first = max(
            self._written // self._page,
            (self._count - 1) // self._page - self._pages + 1,
            0,
        )
        pages = range(first, -(-self._count // self._page))
        for page in pages if self._count > self._written else ():
            begin, end = page * self._page, min((page + 1) * self._page, self._count)
            place = begin % self._size
            content = self._ring[place : place + end - begin].tobytes()
            yield page % self._pages, begin.to_bytes(8, "little") + content
        self._written = self._count

    def restore(self, page: int, packed: bytes) -> None:
        """Set a page; `restored` makes use of it."""
        begin = int.from_bytes(packed[:8], "little")
        if (
            len(packed[8:]) % _RECORD.itemsize
            or begin // self._page % self._pages != page
        ):
            raise StateError(
                f"page {page} of the shared templates is of another layout: it was "
                f"written by another version; start with a new app_id"
            )
        requests = np.frombuffer(packed[8:], _RECORD)
        place = begin % self._size
        self._ring[place : place + len(requests)] = requests
        self._count = self._written = max(self._count, begin + len(requests))

    def restored(self) -> None:
        """Find the latest uses anew from the pages that were restored."""
        page = (self._count - 1) // self._page
        numbers = np.arange(max(page - self._pages + 1, 0) * self._page, self._count)
        uses, tags = _uses(numbers, self._ring["tags"][numbers % self._size])
        self._latest[tags & self._last_slot] = uses


def _uses(
    numbers: npt.NDArray[np.int64], tags: npt.NDArray[np.uint32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.uint32]]:
    """Give the uses of templates by number, in order, and their tags."""
    at, column = np.nonzero(tags)
    return numbers[at] * 4 + column, tags[at, column]
