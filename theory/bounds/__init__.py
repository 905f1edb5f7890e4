"""General theorems as bounds, one file each; a file added here is found without any other edit."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from theory.bounds.base import Bound


@cache
def all_bounds() -> dict[str, Bound]:
    """Every bound in this package, by id; the files go by name, the bounds in them as they stand.

    Raises
    ------
    ValueError
        Two bounds share an id.
    """
    found: dict[str, Bound] = {}
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda info: info.name):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Bound) and found.setdefault(value.id, value) is not value:
                raise ValueError(f"two bounds have the id {value.id}: rename one")
    return found
