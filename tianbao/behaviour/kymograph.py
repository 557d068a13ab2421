"""Curvature along the body over time, of a simulated worm or an animal, and reading it from a file."""

from __future__ import annotations

import csv
import math
import os
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..arguments import named_arguments
from ..bounded import check_memory, decoded, memory_of_text, read_bytes
from ..errors import ConfigError, OutputError, shorten, unknown
from ..units import MS_PER_S
from .gait import POINTS, Gait, curvature, curvature_positions, gait, gait_of_curvature
from .shape import ANIMAL_SMOOTHING, joint_positions

if TYPE_CHECKING:
    from ..recorded import RecordedRun

FRAMES_PER_S = 32.0
"""Frame rate of Broekmans et al. (2016), used for a table without times."""

_RESULTS = (".h5", ".hdf5")
_CLOCKS = ("time", "frame")
_FEWEST_JOINTS, _FEWEST_FRAMES = 5, 2
# No body coils this tightly: the table must be in degrees, or contain something else.
_LARGEST_BEND = 1e3  # [kappa L]


@dataclass(frozen=True, eq=False)
class Kymograph:
    """Curvature of one worm along the body over time.

    Attributes:
        name: of the worm or the episode.
        time: evenly spaced [ms], shape (frames,).
        s: body coordinates of the curvatures, nose 0 to tail 1 [-], shape (positions,).
        curvature: kappa L, positive towards dorsal if the sides are known, shape (frames, positions).
        gait: measured from it; values that need a midline are NaN if only curvature is available.
    """

    name: str
    time: np.ndarray
    s: np.ndarray
    curvature: np.ndarray
    gait: Gait

    @classmethod
    def of(cls, recording: RecordedRun, worm: int = 0, name: str = "") -> Kymograph:
        """The kymograph of a recorded worm, with its gait.

        Args:
            recording: a run, or an imported track.
            worm: number of the worm.
            name: "worm 0" and so on if empty.

        Raises:
            ConfigError: if the worm does not exist.
        """
        track = recording.track(worm)
        bend = curvature(track.midline, POINTS, track.dorsal) if len(recording.time) else np.zeros((0, POINTS - 2))
        s = curvature_positions(POINTS)
        return cls(name or f"worm {worm}", np.asarray(recording.time), s, bend, recording.gait(worm))


@named_arguments
def read_kymograph(
    path: str | Path, *, episode: str | None = None, window: tuple[float, float] | None = None,
    rate: float = FRAMES_PER_S,
) -> Kymograph:  # fmt: skip
    """Read the kymograph of an animal.

    The file is a track (what `tianbao import-track` reads if its units are in it, or the results.h5 of an imported one)
    or a CSV table of curvature: columns j0, j1, ...
    contain kappa L from head to tail at s = (j + 0.5) / N; `frame` (a frame number) or `time` [s] gives the time, and
    `episode` separates several episodes; lines that start with # are comments. No part of the recording is discarded,
    and the shape of the wave is measured after `ANIMAL_SMOOTHING`.

    Args:
        path: of the file.
        episode: episode of the table, or worm of a track (its id in WCON, its number in results.h5);
            optional if there is only one.
        window: start and stop [s], in the time of the file; all of it if None.
        rate: frames per second of a table without `time`.

    Raises:
        ConfigError: for an unknown episode, or an invalid window or rate.
        OutputError: if the file is missing or malformed; the message gives the line.
    """
    if not isinstance(path, (str, os.PathLike)) or not str(path) or "\0" in str(path):
        raise OutputError(f"animal: '{shorten(path)}' is not a path; give a track or a CSV table of curvature")
    path = Path(path)
    if isinstance(rate, bool) or not isinstance(rate, Real) or not (math.isfinite(rate) and rate > 0.0):
        raise ConfigError(f"animal: rate {shorten(rate)} must be a positive number of frames per second")
    first, last = _window(window)
    from ..io.import_track import is_track

    tracked = not os.path.isdir(path) and is_track(path)
    if os.path.isdir(path) or tracked or path.suffix.lower() in _RESULTS:
        return _of_track(path, tracked, episode, first, last)
    name, time, bend = _of_table(path, episode, float(rate))
    kept = _kept(time, first, last, path)
    time, bend, s = time[kept], bend[kept], joint_positions(bend.shape[1])
    return Kymograph(name, time, s, bend, gait_of_curvature(time, bend, s, smoothing=ANIMAL_SMOOTHING))


def _window(window: object) -> tuple[float, float]:
    """Start and stop [ms]."""
    if window is None:
        return -math.inf, math.inf
    numbers = isinstance(window, (tuple, list)) and [
        float(each) for each in window if isinstance(each, Real) and not isinstance(each, bool) and each == each
    ]
    if not numbers or len(window) != 2 or len(numbers) != 2 or not numbers[0] < numbers[1]:
        raise ConfigError(f"animal: window {shorten(window)} must be a start and a later stop [s], such as 0 and 6")
    return numbers[0] * MS_PER_S, numbers[1] * MS_PER_S


def _kept(time: np.ndarray, first: float, last: float, path: Path) -> np.ndarray:
    kept = (time >= first - 1e-6) & (time <= last + 1e-6)
    if kept.sum() < _FEWEST_FRAMES:
        span = f"{time[0] / MS_PER_S:g} to {time[-1] / MS_PER_S:g} s" if len(time) else "no time at all"
        raise ConfigError(f"{path}: fewer than two frames lie in the window; the recording covers {span}")
    return kept


def _of_track(path: Path, tracked: bool, episode: str | None, first: float, last: float) -> Kymograph:
    from ..io.files import result_file
    from ..io.hdf5 import read_run
    from ..io.import_track import read_track

    if tracked:
        recording, worm = read_track(path, worm=episode), 0
    else:
        recording = read_run(result_file(path))
        known = [str(k) for k in range(len(recording.worms))]
        if episode is not None and str(episode) not in known:
            raise ConfigError(f"{path}: {unknown('worm', str(episode), known)}")
        worm = int(episode) if episode is not None else 0
    if episode is None and len(recording.worms) > 1:
        raise ConfigError(f"{path} contains {len(recording.worms)} worms; give the number of one as its episode")
    kept = _kept(recording.time, first, last, path)
    track, time = recording.track(worm), recording.time[kept]
    dorsal = None if track.dorsal is None else track.dorsal[kept]
    measured = gait(time, track.midline[kept], 0.0, recording.medium, dorsal, animal=recording.of_animal)
    bend = curvature(track.midline[kept], POINTS, dorsal)
    name = path.stem.removesuffix(".wcon") if tracked else path.resolve().parent.name
    return Kymograph(f"{name} {episode}" if episode else name, time, curvature_positions(POINTS), bend, measured)


def _of_table(path: Path, episode: str | None, rate: float) -> tuple[str, np.ndarray, np.ndarray]:
    """Name, times [ms] and curvature of one episode of a table."""
    lines = _lines(path)
    head = [each.strip() for each in lines[0][1]]
    joints = _columns(head, path)
    rows = [(number, row) for number, row in lines[1:] if any(each.strip() for each in row)]
    for number, row in rows:
        if len(row) != len(head):
            raise OutputError(f"{path}, line {number}: {len(row)} values under {len(head)} columns; give one for each")
    if rows and "episode" in head:
        rows, episode = _episode(rows, head.index("episode"), episode, path)
    elif rows and episode is not None:
        raise ConfigError(f"{path}: there is no column episode; leave out the episode '{shorten(episode)}'")
    if len(rows) < _FEWEST_FRAMES:
        raise OutputError(f"{path}: {len(rows)} rows of curvature; a kymograph needs at least two frames")
    bend = np.array([[_number(row[k], head[k], number, path) for k in joints] for number, row in rows])
    large = np.abs(bend).max(axis=1) > _LARGEST_BEND
    if large.any():
        raise OutputError(
            f"{path}, line {rows[int(np.argmax(large))][0]}: a curvature above {_LARGEST_BEND:g}; columns j0, j1, ... "
            "contain kappa L, the angle of a joint in radians times the number of joints"
        )
    return episode or path.stem, _clock(rows, head, rate, path), bend


def _lines(path: Path) -> list[tuple[int, list[str]]]:
    """Header and rows of a table with their line numbers; comments and empty lines are left out."""
    data = read_bytes(path, "a track (.wcon, results.h5) or a CSV table of curvature")
    check_memory(memory_of_text(data), path)
    try:
        text = decoded(data, path)
    except OutputError as error:
        raise OutputError(f"{error}; it is neither a track nor a text table of curvature") from error
    kept = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and line.lstrip()[0] != "#"]
    try:
        lines = [(number, next(csv.reader([line]))) for number, line in kept]
    except (ValueError, csv.Error) as error:
        raise OutputError(f"{path} is neither a track nor a text table: {shorten(error)}") from error
    if not lines:
        raise OutputError(f"{path} is empty; a table of curvature has a header j0, j1, ... and rows below it")
    return lines


def _columns(head: list[str], path: Path) -> list[int]:
    """Columns of curvature, from head to tail."""
    joints = [name for name in head if name[:1] == "j" and name[1:].isdecimal()]
    if len(joints) < _FEWEST_JOINTS:
        raise OutputError(
            f"{path}: {len(joints)} columns of curvature in its first line; name them j0, j1, ... from head to tail, "
            f"at least {_FEWEST_JOINTS}"
        )
    wanted = [f"j{k}" for k in range(len(joints))]
    if sorted(joints) != sorted(wanted):
        lacking = next((name for name in wanted if name not in joints), joints[0])
        raise OutputError(f"{path}: the columns of curvature must be j0 to j{len(joints) - 1}; {lacking} is missing")
    for name in head:
        if name not in (*wanted, *_CLOCKS, "episode"):
            raise OutputError(f"{path}: {unknown('column', name, (*_CLOCKS, 'episode', 'j0'))}")
        if head.count(name) > 1:
            raise OutputError(f"{path}: the column {name} occurs twice; keep one")
    return [head.index(name) for name in wanted]


def _episode(rows: list, column: int, episode: str | None, path: Path) -> tuple[list, str]:
    known = list(dict.fromkeys(row[column].strip() for _, row in rows))
    if episode is None and len(known) > 1:
        raise ConfigError(f"{path} contains the episodes {', '.join(map(shorten, known[:12]))}; select one of them")
    chosen = known[0] if episode is None else str(episode)
    if chosen not in known:
        raise ConfigError(f"{path}: {unknown('episode', chosen, known)}")
    return [(number, row) for number, row in rows if row[column].strip() == chosen], chosen


def _clock(rows: list, head: list[str], rate: float, path: Path) -> np.ndarray:
    """Times of the rows [ms], from `time`, otherwise from `frame`, otherwise counted."""
    column = next((name for name in _CLOCKS if name in head), None)
    if column is None:
        return np.arange(len(rows)) / rate * MS_PER_S
    given = np.array([_number(row[head.index(column)], column, number, path) for number, row in rows])
    steps = np.diff(given)
    usual = float(np.median(steps))
    # Printed times are rounded: it only matters that no frame is missing or repeated.
    wrong = np.abs(steps - usual) > 0.5 * abs(usual) if usual > 0.0 else np.ones(len(steps), bool)
    if wrong.any():
        raise OutputError(
            f"{path}, line {rows[int(np.argmax(wrong)) + 1][0]}: {column} is not evenly spaced; there must be no gaps "
            "between frames: divide the recording into episodes or fill the gaps"
        )
    per_step = (given[-1] - given[0]) / (len(given) - 1)
    even = given[0] + per_step * np.arange(len(given))
    return even * MS_PER_S if column == "time" else even / rate * MS_PER_S


def _number(text: str, column: str, line: int, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise OutputError(f"{path}, line {line}: '{shorten(text)}' under {column} is not a number")
    return value
