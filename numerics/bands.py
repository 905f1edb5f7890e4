"""Positive numbers past the range of a double, as mantissa and band.

A number is held as ``m * 2**(512 b)``, a double m in [2**-256, 2**256) and an integer band b; zero
has m = 0. Products and quotients stay inside a double before they are brought back into the band,
scaling by 2**512 is exact, and a sum loses a term only where it is 2**-512 of the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from numba import njit

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


def split_doubles(values: FloatArray) -> tuple[FloatArray, BandArray]:
    """Doubles as mantissas and bands, exactly."""
    size = np.abs(values)
    low, high = (size > 0.0) & (size < FLOOR), size >= CEILING
    if not (low.any() or high.any()):
        return values.copy(), np.zeros(len(values), np.int32)
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


@njit(cache=True)
def add_twice(
    m: float, low: float, b: int, other: float, other_low: float, other_b: int
) -> tuple[float, float, int]:
    """Sum of two numbers in twice the precision: what rounding took away is carried as `low`.

    Two-sum (Knuth 1997, *The Art of Computer Programming* 2, section 4.2.2).
    """
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
    low += other_low + ((m - (s - part)) + (other - part))
    return normal_twice(s, low, b)


@njit(cache=True)
def normal_twice(m: float, low: float, b: int) -> tuple[float, float, int]:
    """Bring a number in twice the precision back into the band."""
    scaled, band = normal(m, b)
    if band > b:
        low *= DOWN
    elif band < b:
        low *= UP
    return scaled, low, band
