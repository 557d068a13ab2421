"""Worms moved by their muscles alone: a body, 95 muscles and whoever activates them, without a nervous system."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np

from ..anatomy import muscles as muscle_table
from ..arguments import named_arguments
from ..body import RingMesh, SoftBody
from ..environment import Medium, Obstacle
from ..errors import ConfigError, unknown
from ..muscles import TensionMap
from ..parameters import defaults
from ..rows import named_values, number, whole
from ..units import MS_PER_S

CONTROLS = {"rows": 24, "all": 95}
"""Numbers in an action, by the word that says what they drive."""


@cache
def constant(name: str) -> float:
    """Value of a row of bodies.csv, in the unit of that row."""
    return named_values(Path(__file__).with_name("bodies.csv"))[name]


@named_arguments
class MuscleWorms:
    """Independent worms, each a soft body whose 95 muscles follow what they are told ten times a second.

    An action sets the activation that every muscle approaches; the muscle follows it with the time constant that it has
    in the whole worm (`muscle_tau` of network/parameters.csv), and pulls as it does there (`TensionMap`).

    Attributes:
        body: of all worms.
        worms: their number.
        muscles: names of the 95, in the order of activations.
        activation: of each muscle, 0 (relaxed) to 1 [-], shape (worms, 95).
        interval: between two actions [s].
        step: of the body [ms].

    Limitations: worms touch neither each other nor themselves.

    Source: bodies.csv; network/parameters.csv, muscles/strength.csv and body/body.csv for muscle and tissue.
    """

    def __init__(
        self,
        worms: int = 1,
        *,
        medium: Medium | str = "water",
        muscles: str = "rows",
        obstacles: Sequence[Obstacle] = (),
        slabs: int | None = None,
        step: float | None = None,
        threads: int = 1,
    ) -> None:
        """
        Args:
            worms: number of worms, the leading axis of every array.
            medium: around them.
            muscles: "rows", 24 numbers of -1 (ventral) to 1 (dorsal), one per row; or "all", 95 of 0 to 1.
            obstacles: that the worms cannot enter, the same for each.
            slabs: of the body's mesh, a multiple of 24; as bodies.csv has it for the medium when None.
            step: of the body [ms], of which an interval is a multiple; as bodies.csv has it when None.
            threads: how many worms are stepped at the same time; results do not depend on it.

        Raises:
            ConfigError: for a wrong number, an unknown word or medium, a mesh or step that does not fit.
        """
        if muscles not in CONTROLS:
            raise ConfigError(unknown("control of muscles", str(muscles), CONTROLS))
        self.worms = whole(worms, "worms", "number", low=1, high=1_000_000)
        medium = medium if isinstance(medium, Medium) else Medium.named(medium)
        thick = medium.drag_normal >= constant("thick_from")
        self.joints = round(constant("joints"))
        self._rows = muscles == "rows"
        slabs = self._fitting_slabs(slabs, thick)
        self.step, self._steps = self._fitting_step(step, thick)
        self.interval = constant("control_interval") / MS_PER_S
        mesh = RingMesh.adult(slabs)
        self.body = SoftBody(mesh, worms=self.worms, medium=medium, obstacles=obstacles,
                             turning=True, tolerance=constant("tolerance"),
                             threads=whole(threads, "worms", "threads", low=1, high=1024))  # fmt: skip
        table, parameters = muscle_table(), defaults()
        self.muscles = tuple(table.index)
        self._row = table.row.to_numpy() - 1
        self._dorsal = np.where(table.quadrant.str[0] == "D", 1.0, -1.0)
        self._per_row = _mean_of_sides(self._row, self._dorsal, self.joints)
        self._pull = _tension_of_each(table, self.body, parameters.peak_curvature)
        share = self.step / parameters.muscle_tau
        self._kept, self._mean = math.exp(-share), (1.0 - math.exp(-share)) / share
        self._smooth = _between_rows(slabs, self.joints)
        self.activation = np.zeros((self.worms, len(table)))
        self._tension = np.zeros((self.worms, slabs, 4))
        self._flat = self._tension.reshape(self.worms, -1)
        self._bends = np.empty((self.worms, slabs - 1))

    @property
    def controls(self) -> int:
        """Numbers in the action of one worm."""
        return CONTROLS["rows"] if self._rows else CONTROLS["all"]

    @property
    def lowest(self) -> float:
        """Least value of each number of an action [-]."""
        return -1.0 if self._rows else 0.0

    def _fitting_slabs(self, given: int | None, thick: bool) -> int:
        slabs = round(constant("slabs_thick" if thick else "slabs_thin")) if given is None else given
        if whole(slabs, "worms", "slabs", low=self.joints, high=960) % self.joints:
            raise ConfigError(f"worms: slabs = {slabs} is not a multiple of the {self.joints} rows of muscles")
        return slabs

    @staticmethod
    def _fitting_step(given: float | None, thick: bool) -> tuple[float, int]:
        step = constant("step_thick" if thick else "step_thin") if given is None else given
        interval = constant("control_interval")
        step = number(step, "worms", "step", "ms", low=0.1, high=interval)
        count = round(interval / step)
        if abs(count * step - interval) > 1e-9 * interval:
            raise ConfigError(f"worms: step = {step:g} ms does not divide the {interval:g} ms between two actions")
        return step, count

    def place(
        self, worm: int, *, at: tuple[float, ...] = (0.0, 0.0), heading: float = 0.0, bend: np.ndarray | float = 0.0
    ) -> None:
        """Put one worm down at rest, its muscles relaxed.

        Args:
            worm: its number.
            at: centroid of the midline, x and y [mm].
            heading: direction from tail to head [rad].
            bend: kappa L, positive towards dorsal [-], one value or one between every two rows, shape (23,).

        Raises:
            ConfigError: for a wrong shape, or a body folded onto itself.
        """
        bend = np.asarray(bend, float)
        if bend.shape not in ((), (self.joints - 1,)):
            raise ConfigError(f"worms: bend has shape {bend.shape}; give one value or ({self.joints - 1},)")
        places = np.arange(1, self.joints) / self.joints
        kappa = np.interp(self.body.curvature_positions, places, np.broadcast_to(bend, self.joints - 1))
        self.body.pose(kappa, at=at, heading=heading, worm=worm)
        self.activation[worm] = 0.0

    def target(self, action: np.ndarray) -> np.ndarray:
        """The activation that an action asks of every muscle.

        Args:
            action: of every worm [-], shape (worms, controls); what is out of range is cut off.

        Returns:
            0 to 1 [-], shape (worms, 95).

        Raises:
            ConfigError: for another shape, or what is not a number.
        """
        action = np.asarray(action, float)
        if action.shape != (self.worms, self.controls) or not np.isfinite(action).all():
            raise ConfigError(f"action of shape {action.shape}: give finite numbers of ({self.worms}, {self.controls})")
        if not self._rows:
            return np.clip(action, 0.0, 1.0)
        return np.clip(action[:, self._row] * self._dorsal, 0.0, 1.0)

    def advance(self, action: np.ndarray) -> None:
        """Let the muscles follow an action until the next one.

        Args:
            action: of every worm [-], shape (worms, controls); what is out of range is cut off.

        Raises:
            ConfigError: see `target`.
            DivergedError: see `SoftBody.step`.
        """
        target = self.target(action)
        for _ in range(self._steps):
            missing = self.activation - target
            # Row by row: the sums of a worm must not depend on how many others a matrix product has.
            for k in range(self.worms):
                np.dot(target[k] + self._mean * missing[k], self._pull, out=self._flat[k])
            self.body.step(self._tension, self.step)
            self.activation = target + self._kept * missing

    def bend(self) -> np.ndarray:
        """Curvature kappa L between every two rows of muscles, positive towards dorsal [-], shape (worms, 23)."""
        self.body.curvature(out=self._bends)
        return (self._bends[:, None, :] * self._smooth).sum(axis=2)

    def roll(self) -> np.ndarray:
        """Curvature kappa L towards the right side, as `bend` [-], shape (worms, 23)."""
        self.body.curvature(out=self._bends, side="right")
        return (self._bends[:, None, :] * self._smooth).sum(axis=2)

    def row_activation(self) -> np.ndarray:
        """Dorsal minus ventral activation of every row, each the mean of left and right [-], shape (worms, 24)."""
        return (self.activation[:, :, None] * self._per_row).sum(axis=1)


def axis_of(midline: np.ndarray) -> np.ndarray:
    """Direction in the plane from the middle of a worm's rear half to that of its front half.

    Args:
        midline: head first [mm], shape (worms, rings, 3).

    Returns:
        Unit vectors [-], shape (worms, 2).
    """
    half = midline.shape[1] // 2
    along = midline[:, :half, :2].mean(axis=1) - midline[:, -half:, :2].mean(axis=1)
    return along / np.maximum(np.hypot(*along.T), 1e-12)[:, None]


def _tension_of_each(table, body: SoftBody, peak_curvature: float) -> np.ndarray:
    """Tension of all slabs and quadrants at full activation of one muscle [Pa], shape (95, slabs * 4)."""
    tension = TensionMap(table, body.tension_per_curvature(), peak_curvature)
    alone = np.eye(len(table))
    return np.array([tension(each, np.empty((body.mesh.slabs, 4))).ravel() for each in alone])


def _mean_of_sides(row: np.ndarray, dorsal: np.ndarray, joints: int) -> np.ndarray:
    """Weights of muscles in the dorsal minus ventral activation of a row [-], shape (95, joints)."""
    weights = np.zeros((len(row), joints))
    weights[np.arange(len(row)), row] = dorsal
    for side in (1.0, -1.0):
        number = np.bincount(row[dorsal == side], minlength=joints)
        weights[dorsal == side] /= number[row[dorsal == side], None]
    return weights


def _between_rows(slabs: int, joints: int) -> np.ndarray:
    """Weights that turn curvature at the inner rings into that between rows [-], shape (joints - 1, slabs - 1).

    A hat as wide as a row: the turn from the middle of one row to that of the next, on any mesh.
    """
    fine = slabs // joints
    away = np.arange(1, slabs)[None, :] - fine * np.arange(1, joints)[:, None]
    hats = np.maximum(fine - np.abs(away), 0.0)
    return hats / hats.sum(axis=1, keepdims=True)
