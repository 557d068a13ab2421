"""Made-up worms that move freely: a body that glides along its own track, and walkers in a gradient."""

from __future__ import annotations

import numpy as np

from tianbao.behaviour.paths import Walk

LENGTH, WAVELENGTH, BEND = 1.0, 0.62, 0.79  # [mm], [mm], [rad]
GRID = 0.005  # of the track [mm]


class Track:
    """The line that a crawling worm draws and follows; the nose is at `nose` [mm] along it."""

    def __init__(self, heading: float = 0.0):
        self.heading, self.nose, self.laid = heading, LENGTH, 0
        self.angles, self.points = [], [np.zeros(2)]
        self.extend(LENGTH + 2 * GRID, 0.0)

    def extend(self, until: float, curve: float) -> None:
        """Lay track up to a length, curving by [rad/mm]."""
        while GRID * len(self.angles) < until:
            self.heading += curve * GRID
            self.laid += 1
            angle = self.heading + BEND * np.sin(2 * np.pi * self.laid * GRID / WAVELENGTH)
            self.angles.append(angle)
            self.points.append(self.points[-1] + GRID * np.array([np.cos(angle), np.sin(angle)]))

    def turn_round_from_here(self) -> None:
        """Forget the track ahead of the nose, so that another is laid."""
        kept = round(self.nose / GRID)
        del self.angles[kept:], self.points[kept + 1 :]

    def body(self, points: int) -> np.ndarray:
        """Midline, nose first, shape (points, 2)."""
        at = self.nose - LENGTH * np.linspace(0.0, 1.0, points)
        start = max(0, int(at[-1] / GRID) - 2)
        part, way = np.array(self.points[start:]), GRID * np.arange(start, len(self.points))
        return np.stack([np.interp(at, way, each) for each in part.T], axis=1)


def crawl(program, frame=20.0, points=49, heading=0.0, curve_deg_mm=0.0):
    """Time [ms] and midline [mm] of a worm that follows a program of (seconds, mm/s, turn in deg over mm) pieces.

    A forward piece that follows a reversal lays a new track; (deg, mm) bends its first part, positive towards dorsal.
    """
    track, lines, speed_before = Track(heading), [], 1.0
    for seconds, speed, *turn in program:
        if speed > 0.0 and speed_before < 0.0:
            track.turn_round_from_here()
        speed_before = speed if speed else speed_before
        degrees, length = turn or (0.0, 1.0)
        end = GRID * len(track.angles) + length
        for _ in range(round(seconds * 1000.0 / frame)):
            track.nose += speed * frame / 1000.0
            bent = np.radians(degrees) / length if GRID * len(track.angles) < end and turn else 0.0
            track.extend(track.nose + 2 * GRID, bent + np.radians(curve_deg_mm))
            lines.append(track.body(points))
    return frame * np.arange(len(lines)), np.array(lines)


def walkers(seed, worms=20, seconds=600.0, slope=0.0, ratio=1.0, rate=0.03, noise=8.0, bias=0.0, steep=1.0, speed=0.15):
    """Walks in an even gradient along x [unit/mm].

    Headings curve by `slope` [deg/mm per unit/mm] times the normal gradient, by a bias [deg/mm] and at random
    [deg per root mm]; pirouettes by 120 to 240 deg come at `rate` [1/s] times sqrt(ratio) down and over sqrt(ratio) up.
    """
    random, step = np.random.default_rng(seed), 0.1
    angle, place = random.uniform(-np.pi, np.pi, worms), np.zeros((worms, 2))
    places = []
    for _ in range(round(seconds / step)):
        way = speed * step
        normal = -steep * np.sin(angle)
        spread = noise * np.sqrt(way) * random.normal(size=worms)
        angle = angle + np.radians((slope * normal + bias) * way + spread)
        hazard = rate * np.where(np.cos(angle) < 0.0, np.sqrt(ratio), 1.0 / np.sqrt(ratio))
        turns = random.random(worms) < hazard * step
        angle = angle + turns * np.radians(random.uniform(120.0, 240.0, worms))
        place = place + way * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        places.append(place)
    path = np.array(places)[:: round(1.0 / step)]
    time = 1000.0 * np.arange(len(path))
    even = np.tile([steep, 0.0], (len(path), 1))
    return [Walk(time, path[:, k], 50.0 + steep * path[:, k, 0], even, worm=k) for k in range(worms)]
