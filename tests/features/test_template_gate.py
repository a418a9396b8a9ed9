"""A template passes when it comes again, lately, with another filling."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from streams.features.account_row import ACCOUNT_ROW, RECENT_REQUESTS, TEMPLATE_KINDS
from streams.features.template_gate import open_templates

_KINDS = len(TEMPLATE_KINDS)


def _gate(rows: npt.NDArray[Any], requests: list[tuple[int, int]]) -> list[bool]:
    """Give one account's (template, filling) requests; template is the head."""
    templates = np.zeros((len(requests), _KINDS), np.uint64)
    templates[:, 0] = [template for template, _ in requests]
    exact = np.array([filling for _, filling in requests], np.uint64)
    passed = open_templates(rows, np.array([0]), np.array([0]), templates, exact)
    rows["events"] += np.uint32(len(requests))
    assert not passed[:, 1:].any()
    return [bool(one) for one in passed[:, 0]]


@pytest.mark.parametrize(
    ("requests", "passed"),
    [
        ([(5, 1)], [False]),
        ([(5, 1), (5, 2), (5, 3)], [False, True, True]),
        ([(5, 1), (5, 1), (5, 1)], [False, False, False]),
        ([(5, 1), (6, 2), (5, 3)], [False, False, True]),
        ([(0, 1), (0, 2)], [False, False]),
        ([(5, 1), (5, 2), (5, 1)], [False, True, True]),
    ],
)
def test_passes(requests: list[tuple[int, int]], passed: list[bool]) -> None:
    whole = np.zeros(1, ACCOUNT_ROW)
    assert _gate(whole, requests) == passed
    rows = np.zeros(1, ACCOUNT_ROW)
    assert [one for request in requests for one in _gate(rows, [request])] == passed
    assert rows.tobytes() == whole.tobytes()


@pytest.mark.parametrize("between", [RECENT_REQUESTS - 1, RECENT_REQUESTS])
def test_remembers_so_many_requests(between: int) -> None:
    rows = np.zeros(1, ACCOUNT_ROW)
    others = [(100 + n, n) for n in range(between)]
    passed = _gate(rows, [(5, 1), *others, (5, 2)])
    assert passed == [*[False] * (between + 1), between < RECENT_REQUESTS]


def test_accounts_do_not_see_each_other() -> None:
    rows = np.zeros(2, ACCOUNT_ROW)
    templates = np.full((4, _KINDS), 5, np.uint64)
    exact = np.array([1, 2, 3, 3], np.uint64)
    passed = open_templates(rows, np.array([1, 0]), np.array([0, 2]), templates, exact)
    assert passed[:, 0].tolist() == [False, True, False, False]
