"""Positive numbers past the range of a double, as mantissa and band.

A number is held as ``m * 2**(512 b)``, a double m in [2**-256, 2**256) and an integer band b; zero
has m = 0. Products and quotients stay inside a double before they are brought back into the band,
scaling by 2**512 is exact, and a sum loses a term only where it is 2**-512 of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, types
from numba.extending import intrinsic

from numerics.chain import FloatArray, IntArray

BandArray = npt.NDArray[np.int32]

WIDTH = 512
UP = 2.0**WIDTH
DOWN = 2.0**-WIDTH
CEILING = 2.0 ** (WIDTH // 2)
FLOOR = 2.0 ** -(WIDTH // 2)


@dataclass(frozen=True, eq=False)
class Scaled:
    """Numbers >= 0 of any size.

    Attributes
    ----------
    mantissa : float64 array
    exponent : int64 array, of the same shape
        A number is ``mantissa * 2**exponent``; 0 has mantissa 0.
    """

    mantissa: FloatArray
    exponent: IntArray

    def fraction(self, place: int) -> Fraction:
        """One of the numbers, exactly."""
        return Fraction(self.mantissa[place]) * Fraction(2) ** int(self.exponent[place])

    def bands(self) -> tuple[FloatArray, BandArray]:
        """Their mantissas and bands, exactly."""
        band, shift = np.divmod(self.exponent + WIDTH // 2, WIDTH)
        inner = np.ldexp(self.mantissa, (shift - WIDTH // 2).astype(np.int32))
        mantissa, more = split_doubles(inner)
        return mantissa, np.where(mantissa > 0.0, band + more, 0).astype(np.int32)


def split(value: Fraction) -> tuple[float, int]:
    """A rational >= 0 as mantissa and band, correctly rounded."""
    band = 0
    if not value:
        return 0.0, band
    while value >= CEILING:
        value /= 2**WIDTH
        band += 1
    while (mantissa := float(value)) < FLOOR:
        value *= 2**WIDTH
        band -= 1
    return mantissa, band


def split_twice(value: Fraction) -> tuple[float, float, int]:
    """A rational >= 0 in twice the precision."""
    m, band = split(value)
    over, under = m.as_integer_ratio()
    n, d = value.numerator, value.denominator
    if band > 0:
        d <<= WIDTH * band
    else:
        n <<= -WIDTH * band
    return m, (n * under - over * d) / (d * under), band


def split_doubles(values: FloatArray) -> tuple[FloatArray, BandArray]:
    """Doubles as mantissas and bands, exactly; not a copy if there is nothing to do."""
    if not len(values) or (values.min() >= FLOOR and values.max() < CEILING):
        return values, np.zeros(len(values), np.int32)
    size = np.abs(values)
    low, high = (size > 0.0) & (size < FLOOR), size >= CEILING
    if not (low.any() or high.any()):
        return values, np.zeros(len(values), np.int32)
    mantissa = np.where(low, values * UP, np.where(high, values * DOWN, values))
    band = high.astype(np.int32) - low
    tiny = (mantissa != 0.0) & (
        np.abs(mantissa) < FLOOR
    )  # 2**-1074 * 2**512 is below the band still
    return np.where(tiny, mantissa * UP, mantissa), band - tiny


@njit(cache=True)
def normal(m: float, b: int) -> tuple[float, int]:
    """Bring a mantissa of size in [2**-512, 2**512) back into the band."""
    size = abs(m)
    if size >= CEILING:
        return m * DOWN, b + 1
    if size < FLOOR and size > 0.0:
        return m * UP, b - 1
    return m, b


@njit(cache=True)
def add(m: float, b: int, other: float, other_b: int) -> tuple[float, int]:
    """Sum of two numbers, of either sign."""
    if other == 0.0:
        return m, b
    if m == 0.0:
        return other, other_b
    if b == other_b:
        return normal(m + other, b)
    if b < other_b:
        m, b, other, other_b = other, other_b, m, b
    if b == other_b + 1:
        return normal(m + other * DOWN, b)
    return m, b


def _fused(typing: Any, x: Any, y: Any, z: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fma(*arguments)

    return types.float64(types.float64, types.float64, types.float64), code


fused: Any = intrinsic(_fused)
"""The double nearest to x y + z."""


# In twice the precision: the sum of a double and a far smaller one, with a band. Of positive
# numbers, each operation is off by at most 16 * 2**-106 of the result (Joldes, Muller and Popescu
# 2017, *ACM Trans. Math. Softw.* 44, 15res: 3 for a sum, 5 for a product, 10 for an inverse).
@njit(cache=True)
def normal_twice(m: float, low: float, b: int) -> tuple[float, float, int]:
    """Bring a number back into the band, and its second part to half a unit in the last place."""
    scaled, band = normal(m, b)
    if band > b:
        low *= DOWN
    elif band < b:
        low *= UP
    top = scaled + low
    return top, low - (top - scaled), band


@njit(cache=True)
def add_twice(
    m: float, low: float, b: int, other: float, other_low: float, other_b: int
) -> tuple[float, float, int]:
    """Sum of two numbers, of either sign."""
    if other == 0.0:
        return m, low, b
    if m == 0.0:
        return other, other_low, other_b
    if b < other_b:
        m, low, b, other, other_low, other_b = other, other_low, other_b, m, low, b
    if b > other_b + 1:
        return m, low, b
    if b > other_b:
        other, other_low = other * DOWN, other_low * DOWN
    s = m + other
    part = s - m
    return normal_twice(s, low + other_low + ((m - (s - part)) + (other - part)), b)


@njit(cache=True)
def multiply_twice(
    m: float, low: float, b: int, other: float, other_low: float, other_b: int
) -> tuple[float, float, int]:
    """Product of two numbers."""
    p = m * other
    return normal_twice(p, fused(m, other, -p) + (m * other_low + low * other), b + other_b)


@njit(cache=True)
def inverse_twice(m: float, low: float, b: int) -> tuple[float, float, int]:
    """1 over a number."""
    q = 1.0 / m
    return normal_twice(q, (fused(-q, m, 1.0) - q * low) / m, -b)
