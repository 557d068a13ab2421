"""States of motion by the hidden Markov model of Roberts et al. 2016: forward, reverse and two kinds of pause.

Velocities of the states overlap, so no threshold separates them. The model has the forward (F) and reverse (R) state,
a long pause X, in which neither group of command neurons is on, and a short pause Y, in which both are. Rates are
those that make the observed velocities most likely; the sequence of states is then the most likely one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import OutputError
from ..rows import read_rows
from ..units import MS_PER_S
from .states import FORWARD, REVERSE, Events, events_of, longer_reversals
from .tracks import Velocity

__all__ = [
    "PUBLISHED", "STATES", "Densities", "Rates", "StateFit", "fit_states", "hidden_events", "most_likely_states",
    "velocity_densities",
]  # fmt: skip

STATES = (FORWARD, REVERSE, "pause x", "pause y")
FREE = ("xr", "xf", "rx", "ry", "fx", "fy")
"""The six rates that are fitted; the other two follow from them."""

PAUSE_WIDTH_MM_S = 0.018  # half width of the Cauchy distribution of velocities in a pause
BIN_MM_S = 0.002
SMOOTHINGS = 10  # passes of a 1-2-1 filter over the distribution of velocities
FASTEST_MM_S = 2.0  # assumed: what moves faster is a mistake of the tracker
FLOOR_S_MM = 1e-4  # assumed: least density, so that no single velocity is impossible in a state
SLOWEST_RATE, FASTEST_RATE = 1e-4, 1e2  # [1/s]; the lower one as in the paper
FEWEST_REVERSALS = 10  # assumed: with fewer, the rates from and to R are guesses
_START_SPREAD = 0.7
_STARTS = 2


@dataclass(frozen=True)
class Rates:
    """Rates of the transitions [1/s]: `xf` from X to F, and so on.

    Two of the eight follow from the six others, because transitions belong to two units whose inputs add up: yf is
    xr rx / fy and yr is xf fx / ry.
    """

    xr: float
    xf: float
    rx: float
    ry: float
    fx: float
    fy: float

    @property
    def yf(self) -> float:
        """From Y to F [1/s]."""
        return self.xr * self.rx / self.fy

    @property
    def yr(self) -> float:
        """From Y to R [1/s]."""
        return self.xf * self.fx / self.ry

    def matrix(self) -> np.ndarray:
        """Rates from each state of `STATES` to each, rows adding up to 0 [1/s], shape (4, 4)."""
        rates = np.array([
            [0.0, 0.0, self.fx, self.fy],
            [0.0, 0.0, self.rx, self.ry],
            [self.xf, self.xr, 0.0, 0.0],
            [self.yf, self.yr, 0.0, 0.0],
        ])  # fmt: skip
        return rates - np.diag(rates.sum(axis=1))

    def dwell_s(self) -> dict[str, float]:
        """Mean dwell time in each state [s]."""
        return dict(zip(STATES, (-1.0 / np.diag(self.matrix())).tolist(), strict=True))

    def occupancy(self) -> np.ndarray:
        """Share of time in each state, shape (4,) [-]."""
        extended = np.column_stack([self.matrix(), np.ones(4)])
        return np.linalg.lstsq(extended.T, np.array([0.0, 0.0, 0.0, 0.0, 1.0]), rcond=None)[0]

    def named(self) -> Rates:
        """The same with X as the pause with the larger share of time, as in the paper; a track cannot tell them."""
        share = self.occupancy()
        if share[2] >= share[3]:
            return self
        return Rates(xr=self.yr, xf=self.yf, rx=self.ry, ry=self.rx, fx=self.fy, fy=self.fx)


def _published() -> dict[str, float]:
    rows = [row for _, row in read_rows(Path(__file__).with_name("motion_states.csv"))]
    return {row["quantity"]: float(row["value"]) for row in rows}


PUBLISHED = _published()
"""Values of motion_states.csv by name: rates [1/s] and dwell times [s] of wild-type worms off food."""


@dataclass(frozen=True, eq=False)
class Densities:
    """Probability densities of the velocity in each state.

    Attributes:
        centre: of the bins [mm/s], shape (bins,).
        forward: [s/mm], shape (bins,).
        reverse: [s/mm], shape (bins,).
    """

    centre: np.ndarray
    forward: np.ndarray
    reverse: np.ndarray

    def at(self, velocity: np.ndarray) -> np.ndarray:
        """Densities of velocities [mm/s] in the four states [s/mm], shape (4, frames)."""
        pause = _pausing(velocity)
        moving = [np.interp(velocity, self.centre, each, left=0.0, right=0.0) for each in (self.forward, self.reverse)]
        return np.maximum(np.stack([*moving, pause, pause]), FLOOR_S_MM)


def _pausing(velocity: np.ndarray) -> np.ndarray:
    """Density of velocities in a pause [s/mm]."""
    return PAUSE_WIDTH_MM_S / (math.pi * (PAUSE_WIDTH_MM_S**2 + np.asarray(velocity, float) ** 2))


def velocity_densities(velocities: Sequence[Velocity]) -> Densities:
    """Divide the velocities of a group of worms into those of forward, reverse and pause.

    A Cauchy distribution is scaled to the whole distribution at 0 and taken off; what is left is forward where positive
    and reverse where negative.

    Args:
        velocities: of all tracks of the group.

    Raises:
        OutputError: without any velocity.
    """
    pooled = np.concatenate([each.mm_s for each in velocities]) if velocities else np.zeros(0)
    if not len(pooled):
        raise OutputError("there is no velocity to find states in: give tracks of at least three frames")
    reach = min(FASTEST_MM_S, float(np.abs(pooled).max())) + SMOOTHINGS * BIN_MM_S
    bins = math.ceil(reach / BIN_MM_S)
    centre = BIN_MM_S * np.arange(-bins, bins + 1)
    edges = np.append(centre - 0.5 * BIN_MM_S, centre[-1] + 0.5 * BIN_MM_S)
    whole = np.histogram(pooled, edges)[0] / (len(pooled) * BIN_MM_S)
    for _ in range(SMOOTHINGS):
        whole = np.convolve(whole, (0.25, 0.5, 0.25), "same")
    left = np.maximum(whole - _pausing(centre) * whole[bins] / _pausing(0.0), 0.0)
    return Densities(centre, _normal(np.where(centre > 0.0, left, 0.0)), _normal(np.where(centre < 0.0, left, 0.0)))


def _normal(density: np.ndarray) -> np.ndarray:
    area = density.sum() * BIN_MM_S
    return density / area if area > 0.0 else density


@dataclass(frozen=True)
class StateFit:
    """The hidden Markov model of a group of worms.

    Attributes:
        rates: most likely ones.
        densities: of the velocity in each state.
        log_likelihood: natural logarithm.
        reversals: starts of reversals in the most likely sequences.
        note: why the rates are not to be trusted, a sentence; "" if nothing speaks against them.
    """

    rates: Rates
    densities: Densities
    log_likelihood: float
    reversals: int
    note: str


def fit_states(tracks: Sequence[Sequence[Velocity]], densities: Densities | None = None, seed: int = 0) -> StateFit:
    """Fit the rates to the tracks of a group of worms.

    The paper searches at random from random starts; here a quasi-Newton search starts from its published rates and from
    two places around them, which finds the same maximum faster. The first state has the steady probabilities, so a
    track may begin and end anywhere.

    Args:
        tracks: velocities of the pieces of each track, see tracks.tangential_velocity.
        densities: of velocities; those of these tracks if None. A group needs its own: speeds differ.
        seed: of the starts.

    Raises:
        OutputError: without any velocity.

    Source: Roberts et al. 2016, eLife 5:e12572, equations 17 to 25.
    """
    from scipy.optimize import minimize

    pieces = [each for track in tracks for each in track]
    densities = velocity_densities(pieces) if densities is None else densities
    seen = [(densities.at(each.mm_s), each.interval_ms) for each in pieces]

    def cost(logs: np.ndarray) -> float:
        """Negative log likelihood per frame."""
        return -_log_likelihood(_rates_of(logs), seen) / frames

    frames = sum(len(each.mm_s) for each in pieces)
    first = np.log([PUBLISHED[f"rate {name}"] for name in FREE])
    spread = np.random.default_rng(seed).normal(0.0, _START_SPREAD, (_STARTS, len(FREE)))
    bounds = [(math.log(SLOWEST_RATE), math.log(FASTEST_RATE))] * len(FREE)
    found = [
        minimize(cost, first + away, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-9, "maxiter": 60})
        for away in [np.zeros(len(FREE)), *spread]
    ]
    best = min(found, key=lambda each: each.fun)
    fit = StateFit(_rates_of(best.x).named(), densities, -float(best.fun) * frames, 0, "")
    reversals = sum(len(longer_reversals(hidden_events(track, fit))) for track in tracks)
    note = f"{reversals} reversals are too few for rates; record until there are {FEWEST_REVERSALS}, or pool tracks"
    return StateFit(
        fit.rates, densities, fit.log_likelihood, reversals, note if reversals < FEWEST_REVERSALS else ""
    )


def _rates_of(logs: np.ndarray) -> Rates:
    return Rates(**dict(zip(FREE, np.exp(logs).tolist(), strict=True)))


def _steps(rates: Rates, interval_ms: float) -> np.ndarray:
    """Probabilities of the transitions within a frame, shape (4, 4)."""
    from scipy.linalg import expm

    return expm(rates.matrix() * interval_ms / MS_PER_S)


def _log_likelihood(rates: Rates, seen: Sequence[tuple[np.ndarray, float]]) -> float:
    """Of all pieces: products of one matrix per frame, formed pairwise so that numpy does many at once."""
    total, steady = 0.0, np.maximum(rates.occupancy(), 0.0)
    for density, interval in seen:
        product = _steps(rates, interval)[:, :, None] * density[None]
        while product.shape[2] > 1:
            odd = product[:, :, -1:] if product.shape[2] % 2 else product[:, :, :0]
            even = product.shape[2] // 2 * 2
            paired = np.einsum("ikn,kjn->ijn", product[:, :, 0:even:2], product[:, :, 1:even:2])
            scale = paired.max(axis=(0, 1))
            total += float(np.log(scale).sum())
            product = np.concatenate([paired / scale, odd], axis=2)
        total += math.log(max(float((steady @ product[:, :, 0]).sum()), 1e-300))
    return total


def most_likely_states(velocity: Velocity, rates: Rates, densities: Densities) -> np.ndarray:
    """Most likely sequence of states, an index into `STATES` per frame, by Viterbi's algorithm.

    Args:
        velocity: of one piece of a track.
        rates: of the model.
        densities: of the velocity in each state.

    Returns:
        Shape (frames,).
    """
    with np.errstate(divide="ignore"):
        seen, step = np.log(densities.at(velocity.mm_s)).T, np.log(_steps(rates, velocity.interval_ms))
        score = np.log(np.maximum(rates.occupancy(), 0.0)) + seen[0]
    came = np.zeros(seen.shape, np.int8)
    for frame in range(1, len(seen)):
        ways = score[:, None] + step
        came[frame] = ways.argmax(axis=0)
        score = ways.max(axis=0) + seen[frame]
    states = np.empty(len(seen), int)
    states[-1] = int(score.argmax())
    for frame in range(len(seen) - 1, 0, -1):
        states[frame - 1] = came[frame, states[frame]]
    return states


def hidden_events(velocities: Sequence[Velocity], fit: StateFit) -> Events:
    """Events of a track in the most likely sequence of states.

    Args:
        velocities: of the pieces of one track.
        fit: of the group that the worm belongs to.
    """
    return events_of(velocities, [most_likely_states(each, fit.rates, fit.densities) for each in velocities], STATES)
