"""Made-up worms whose speed, rhythm and shape are known."""

from __future__ import annotations

import numpy as np

from tianbao.behaviour.midline import curvature_positions
from tianbao.recording import Recording, WormTrack

SPEED, FREQUENCY, WAVELENGTH, AMPLITUDE = 0.2, 0.45, 0.62, 8.0
NEURONS = ("AVAL", "AVBL", "DB2", "DB4", "DB6", "VB5", "VB10", "DD3", "VD7", "SMDDL", "SMDVR")
MUSCLES = tuple(
    f"M{quadrant}{row:02d}"
    for quadrant in ("DL", "DR", "VL", "VR")
    for row in range(1, 25)
    if (quadrant, row) != ("VL", 24)
)


def pose(bend: np.ndarray, length: float = 1.0) -> np.ndarray:
    """Midlines that have these curvatures at the inner points: (frames, n - 2) -> (frames, n, 3)."""
    frames, inner = bend.shape
    step = length / (inner + 1)
    turn = -bend / length * step
    angle = np.pi + np.concatenate([np.zeros((frames, 1)), np.cumsum(turn, axis=1)], axis=1)
    # Turned so that the mean direction of the body is along x.
    angle -= (angle.mean(axis=1) - np.pi)[:, None]
    steps = step * np.stack([np.cos(angle), np.sin(angle), np.zeros_like(angle)], axis=-1)
    line = np.concatenate([np.zeros((frames, 1, 3)), np.cumsum(steps, axis=1)], axis=1)
    return line - line.mean(axis=1, keepdims=True)


def crawling_worm(points=49, duration=23_000.0, frame=20.0, direction=1, noise=0.0, turn_deg_s=0.0):
    """Time [ms] and midline [mm] of a wave that carries the worm along an arc."""
    time = np.arange(frame, duration + frame / 2, frame)
    s = curvature_positions(points)
    line = pose(AMPLITUDE * np.cos(2 * np.pi * (FREQUENCY * time[:, None] / 1000 - direction * s / WAVELENGTH)))
    heading = np.radians(turn_deg_s) * time / 1000
    rotation = np.array([[np.cos(heading), -np.sin(heading)], [np.sin(heading), np.cos(heading)]]).transpose(2, 0, 1)
    line[..., :2] = np.einsum("fij,fpj->fpi", rotation, line[..., :2])
    velocity = direction * SPEED * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    line[..., :2] += np.cumsum(velocity * frame / 1000, axis=0)[:, None]
    if noise:
        line += np.random.default_rng(0).normal(0.0, noise, line.shape)
    return time, line


def recording(neurons=NEURONS, complete=True, **options) -> Recording:
    """A recording of `crawling_worm` with muscles and neurons that fit."""
    time, midline = crawling_worm(**options)
    phase = 2 * np.pi * FREQUENCY * time[:, None] / 1000
    at = np.array([(int(name[3:]) - 0.5) / 24 for name in MUSCLES])
    side = np.array([1 if name[1] == "D" else -1 for name in MUSCLES])
    activation = 0.43 + 0.4 * np.tanh(2 * side * np.cos(phase - 2 * np.pi * at / WAVELENGTH + 0.6))
    voltage = -40.0 + 15.0 * np.tanh(3 * np.sin(phase + np.arange(len(neurons))))
    return Recording(
        time=time,
        worms=(WormTrack(midline, activation, MUSCLES, voltage, time, tuple(neurons)),),
        config_toml='seed = 7\n\n[arena]\nmedium = "agar"\n',
        versions={"tianbao": "0.1.0", "neuron": "9.0.2", "netpyne": "1.1.1", "taichi": "1.7.4", "numpy": "2.4.6"},
        mechanism_hash="abc123",
        git_revision="deadbeef+",
        seed=7,
        created="2026-01-01T00:00:00+00:00",
        wall_s_per_bio_s=8.3,
        complete=complete,
    )
