"""Statistical assertions with a stated false-alarm rate, and the sample sizes that they need.

Each band contains a statistic of n independent replicas, but for a stated probability, by an
inequality that holds for every n; none rests on a normal approximation. Each comes with the sample
size from which on a planted error is caught, but for a stated probability.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from math import log, sqrt

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

from numerics.chain import FloatArray

Band = tuple[float, float]

SMALLEST_SAMPLE = 458
"""Smallest sample for which the sharp inequality for two samples of one size holds."""


class Budget:
    """A false-alarm rate, shared out among assertions.

    The probability that any of several assertions alarms falsely is at most the sum of theirs.

    Parameters
    ----------
    total : float
        All that there is to spend, in (0, 1).
    """

    def __init__(self, total: float) -> None:
        if not 0 < total < 1:
            raise ValueError(f"a total false-alarm rate of {total} is not in (0, 1)")
        self.total = total
        self.spent = 0.0

    def spend(self, alarm: float) -> float:
        """Take a false-alarm rate out of the budget, and return it; ValueError if it is spent."""
        # The factor covers the rounding of the sum.
        if not alarm > 0 or self.spent + alarm > self.total * (1 + 1e-9):
            raise ValueError(
                f"a false-alarm rate of {alarm} does not fit: {self.spent:.6g} of {self.total} "
                "are spent"
            )
        self.spent += alarm
        return alarm


def mean_band(mean: float, longest: float, n: int, alarm: float) -> Band:
    """Band that contains the average of n independent hitting times, but for probability ``alarm``.

    Parameters
    ----------
    mean : their exact mean m, in steps.
    longest : H >= m, the largest mean hitting time of the target from any state, in steps.
    n : sample size.
    alarm : false-alarm rate, both sides together.

    Returns
    -------
    (low, high) in steps.

    Notes
    -----
    E[tau^k] <= k! m H^(k-1) for a hitting time (Khas'minskii 1959; Fitzsimmons and Pitman 1999),
    hence E exp(s tau) <= 1 + s m/(1 - s H) for 0 <= s < 1/H and E exp(-s tau) <= 1 - s m + s^2 m H
    for s >= 0.  With log(1 + x) <= x Chernoff's bound gives, for a deviation t,
    exp(-n t^2/(4 m H)) below the mean, and exp(-n (sqrt(m + t) - sqrt(m))^2/H) above it.
    """
    if not 0 < mean <= longest or n < 1 or not 0 < alarm < 1:
        raise ValueError("need 0 < mean <= longest, n >= 1 and 0 < alarm < 1")
    budget = log(2 / alarm) / n
    root, width = sqrt(mean), sqrt(longest * budget)  # products of long times would overflow
    return mean - 2 * root * width, (root + width) ** 2


def mean_size(
    mean: float, longest: float, wrong: float, wrong_longest: float, alarm: float, miss: float
) -> int:
    """Sample size from which on `mean_band` catches a wrong mean, but for probability ``miss``.

    Parameters
    ----------
    mean, longest, alarm : of the claim, as for `mean_band`.
    wrong, wrong_longest : the same numbers of the process that is sampled, wrong != mean.
    miss : probability that the error is not caught.
    """

    def caught(n: int) -> bool:
        # One side is enough: 2 miss, split over two sides, is miss on either.
        low, high = mean_band(mean, longest, n, alarm)
        least, most = mean_band(wrong, wrong_longest, n, 2 * miss)
        return most < low if wrong < mean else least > high

    return _smallest(caught, wrong != mean, miss)


def tilted_band(cumulant: Callable[[float], float], steepest: float, n: int, alarm: float) -> Band:
    """Band for the average of n independent times of known law, by exponential tilting.

    Parameters
    ----------
    cumulant : s -> log E exp(s tau), finite for s <= `steepest` (and infinite or not asked beyond).
    steepest : largest s > 0 that is tried; of the order of the inverse of the times.
    n : sample size.
    alarm : false-alarm rate, both sides together.

    Returns
    -------
    (low, high), containing the average but for probability ``alarm``; low >= 0.

    Notes
    -----
    Chernoff (1952, *Ann. Math. Statist.* 23, 493-507): P(average >= a) <= exp(-n (s a - psi(s)))
    for every s > 0 with psi(s) = log E exp(s tau), and likewise below with s < 0. Whatever s is
    taken, the bound holds; the best makes it sharp on the exponential scale (Cramer 1938).
    """
    if not steepest > 0 or n < 1 or not 0 < alarm < 1:
        raise ValueError("need steepest > 0, n >= 1 and 0 < alarm < 1")
    budget = log(2 / alarm) / n

    def end(log_slope: float, sign: int) -> float:
        s = sign * math.exp(log_slope)
        return sign * (cumulant(s) + budget) / s

    top = log(steepest)
    high = optimize.minimize_scalar(end, bounds=(top - 30, top), args=(1,), method="bounded")
    low = optimize.minimize_scalar(end, bounds=(top - 30, top + 15), args=(-1,), method="bounded")
    return max(-float(low.fun), 0.0), float(high.fun)


def tilted_size(
    cumulant: Callable[[float], float],
    wrong_cumulant: Callable[[float], float],
    steepest: float,
    alarm: float,
    miss: float,
) -> int:
    """Sample size from which on `tilted_band` catches another law, but for probability ``miss``.

    Parameters
    ----------
    cumulant, alarm : of the claim, as for `tilted_band`.
    wrong_cumulant : of the process that is sampled, whose mean differs.
    steepest : for both.
    miss : probability that the error is not caught.
    """

    def caught(n: int) -> bool:
        low, high = tilted_band(cumulant, steepest, n, alarm)
        least, most = tilted_band(wrong_cumulant, steepest, n, 2 * miss)
        return most < low or least > high

    return _smallest(caught, True, miss)


def bounded_mean_band(mean: float, limit: float, n: int, alarm: float) -> Band:
    """Band for the average of n independent variables in [0, limit].

    For truncated times min(tau, L), of mean P(tau > 0) + ... + P(tau > L - 1), the limit is L; for
    tilted ones exp(-s tau), which see the early times, it is 1.

    Parameters
    ----------
    mean : their exact mean, in [0, limit].
    limit : > 0.
    n : sample size.
    alarm : false-alarm rate, both sides together.

    Returns
    -------
    (low, high), containing the average but for probability ``alarm``.

    Notes
    -----
    Hoeffding (1963, *J. Amer. Statist. Assoc.* 58, 13-30), Theorem 1: for variables in [0, 1] of
    mean m, P(average >= a) <= exp(-n k(a, m)) for a >= m, with the relative entropy
    k(a, m) = a log(a/m) + (1 - a) log((1 - a)/(1 - m)), and the same below.
    """
    if not 0 <= mean <= limit or not limit > 0 or n < 1 or not 0 < alarm < 1:
        raise ValueError("need 0 <= mean <= limit, limit > 0, n >= 1 and 0 < alarm < 1")
    m = mean / limit
    budget = log(2 / alarm) / n
    return limit * _level(m, 0.0, budget), limit * _level(m, 1.0, budget)


def _level(m: float, end: float, budget: float) -> float:
    """Where between m and an end of [0, 1] the relative entropy to m is the budget, or the end."""
    if m in (0.0, 1.0):
        return m  # and so is every value
    if _entropy(end, m) <= budget:
        return end
    # Widened by what the root finder leaves open.
    root = optimize.brentq(lambda a: _entropy(a, m) - budget, m, end, xtol=1e-15, rtol=1e-14)
    return min(max(root + (end - m) * 1e-12, 0.0), 1.0)


def _entropy(a: float, m: float) -> float:
    """Relative entropy of a coin of bias a to one of bias m, 0 < m < 1."""
    first = a * log(a / m) if a > 0 else 0.0
    return first + ((1 - a) * log((1 - a) / (1 - m)) if a < 1 else 0.0)


def bounded_mean_size(mean: float, wrong: float, limit: float, alarm: float, miss: float) -> int:
    """Sample size from which on `bounded_mean_band` catches a wrong mean.

    Enough for `survival_band` too, which lies within that band.

    Parameters
    ----------
    mean, limit, alarm : of the claim, as for `bounded_mean_band`.
    wrong : mean of what is sampled, != mean, in [0, limit].
    miss : probability that the error is not caught.
    """

    def caught(n: int) -> bool:
        low, high = bounded_mean_band(mean, limit, n, alarm)
        least, most = bounded_mean_band(wrong, limit, n, 2 * miss)
        return most < low if wrong < mean else least > high

    return _smallest(caught, wrong != mean, miss)


def survival_band(probability: float, n: int, alarm: float) -> Band:
    """Band for the share of n independent replicas with an event of known probability.

    For instance of survival to a preset time, {tau > t}. Exact: its complement has binomial
    probability at most ``alarm``/2 on either side. In other words, a share lies in it if the
    interval of Clopper and Pearson (1934, *Biometrika* 26, 404-413) around it contains the
    probability, and only then.

    Parameters
    ----------
    probability : in [0, 1].
    n : sample size.
    alarm : false-alarm rate, both sides together.

    Returns
    -------
    (low, high), multiples of 1/n in [0, 1]; both belong to it.
    """
    if not 0 <= probability <= 1 or n < 1 or not 0 < alarm < 1:
        raise ValueError("need 0 <= probability <= 1, n >= 1 and 0 < alarm < 1")
    law = stats.binom(n, probability)
    # The largest counts with P(X < low) <= alarm/2 and P(X > high) <= alarm/2.
    low = int(law.ppf(alarm / 2))
    high = int(law.isf(alarm / 2))
    return max(low, 0) / n, min(high, n) / n


def law_distance(sample: npt.ArrayLike, survival: Callable[[FloatArray], npt.ArrayLike]) -> float:
    """Kolmogorov distance between a sample of whole numbers and a law on them.

    Parameters
    ----------
    sample : array_like, shape (n,)
        Times >= 0.
    survival : callable
        Takes times t, shape (k,), to the exact P(tau > t).
    """
    values, counts = np.unique(np.asarray(sample, dtype=np.float64), return_counts=True)
    below = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    here = 1.0 - np.asarray(survival(values))
    before = 1.0 - np.asarray(survival(values - 1.0))
    # Both distribution functions are steps: between two values of the sample the law's grows.
    return float(np.maximum(np.abs(here - below[1:]), np.abs(before - below[:-1])).max())


def law_limit(n: int, alarm: float) -> float:
    """What `law_distance` of n independent times does not exceed, but for probability ``alarm``.

    Massart (1990, *Ann. Probab.* 18, 1269-1283), Corollary 1: P(distance > d) <= 2 exp(-2 n d^2),
    for every law, continuous or not.
    """
    if n < 1 or not 0 < alarm < 1:
        raise ValueError("need n >= 1 and 0 < alarm < 1")
    return sqrt(log(2 / alarm) / (2 * n))


def law_size(distance: float, alarm: float, miss: float) -> int:
    """Sample size from which on a law at a Kolmogorov distance is caught by `law_limit`.

    The sample is within `law_limit` (n, miss) of its own law, but for probability ``miss``.
    """
    return _smallest(
        lambda n: distance - law_limit(n, miss) > law_limit(n, alarm), distance > 0, miss
    )


def two_sample_distance(first: npt.ArrayLike, second: npt.ArrayLike) -> float:
    """Kolmogorov distance between two samples, of shapes (m,) and (n,)."""
    a, b = np.sort(np.asarray(first, np.float64)), np.sort(np.asarray(second, np.float64))
    values = np.concatenate([a, b])
    shares = [np.searchsorted(x, values, side="right") / len(x) for x in (a, b)]
    return float(np.abs(shares[0] - shares[1]).max())


def two_sample_limit(m: int, n: int, alarm: float) -> float:
    """What `two_sample_distance` of samples of one law does not exceed, but for ``alarm``.

    Parameters
    ----------
    m, n : sizes of the samples, all m + n replicas independent.
    alarm : false-alarm rate.

    Notes
    -----
    Wei and Dudley (2012, *Statist. Probab. Lett.* 82, 636-644), Theorem 1: for m = n >= 458,
    P(distance >= d) <= 2 exp(-n d^2). Else each sample is compared with the common law by Massart's
    inequality, at half the rate. Ties only make the distance smaller: samples of any law are
    monotone images of uniform ones.
    """
    if m < 1 or n < 1 or not 0 < alarm < 1:
        raise ValueError("need m >= 1, n >= 1 and 0 < alarm < 1")
    if m == n >= SMALLEST_SAMPLE:
        return sqrt(log(2 / alarm) / n)
    return law_limit(m, alarm / 2) + law_limit(n, alarm / 2)


def two_sample_size(distance: float, alarm: float, miss: float) -> int:
    """Size of each of two samples from which on laws at a Kolmogorov distance are told apart.

    Each sample is within `law_limit` (n, miss/2) of its own law, but for probability ``miss``.
    """
    return _smallest(
        lambda n: distance - 2 * law_limit(n, miss / 2) > two_sample_limit(n, n, alarm),
        distance > 0,
        miss,
    )


def _smallest(caught: Callable[[int], bool], differs: bool, miss: float) -> int:
    """Smallest n from which on an error is caught."""
    if not differs or not 0 < miss < 0.5:
        raise ValueError("need an error that differs from the claim, and 0 < miss < 1/2")
    high = 1
    while not caught(high):
        if high > 2**60:
            raise ValueError("the error is too small to be caught by any sample")
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if caught(middle):
            high = middle
        else:
            low = middle
    return high
