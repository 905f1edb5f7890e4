"""Statistical assertions with a stated false-alarm rate."""

from __future__ import annotations

from math import log, sqrt


def mean_band(mean: float, longest: float, n: int, alarm: float) -> tuple[float, float]:
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
    return mean - 2 * sqrt(mean * longest * budget), (sqrt(mean) + sqrt(longest * budget)) ** 2
