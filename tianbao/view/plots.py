"""Plots of a recording: kymograph, voltages, raster, muscles, senses, track, trajectory, activity on the body."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from numbers import Real
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from ..anatomy import neurons
from ..anatomy.names import listed, unmatched
from ..arguments import NamedAttributes, named_arguments
from ..behaviour.gait import POINTS, Gait, curvature
from ..errors import ConfigError, shorten, unknown
from ..recorded import QUADRANTS, RecordedRun, WormTrack
from ..units import MS_PER_S
from . import style
from .activity import activity_size, draw_activity, moments
from .raster import check_unit, draw_raster, is_dense, raster_size
from .sensed import draw_sensed, sensed_size
from .tracks import draw_track, track_size
from .trajectory import Field, draw_trajectory, trajectory_size

# Classes shown by default for a crawling worm, from head to cord, and the number of neurons of each.
_SHOWN = (
    ("AVA?", 1), ("AVB?", 1), ("SMDD?", 1), ("SMDV?", 1), ("DB*", 2), ("VB*", 2), ("DD*", 1), ("VD*", 1),
)  # fmt: skip
_LEAST_BEND = 10.0  # [kappa L]
_DORSAL = ("SMDD", "RMDD", "DA", "DB", "DD", "AS")
_VENTRAL = ("SMDV", "RMDV", "VA", "VB", "VD", "VC")


@named_arguments
class Plots(NamedAttributes):
    """Plots of one recording. Each takes the path of a picture, or None to return the figure."""

    def __init__(self, recording: RecordedRun) -> None:
        self._run = recording

    def curvature(self, path: str | Path | None = None, *, worm: int = 0) -> Figure | Path:
        """Kymograph: curvature along the body over time, with the gait in its title."""
        gait, track = self._run.gait(worm), self._run.track(worm)
        title = f"worm {worm}:    {headline(gait)}" if self._whose(worm) else headline(gait)
        return style.render(lambda figure: _kymograph(figure, self._run.time, track, title), (9.0, 3.6), path)

    def traces(
        self, path: str | Path | None = None, *, neurons: Sequence[str] | None = None, worm: int = 0
    ) -> Figure | Path:
        """Soma voltages, one row per neuron.

        Args:
            path: picture to write.
            neurons: names or globs among those recorded; a small selection if None.
            worm: number of the worm.

        Raises:
            ConfigError: if a neuron was not recorded.
        """
        track = self._run.track(worm)
        names = select_neurons(track.neurons, neurons)
        columns = [track.neurons.index(name) for name in names]
        rows = [(name, track.voltage[:, k]) for name, k in zip(names, columns, strict=True)]
        height, whose = 1.0 + 0.62 * max(len(rows), 3), self._whose(worm)
        return style.render(lambda figure: _traces(figure, track.voltage_time, rows, whose), (9.0, height), path)

    def muscles(self, path: str | Path | None = None, *, worm: int = 0) -> Figure | Path:
        """Activation of every muscle over time, by quadrant."""
        track = self._run.track(worm)
        blocks = [(name, track.muscle_activation[:, track.quadrant(name)].T) for name in QUADRANTS]
        whose = self._whose(worm)
        return style.render(lambda figure: _muscles(figure, self._run.time, blocks, whose), (9.0, 6.2), path)

    def track(self, path: str | Path | None = None, *, worm: int | None = None) -> Figure | Path:
        """The tracks of all worms, each in its colour, seen from above, with their postures on the way.

        One worm alone is coloured by time. Contours show the fields of the arena at the last frame.

        Args:
            path: picture to write.
            worm: number of the only one to draw; all if None.
        """
        run, worms = self._run, self._numbers(worm)
        return style.render(lambda figure: draw_track(figure, run, worms), track_size(run, worms), path)

    def raster(self, path: str | Path | None = None, *, worm: int = 0, unit: str = "mV") -> Figure | Path:
        """Voltage of every recorded neuron as an image, rows grouped by class.

        Args:
            path: picture to write.
            worm: number of the worm.
            unit: "mV", or "z" for standard deviations from each neuron's own mean.

        Raises:
            ConfigError: for an unknown unit.
        """
        check_unit(unit)
        track = self._run.track(worm)
        size, dense, whose = raster_size(track.neurons), is_dense(track.neurons), self._whose(worm)
        return style.render(lambda figure: draw_raster(figure, track, unit, whose), size, path, dense=dense)

    def trajectory(
        self, path: str | Path | None = None, *, field: Field | None = None, label: str = "field",
        worm: int | None = None,
    ) -> Figure | Path:  # fmt: skip
        """Path of every worm's centroid, coloured by time, with the obstacles and the fields of the arena.

        Args:
            path: picture to write.
            field: drawn underneath; maps points [mm], shape (n, 3), to numbers, shape (n,), or velocities,
                shape (n, 3).
            label: of the field, with its unit.
            worm: number of the only one to draw; all if None.

        Raises:
            ConfigError: if the field returns another shape or values that are not numbers.
        """
        run, worms = self._run, self._numbers(worm)
        size = trajectory_size(run, worms)
        return style.render(lambda figure: draw_trajectory(figure, run, field, label, worms), size, path)

    def sensed(self, path: str | Path | None = None, *, worm: int = 0) -> Figure | Path:
        """What each receptor senses over time, and below the soma voltages of the neurons that have them.

        Args:
            path: picture to write.
            worm: number of the worm.
        """
        run = self._run
        run.track(worm)
        return style.render(lambda figure: draw_sensed(figure, run, worm), sensed_size(run, worm), path)

    def activity(
        self, path: str | Path | None = None, *, times: Sequence[float] | None = None, worm: int = 0
    ) -> Figure | Path:
        """Neurons with their traced morphologies, coloured by voltage, and muscles, in the posture of a few moments.

        Args:
            path: picture to write.
            times: moments [ms]; four in the second half if None.
            worm: number of the worm.

        Raises:
            ConfigError: for a time that is not a finite number.
        """
        track = self._run.track(worm)
        if times is not None and not all(type(each) is not bool and isinstance(each, Real) for each in times):
            raise ConfigError(f"activity: times {shorten(times)} must be finite numbers [ms]")
        if times is not None and not np.isfinite(np.asarray(times, float)).all():
            raise ConfigError(f"activity: times {shorten(times)} must be finite numbers [ms]")
        frames = moments(self._run.time, track.midline, None if times is None else list(times))
        size = activity_size(track, frames)
        return style.render(lambda figure: draw_activity(figure, self._run.time, track, frames), size, path)

    def _whose(self, worm: int) -> str:
        """What a title says of the worm, where there are several."""
        return f", worm {worm}" if len(self._run.worms) > 1 else ""

    def _numbers(self, worm: int | None) -> list[int]:
        """Of the worms to draw."""
        if worm is None:
            return list(range(len(self._run.worms)))
        self._run.track(worm)
        return [worm]


def picture_path(path: str | Path) -> Path:
    """The path of a picture, after checking that its format is supported.

    Raises:
        ConfigError: for an unknown format, before any work is done.
    """
    path = Path(path)
    known = sorted(FigureCanvasBase.get_supported_filetypes())
    if not path.suffix and not path.is_dir():
        name = shorten(path.name)
        raise ConfigError(f"picture '{name}': let its path end in a format, as in {name}.png")
    if path.suffix and path.suffix[1:].lower() not in known:
        raise ConfigError(f"{path.name}: {unknown('picture format', path.suffix[1:], known)}")
    return path


def select_neurons(recorded: Sequence[str], wanted: Sequence[str] | None = None) -> list[str]:
    """Neurons to show: those requested, or a few of the classes involved in crawling.

    Raises:
        ConfigError: if a requested neuron was not recorded.
    """
    if wanted is not None:
        chosen = []
        for glob in listed(wanted):
            found = fnmatch.filter(recorded, glob) if isinstance(glob, str) else []
            if not found and isinstance(glob, str) and fnmatch.filter(neurons().index, glob):
                raise ConfigError(f"traces: '{shorten(glob)}' was not recorded: add it to record.voltage and run again")
            if not found:
                raise ConfigError(f"traces: {unmatched('recorded neuron', glob, dict.fromkeys(recorded, ''), {})}")
            chosen += [name for name in found if name not in chosen]
        return chosen
    chosen = []
    for glob, count in _SHOWN:
        found = sorted(fnmatch.filter(recorded, glob), key=lambda name: (len(name), name))
        # From the middle of the cord, far from the ends, where the wave is clearest.
        middle = [(2 * k + 1) * len(found) // (2 * count) for k in range(count)]
        chosen += [found[k] for k in dict.fromkeys(middle) if k < len(found)]
    return chosen or list(recorded[:10])


def headline(gait: Gait) -> str:
    """A gait in one line."""
    if not np.isfinite(gait.forward_speed_mm_s):
        return "too short to measure a gait"
    heading = {1: "head to tail", -1: "tail to head", 0: "no wave"}[gait.wave_direction]
    return (
        f"{gait.forward_speed_mm_s:+.3f} mm/s    {gait.frequency_hz:.2f} Hz    "
        f"{gait.wavelength_body_lengths:.2f} L    {heading}"
    )


def draw_kymograph(axes: Axes, time_ms: np.ndarray, track: WormTrack):
    """Curvature over time (s) and body (nose on top) on given axes; the image."""
    bend = curvature(track.midline, POINTS, track.dorsal)
    # A minimum, so that a worm that hardly bends does not look like one that crawls.
    limit = max(_LEAST_BEND, float(np.ceil(np.percentile(np.abs(bend), 99))))
    half = 0.5 * (time_ms[-1] - time_ms[0]) / max(len(time_ms) - 1, 1)
    extent = ((time_ms[0] - half) / MS_PER_S, (time_ms[-1] + half) / MS_PER_S, 1.0, 0.0)
    return axes.imshow(
        bend.T, aspect="auto", extent=extent, cmap=style.BEND, vmin=-limit, vmax=limit, interpolation="bilinear"
    )


def _kymograph(figure: Figure, time_ms: np.ndarray, track: WormTrack, title: str) -> None:
    axes = figure.add_subplot()
    if len(time_ms) < 2:
        style.say(axes, "fewer than two frames were recorded")
        return
    image = draw_kymograph(axes, time_ms, track)
    axes.set(xlabel="time [s]", xlim=style.span(time_ms), yticks=[0.0, 0.25, 0.5, 0.75, 1.0])
    axes.set_yticklabels(["nose", "", "middle", "", "tail"])
    axes.set_title(title, loc="left")
    bar = figure.colorbar(image, ax=axes, pad=0.012, aspect=22)
    bar.set_label("curvature κL\nventral −    dorsal +")
    bar.outline.set_visible(False)


def _colour(name: str) -> str:
    if name.startswith(_DORSAL):
        return style.DORSAL
    return style.VENTRAL if name.startswith(_VENTRAL) else style.NEUTRAL


def _traces(figure: Figure, time_ms: np.ndarray, rows: list[tuple[str, np.ndarray]], whose: str) -> None:
    if not rows or len(time_ms) < 2:
        sentence = "no voltages were recorded: choose neurons with Simulation.record(voltage=[...])"
        style.say(figure.add_subplot(), sentence)
        return
    stack = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, voltage) in zip(stack, rows, strict=True):
        axes.plot(time_ms / MS_PER_S, voltage, color=_colour(name), linewidth=1.0)
        axes.set_ylabel(style.plain(name), rotation=0, ha="right", va="center", fontweight="bold", color=_colour(name))
        # At least 10 mV; otherwise the noise of a resting neuron would look like activity.
        middle, half = 0.5 * (voltage.max() + voltage.min()), max(5.0, 0.55 * np.ptp(voltage))
        low, high = (5.0 * np.round((middle + side * half * 0.8) / 5.0) for side in (-1.0, 1.0))
        axes.set_ylim(middle - half, middle + half)
        axes.set_yticks([low, high] if high > low else [low])
        axes.tick_params(labelsize=7.5, length=2)
        axes.yaxis.tick_right()
        axes.spines["left"].set_visible(False)
        axes.spines["bottom"].set_visible(axes is stack[-1])
        axes.tick_params(bottom=axes is stack[-1])
    stack[0].set_title(f"soma voltage [mV]{whose}", loc="left")
    stack[0].set_title("dorsal", loc="right", color=style.DORSAL, fontsize=9)
    stack[0].set_title("ventral", loc="center", color=style.VENTRAL, fontsize=9)
    stack[-1].set_xlabel("time [s]")
    stack[-1].set_xlim(*style.span(time_ms))


def _muscles(figure: Figure, time_ms: np.ndarray, blocks: list[tuple[str, np.ndarray]], whose: str) -> None:
    if len(time_ms) < 2:
        style.say(figure.add_subplot(), "fewer than two frames were recorded")
        return
    if not all(len(block) for _, block in blocks):
        style.say(figure.add_subplot(), "no muscles were recorded")
        return
    stack = figure.subplots(len(blocks), 1, sharex=True)
    top = max(0.05, max(float(block.max(initial=0.0)) for _, block in blocks))
    words = {"D": "dorsal", "V": "ventral", "L": "left", "R": "right"}
    for axes, (name, block) in zip(stack, blocks, strict=True):
        extent = (time_ms[0] / MS_PER_S, time_ms[-1] / MS_PER_S, len(block) + 0.5, 0.5)
        image = axes.imshow(
            block, aspect="auto", extent=extent, cmap=style.ACTIVATION, vmin=0.0, vmax=top, interpolation="nearest"
        )
        axes.set_ylabel(f"{words[name[0]]}\n{words[name[1]]}", color=_colour("DB" if name[0] == "D" else "VB"))
        axes.set_yticks([1, 8, 16, 24])
    stack[0].set_title("muscle activation, rows 1 (head) to 24 (tail)" + whose, loc="left")
    stack[-1].set_xlabel("time [s]")
    stack[-1].set_xlim(*style.span(time_ms))
    bar = figure.colorbar(image, ax=stack, pad=0.012, aspect=38)
    bar.set_label("activation")
    bar.outline.set_visible(False)
