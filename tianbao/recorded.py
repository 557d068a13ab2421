"""What a run leaves behind, as data: tracks of the worms, and what made them."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral, Real
from typing import TYPE_CHECKING

import numpy as np

from .arguments import NamedAttributes, named_arguments
from .errors import ConfigError, OutputError, printable, shorten
from .interventions import described
from .network.inputs import AMINES
from .registry import find
from .units import MS_PER_S

if TYPE_CHECKING:
    import pandas as pd

    from .behaviour.gait import Gait
    from .environment import Field

_LARGEST_SEED = 2**63 - 1
# What any array of a run or of an animal's track is within; beyond, sums and pictures of it overflow.
_FARTHEST = 1e6  # [mm]
_LATEST = 1e12  # [ms]
_HIGHEST = 1e6  # [mV], [-]
_LONGEST_DIRECTION = 1.1  # [-]

QUADRANTS = ("DL", "DR", "VL", "VR")


def _real(values: np.ndarray) -> bool:
    return np.asarray(values).dtype.kind in "iuf"


def _within(values: np.ndarray, most: float) -> bool:
    """Whether all are numbers from -most to most."""
    return _real(values) and bool((np.abs(np.asarray(values, float)) <= most).all())


def _is_text(value: object, lines: bool = False) -> bool:
    """Whether a value is text that a file can hold and a page can show; of several lines or not."""
    if not isinstance(value, str) or "\0" in value:
        return False
    return lines and value.encode(errors="replace").decode() == value or value.isprintable()


def _check_anatomy(given: object, where: str) -> None:
    if not isinstance(given, Mapping) or not all(isinstance(each, str) for pair in given.items() for each in pair):
        raise OutputError(f"{where}: anatomy is not a table of texts")


@dataclass(frozen=True, eq=False)
class WormTrack:
    """One worm through time.

    Attributes:
        midline: [mm], head first, shape (frames, points, 3).
        muscle_activation: [-], shape (frames, 95).
        muscles: names, in the order of `muscle_activation`.
        voltage: soma voltages [mV], shape (samples, neurons).
        voltage_time: [ms], shape (samples,).
        neurons: names, in the order of `voltage`.
        dorsal: unit vectors towards dorsal [-], shape (frames, points, 3); None for a worm that lies in the
            plane, dorsal to the right of its way.
        inputs: sense -> what receptors sensed, such as "gas" [%]; "amines" -> their levels [-]; each (frames, n).
        receptors: names, in the order of each of `inputs`, such as "ASEL nacl", "serotonin".
        anatomy: wiring and cells of the worm, user-supplied files with their digests.
    """

    midline: np.ndarray
    muscle_activation: np.ndarray
    muscles: tuple[str, ...]
    voltage: np.ndarray
    voltage_time: np.ndarray
    neurons: tuple[str, ...]
    dorsal: np.ndarray | None = None
    inputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    receptors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    anatomy: Mapping[str, str] = field(default_factory=dict)

    def check(self, frames: int, where: str) -> None:
        """Refuse arrays that do not belong together.

        Raises:
            OutputError: see `RecordedRun.check`.
        """
        points = np.asarray(self.midline).shape[1] if np.ndim(self.midline) == 3 else 0
        samples = len(self.voltage_time) if np.ndim(self.voltage_time) == 1 else -1
        shapes = {
            "midline": (frames, points, 3),
            "muscle_activation": (frames, len(self.muscles)),
            "voltage_time": (samples,),
            "voltage": (samples, len(self.neurons)),
            **({} if self.dorsal is None else {"dorsal": (frames, points, 3)}),
        }
        arrays = {name: getattr(self, name) for name in shapes}
        for name, values in self.inputs.items():
            shapes[name], arrays[name] = (frames, len(self.receptors.get(name, ()))), values
        for name, shape in shapes.items():
            found = np.asarray(arrays[name])
            if not _real(found):
                raise OutputError(f"{where}: {shorten(name)} is of type {found.dtype}; give real numbers")
            if found.shape != shape or points < 2:
                raise OutputError(f"{where}: {shorten(name)} has shape {found.shape}, not {shape} as others do")
        if not _within(self.midline, _FARTHEST):
            raise OutputError(f"{where}: midline holds a place that is not a number, or lies beyond {_FARTHEST:g} mm")
        if not np.abs(np.diff(self.midline, axis=1)).sum(axis=(1, 2)).all():
            raise OutputError(f"{where}: midline holds a frame in which all points are in one place")
        if self.dorsal is not None and not _within(self.dorsal, _LONGEST_DIRECTION):
            raise OutputError(f"{where}: dorsal holds what is not a unit vector")
        for name, most in (("voltage", _HIGHEST), ("muscle_activation", _HIGHEST), ("voltage_time", _LATEST)):
            if not _within(getattr(self, name), most):
                raise OutputError(f"{where}: {name} holds what is not a number from {-most:g} to {most:g}")
        self._check_names(where)

    def _check_names(self, where: str) -> None:
        """Refuse names that no table, picture or file can hold.

        Raises:
            OutputError: for such a name.
        """
        listed = {"muscles": self.muscles, "neurons": self.neurons, **self.receptors}
        for kind, names in listed.items():
            wrong = [each for each in names if not _is_text(each)]
            if wrong:
                raise OutputError(f"{where}: '{shorten(wrong[0])}' among the {shorten(kind)} is not a printable name")
        if not all(_is_text(name) and "/" not in name and name != "." for name in self.inputs):
            raise OutputError(f"{where}: the name of a sense is not printable or holds a '/'")
        _check_anatomy(self.anatomy, where)

    def quadrant(self, name: str) -> np.ndarray:
        """Columns of `muscle_activation` in a quadrant, nose to tail.

        Args:
            name: "DL", "DR", "VL" or "VR".

        Returns:
            Indices, shape (muscles of the quadrant,).
        """
        columns = [k for k, muscle in enumerate(self.muscles) if muscle[1:3] == name]
        return np.array(sorted(columns, key=lambda k: self.muscles[k]), int)


@named_arguments
@dataclass(frozen=True, eq=False, repr=False)
class RecordedRun(NamedAttributes):
    """A run: its worms and everything needed to repeat it.

    Attributes:
        time: of the frames [ms], shape (frames,).
        worms: one track per worm.
        config_toml: the resolved configuration.
        versions: of Tianbao and the packages it computes with.
        mechanism_hash: digest of the compiled mechanisms.
        git_revision: commit of the checkout, "" outside one.
        seed: of every random number.
        created: when, ISO 8601.
        wall_s_per_bio_s: seconds of computing per second of biology.
        complete: False if the run ended early.
        anatomy: wiring and cells of the worm, user-supplied files with their digests.
    """

    time: np.ndarray
    worms: tuple[WormTrack, ...]
    config_toml: str
    versions: dict[str, str]
    mechanism_hash: str
    git_revision: str
    seed: int
    created: str
    wall_s_per_bio_s: float
    complete: bool
    anatomy: dict[str, str] = field(default_factory=dict)

    def check(self, where: str = "recording") -> None:
        """Refuse arrays that do not belong together.

        Args:
            where: how errors call it.

        Raises:
            OutputError: for a shape that fits nothing else, or a time or place that is not a number.
        """
        time = np.asarray(self.time)
        if time.ndim != 1 or not _within(time, _LATEST) or not (np.diff(time) > 0.0).all():
            raise OutputError(f"{where}: time must be increasing numbers [ms], one per frame")
        if not self.worms:
            raise OutputError(f"{where} holds no worm")
        for k, worm in enumerate(self.worms):
            worm.check(len(time), f"{where}, worm {k}")
        self._check_provenance(where)

    def _check_provenance(self, where: str) -> None:
        """Refuse what no run says about itself.

        Raises:
            OutputError: for a seed, version or text that no file can hold.
        """
        seed, speed = self.seed, self.wall_s_per_bio_s
        if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed <= _LARGEST_SEED:
            raise OutputError(f"{where}: seed {shorten(seed)} is not a whole number from 0 to {_LARGEST_SEED}")
        if not isinstance(self.complete, (bool, np.bool_)):
            raise OutputError(f"{where}: complete = {shorten(self.complete)} is neither true nor false")
        if isinstance(speed, bool) or not isinstance(speed, Real) or not (speed >= 0.0 or speed != speed):
            raise OutputError(f"{where}: wall_s_per_bio_s = {shorten(speed)} is not a number from 0")
        if not _is_text(self.config_toml, lines=True):
            raise OutputError(f"{where}: the configuration is not text that a file can hold")
        told = {name: getattr(self, name) for name in ("mechanism_hash", "git_revision", "created")}
        for name, text in [*told.items(), *self.versions.items()]:
            if not _is_text(name) or not _is_text(text):
                raise OutputError(f"{where}: {shorten(name)} = '{shorten(text)}' is not printable text")
        _check_anatomy(self.anatomy, where)

    def __repr__(self) -> str:
        """Three lines: what it holds, how the first worm moved, and what it is of."""
        gait, count = self.gait(), len(self.worms)
        state = "" if self.of_animal else ", complete" if self.complete else ", stopped early"
        held = [(len(self.worms[0].muscles), "muscles"), (len(self.worms[0].neurons), "neurons")]
        recorded = "".join(f", {number} {what}" for number, what in held if number)
        measured = (
            f"{gait.forward_speed_mm_s:+.3f} mm/s forward, {gait.frequency_hz:.2f} Hz, "
            f"{gait.wavelength_body_lengths:.2f} body lengths per wave"
        )
        if not np.isfinite(gait.forward_speed_mm_s):
            measured = "too short to measure a gait"
        of = "track of an animal" if self.of_animal else f"simulated in {printable(self.medium) or 'no known medium'}"
        done = "" if self.of_animal else f", seed {self.seed}, interventions: {printable(self.interventions) or 'none'}"
        return (
            f"{count} worm{'' if count == 1 else 's'}, {self.duration / MS_PER_S:g} s in {len(self.time)} frames"
            f"{recorded}{state}\n{'' if count == 1 else 'worm 0: '}{measured}\n{of}{done}, {printable(self.created)}"
        ).rstrip(", ")

    @property
    def duration(self) -> float:
        """Time of the last frame [ms], 0 if there is none."""
        return float(self.time[-1]) if len(self.time) else 0.0

    @property
    def medium(self) -> str:
        """Name of the medium, "" if the configuration has none."""
        return str(self._section("arena").get("medium", ""))

    @property
    def interventions(self) -> str:
        """What was done in the run, in words; "" for nothing. Several worms are named where they differ."""
        done = [self.interventions_of(worm) for worm in range(len(self.worms))]
        if len(set(done)) == 1:
            return done[0]
        return " | ".join(f"worm {worm}: {each}" for worm, each in enumerate(done) if each)

    def interventions_of(self, worm: int = 0) -> str:
        """What was done to one worm, in words: what was done to every worm, then what was done to this one.

        Args:
            worm: number of the worm.

        Raises:
            ConfigError: if there is no such worm.
        """
        self.track(worm)
        entries = self._section("worms", list)
        entry = entries[worm] if worm < len(entries) and isinstance(entries[worm], dict) else {}
        own = entry.get("interventions")
        done = [*self._section("interventions", list), *(own if isinstance(own, list) else [])]
        return described(each for each in done if isinstance(each, dict))

    @property
    def round_obstacles(self) -> np.ndarray:
        """Pillars and dishes of the arena: x, y, radius [mm] and whether it is hollow, shape (obstacles, 4).

        Of a lattice, which has no end, those near the tracks of the worms.
        """
        from .environment import circles

        return circles(self._section("arena"), [each.midline for each in self.worms])

    def _section(self, name: str, kind: type = dict):
        """A section of the configuration, empty when there is none to be read."""
        found = None
        with suppress(ValueError, RecursionError):
            found = tomllib.loads(self.config_toml).get(name)
        return found if isinstance(found, kind) else kind()

    def track(self, worm: int = 0) -> WormTrack:
        """The track of one worm.

        Raises:
            ConfigError: if there is no such worm.
        """
        if isinstance(worm, bool) or not isinstance(worm, (int, np.integer)) or not 0 <= worm < len(self.worms):
            raise ConfigError(f"recording: there is no worm {worm}; it holds {len(self.worms)}, counted from 0")
        return self.worms[worm]

    def gait(self, worm: int = 0) -> Gait:
        """Speed, rhythm and wave of a worm, the first 3 s dropped; measured as an animal's if it is one's track."""
        from .behaviour.gait import gait

        track = self.track(worm)
        return gait(self.time, track.midline, medium=self.medium, dorsal=track.dorsal, animal=self.of_animal)

    @property
    def of_animal(self) -> bool:
        """Whether this is the track of an animal: no mechanisms computed it."""
        return not self.mechanism_hash

    def assay(self, name: str, worm: int = 0) -> float:
        """Result of an assay of registry.csv, such as "approach"; its docstring gives the unit.

        Raises:
            ConfigError: for an unknown assay, or if there is no such worm.
        """
        self.track(worm)
        return float(find("assay", name)(self, worm))

    def frame(self, worm: int = 0) -> pd.DataFrame:
        """One row per frame: where the worm is, how it bends, what its muscles do.

        Returns:
            Index `time_ms`; columns `x_mm`, `y_mm`, `heading_rad`, `forward_speed_mm_s`,
            `curvature_head`, `curvature_middle`, `curvature_tail` [kappa L], and
            `activation_DL` to `activation_VR` [-], where the track has muscles.
        """
        import pandas as pd

        from .behaviour.midline import centroid, curvature, forward_velocity, heading

        track = self.track(worm)
        if not len(self.time):
            return pd.DataFrame()
        place, towards = centroid(track.midline), heading(track.midline)
        bend = curvature(track.midline, dorsal=track.dorsal)
        head, middle, tail = (part.mean(axis=1) for part in np.array_split(bend, 3, axis=1))
        columns = {
            "x_mm": place[:, 0],
            "y_mm": place[:, 1],
            "heading_rad": np.arctan2(towards[:, 1], towards[:, 0]),
            "forward_speed_mm_s": np.append(forward_velocity(self.time, track.midline), np.nan),
            "curvature_head": head,
            "curvature_middle": middle,
            "curvature_tail": tail,
        }
        for name in QUADRANTS:
            quadrant = track.quadrant(name)
            if len(quadrant):
                columns[f"activation_{name}"] = track.muscle_activation[:, quadrant].mean(axis=1)
        return pd.DataFrame(columns, index=pd.Index(self.time, name="time_ms"))

    def voltages(self, worm: int = 0) -> pd.DataFrame:
        """Soma voltages [mV]: one row per sample, index `time_ms`, one column per recorded neuron.

        Raises:
            ConfigError: if there is no such worm.
        """
        track = self.track(worm)
        return _table(track.voltage, track.voltage_time, track.neurons)

    def sensed(self, worm: int = 0) -> pd.DataFrame:
        """What receptors of what the arena holds sensed, in its unit: index `time_ms`, columns such as "ASEL nacl".

        Raises:
            ConfigError: if there is no such worm.
        """
        track = self.track(worm)
        read = {sense: values for sense, values in track.inputs.items() if sense != AMINES}
        names = tuple(name for sense in read for name in track.receptors[sense])
        return _table(np.concatenate([np.zeros((len(self.time), 0)), *read.values()], axis=1), self.time, names)

    @cached_property
    def fields(self) -> tuple[Field, ...]:
        """Fields as the worms left them, made again from settings and tracks; a lawn has `left` and `eaten` [ug]."""
        from .environment import replayed

        return tuple(replayed(self._section("fields", list), self.time, [each.midline for each in self.worms]))

    def activations(self, worm: int = 0) -> pd.DataFrame:
        """Muscle activations [-]: one row per frame, index `time_ms`, one column per muscle.

        Raises:
            ConfigError: if there is no such worm.
        """
        track = self.track(worm)
        return _table(track.muscle_activation, self.time, track.muscles)


def _table(values: np.ndarray, time: np.ndarray, names: tuple[str, ...]) -> pd.DataFrame:
    """Columns by name over time [ms]."""
    import pandas as pd

    return pd.DataFrame(values, index=pd.Index(time, name="time_ms"), columns=list(names))
