"""The three-dimensional viewer; needs the extra `view` (pyvista)."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from ..errors import ConfigError, OutputError
from ..io.files import replacing
from ..io.hdf5 import save_recording
from ..recorded import RecordedRun
from ..units import MS_PER_S
from . import style
from .animal import Animal, extent_mm
from .nerves import UNRECORDED, VOLTAGE, nerves, voltage_range

if TYPE_CHECKING:
    import pyvista

_WINDOW = (1280, 800)
_SKIN, _WALL = "#d9cdb4", "#eae3d3"
_LABEL = (0.02, 0.90)
_TICK_MS = 40  # of wall-clock time between drawn frames
_LONGEST_S = 86_400
_LOOKS = 200  # frames in which the distances of neighbours are looked up
# Distance of the camera over that of a neighbour along x and y, and the largest [mm], from which a worm is still seen.
_WIDTHS, _FARTHEST = np.array([1.15, 1.75]), 4.5
_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def show(
    recording: RecordedRun, worm: int = 0, *, time: float | None = None, screenshot: str | Path | None = None
) -> Path | None:
    """Open a window with a time slider, play and pause, in which neurons can be clicked; or write one picture of it.

    Every worm of the recording is shown; the camera follows one. The skin is transparent, muscles are shaded red by
    activation, neurons are coloured along their whole traced morphology by their recorded soma voltage, or grey if it
    was not recorded.

    Args:
        recording: of a run.
        worm: number of the worm that the camera follows.
        time: to start at [ms]; if None, the first frame in a window and the last in a picture.
        screenshot: picture to write instead, without a display.

    Returns:
        The picture, None after a window.

    Raises:
        ConfigError: if pyvista is missing, the worm does not exist, the time is not in the recording or there is no
            display for a window.
        OutputError: if the recording contains no frame or the picture cannot be written.
    """
    animal = Animal(recording, worm)
    _check_time(animal, time)
    others = [Animal(recording, k) for k in range(len(recording.worms)) if k != worm and _is_seen(recording, k)]
    if screenshot is not None and Path(screenshot).suffix.lower() not in _PICTURES:
        raise ConfigError(f"view: a screenshot is one of {', '.join(_PICTURES)}, not '{Path(screenshot).name}'")
    pv = _pyvista()
    if screenshot is None and not _has_display():
        raise ConfigError("view: there is no display for a window; write a picture with --screenshot FILE")
    if "neuron.hoc" in sys.modules:
        return _show_elsewhere(recording, worm, time, screenshot)
    start = animal.frames - 1 if screenshot is not None else 0
    voltages = _voltages(recording)
    window = _Window(pv, [animal, *others], voltages, off_screen=screenshot is not None)
    window.go_to(start if time is None else animal.nearest(time))
    if screenshot is not None:
        return window.write(Path(screenshot))
    window.open()
    return None


def _show_elsewhere(
    recording: RecordedRun, worm: int, time: float | None, screenshot: str | Path | None
) -> Path | None:
    """As `show`, in a process of its own.

    NEURON opens its library for all others to see; VTK, built with an older C++ standard library, then finds NEURON's
    regular expressions instead of its own and aborts the process when it labels a colour bar.
    """
    with tempfile.TemporaryDirectory(prefix="tianbao-view-") as folder:
        file = save_recording(recording, Path(folder) / "results.h5")
        chosen = {"--worm": worm, "--time": time, "--screenshot": screenshot and Path(screenshot).absolute()}
        words = [f"{option}={value}" for option, value in chosen.items() if value is not None]
        command = [sys.executable, "-P", "-m", "tianbao.cli", "view", str(file), "--force", *words]
        paths = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
        done = subprocess.run(
            command, env={**os.environ, "PYTHONPATH": paths}, stderr=subprocess.PIPE, text=True, errors="replace",
            stdout=subprocess.DEVNULL, check=False,
        )  # fmt: skip
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"the viewer ended with status {done.returncode}"]
        raise OutputError(said[-1].removeprefix("tianbao: "))
    return Path(screenshot) if screenshot is not None else None


def _is_seen(recording: RecordedRun, worm: int) -> bool:
    """Whether any frame shows the posture of a worm."""
    return bool(np.isfinite(recording.worms[worm].midline).all(axis=(1, 2)).any())


def _voltages(recording: RecordedRun) -> tuple[float, float]:
    """One range of the colour scale for all worms [mV]."""
    known = [voltage_range(track) for track in recording.worms if track.voltage.size]
    if not known:
        return voltage_range(recording.worms[0])
    return min(low for low, _ in known), max(high for _, high in known)


def _check_time(animal: Animal, time: float | None) -> None:
    if time is None:
        return
    first, last = float(animal.time[0]), float(animal.time[-1])
    if not (isinstance(time, (int, float)) and math.isfinite(time) and 0.0 <= time <= last):
        raise ConfigError(f"view: time {time} ms is not in the recording, which covers {first:g} to {last:g} ms")


def _pyvista():
    try:
        import pyvista
    except ImportError as error:
        raise ConfigError("view: the viewer needs pyvista; install it: pip install 'tianbao[view]'") from error
    # Without a display VTK renders in memory, after a warning that would only confuse users.
    pyvista.vtk_verbosity("off")
    return pyvista


def _has_display() -> bool:
    if sys.platform in ("darwin", "win32"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


class _Body:
    """Meshes of one worm, and the functions that move them."""

    def __init__(self, pv, animal: Animal) -> None:
        self.animal = animal
        self._recorded = np.isfinite(animal.voltage(0))
        self._meshes = {
            "skin": pv.PolyData(np.zeros((len(animal.skin.at.s), 3)), faces=_faces(animal.skin.quads)),
            "muscle": pv.PolyData(np.zeros((len(animal.muscle.at.s), 3)), faces=_faces(animal.muscle.quads)),
            "recorded": self._neurites(pv, self._recorded),
            "others": self._neurites(pv, ~self._recorded),
        }
        quads, self._soma_of = animal.soma_quads
        self._meshes["somata"] = pv.PolyData(np.zeros((len(self._soma_of), 3)), faces=_faces(quads))
        _set_normals(self._meshes["somata"], animal.soma_normals)
        self.place(0)

    @staticmethod
    def _neurites(pv, which: np.ndarray):
        """Lines of some neurons over the points of all."""
        pieces = nerves().segments[which[nerves().segment_neuron]]
        lines = np.column_stack([np.full(len(pieces), 2), pieces])
        return pv.PolyData(np.zeros((len(nerves().neuron), 3)), lines=lines.ravel(), verts=np.empty(0, int))

    @property
    def skin(self) -> np.ndarray:
        """Points of the skin [mm], shape (points, 3)."""
        return np.asarray(self._meshes["skin"].points)

    def place(self, frame: int) -> None:
        """Points, normals and colours of a frame."""
        animal, meshes, posture = self.animal, self._meshes, self.animal.posture(frame)
        for name, patch in (("skin", animal.skin), ("muscle", animal.muscle)):
            meshes[name].points, normals = patch.placed(posture)
            _set_normals(meshes[name], normals)
        neurites, voltage = posture.place(nerves().at), animal.voltage(frame)
        for name in ("recorded", "others"):
            meshes[name].points = neurites
        meshes["somata"].points = animal.somata(neurites)
        meshes["recorded"]["voltage"] = voltage[nerves().neuron]
        meshes["somata"]["voltage"] = voltage[self._soma_of]
        meshes["muscle"]["activation"] = animal.activation(frame)[animal.muscle.owner]

    def lay(self, plotter, voltages: tuple[float, float], *, bars: bool) -> None:
        """Put the meshes into a plotter, with colour bars or without."""
        put, meshes = plotter.add_mesh, self._meshes
        some = bool(self._recorded.any())
        seen = {"scalars": "voltage", "cmap": VOLTAGE, "clim": voltages, "nan_color": UNRECORDED, "ambient": 0.35}
        put(meshes["others"], color=UNRECORDED, line_width=1.0, lighting=False)
        if some:
            put(meshes["recorded"], line_width=2.4, render_lines_as_tubes=True, show_scalar_bar=False, **seen)
        put(meshes["somata"], show_scalar_bar=bars and some, scalar_bar_args=_bar("soma voltage [mV]", 0.04), **seen)
        # The far sides are opaque and the near ones transparent, so that nothing hides the neurons.
        glass = {"pickable": False, "lighting": False}
        known = bool(np.isfinite(self.animal.activation(0)).any())
        for cull, opacity in (("front", 1.0), ("back", 0.12)) if known else ():
            put(
                meshes["muscle"], scalars="activation", cmap=style.MUSCLE, clim=(0.0, 1.0),
                opacity=opacity, culling=cull, show_scalar_bar=bars and cull == "front",
                scalar_bar_args=_bar("muscle activation", 0.72), **glass,
            )  # fmt: skip
        put(meshes["skin"], color=_WALL, culling="front", **glass)
        put(meshes["skin"], color=_SKIN, opacity=0.14, culling="back", pickable=False, specular=0.5)


class _Window:
    """Worms in a plotter; the camera follows the first, whose frames are those of the window."""

    def __init__(self, pv, animals: list[Animal], voltages: tuple[float, float], *, off_screen: bool) -> None:
        self._frame, self._playing = 0, False
        self._picked: tuple[Animal, str] | None = None  # a worm and its neuron
        self._started = (0.0, 0.0)  # wall clock [s] and time of the recording [ms] when play began
        self._plotter: pyvista.Plotter = pv.Plotter(off_screen=off_screen, window_size=_WINDOW, lighting="light kit")
        self._plotter.set_background(style.PAPER, top=style.AGAR)
        self._animal = animals[0]
        self._bodies = [_Body(pv, each) for each in animals]
        for k, body in enumerate(self._bodies):
            body.lay(self._plotter, voltages, bars=k == 0)
        self._look(_apart(animals))

    def _look(self, neighbours: np.ndarray) -> None:
        """View from above and slightly from the ventral side, with the whole worm in the picture.

        Args:
            neighbours: how far other worms get from the middle of this one along x and y [mm], shape (2,).
        """
        middle, plotter = self._animal.middle(0), self._plotter
        reach = 0.68 * max(0.4, float(np.ptp(self._bodies[0].skin, axis=0).max()))
        if len(self._bodies) > 1:
            # The tilt of the camera shortens y; the picture is wider than it is high.
            reach = float(np.clip((_WIDTHS * neighbours).max(), reach, _FARTHEST))
        plotter.camera.focal_point = middle
        plotter.camera.position = middle + reach * np.array([0.0, -0.75, 1.35])
        plotter.camera.up = (0.0, 1.0, 0.0)
        plotter.camera.view_angle = 40.0
        plotter.enable_anti_aliasing("ssaa" if plotter.off_screen else "msaa")
        plotter.enable_depth_peeling(4)

    def go_to(self, frame: int) -> None:
        """Move everything to a frame; the camera keeps its distance to the worm."""
        time = float(self._animal.time[frame])
        for body in self._bodies:
            body.place(frame if body.animal is self._animal else body.animal.nearest(time))
        middle = self._animal.middle(frame)
        shift = middle - np.asarray(self._plotter.camera.focal_point)
        self._plotter.camera.focal_point = middle
        self._plotter.camera.position = np.asarray(self._plotter.camera.position) + shift
        self._plotter.reset_camera_clipping_range()
        self._frame = frame
        self._say()

    def _say(self) -> None:
        time = float(self._animal.time[self._frame])
        several = len(self._bodies) > 1
        lines = [f"{time / MS_PER_S:.2f} s"]
        if self._picked is not None:
            animal, neuron = self._picked
            told = animal.label(neuron, animal.nearest(time))
            lines.append(f"{animal.name}: {told}" if several else told)
        look = {"viewport": True, "font_size": 12, "color": style.INK, "name": "label"}
        self._plotter.add_text("\n".join(lines), position=_LABEL, **look)
        animals = [body.animal for body in self._bodies]
        self._plotter.add_point_labels(
            np.array([each.ahead(each.nearest(time)) for each in animals]),
            [each.name if several else "head" for each in animals], font_size=14, text_color=style.NEUTRAL, shape=None,
            show_points=False, always_visible=True, pickable=False, reset_camera=False, render=False, name="head",
        )  # fmt: skip

    def write(self, path: Path) -> Path:
        """Write the picture and close."""
        try:
            with replacing(path) as partial:
                self._plotter.show(auto_close=False, interactive=False)
                self._plotter.screenshot(str(partial))
                if not partial.is_file():
                    raise OutputError(f"cannot write {path}: nothing was drawn; try another graphics driver")
        finally:
            self._plotter.close()
        return path

    def open(self) -> None:
        """Show the window until it is closed."""
        animal, plotter = self._animal, self._plotter
        first, last, now = (float(each) / MS_PER_S for each in animal.time[[0, -1, self._frame]])
        if animal.frames > 1:
            self._slider = plotter.add_slider_widget(
                lambda seconds: self._slide(seconds), (first, last), value=now, title="time [s]", fmt="%.2f",
                pointa=(0.36, 0.07), pointb=(0.64, 0.07), color=style.INK, interaction_event="always", style="modern",
                title_height=0.02, slider_width=0.018, tube_width=0.004,
            )  # fmt: skip
            plotter.add_key_event("space", self.toggle)
            plotter.add_key_event("Left", lambda: self._step(-1))
            plotter.add_key_event("Right", lambda: self._step(1))
            plotter.add_timer_event(max_steps=_LONGEST_S * 1000 // _TICK_MS, duration=_TICK_MS, callback=self._beat)
        plotter.enable_point_picking(
            self.pick, picker="cell", left_clicking=True, show_message=False, show_point=False, tolerance=0.008
        )
        keys = "space: play, pause    arrows: one frame    click: name of a neuron    q: close"
        plotter.add_text(keys, position="upper_right", font_size=9, color=style.NEUTRAL)
        plotter.show(title="Tianbao")

    def pick(self, point: np.ndarray | None) -> None:
        """Show the name of the neuron at a clicked point [mm]; a click outside the worms removes it."""
        self._picked = None
        if point is not None and len(np.shape(point)) == 1:
            near = np.asarray(point, float)
            away = [np.linalg.norm(body.skin - near, axis=1).min() for body in self._bodies]
            animal = self._bodies[int(np.argmin(away))].animal
            if min(away) < extent_mm():
                frame = animal.nearest(float(self._animal.time[self._frame]))
                self._picked = (animal, animal.neuron_near(near, frame))
        self._say()

    def toggle(self) -> None:
        """Play or pause; at the end, play from the start."""
        self._playing = not self._playing
        if self._playing and self._frame == self._animal.frames - 1:
            self.go_to(0)
        self._start_clock()

    def _start_clock(self) -> None:
        self._started = (perf_counter(), float(self._animal.time[self._frame]))

    def _beat(self, _step: int) -> None:
        """Advance in real time; a slow machine skips frames."""
        if not self._playing:
            return
        since, start = self._started
        frame = self._animal.nearest(start + MS_PER_S * (perf_counter() - since))
        if frame != self._frame:
            self._move(frame)
        if frame == self._animal.frames - 1:
            self._playing = False

    def _slide(self, seconds: float) -> None:
        frame = self._animal.nearest(seconds * MS_PER_S)
        if frame != self._frame:
            self.go_to(frame)
            self._start_clock()

    def _step(self, by: int) -> None:
        self._playing = False
        self._move(int(np.clip(self._frame + by, 0, self._animal.frames - 1)))

    def _move(self, frame: int) -> None:
        self.go_to(frame)
        self._slider.GetRepresentation().SetValue(float(self._animal.time[frame]) / MS_PER_S)
        self._plotter.render()


def _apart(animals: list[Animal]) -> np.ndarray:
    """Farthest that other worms get from the middle of the first along x and y [mm], shape (2,)."""
    first, reach = animals[0], np.zeros(2)
    for frame in range(0, first.frames, max(1, first.frames // _LOOKS)):
        for each in animals[1:]:
            line = each.line(each.nearest(first.time[frame]))[:, :2]
            reach = np.maximum(reach, np.abs(line - first.middle(frame)[:2]).max(axis=0))
    return reach


def _bar(title: str, x: float) -> dict:
    """A colour bar at the bottom of the window."""
    size = {"position_x": x, "position_y": 0.025, "width": 0.24, "height": 0.06, "n_labels": 2, "fmt": "%.0f"}
    return {"title": title, "color": style.INK, "title_font_size": 16, "label_font_size": 14, **size}


def _set_normals(mesh, normals: np.ndarray) -> None:
    mesh.point_data["Normals"] = normals
    mesh.GetPointData().SetActiveNormals("Normals")


def _faces(quads: np.ndarray) -> np.ndarray:
    """Quadrilaterals in VTK's format: each preceded by its number of corners."""
    return np.column_stack([np.full(len(quads), 4), quads]).ravel()
