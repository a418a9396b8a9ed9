"""What modules say is public is there, and others use nothing else of them."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import streams

_ROOT = Path(streams.__file__).parent


def _name(path: Path) -> str:
    parts = path.relative_to(_ROOT.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


_PATHS = {_name(path): path for path in sorted(_ROOT.rglob("*.py"))}


@cache
def _tree(module: str) -> ast.Module:
    return ast.parse(_PATHS[module].read_text("utf-8"))


def _public(module: str) -> list[str] | None:
    for node in _tree(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return list(ast.literal_eval(node.value))
    return None


def _imports() -> Iterator[tuple[str, str, str]]:
    """Give (importing module, module, name) of every import inside the package."""
    for importer in _PATHS:
        for node in ast.walk(_tree(importer)):
            is_ours = isinstance(node, ast.ImportFrom) and node.module in _PATHS
            if is_ours and isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    yield importer, str(node.module), alias.name


@pytest.mark.parametrize("module", _PATHS)
def test_public_names_are_there(module: str) -> None:
    names = _public(module)
    if names is None:
        # A package that only describes itself needs no list.
        assert _PATHS[module].name == "__init__.py"
        definitions = (ast.FunctionDef, ast.ClassDef)
        assert not any(isinstance(node, definitions) for node in _tree(module).body)
        return
    loaded = importlib.import_module(module)
    assert [name for name in names if not hasattr(loaded, name)] == []
    assert len(set(names)) == len(names)
    assert names == sorted(names, key=_isort_key)


def _isort_key(name: str) -> tuple[int, str]:
    """Order constants, then classes, then the rest (ruff's RUF022)."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1 if name.lstrip("_")[:1].isupper() else 2), name


def test_modules_import_public_names_of_each_other_only() -> None:
    private = [
        (importer, f"{module}.{name}")
        for importer, module, name in _imports()
        if f"{module}.{name}" not in _PATHS
        and not name.startswith("__")
        and name not in (_public(module) or ())
    ]
    assert private == []
