"""A worm in a video: its skin tinted by its muscles, a mark on its head, the path of its centre, and its number."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb, to_rgba

from ..behaviour.midline import centroid
from ..recorded import WormTrack
from . import style
from .camera import NARROWEST_MM, between
from .outline import Outline
from .worms import Who

NUMBER_SIZE = 15  # [pt]
_TRAIL = 600  # points at most
_CLEAR_MM = 0.055  # from a midline to the trail of another worm: the body and half of the line
_BODY_MM = 0.042  # half of its width, with the outline
_OWN_CLEAR_MM = 0.17  # from its own midline, so that the trail begins behind the worm and not beside its bends
_HEAD = 0.035  # [L] from the nose to the mark
_HEAD_SIZE = 7.5  # [pt] at the narrowest view
# Directions from the nose in which there may be space for a number, the best first [rad].
_AROUND = np.radians([0.0, 40.0, -40.0, 80.0, -80.0, 120.0, -120.0, 160.0, -160.0])


class DrawnWorm:
    """The moving artists of one worm; of several, each has its number beside its head, in its colour.

    Attributes:
        rim: its outline.
        way: the pieces of its trail.
        number: its number; None for a worm alone.

    Args:
        plate: axes in mm that the worm is drawn on.
        track: of the worm.
        who: which of several it is; None for a worm alone.
        width: of the plate [mm].
    """

    def __init__(self, plate: Axes, track: WormTrack, who: Who | None, width: float) -> None:
        self._plate, self._track = plate, track
        self._outline = Outline(track.midline.shape[1])
        self._centre = centroid(track.midline)
        self._shade = _shade(self._outline.across)
        self._sides = [self._side(track, names) for names in (("VL", "VR"), ("DL", "DR"))]
        scale, colour = NARROWEST_MM / width, who.colour if who else style.INK
        trail = to_rgba(colour, 0.45) if who else style.TRAIL
        self.way = LineCollection([], colors=[trail], linewidths=5.0 * scale, capstyle="butt", animated=True)
        self._skin = PolyCollection([], animated=True, antialiased=False, linewidths=0)
        (self.rim,) = plate.plot([], [], color=style.INK, lw=1.3 * scale, solid_joinstyle="round", animated=True)
        for artist in (self.way, self._skin):
            plate.add_collection(artist, autolim=False)
        (self._head,) = plate.plot(
            [], [], "o", ms=max(5.5, _HEAD_SIZE * scale), mfc=colour, mec=style.PAPER, mew=0.8, animated=True
        )
        self.number = None
        if who:
            self.number = plate.text(0.0, 0.0, str(who.number), ha="center", va="center", fontweight="bold",
                                     color=who.colour, fontsize=NUMBER_SIZE, animated=True, clip_on=True)  # fmt: skip
        self._direction = 0

    def line(self, place: float) -> np.ndarray | None:
        """The midline at a fractional frame [mm], shape (points, 2); None where the worm was not seen."""
        line = between(self._track.midline, place)[:, :2]
        return line if np.isfinite(line).all() else None

    def trail(self, place: float, line: np.ndarray | None, bodies: np.ndarray) -> list[np.ndarray]:
        """Where the centre has been [mm], in pieces that touch no body, shape (points, 2) each.

        Args:
            place: fractional frame.
            line: its own midline [mm], None where it was not seen.
            bodies: points of all midlines [mm], shape (n, 2).
        """
        gone = self._centre[: int(place) + 1]
        gone = gone[:: max(1, len(gone) // _TRAIL)]
        free = np.isfinite(gone).all(axis=1)
        for points, clear in ((bodies, _CLEAR_MM), (line, _OWN_CLEAR_MM)):
            if points is not None and len(points) and free.any():
                free[free] = np.linalg.norm(gone[free][:, None] - points, axis=2).min(axis=1) > clear
        cuts = np.flatnonzero(np.diff(free.astype(int))) + 1
        pieces = np.split(np.arange(len(gone)), cuts)
        return [gone[each] for each in pieces if len(each) > 1 and free[each[0]]]

    def draw_trail(self, pieces: Sequence[np.ndarray], eye: np.ndarray) -> None:
        """Draw the trail, seen from `eye` [mm]."""
        self.way.set_segments([each - eye for each in pieces])
        self._plate.draw_artist(self.way)

    def draw(self, line: np.ndarray, place: float, eye: np.ndarray) -> None:
        """Draw the body on a midline [mm]."""
        grid = self._outline.grid(line) - eye
        self._skin.set_verts(self._outline.quads(grid))
        self._skin.set_facecolor(self._colours(place))
        self.rim.set_data(*self._outline.rim(grid).T)
        self._head.set_data(*grid[int(np.searchsorted(self._outline.s, _HEAD)), grid.shape[1] // 2][:, None])
        for artist in (self._skin, self.rim, self._head):
            self._plate.draw_artist(artist)

    def draw_number(self, line: np.ndarray, eye: np.ndarray, taken: np.ndarray, radius: float) -> np.ndarray | None:
        """Draw the number where it covers nothing.

        Args:
            line: the midline [mm].
            eye: what the picture is centred on [mm].
            taken: points that the number must stay away from [mm], shape (n, 2).
            radius: of the number [mm].

        Returns:
            Where it is [mm]; None where there is no space for it.
        """
        inward = line[0] - line[min(3, len(line) - 1)]
        angle = np.arctan2(inward[1], inward[0]) + _AROUND
        spots = line[0] + (radius + _CLEAR_MM) * np.column_stack([np.cos(angle), np.sin(angle)])
        inside = self._plate.viewLim.padded(-radius)
        # The last direction first, so that the number does not jump about.
        for k in (self._direction, *range(len(spots))):
            away = np.linalg.norm(taken - spots[k], axis=1).min(initial=np.inf)
            if away >= radius + _BODY_MM and inside.contains(*(spots[k] - eye)):
                self._direction = k
                self.number.set_position(spots[k] - eye)
                self._plate.draw_artist(self.number)
                return spots[k]
        return None

    def _side(self, track: WormTrack, quadrants: tuple[str, str]) -> tuple[np.ndarray, np.ndarray]:
        """Positions along the body of the muscles of one side, and their activation over time."""
        columns = np.concatenate([track.quadrant(name) for name in quadrants])
        rows = np.array([int(track.muscles[k][3:]) for k in columns], int)
        listed = np.unique(rows)
        active = [track.muscle_activation[:, columns[rows == row]].mean(axis=1) for row in listed]
        return (listed - 0.5) / max(listed.max(initial=1), 1), np.array(active).T.reshape(len(track.midline), -1)

    def _colours(self, place: float) -> np.ndarray:
        """Colour of every quadrilateral: plain body, tinted by the muscles of its side."""
        s = 0.5 * (self._outline.s[1:] + self._outline.s[:-1])
        v = 0.5 * (self._outline.across[1:] + self._outline.across[:-1])
        body = np.broadcast_to(np.array(to_rgb(style.BODY)), (len(s), len(v), 3)).copy()
        for (at, active), tint, side in zip(self._sides, (style.VENTRAL, style.DORSAL), (v < 0, v > 0), strict=True):
            if not len(at):
                continue
            level = np.clip(np.interp(s, at, between(active, place)), 0.0, 1.0)
            # Muscles lie under the skin, so the tint fades towards the middle of the body.
            weight = level[:, None] * np.clip(1.6 * np.abs(v[side]), 0.0, 1.0)
            body[:, side] += weight[..., None] * (np.array(to_rgb(tint)) - body[:, side])
        return (body * self._shade[:, None]).reshape(-1, 3)


def _shade(across: np.ndarray) -> np.ndarray:
    """Light from above on a round body, shape (across - 1,)."""
    v = 0.5 * (across[1:] + across[:-1])
    return 0.80 + 0.20 * np.sqrt(1.0 - v**2)
