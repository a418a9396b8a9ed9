"""The tree in the docstring is the tree of classes."""

from __future__ import annotations

import inspect
import re

import pytest

from streams import errors
from streams.errors import DistillwatchError

_LINE = re.compile(r"^((?:│   |    |├── |└── )*)(\w+)(?: .*?)??(\[[a-z ]+\])?$")
_INDENT = 4


def _classes() -> dict[str, type[DistillwatchError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, DistillwatchError)
    }


def _drawn() -> list[tuple[str, str | None, str]]:
    """Read (class, its parent, its mark) from the docstring."""
    tree = inspect.getdoc(errors).split("::\n\n")[1].split("\n\n")[0]  # type: ignore[union-attr] # the module has one
    above: list[str] = []
    drawn = []
    for line in inspect.cleandoc(tree).splitlines():
        found = _LINE.match(line)
        assert found, line
        depth = len(found[1]) // _INDENT
        del above[depth:]
        drawn.append((found[2], above[-1] if above else None, found[3] or ""))
        above.append(found[2])
    return drawn


def test_tree_is_as_drawn() -> None:
    actual = {
        (name, None if cls is DistillwatchError else cls.__bases__[0].__name__)
        for name, cls in _classes().items()
    }
    assert {(name, parent) for name, parent, _ in _drawn()} == actual
    assert len(_drawn()) == len(actual)


def test_traits_are_as_drawn() -> None:
    marks = {"": (False, False), "[retriable]": (True, False)}
    marks["[dead letter]"] = (False, True)
    classes = _classes()
    for name, _, mark in _drawn():
        cls = classes[name]
        assert (cls.retriable, cls.dead_letter) == marks[mark], name


def test_all_of_them_are_public() -> None:
    assert sorted(_classes()) == sorted(errors.__all__)


@pytest.mark.parametrize("name", sorted(_classes()))
def test_each_says_what_it_means_and_carries_its_message(name: str) -> None:
    cls = _classes()[name]
    assert cls.__doc__ != DistillwatchError.__doc__ or cls is DistillwatchError
    assert str(cls("topic[3]@7: why, and the way out")).startswith("topic[3]@7")
