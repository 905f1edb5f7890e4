"""Meta-graphs that are one for each value of a number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

from theory.family import FamilyError
from theory.meta_graph import MetaGraph


class Numbered(MetaGraph):
    """A meta-graph whose times are not rational in a size, so that each size is one of its own.

    The id of number 3 is the stem with ``-3``.

    Attributes
    ----------
    stem, phrase : the id without its number, and the title with ``{}`` for the number.
    number : the size; set by :meth:`of`.
    sizes : the smallest and the largest size.
    built : the sizes that are listed among the built-in ones.
    """

    stem: ClassVar[str]
    phrase: ClassVar[str]
    number: ClassVar[int]
    sizes: ClassVar[tuple[int, int]]
    built: ClassVar[tuple[int, ...]]

    @classmethod
    def of(cls, number: int) -> Self:
        """The meta-graph of a size.

        Raises
        ------
        FamilyError
            The size is out of range.
        """
        least, most = cls.sizes
        if not least <= number <= most:
            raise FamilyError(f"{cls.stem}-{number}: give a number from {least} to {most}")
        own = {
            "number": number,
            "id": f"{cls.stem}-{number}",
            "title": cls.phrase.format(number),
            "__doc__": cls.__doc__,
            "__module__": cls.__module__,
            **cls.attributes(number),
        }
        made: Self = type(cls.__name__, (cls,), own)()
        return made

    @classmethod
    def attributes(cls, number: int) -> Mapping[str, Any]:
        """Class attributes that depend on the size: the domain, and what bounds the gap."""
        raise NotImplementedError(f"meta-graph {cls.stem}: define attributes()")
