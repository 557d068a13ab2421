"""The interactive replay of a report: recorded worms as data inside the page, drawn there by three.js.

The page holds everything: postures, activations and voltages as small integers, the geometry of the body, the scripts
of this package and three.js, which is taken from the package trimesh (extra `report`) when the report is written.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.colors import Colormap, to_hex

from ..anatomy import muscles, neurons
from ..anatomy.frame import BodyCoordinates
from ..errors import OutputError
from ..recorded import RecordedRun, WormTrack
from ..units import MS_PER_S
from . import page, style
from .animal import Animal
from .nerves import UNRECORDED, VOLTAGE, Posture, nerves, voltage_range
from .worms import who_is_who

LIMIT = 4_000_000
"""Largest size of the recorded numbers in a page, before compression [bytes]; beyond it frames are left out."""
FASTEST_HZ = 60.0
"""Frames per second kept at most: more than the eye and the screen can follow."""
MOST_WORMS = 6
"""Worms in one replay."""

MISSING = "Interactive replay left out: it needs three.js, which comes with pip install 'tianbao[report]'."
_UNKNOWN_LIBRARY = (
    "Interactive replay left out: three.js was not found in the installed trimesh; pip install 'tianbao[report]' "
    "installs a version that holds it."
)
_KNOTS = (49, 97)  # points of the midline kept: fewest and most
_SHADES = 64
_LONGEST_PIECE = 0.02  # of a neurite, in body lengths
_SCRIPTS = ("replay_scene.js", "replay_traces.js", "replay.js")
_LIBRARY_START = re.compile(r"/\*\*\s*\*\s*@license\s*\*\s*Copyright [\d-]+ Three\.js Authors")
_LIBRARY_END = '"__esModule",{value:!0})}));'
_FARTHEST = 1e30  # larger values, of a run that diverged, do not fit into the numbers of a page


class ReplayWorm(NamedTuple):
    """One worm to be shown: how the page calls it, its recording, and its number there."""

    name: str
    recording: RecordedRun
    number: int


@dataclass
class _Arrays:
    """Arrays as integers in one block of bytes, each with the scale that turns it back into numbers."""

    listed: list[dict[str, Any]] = field(default_factory=list)
    _parts: list[bytes] = field(default_factory=list)

    def add(self, values: np.ndarray, kind: type = np.int16, *, along_time: bool = False) -> int:
        """Append an array.

        Args:
            values: any numbers; what is not finite is stored as the smallest integer and read as NaN.
            kind: integers that hold them.
            along_time: store differences along the first axis, which compress better.

        Returns:
            Its number.
        """
        whole, scale, offset = _quantised(np.asarray(values, float), kind)
        if along_time and len(whole) > 1:
            # Differences wrap around, as the sums of typed arrays do in the page.
            whole = np.concatenate([whole[:1], np.diff(whole, axis=0)])
        return self._append(whole, scale=scale, offset=offset, differences=along_time)

    def add_indices(self, values: np.ndarray) -> int:
        """Append whole numbers as they are.

        Returns:
            Its number.
        """
        return self._append(np.asarray(values, np.int32))

    def _append(self, whole: np.ndarray, **facts: Any) -> int:
        start = sum(map(len, self._parts))
        content = whole.astype(whole.dtype.newbyteorder("<")).tobytes()
        self.listed.append({"type": whole.dtype.name, "shape": list(whole.shape), "start": start, **facts})
        self._parts.append(content + bytes(-len(content) % 4))
        return len(self.listed) - 1

    def encoded(self) -> str:
        """All arrays, deflated, as base64."""
        return base64.b64encode(zlib.compress(b"".join(self._parts), 9)).decode()


def _quantised(values: np.ndarray, kind: type) -> tuple[np.ndarray, float, float]:
    """Integers, and the scale and offset that turn them back."""
    known = np.isfinite(values)
    kept = np.clip(values[known], -_FARTHEST, _FARTHEST)
    low, high = (float(kept.min()), float(kept.max())) if kept.size else (0.0, 0.0)
    most = np.iinfo(kind).max
    offset, scale = 0.5 * (low + high), (high - low) / (2.0 * most) or 1.0
    whole = np.full(values.shape, np.iinfo(kind).min, kind)
    whole[known] = np.clip(np.rint((kept - offset) / scale), -most, most).astype(kind)
    return whole, scale, offset


def can_replay() -> bool:
    """Whether the package that carries three.js is installed."""
    return find_spec("trimesh") is not None


@cache
def three_js() -> str:
    """The text of three.js.

    Raises:
        OutputError: if the package that carries it carries it elsewhere; the message is for the page.
    """
    try:
        archive = resources.files("trimesh").joinpath("resources", "templates", "viewer.zip")
        with archive.open("rb") as opened, zipfile.ZipFile(opened) as files:
            text = files.read("viewer.html.template").decode()
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise OutputError(_UNKNOWN_LIBRARY) from error
    start = _LIBRARY_START.search(text)
    end = text.find(_LIBRARY_END, start.end()) if start else -1
    if start is None or end < 0:
        raise OutputError(_UNKNOWN_LIBRARY)
    return text[start.start() : end + len(_LIBRARY_END)]


@dataclass(frozen=True)
class Replay:
    """The parts of a page that show a replay.

    Attributes:
        markup: of the section, without its heading.
        scripts: run at the end of the page.
        style: of the section.
    """

    markup: str
    scripts: tuple[str, ...]
    style: str


def replay(worms: Sequence[ReplayWorm]) -> Replay:
    """The replay of some worms, those of one run together.

    Args:
        worms: those beyond `MOST_WORMS`, or without any frame, are left out with a note.

    Raises:
        OutputError: if three.js is not installed, or no worm has a frame; the message is for the page.
    """
    if not can_replay():
        raise OutputError(MISSING)
    library = three_js()
    seen = [each for each in worms if _known(each).any()]
    shown = seen[:MOST_WORMS]
    if not shown:
        raise OutputError("Interactive replay left out: no frame was recorded.")
    arrays, notes = _Arrays(), []
    if len(seen) > len(shown):
        notes.append(f"The replay shows {len(shown)} of {len(seen)} worms.")
    steps = _steps(shown)
    told = [
        {"run": run, **_worm(each, arrays, step)}
        for each, step, run in zip(shown, steps, _runs(shown), strict=True)
    ]
    kept = max(float(np.median(np.diff(each["seconds"]))) if len(each["seconds"]) > 1 else 0.0 for each in told)
    if max(steps) > 1:
        notes.append(f"To keep this page small the replay shows a frame every {kept * MS_PER_S:.3g} ms.")
    head = {"worms": told, "anatomy": _anatomy(shown[0], arrays), "look": _look(shown), "arrays": arrays.listed}
    markup = _read("replay.html").format(
        notes="".join(page.paragraph(each, "note") for each in notes),
        head=page.json_data("replay-head", json.dumps(head, allow_nan=False)),
        data=f'<script type="text/plain" id="replay-data">{arrays.encoded()}</script>',
    )
    ours = "\n".join(_read(name) for name in _SCRIPTS)
    return Replay(markup, (library, f"(() => {{\n'use strict';\n{ours}\n}})();"), _read("replay.css"))


def _runs(worms: Sequence[ReplayWorm]) -> list[int]:
    """The number of each worm's run: a recording may be given twice, and its worms follow each other."""
    runs = [0]
    for before, each in itertools.pairwise(worms):
        runs.append(runs[-1] + (each.recording is not before.recording or each.number <= before.number))
    return runs


def _known(worm: ReplayWorm) -> np.ndarray:
    """Which frames show a posture."""
    track, time = worm.recording.worms[worm.number], np.asarray(worm.recording.time, float)
    whole = np.isfinite(track.midline).all(axis=(1, 2)) & np.isfinite(time)
    return whole if track.dorsal is None else whole & np.isfinite(track.dorsal).all(axis=(1, 2))


def _read(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def _steps(worms: Sequence[ReplayWorm]) -> list[int]:
    """For each worm, which frames are kept: every first, second, third ..., so that all fit into the page."""
    steps, sizes = [], []
    for each in worms:
        track, time = each.recording.worms[each.number], each.recording.time
        period = float(np.median(np.diff(time))) if len(time) > 1 else MS_PER_S
        steps.append(max(1, round(MS_PER_S / FASTEST_HZ / period)))
        points = int(np.clip(track.midline.shape[1], *_KNOTS))
        sizes.append(len(time) * (9 * points + len(track.muscles)) + 2 * track.voltage.size)
    while sum(size / step for size, step in zip(sizes, steps, strict=True)) > LIMIT:
        steps = [step + max(1, step // 4) for step in steps]
    return steps


def _worm(shown: ReplayWorm, arrays: _Arrays, step: int) -> dict[str, Any]:
    """What the page is told of one worm."""
    run, track = shown.recording, shown.recording.worms[shown.number]
    frames = np.flatnonzero(_known(shown))[::step]
    places = np.linspace(0.0, 1.0, int(np.clip(track.midline.shape[1], *_KNOTS)))
    lines, sides = (np.array(each) for each in zip(*(_knots(track, k, places) for k in frames), strict=True))
    middles = lines.mean(axis=1)
    who = who_is_who(run)[shown.number]
    neuron, cells = _columns(track.neurons, nerves().names)
    muscle, fibres = _columns(track.muscles, muscles().index)
    return {
        "name": shown.name, "number": shown.number, "colour": who.colour,
        "interventions": who.interventions,
        "seconds": _seconds(run.time[frames]), "middles": middles.round(7).tolist(),
        "line": arrays.add(lines - middles[:, None], along_time=True),
        "dorsal": arrays.add(sides, np.int8, along_time=True),
        "neurons": cells, "sampled": _seconds(track.voltage_time[::step]),
        "voltage": arrays.add(track.voltage[::step, neuron], along_time=True),
        "muscles": fibres,
        "activation": arrays.add(track.muscle_activation[frames][:, muscle], np.int8, along_time=True),
        "obstacles": [row for row in run.round_obstacles.tolist() if np.isfinite(row).all()],
    }  # fmt: skip


def _knots(track: WormTrack, frame: int, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Midline [mm] and unit vectors to dorsal at some places along the body."""
    line = np.clip(track.midline[frame], -_FARTHEST, _FARTHEST)
    points, dorsal, _ = Posture(line, None if track.dorsal is None else track.dorsal[frame]).axes(places)
    return points, dorsal


def _columns(names: Sequence[str], known: Sequence[str]) -> tuple[list[int], list[int]]:
    """Columns of the recorded cells that have a place in the body, and the numbers of these cells."""
    number = {name: k for k, name in enumerate(known)}
    pairs = [(column, number[name]) for column, name in enumerate(names) if name in number]
    return [column for column, _ in pairs], [cell for _, cell in pairs]


def _seconds(time: np.ndarray) -> list[float]:
    return (np.asarray(time, float) / MS_PER_S).round(6).tolist()


def _anatomy(shown: ReplayWorm, arrays: _Arrays) -> dict[str, Any]:
    """Geometry in the straightened body, the same for every worm: s [-], dorsal and right [mm]."""
    animal, shape = Animal(shown.recording, shown.number), nerves()
    at, owner, pieces = _fine(_columned(shape.at), shape.neuron, shape.segments)
    return {
        "neurons": list(shape.names),
        "types": [str(each) for each in neurons().loc[list(shape.names), "type"]],
        "neurites": arrays.add(at), "pieces": arrays.add_indices(pieces), "owners": arrays.add_indices(owner),
        "somata": arrays.add_indices(shape.somata), "radii": arrays.add(animal.soma_radius),
        "muscles": [str(each) for each in muscles().index],
        "muscle": arrays.add(_columned(animal.muscle.at)), "muscle_quads": arrays.add_indices(animal.muscle.quads),
        "muscle_owners": arrays.add_indices(animal.muscle.owner),
        "skin": arrays.add(_columned(animal.skin.at)), "skin_quads": arrays.add_indices(animal.skin.quads),
    }  # fmt: skip


def _columned(at: BodyCoordinates) -> np.ndarray:
    return np.column_stack([at.s, at.dorsal_um * 1e-3, at.right_um * 1e-3])


def _fine(at: np.ndarray, owner: np.ndarray, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tracings with points added wherever a straight piece would cut across a bend of the body."""
    parts = np.maximum(1, np.ceil(np.abs(np.diff(at[pieces, 0], axis=1)[:, 0]) / _LONGEST_PIECE)).astype(int)
    places, owners, ends, count = [at], [owner], [], len(at)
    for (first, last), n in zip(pieces, parts, strict=True):
        inside = np.arange(1, n) / n
        places.append(at[first] + inside[:, None] * (at[last] - at[first]))
        owners.append(np.full(n - 1, owner[last]))
        chain = [first, *range(count, count + n - 1), last]
        ends += zip(chain[:-1], chain[1:], strict=True)
        count += n - 1
    return np.concatenate(places), np.concatenate(owners), np.array(ends, int)


def _look(worms: Sequence[ReplayWorm]) -> dict[str, Any]:
    """Scales and colours."""
    tracks = [each.recording.worms[each.number] for each in worms]
    known = [voltage_range(track) for track in tracks if track.voltage.size]
    low, high = (min(each[0] for each in known), max(each[1] for each in known)) if known else (-80.0, 0.0)
    return {
        "voltage": [low, high], "voltages": _shades(VOLTAGE), "activations": _shades(style.MUSCLE),
        "unrecorded": UNRECORDED,
    }  # fmt: skip


def _shades(colours: Colormap) -> list[str]:
    return [to_hex(each) for each in colours(np.linspace(0.0, 1.0, _SHADES))]
