"""A template passes when another owner used it lately, with another filling."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.contracts.compiled import loops, plain_numpy
from streams.errors import StateError
from streams.features.account_row import TEMPLATE_KINDS
from streams.features.shared_templates import PAGE, SHARED_KINDS, SharedTemplates

_TAIL = TEMPLATE_KINDS.index("template_tail")
_PAGE, _PAGES, _SLOTS = 2, 3, 8


class _Request(NamedTuple):
    templates: tuple[int, ...]
    owner: int
    filling: int


REQUESTS = st.lists(
    st.builds(
        _Request,
        # Tags of one slot (9 and 17 are 1 modulo 8) and of others, and none.
        st.tuples(*[st.sampled_from([0, 0, 1, 2, 3, 9, 17])] * len(TEMPLATE_KINDS)),
        st.integers(1, 3),
        st.integers(1, 3),
    ),
    max_size=30,
)


def _small() -> SharedTemplates:
    return SharedTemplates(_PAGE, _PAGES, _SLOTS)


def _mark(gate: SharedTemplates, requests: list[_Request]) -> npt.NDArray[np.bool_]:
    return gate.mark(
        np.array([r.templates for r in requests], np.uint64).reshape(-1, 5),
        np.array([r.owner for r in requests], np.uint64),
        np.array([r.filling for r in requests], np.uint64),
    )


def _expected(requests: list[_Request]) -> npt.NDArray[np.bool_]:
    """Tell what passes, by a dictionary from slots to their latest use."""
    passed = np.zeros((len(requests), len(TEMPLATE_KINDS)), bool)
    latest: dict[int, tuple[int, int]] = {}
    for number, request in enumerate(requests):
        for kind in SHARED_KINDS:
            tag = request.templates[kind]
            if tag:
                before, was = latest.get(tag % _SLOTS, (-1, 0))
                latest[tag % _SLOTS] = (number, tag)
                if before >= 0 and before // _PAGE > number // _PAGE - _PAGES:
                    old = requests[before]
                    passed[number, kind] = (
                        was == tag
                        and old.owner != request.owner
                        and old.filling != request.filling
                    )
    return passed


@pytest.mark.parametrize("compiled", [False, True])
@given(REQUESTS, st.lists(st.integers(0, 30), max_size=5))
@settings(deadline=None)
def test_passes_whatever_the_cuts_and_restarts(
    compiled: bool, requests: list[_Request], cuts: list[int]
) -> None:
    assert loops()
    places = sorted({0, *(c for c in cuts if c < len(requests)), len(requests)})
    pages: dict[int, bytes] = {}
    gate, marked = _small(), []
    with nullcontext() if compiled else plain_numpy():
        for start, stop in pairwise(places):
            marked.append(_mark(gate, requests[start:stop]))
            pages.update(gate.take_dirty())
            assert list(gate.take_dirty()) == []
            gate = _small()
            for page, packed in pages.items():
                gate.restore(page, packed)
            gate.restored()
    found = np.concatenate(marked) if marked else _expected([])
    assert found.tolist() == _expected(requests).tolist()


def test_a_second_owner_passes_with_another_filling() -> None:
    gate = SharedTemplates()
    first = _Request((5, 5, 6, 0, 8), owner=1, filling=1)
    others = [
        _Request((5, 5, 0, 0, 0), owner=1, filling=2),  # its own
        _Request((5, 5, 0, 0, 0), owner=2, filling=2),  # the same filling
        _Request((5, 5, 0, 0, 0), owner=3, filling=3),
        _Request((0, 0, 6, 0, 8), owner=2, filling=2),
    ]
    assert not _mark(gate, [first]).any()
    kinds = [np.flatnonzero(row).tolist() for row in _mark(gate, others)]
    assert kinds == [[], [], [0], [2, 4]]
    assert _TAIL == 1


def test_a_page_of_another_layout_is_refused() -> None:
    gate = SharedTemplates()
    with pytest.raises(StateError, match="new app_id"):
        gate.restore(0, bytes(8 + 20))
    with pytest.raises(StateError, match="page 3 "):
        gate.restore(3, (PAGE * 2).to_bytes(8, "little"))
