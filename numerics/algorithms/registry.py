"""The algorithms by name, their settings from text, and one way to run any of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, get_args, get_type_hints

from numpy.random import Generator

from numerics.algorithms import budget, distill, limits, ppo, pretrain, search
from numerics.algorithms.task import Progress, Report, Task, Truth
from numerics.chain import ChainError, parse_number


@dataclass(frozen=True)
class Algorithm:
    """What ``metastable run`` needs to know.

    Attributes
    ----------
    settings : its Config class.
    run : from a task, what is hidden, settings, a generator and progress to a report.
    needs_task : whether it needs a family or a chain.
    """

    settings: type[Any]
    run: Callable[[Task | None, Truth | None, Any, Generator, Progress | None], Report]
    needs_task: bool = True


def _pretrain(
    task: Task | None, truth: Truth | None, config: Any, rng: Generator, progress: Progress | None
) -> Report:
    assert task is not None
    return pretrain.report(task, truth, config, pretrain.run(task, config, rng, progress))


def _search(
    task: Task | None, truth: Truth | None, config: Any, rng: Generator, progress: Progress | None
) -> Report:
    assert task is not None
    return search.report(task, truth, config, search.run(task, config, rng, progress))


def _ppo(
    task: Task | None, truth: Truth | None, config: Any, rng: Generator, progress: Progress | None
) -> Report:
    """A search with its own default settings finds the edges that are lifted."""
    assert task is not None
    found = search.run(task, search.Config(), rng, progress).edges
    return ppo.report(task, truth, config, ppo.run(task, config, rng, tuple(found)))


def _distill(
    task: Task | None, truth: Truth | None, config: Any, rng: Generator, progress: Progress | None
) -> Report:
    assert task is not None
    result = distill.run(task, config, rng, progress=progress)
    return distill.report(task, truth, config, result)


def _budget(
    task: Task | None, truth: Truth | None, config: Any, rng: Generator, progress: Progress | None
) -> Report:
    assert task is not None
    return budget.report(budget.run(task, truth, config, rng, progress))


def _limits(
    task: Task | None, truth: Truth | None, config: Any, rng: Generator, progress: Progress | None
) -> Report:
    return limits.report(limits.run(config, rng, progress))


ALGORITHMS: Mapping[str, Algorithm] = {
    "pretrain": Algorithm(pretrain.Config, _pretrain),
    "search": Algorithm(search.Config, _search),
    "ppo": Algorithm(ppo.Config, _ppo),
    "distill": Algorithm(distill.Config, _distill),
    "budget": Algorithm(budget.Config, _budget),
    "limits": Algorithm(limits.Config, _limits, needs_task=False),
}


def read_settings(config: type[Any], given: Mapping[str, str]) -> Any:
    """Settings from names and texts.

    Raises
    ------
    ChainError
        A name is unknown, or a text is not of its kind.
    """
    kinds = get_type_hints(config)
    known = [field.name for field in dataclasses.fields(config)]
    values = {}
    for name, text in given.items():
        if name not in known:
            raise ChainError(f"unknown setting {name!r}; give one of {', '.join(known)}")
        values[name] = _read(name, text, kinds[name])
    return config(**values)


def _read(name: str, text: str, kind: Any) -> Any:
    plain = {str(k) for k in (kind, *get_args(kind))}
    if str(bool) in plain:
        if text in ("yes", "no"):
            return text == "yes"
        raise ChainError(f"{name} = {text!r} is neither yes nor no; give one of them")
    if str(Fraction) in plain:
        return parse_number(text)
    if "tuple[int, ...]" in plain:
        return tuple(_whole(name, part) for part in text.split("+"))
    if str(int) in plain:
        return _whole(name, text)
    return text


def _whole(name: str, text: str) -> int:
    value = parse_number(text)
    if value.denominator != 1:
        raise ChainError(f"{name} = {text} is not a whole number; give one")
    return int(value)
