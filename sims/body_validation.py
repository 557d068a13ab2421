"""Are the mechanics of the body correct?

A wave of muscle tension is prescribed on agar and in water. Question: does the worm move as resistive force theory
predicts, for any step and mesh; do the forces on it sum to zero; does it keep its volume; is there no net motion
if drag is equal in all directions?
Method: the theory is solved here in NumPy from the shapes alone: position and heading are removed from every frame,
and are recovered from the condition of zero net force and torque.
See: one row per medium, step and mesh, and the largest errors with their limits.
Time: about three minutes.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

import tianbao as tb
from tianbao.body import RingMesh, SoftBody
from tianbao.cli import run_script
from tianbao.io.files import prepare_folder
from tianbao.units import MS_PER_S

SETTLE = 500.0  # [ms] in which the wave grows
TIERS = {"441 vertices": (48, 1), "873": (96, 1), "1161": (128, 1), "833, two layers": (48, 2)}
# Largest allowed: theory against speed, spread of speed over steps and meshes, change of volume, net force, net
# torque at a tight tolerance, drift with equal drags [mm/s].
CRITERIA = {"theory": 0.01, "spread": 0.03, "volume": 0.01, "force": 1e-8, "torque": 1e-8, "drift": 0.5e-3}
TIGHT = 1e-7  # tolerance that shows what the method, not its early end, leaves of a net torque


@dataclass(frozen=True)
class Wave:
    """A travelling wave of the curvature prescribed to the muscles.

    Attributes:
        frequency: [Hz].
        wavelength: [L].
        amplitude: of the prescribed kappa L [-].
        direction: +1 from head to tail.
    """

    frequency: float
    wavelength: float
    amplitude: float
    direction: float = 1.0

    def tension(self, body: SoftBody, time: float) -> np.ndarray:
        """Tension of all worms at a time [ms], [Pa], shape (worms, slabs, 4)."""
        s = (np.arange(body.mesh.slabs) + 0.5) / body.mesh.slabs
        phase = 2.0 * np.pi * (s / self.wavelength - self.direction * self.frequency * time / MS_PER_S)
        pull = self.amplitude * min(1.0, time / SETTLE) * np.sin(phase) * body.tension_per_curvature()
        sides = np.stack([np.maximum(pull, 0.0)] * 2 + [np.maximum(-pull, 0.0)] * 2, axis=-1)
        return np.ascontiguousarray(np.broadcast_to(sides, (body.worms, *sides.shape)))


# What the two gaits look like (Fang-Yen et al. 2010); muscles ask for more than the medium lets them have.
GAITS = {"agar": Wave(0.4, 0.65, 8.5), "water": Wave(1.7, 1.5, 7.6)}


@dataclass(frozen=True)
class Travel:
    """One period of a prescribed wave in the steady state.

    Attributes:
        midline: [mm], shape (frames, rings, 3).
        every: time between frames [ms].
        volume_error: largest relative change of volume [-].
        force, torque: largest net drag force and torque over the sum of their magnitudes [-].
        kappa: largest kappa L reached.
    """

    midline: np.ndarray
    every: float
    volume_error: float
    force: float
    torque: float
    kappa: float

    def velocity(self) -> np.ndarray:
        """Mean velocity of the centroid [mm/s], shape (3,)."""
        centre = self.midline.mean(axis=1)
        return (centre[-1] - centre[0]) / (len(centre) - 1) / self.every * MS_PER_S

    def forward_speed(self) -> float:
        """Velocity along the direction from tail to head [mm/s]."""
        chord = (self.midline[:, 0] - self.midline[:, -1]).mean(axis=0)
        return float(self.velocity() @ chord / np.linalg.norm(chord))

    def predicted_velocity(self, medium: tb.Medium) -> np.ndarray:
        """Velocity of a planar worm with these shapes from resistive force theory [mm/s], shape (2,)."""
        shapes = [frame[:, :2] - frame[:, :2].mean(axis=0) for frame in self.midline]
        for k in range(1, len(shapes)):
            now, before = shapes[k] @ [1, 1j], shapes[k - 1] @ [1, 1j]
            now = now * np.exp(1j * np.angle((before * now.conj()).sum()))
            shapes[k] = np.column_stack([now.real, now.imag])
        seconds, place, heading = self.every / MS_PER_S, 0.0, 0.0
        for before, after in zip(shapes[:-1], shapes[1:], strict=True):
            drift = _rigid_motion(0.5 * (before + after), (after - before) / seconds, medium)
            turn = drift[2] * seconds
            place = place + (drift[0] + 1j * drift[1]) * np.exp(1j * (heading + 0.5 * turn)) * seconds
            heading += turn
        return np.array([place.real, place.imag]) / (len(shapes) - 1) / seconds


def _rigid_motion(shape: np.ndarray, rate: np.ndarray, medium: tb.Medium) -> np.ndarray:
    """Velocity and turning rate for which a changing shape has no net force and torque."""
    weights = np.ones(len(shape))
    weights[[0, -1]] = 0.5
    tangent = np.gradient(shape, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    along = tangent[:, :, None] * tangent[:, None, :]
    drag = medium.drag_normal * np.eye(2) - (medium.drag_normal - medium.drag_tangential) * along
    drag = drag * weights[:, None, None]
    rigid = np.zeros((len(shape), 2, 3))
    rigid[:, 0, 0] = rigid[:, 1, 1] = 1.0
    rigid[:, 0, 2], rigid[:, 1, 2] = -shape[:, 1], shape[:, 0]
    resistance = np.einsum("nia,nij,njb->ab", rigid, drag, rigid)
    return -np.linalg.solve(resistance, np.einsum("nia,nij,nj->a", rigid, drag, rate))


def travel(body: SoftBody, wave: Wave, tick: float) -> Travel:
    """Prescribe a wave and record one period of it.

    Args:
        body: at rest.
        wave: to prescribe.
        tick: body step [ms]; the last frame is the one nearest to a full period.
    """
    body.pose()
    steps = max(1, round(20.0 / wave.frequency / 2.0 / tick))
    frames = max(2, round(MS_PER_S / wave.frequency / tick / steps))
    midline, rest = [], body.mesh.volumes.sum()
    volume = force = torque = kappa = 0.0
    settled = round((SETTLE + MS_PER_S / wave.frequency) / tick)
    for k in range(settled + frames * steps + 1):
        if k >= settled and (k - settled) % steps == 0:
            midline.append(body.midline()[0].copy())
            volume = max(volume, abs(body.volume()[0] / rest - 1.0))
            kappa = max(kappa, np.abs(body.curvature()[0]).max())
            drag, arm = body.drag()[0], body.positions[0] - midline[-1].mean(axis=0)
            moment = np.cross(arm, drag)
            force = max(force, np.linalg.norm(drag.sum(axis=0)) / np.linalg.norm(drag, axis=1).sum())
            torque = max(torque, np.linalg.norm(moment.sum(axis=0)) / np.linalg.norm(moment, axis=1).sum())
        body.step(wave.tension(body, k * tick), tick)
    return Travel(np.array(midline), steps * tick, volume, force, torque, kappa)


def row_of(name: str, medium: tb.Medium, wave: Wave, tick: float, tier: str = "441 vertices", **options) -> dict:
    """Speed, theory and the quantities that must vanish, for one numerical setting."""
    body = SoftBody(RingMesh.adult(*TIERS[tier]), medium=medium, **options)
    moved = travel(body, wave, tick)
    speed, theory = (np.linalg.norm(each) for each in (moved.velocity(), moved.predicted_velocity(medium)))
    return {
        "case": name, "medium": medium.name, "mesh": tier, "tick_ms": tick, "kappa_l": round(moved.kappa, 2),
        "forward_mm_s": round(moved.forward_speed(), 6), "theory_over_speed": round(theory / max(speed, 1e-12), 5),
        "volume_error": float(f"{moved.volume_error:.2e}"), "net_force": float(f"{moved.force:.1e}"),
        "net_torque": float(f"{moved.torque:.1e}"),
    }  # fmt: skip


def cases():
    """Yield every row of the table."""
    for name, tick in (("agar", 10.0), ("water", 4.0)):
        medium, wave = tb.Medium.named(name), GAITS[name]
        for factor in (1.0, 0.5, 0.25):
            yield row_of("step", medium, wave, tick * factor)
        for tier in list(TIERS)[1:]:
            yield row_of("mesh", medium, wave, tick / 2.0, tier)
        yield row_of("tight tolerance", medium, wave, tick, tolerance=TIGHT)
        backwards = Wave(wave.frequency, wave.wavelength, wave.amplitude, -1.0)
        yield row_of("reversed wave", medium, backwards, tick)
        yield row_of("equal drags", medium.isotropic(), wave, tick)


def judged(table: pd.DataFrame) -> dict[str, tuple[float, float]]:
    """Largest error of each kind with its limit; infinite drift if a reversed wave does not move the worm backwards."""
    moving, equal = table[table.case != "equal drags"], table[table.case == "equal drags"]
    alike = table[table.case.isin(["step", "mesh"])].groupby("medium").forward_mm_s
    tight = table[table.case == "tight tolerance"]
    backwards = (table[table.case == "reversed wave"].forward_mm_s < 0.0).all()
    worst = {
        "theory": (moving.theory_over_speed - 1.0).abs().max(),
        "spread": (alike.max() / alike.min() - 1.0).max(),
        "volume": table.volume_error.max(),
        "force": table.net_force.max(),
        "torque": tight.net_torque.max(),
        "drift": equal.forward_mm_s.abs().max() if backwards else np.inf,
    }
    return {name: (float(value), CRITERIA[name]) for name, value in worst.items()}


def experiment(args: argparse.Namespace) -> int:
    """Run every case; exit code 0 only if theory, steps and meshes agree."""
    prepare_folder(args.out)
    rows = []
    for row in cases():
        rows.append(row)
        print("  ".join(f"{key} {value}" for key, value in row.items()), flush=True)
    table = pd.DataFrame(rows)
    table.to_csv(args.out / "body.csv", index=False)
    print(f"wrote body.csv in {args.out}")
    verdicts = judged(table)
    for name, (value, bar) in verdicts.items():
        print(f"{name:8s} {value:9.2e}   limit {bar:g}")
    return 0 if all(value < bar for value, bar in verdicts.values()) else 1


def main(arguments: list[str] | None = None) -> int:
    """Run every case; exit code 0 only if theory, steps and meshes agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("output/body_validation"))
    return run_script(experiment, parser.parse_args(arguments))


if __name__ == "__main__":
    sys.exit(main())
