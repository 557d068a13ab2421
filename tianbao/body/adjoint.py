"""Gradients through the steps of the soft body, by the exact adjoint of each implicit step at its solution.

A step ends where the residual g(x; start, tension) vanishes. With lambda = - H^-1 dL/dx, H = dg/dx being
the stiffness of the last Newton iteration, dL/dtension = lambda . dg/dtension and dL/dstart =
lambda . dg/dstart, which is dL/dx of the previous step. The start enters through the displacement and the
tangent of the drag, the reference strain of viscosity, the initial length of the fibres
and the grip of friction. Source: the implicit function theorem.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..backend import copied, zeros
from ..errors import ConfigError, DivergedError
from ..units import MS_PER_S
from . import kernels, observe
from .adjoint_kernels import pull_back_step
from .kernels import DT
from .solver import SoftBody

_STRAIGHT = 1e-3


@dataclass(frozen=True)
class _Piece:
    """A step that the solver did not divide: its start [ms], and everything its residual depends on.

    Positions at its end and its start are relative to the origin of each worm's frame.
    """

    time: float
    origin: np.ndarray
    end: np.ndarray
    start: np.ndarray
    tension: np.ndarray
    around: tuple[np.ndarray, ...]
    physics: np.ndarray


@dataclass(frozen=True)
class Gradient:
    """Derivatives of a loss L on the positions of a rollout.

    Attributes:
        tension: with respect to the tension of every step [L/Pa], shape (steps, worms, slabs, 4).
        start: with respect to the initial positions [L/mm], shape (worms, vertices, 3).
    """

    tension: np.ndarray
    start: np.ndarray


class BodyRollout:
    """Steps of a soft body, recorded so that a loss on its positions can be differentiated.

    Only the rollout may move the body while it records. A step that has to be divided is recorded as its
    parts.

    Limitations: flow and wake, half-spaces of contact and the grip of friction are treated as constant in each
    step, although all but the flow depend on earlier states. The derivative is that of a step at its exact
    solution; with the default tolerance of the body its relative error is about 1e-6.
    """

    def __init__(self, body: SoftBody) -> None:
        """
        Args:
            body: the rollout starts from its present state.
        """
        self.body = body
        worms, rings, count = body.worms, body.mesh.rings, len(body.mesh.vertices)
        self._frozen = zeros(worms, rings - 1, body.mesh.tets.shape[1], 6), zeros(worms, rings, 3)
        self._pulled = zeros(worms, count, 3), zeros(worms, rings - 1, 6 * body.mesh.ring_size), zeros(worms, rings, 3)
        self._status, self._bad = np.zeros((worms, kernels.STATUS)), np.zeros(worms)
        planes, count = np.zeros((worms, rings, kernels.PLANES, 5)), np.zeros((worms, rings), np.int32)
        self._free = planes, count, planes[..., 0].copy()
        self._flow = np.zeros((worms, rings, 3))
        self._steps: list[list[_Piece]] = []
        self._first = self._last = body.positions

    def __len__(self) -> int:
        return len(self._steps)

    @property
    def positions(self) -> np.ndarray:
        """Vertices at the start and after every step [mm], shape (steps + 1, worms, vertices, 3)."""
        return np.stack([self._first, *(pieces[-1].end + pieces[-1].origin for pieces in self._steps)])

    def tension(self, step: int) -> np.ndarray:
        """Tension with which a recorded step was taken [Pa], shape (worms, slabs, 4)."""
        return self._steps[step][0].tension

    def step(self, tension: np.ndarray, duration: float) -> None:
        """Advances the body by one step and records it.

        Args:
            tension: see SoftBody.step; copied.
            duration: [ms].

        Raises:
            ConfigError: see SoftBody.step, and if something else has moved the body in the meantime.
            DivergedError: see SoftBody.step.
        """
        if not np.array_equal(self.body.positions, self._last):
            raise ConfigError("rollout: the body was moved between two recorded steps; start a new rollout")
        pieces: list[_Piece] = []
        self._take(np.array(tension, order="C"), duration, pieces)
        self._steps.append(pieces)
        self._last = self.body.positions

    def follow(self, before: dict[str, np.ndarray], tension: np.ndarray, duration: float) -> None:
        """Records the step that the body has just taken by itself.

        Args:
            before: the body's state before it.
            tension: with which it was taken, see SoftBody.step; copied.
            duration: of it [ms].
        """
        pieces: list[_Piece] = []
        tension = np.array(tension, order="C")
        if self._divided(duration):
            after = self.body.state()
            self._halves(before, tension, duration, pieces)
            self.body.restore(after)  # to the same bits as without a record
        else:
            self._record(before, tension, pieces)
        self._steps.append(pieces)
        self._last = pieces[-1].end + pieces[-1].origin

    def _take(self, tension: np.ndarray, duration: float, pieces: list[_Piece]) -> None:
        """Takes a step and records it; if the body had to divide it, repeats it in halves."""
        before = self.body.state()
        self.body.step(tension, duration)
        if self._divided(duration):
            self._halves(before, tension, duration, pieces)
        else:
            self._record(before, tension, pieces)

    def _divided(self, duration: float) -> bool:
        return self.body.arrays.physics[DT] < duration / MS_PER_S

    def _halves(self, before: dict, tension: np.ndarray, duration: float, pieces: list[_Piece]) -> None:
        self.body.restore(before)
        self._take(tension, 0.5 * duration, pieces)
        self._take(tension, 0.5 * duration, pieces)

    def _record(self, before: dict, tension: np.ndarray, pieces: list[_Piece]) -> None:
        """Keeps the step that ended at the body's present state."""
        body, contacts = self.body, self._free
        flow, around = before["flow"] + before["wake"], body._around
        if not np.array_equal(flow, self._flow):
            self._flow = flow
        # Planes of contact and grip count only where something is touched.
        if around.touch and copied(around.contacts).any():
            contacts = tuple(each.to_numpy() for each in (around.planes, around.contacts, around.grip))
        # Far worms' frames may have moved along with them since.
        origin, end = body._origin[:, None].copy(), copied(body.arrays.x)
        start = before["positions"] - (origin - before["origin"][:, None])
        around, physics = (self._flow, *contacts), body.arrays.physics.copy()
        pieces.append(_Piece(float(before["time"]), origin, end, start, tension, around, physics))

    def pull_back(self, step: int, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Propagates a gradient from the end of one step to its start.

        Args:
            step: its number, from 0.
            weights: dL/dx of the positions after it [L/mm], shape (worms, vertices, 3).

        Returns:
            dL/dx of the positions before it [L/mm], same shape, without the direct contribution of the loss there;
            dL/dtension [L/Pa], shape (worms, slabs, 4).

        Raises:
            ConfigError: for weights of the wrong shape.
            DivergedError: if the end of a step is not a minimum of its energy, and so has no derivative.
        """
        if np.shape(weights) != self._first.shape:
            raise ConfigError(f"rollout: weights have shape {np.shape(weights)}; give {self._first.shape}")
        body, bar = self.body, np.array(weights, float, order="C")
        its, work = body.arrays, body.kernel_steps
        total = np.zeros((body.worms, body.mesh.slabs, 4))
        for piece in reversed(self._steps[step]):
            tension_bar = np.empty_like(total)
            pull_back_step(
                body.mesh.ring_size, piece.end, piece.start, piece.tension, *piece.around, piece.physics,
                its.corners, its.elements, its.slabs, its.vertices, *self._frozen, work.force,
                work.scalars, work.swell, self._status, work.stiffness, work.residual, work.direction,
                *self._pulled, bar, tension_bar, self._bad,
            )  # fmt: skip
            if self._bad.any():
                raise DivergedError(
                    f"rollout: the step of worm {self._bad.argmax()} from {piece.time:g} ms has no derivative, its "
                    "stiffness is not positive definite at the end: shorten the steps or lower the tension"
                )
            total += tension_bar
        return bar, total

    def gradient(self, weights: np.ndarray) -> Gradient:
        """Derivatives of a loss with respect to all tensions and to the start.

        Args:
            weights: dL/dx [L/mm], of the last positions, shape (worms, vertices, 3), or of all `positions`,
                shape (steps + 1, worms, vertices, 3).

        Raises:
            ConfigError: for weights of another shape.
            DivergedError: see pull_back.
        """
        weights, every = np.asarray(weights, float), (len(self) + 1, *self._first.shape)
        if weights.shape not in (every, every[1:]):
            raise ConfigError(f"rollout: weights have shape {weights.shape}; give {every} or {every[1:]}")
        final, bar = (True, weights) if weights.shape != every else (False, weights[-1])
        tension = np.zeros((len(self), self.body.worms, self.body.mesh.slabs, 4))
        for step in reversed(range(len(self))):
            bar, tension[step] = self.pull_back(step, bar)
            bar += 0.0 if final else weights[step]
        return Gradient(tension, np.array(bar))


def midline_weights(body: SoftBody, weights: np.ndarray) -> np.ndarray:
    """dL/dx [L/mm], shape (..., vertices, 3), from dL/d`SoftBody.midline` [L/mm], shape (..., rings, 3)."""
    share = observe.section_weights(body.mesh.section)[:, observe.SHARE]
    return (share[:, None] * weights[..., None, :]).reshape(*weights.shape[:-2], -1, 3)


def curvature_weights(body: SoftBody, positions: np.ndarray, weights: np.ndarray, side: str = "dorsal") -> np.ndarray:
    """dL/dx from the gradient with respect to `SoftBody.curvature`.

    Args:
        body: whose mesh it is.
        positions: at which the curvature was measured [mm], shape (..., vertices, 3).
        weights: dL/d(kappa L), shape (..., rings - 2).
        side: "dorsal" or "right".

    Returns:
        [L/mm], shape (..., vertices, 3).
    """
    column = {"dorsal": observe.DORSAL, "right": observe.RIGHT}[side]
    section = observe.section_weights(body.mesh.section)
    rings = positions.reshape(*positions.shape[:-2], body.mesh.rings, body.mesh.ring_size, 3)
    centres, sides = (np.einsum("v,...rvi->...ri", section[:, k], rings) for k in (observe.SHARE, column))
    steps, sideways = np.diff(centres, axis=-2), sides[..., 1:-1, :]
    lengths = _norm(steps)
    units = steps / lengths
    middle, bend = units[..., :-1, :] + units[..., 1:, :], np.diff(units, axis=-2)
    wide, span = _norm(middle), 0.5 * (lengths[..., :-1, :] + lengths[..., 1:, :])
    tilt = _dot(sideways, middle) / wide
    across = sideways - tilt * middle / wide
    towards = across / _norm(across)
    half = np.minimum(0.5 * _norm(bend), 1.0 - 1e-9)
    safe, straight = np.maximum(half, _STRAIGHT), half < _STRAIGHT
    angle = np.where(straight, 1.0 + half**2 / 6.0, np.arcsin(safe) / safe)
    slope = np.where(straight, 1.0 / 3.0, (1.0 / np.sqrt(1.0 - safe**2) - angle) / safe**2)
    # Backwards; kappa L = length angle(bend) bend . towards / span, and bend is always normal to the middle.
    share, shown = body.mesh.length * weights[..., None] / span, _dot(bend, towards)
    bend_bar = share * (angle * towards + 0.25 * slope * shown * bend)
    side_bar = share * angle * (bend - shown * towards) / _norm(across)
    middle_bar, length_bar = -tilt * side_bar / wide, -0.5 * share * angle * shown / span
    unit_bars, step_bars = np.zeros_like(units), np.zeros_like(units)
    for ring, sign in ((slice(None, -1), -1.0), (slice(1, None), 1.0)):
        unit_bars[..., ring, :] += middle_bar + sign * bend_bar
        step_bars[..., ring, :] += length_bar * units[..., ring, :]
    step_bars += (unit_bars - _dot(unit_bars, units) * units) / lengths
    none = np.zeros_like(step_bars[..., :1, :])
    out = midline_weights(body, -np.diff(step_bars, axis=-2, prepend=none, append=none)).reshape(rings.shape)
    out[..., 1:-1, :, :] += section[:, column, None] * side_bar[..., None, :]
    return out.reshape(positions.shape)


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=-1, keepdims=True)


def _norm(a: np.ndarray) -> np.ndarray:
    return np.sqrt(_dot(a, a))
