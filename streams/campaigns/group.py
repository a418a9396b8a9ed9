"""A group: accounts with something in common, before anything is concluded."""

from __future__ import annotations

import msgspec

__all__ = ["Group"]


class Group(msgspec.Struct, array_like=True):
    """Accounts linked by templates; ``uses`` counts each one's templated exchanges.

    ``exchanges`` is the sum of ``uses``; ``look`` is the number of looks taken. If
    ``infrastructure`` is true, they are linked by payments and networks instead, and
    ``uses`` counts all exchanges of each account, as far as they were told. It is
    compared with other groups when it has ``next_comparison`` accounts.
    """

    number: int
    first: int
    facets: list[int] = []
    uses: dict[str, int] = {}
    exchanges: int = 0
    look: int = 0
    infrastructure: bool = False
    next_comparison: int = 0
