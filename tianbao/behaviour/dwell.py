"""How long states last: means of what was cut off by the track as well, and mixtures of exponentials."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .states import Events

__all__ = ["Dwell", "Mixture", "critical_interval", "dwell_time", "exponential_mixture"]

_ROUNDS, _CHANGE = 2000, 1e-9
_FEWEST_PER_COMPONENT = 5


@dataclass(frozen=True)
class Dwell:
    """How long a state lasts.

    Attributes:
        mean_s: all the time in the state over the number of its ends that were seen [s]: the most likely mean of an
            exponential distribution, whatever the track cuts off at its beginning and its end. NaN without an end.
        low_s: lower end of the 95 % interval of that mean, exact for an exponential distribution [s].
        high_s: its upper end [s].
        complete_mean_s: mean of the events seen from start to end [s]; too short if a track is not much longer.
        ends: number of ends seen.
        cut_off: number of events of which start or end was not seen.
    """

    mean_s: float
    low_s: float
    high_s: float
    complete_mean_s: float
    ends: int
    cut_off: int


def dwell_time(events: Events, state: str) -> Dwell:
    """Mean dwell time in a state; events of several tracks may be joined.

    Args:
        events: see states.py.
        state: its name.
    """
    from scipy.stats import chi2

    chosen = events.of(state)
    total, ends = chosen.observed_s, int(chosen.ended.sum())
    whole = chosen.begun & chosen.ended
    if ends:
        mean = total / ends
        # Twice the total over the mean is chi-square with two degrees of freedom per end.
        low, high = 2.0 * total / chi2.ppf((0.975, 0.025), 2 * ends)
    else:
        mean = low = high = math.nan
    return Dwell(
        mean_s=mean,
        low_s=float(low),
        high_s=float(high),
        complete_mean_s=float(chosen.duration_s[whole].mean()) if whole.any() else math.nan,
        ends=ends,
        cut_off=int((~whole).sum()),
    )


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of exponential distributions, the fastest first.

    Attributes:
        share: of each component, shape (components,) [-].
        mean_s: of each component, shape (components,) [s].
        log_likelihood: natural logarithm.
        bic: Bayesian information criterion; the mixture with the lower one is preferred.
        note: why it is not to be trusted, a sentence; "" if nothing speaks against it.
    """

    share: np.ndarray
    mean_s: np.ndarray
    log_likelihood: float
    bic: float
    note: str = ""


def exponential_mixture(
    duration_s: np.ndarray, ended: np.ndarray | None = None, components: int = 2, shortest_s: float = 0.0
) -> Mixture:
    """Fit a mixture of exponentials by expectation and maximisation.

    Args:
        duration_s: [s], shape (events,).
        ended: False where the end was not seen, so that the event lasted at least this long, shape (events,).
        components: number of exponentials.
        shortest_s: events shorter than this could not be seen and are left out [s]; shares are of the others.

    Returns:
        The fit; all NaN without a complete event.
    """
    time = np.asarray(duration_s, float)
    whole = np.ones(len(time), bool) if ended is None else np.asarray(ended, bool)
    kept = time >= shortest_s
    time, whole = time[kept] - shortest_s, whole[kept]
    if not whole.any() or not time.sum() > 0.0:
        blank = np.full(components, math.nan)
        return Mixture(blank, blank, math.nan, math.nan, "no event was seen from start to end")
    # Starting means spread over the range of the data, so that components do not start as copies of each other.
    mean = np.quantile(time[whole], (np.arange(components) + 0.5) / components).clip(1e-3 * time.mean())
    share, latest = np.full(components, 1.0 / components), -math.inf
    for _ in range(_ROUNDS):
        density = share * np.exp(-time[:, None] / mean) / np.where(whole[:, None], mean, 1.0)
        each = density.sum(axis=1)
        log_likelihood = float(np.log(np.maximum(each, 1e-300)).sum())
        weight = density / np.maximum(each, 1e-300)[:, None]
        share = weight.mean(axis=0)
        ends = weight[whole].sum(axis=0)
        mean = (weight * time[:, None]).sum(axis=0) / np.maximum(ends, 1e-12)
        mean = np.maximum(mean, 1e-6)
        if log_likelihood - latest < _CHANGE * abs(log_likelihood):
            break
        latest = log_likelihood
    order = np.argsort(mean)
    needed = _FEWEST_PER_COMPONENT * (2 * components - 1)
    note = f"{int(whole.sum())} complete events are too few for {components} exponentials; {needed} are needed"
    return Mixture(
        share[order], mean[order], log_likelihood,
        (2 * components - 1) * math.log(len(time)) - 2.0 * log_likelihood,
        note if whole.sum() < needed else "",
    )  # fmt: skip


def critical_interval(fit: Mixture) -> float:
    """Interval that best tells two exponentials apart [s]: as many short ones lie above it as long ones below.

    Pierce-Shimomura et al. 1999 (J Neurosci 19:9557) divide the intervals between turns so, into those within a
    pirouette and those that are runs.

    Args:
        fit: of two components, measured from 0.
    """
    from scipy.optimize import brentq

    if len(fit.mean_s) != 2 or not np.isfinite(fit.mean_s).all():
        return math.nan

    def excess(time: float) -> float:
        """Misjudged fast intervals less misjudged slow ones."""
        return float(fit.share[0] * math.exp(-time / fit.mean_s[0]) + fit.share[1] * math.expm1(-time / fit.mean_s[1]))

    return float(brentq(excess, 0.0, 50.0 * float(fit.mean_s[1])))
