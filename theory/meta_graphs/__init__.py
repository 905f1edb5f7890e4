"""The built-in meta-graphs, one class a file, and how meta-graphs are found.

A file added here is found without any other edit.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from theory.family import FamilyError, load
from theory.meta_graph import MetaGraph
from theory.meta_graphs.numbered import Numbered


@cache
def meta_graphs() -> Mapping[str, MetaGraph]:
    """All meta-graphs of this package, by id; of those with a number, some sizes."""
    found: dict[str, MetaGraph] = {}
    for kind in _classes():
        sizes = [kind.of(n) for n in kind.built] if issubclass(kind, Numbered) else [kind()]
        found |= {meta.id: meta for meta in sizes}
    return dict(sorted(found.items()))


def find(name: str) -> MetaGraph:
    """A meta-graph by id, such as ``ring`` or ``hypercube-7``, or the one in a Python file.

    Raises
    ------
    FamilyError
        One line: the id is unknown, or the file has no meta-graph that is complete.
    """
    if name in meta_graphs():
        return meta_graphs()[name]
    numbered = {kind.stem: kind for kind in _classes() if issubclass(kind, Numbered)}
    sized = re.fullmatch(r"(.+)-([0-9]{1,9})", name)
    if sized and sized[1] in numbered:
        return numbered[sized[1]].of(int(sized[2]))
    if Path(name).suffix == ".py":
        return _from_file(name)
    plain = [n for n, meta in meta_graphs().items() if not isinstance(meta, Numbered)]
    known = ", ".join((*plain, *(f"{stem}-N" for stem in sorted(numbered))))
    raise FamilyError(
        f"unknown meta-graph {name!r}: give one of {known} (N a number), or a path to a .py file"
    )


def _classes() -> Iterator[type[MetaGraph]]:
    """The classes in the files of this package, but for those that only serve others."""
    for info in sorted(pkgutil.iter_modules(__path__), key=lambda i: i.name):
        module = importlib.import_module(f"{__name__}.{info.name}")
        for value in vars(module).values():
            ours = isinstance(value, type) and issubclass(value, MetaGraph)
            if ours and value.__module__ == module.__name__ and {"id", "stem"} & set(vars(value)):
                yield value


def _from_file(name: str) -> MetaGraph:
    meta = load(name)
    kind = type(meta)
    if not isinstance(meta, MetaGraph):
        raise FamilyError(f"{name}: {kind.__name__} is no meta-graph: make it one of MetaGraph")
    for method in ("walk", "place_of", "ends"):
        if getattr(kind, method) is getattr(MetaGraph, method):
            raise FamilyError(f"{name}: meta-graph {kind.__name__} has no {method}(): define it")
    if meta.id in meta_graphs():
        raise FamilyError(f"{name}: {meta.id!r} is a built-in meta-graph: choose another id")
    if len(meta.problems()) != 1:
        raise FamilyError(f"{name}: meta-graph {kind.__name__} has several problems: keep one")
    return meta
