"""Families by name: built-in ones, files of a user's, and compositions of three parts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from theory import family, kernels, meta_graphs
from theory.attachment import ATTACHMENTS
from theory.claims import Derivation
from theory.composed import Composed, CompositionDerivation
from theory.family import Family, FamilyError

SHORT = {"clique/ring/ports": "ring", "clique/path/ports": "path"}  # gates by direction
_TWO_PARTS = re.compile(r"(?P<kernel>.+\.py|[^/]+)/[^/]+(?<!\.py)")
# An id has no slash, and the path of a file ends in .py.
_COMPOSED = re.compile(r"(?P<kernel>.+?\.py|[^/]+)/(?P<meta>.+)/(?P<attachment>[^/]+)")


def load(name: str) -> Family:
    """A family by its id or by the path of its file.

    Parameters
    ----------
    name : a built-in id; the path of a Python file with one family; or
        ``kernel/meta-graph/attachment``, where kernel and meta-graph are ids or paths of files.

    Raises
    ------
    FamilyError
        One line: what is unknown or does not fit, and what may be given.
    """
    name = SHORT.get(name, name)
    parts = _COMPOSED.fullmatch(name)
    if parts is None or (name.endswith(".py") and parts["attachment"] not in ATTACHMENTS):
        two = _TWO_PARTS.fullmatch(name)
        if two is not None and (
            two["kernel"].endswith(".py") or two["kernel"] in kernels.kernels()
        ):
            raise FamilyError(
                f"unknown family {name!r}: write {name}/ATTACHMENT, such as {name}/gate"
            )
        return family.load(name)
    kernel, meta, attachment = parts.groups()
    if attachment not in ATTACHMENTS:
        known = ", ".join(ATTACHMENTS)
        raise FamilyError(f"{name}: unknown attachment {attachment!r}: give one of {known}")
    inside, walk = kernels.find(kernel), meta_graphs.find(meta)
    try:
        return Composed(inside, walk, ATTACHMENTS[attachment])
    except FamilyError as error:
        reason = str(error).removeprefix(f"{inside.id}/{walk.id}/{attachment}: ")
        raise FamilyError(f"{name}: {reason}") from error


def is_built_in(name: str) -> bool:
    """Whether a name is that of a built-in family or of built-in parts that fit; runs no file."""
    try:
        return ".py" not in name and bool(load(name))
    except FamilyError:
        return False


def derivation(chosen: Family) -> Derivation:
    """What derives the claims of a family."""
    return CompositionDerivation(chosen) if isinstance(chosen, Composed) else Derivation(chosen)


def compositions() -> Iterator[Composed]:
    """All compositions of built-in parts that fit together."""
    for kernel in kernels.kernels().values():
        for meta in meta_graphs.meta_graphs().values():
            for attachment in ATTACHMENTS.values():
                if attachment.why_not(kernel) is None:
                    yield Composed(kernel, meta, attachment)


def catalogue() -> Iterator[tuple[Composed, tuple[str, ...]]]:
    """What stands for all compositions, and the quantities to verify of each.

    What is proved of a cluster holds for every meta-graph, and the other way round.  So every
    meta-graph is met with uniform cliques and one gate, in all quantities; every kernel with every
    attachment on the ring, in hitting time and stationary law.
    """
    for composed in compositions():
        recipes = tuple(CompositionDerivation(composed).recipes)
        if composed.kernel.id == "clique" and composed.attachment.id == "gate":
            yield composed, recipes
        elif composed.meta.id == "ring":
            yield composed, tuple(q for q in ("hitting-time", "stationary") if q in recipes)
