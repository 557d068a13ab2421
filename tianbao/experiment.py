"""From a configuration to files: build the simulation, run it, write its results, resume it after a stop."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .arguments import named_arguments
from .config import RunConfig, config_of
from .configured import worm_of as worm_of
from .configured import worms_of
from .errors import ConfigError, DivergedError, OutputError, shorten, unknown

if TYPE_CHECKING:
    from .body import Material
    from .environment import Arena, Medium
    from .loop import Simulation
    from .loop.observers import Observer
    from .loop.state import RunState
    from .recording import Recording

CHECKPOINT = "checkpoint.tianbao"
"""Name of the checkpoint in the folder of a run."""

_FILMS = [f"{gait}.{kind}" for gait in ("crawl", "swim") for kind in ("mp4", "gif")]
_DRAWN = ("kymograph.png", "traces.png", "track.png", "report.html", *_FILMS)


@dataclass(frozen=True, eq=False)
class Outcome:
    """The outcome of a run.

    Attributes:
        recording: of the run.
        files: written, data first.
        moved: whether every worm crawled, or swam in water, by the published ranges; None in a medium without any.
    """

    recording: Recording
    files: tuple[Path, ...]
    moved: bool | None


def arena_of(config: RunConfig) -> Arena:
    """The arena of a configuration.

    Raises:
        ConfigError: for a value out of range, or a function, which no configuration can hold.
    """
    from .environment import Arena, Dish, Pillar, Plane, field_of
    from .environment.lattice import lattice_of

    section = config.arena
    if section.flow or section.solids:
        name = section.flow or section.solids[0]
        raise ConfigError(f"arena: '{name}' is a function of Python, which a configuration cannot hold; run it there")
    obstacles = [
        *(Pillar(*_row("pillars", row, 3)) for row in section.pillars),
        *(lattice_of(table, f"arena.lattices, entry {k}") for k, table in enumerate(section.lattices, start=1)),
        *(Dish(row[2], (row[0], row[1]), *row[3:]) for row in (_row("dishes", row, 3) for row in section.dishes)),
        *(Plane(row[:3], row[3:6], *row[6:]) for row in (_row("planes", row, 6) for row in section.planes)),
    ]
    same = {name: getattr(section, name) for name in ("gravity", "resolved", "temperature")}
    filled = [field_of(each, f"field {number}") for number, each in enumerate(config.fields, start=1)]
    return Arena(_medium(config), obstacles=obstacles, fields=filled, **same)


def _row(kind: str, row: Any, least: int) -> tuple[float, ...]:
    if not isinstance(row, tuple) or not least <= len(row) <= least + 1:
        raise ConfigError(f"arena: a row of {kind} takes {least} numbers and a friction, got {row!r}")
    return row


def _medium(config: RunConfig) -> Medium:
    from .environment import Medium

    name, viscosity = config.arena.medium, config.arena.viscosity_pa_s
    if viscosity and name != "newtonian":
        todo = "set arena.medium to newtonian"
        raise ConfigError(f"arena.viscosity_pa_s = {viscosity:g} is not of medium '{name}'; {todo}")
    if name == "newtonian":
        return Medium.newtonian(viscosity)
    if not config.medium:
        return Medium.named(name)
    known = {each.name for each in fields(Medium)}
    if wrong := set(config.medium) - known:
        raise ConfigError(f"medium: unknown key '{min(wrong)}': known are {', '.join(sorted(known))}")
    if name in Medium.names() or config.medium.get("name", name) != name:
        raise ConfigError(f"arena.medium = '{name}' has drags of its own: remove [medium], or give it another name")
    return Medium(**{"name": name, **config.medium})


def material_of(config: RunConfig) -> Material:
    """The tissue of a configuration.

    Raises:
        ConfigError: for an unknown key or a value out of range.
    """
    from .body import Material

    known = [each.name for each in fields(Material)]
    for name in config.material:
        if name not in known:
            raise ConfigError(f"material: {unknown('key', name, known)}")
    return Material(**config.material)


def _check_kind(config: object) -> None:
    if not isinstance(config, RunConfig):
        todo = "read a file with read_config(PATH), change settings with RunConfig().updated({...})"
        raise ConfigError(f"a run needs a RunConfig, not {shorten(repr(config))}: {todo}")


def simulation(config: RunConfig, *, progress: bool = True, threads: int | None = None) -> Simulation:
    """The simulation that a configuration describes, not yet assembled.

    Args:
        config: of the run.
        progress: show time left.
        threads: see `Simulation`.

    Raises:
        ConfigError, AnatomyError: for a value or name that is not possible; before anything is computed.
    """
    from .loop import Simulation

    _check_kind(config)
    made = Simulation(
        worms_of(config),
        arena_of(config),
        seed=config.seed,
        clock=config.clock,
        slabs=config.body.slabs,
        initial_curvature=config.body.initial_curvature,
        material=material_of(config),
        engine=config.engine,
        stream=config.stream,
        threads=threads,
        progress=progress,
    )
    return made.record(voltage=config.record.voltage)


def resolved(config: RunConfig) -> RunConfig:
    """The same configuration with every parameter in it, as a result keeps it.

    Raises:
        ConfigError, AnatomyError: see `simulation`.
    """
    return _resolved(simulation(config, progress=False), config)


def _resolved(made: Simulation, config: RunConfig) -> RunConfig:
    return replace(made.configuration(config.duration), checkpoint=config.checkpoint)


@named_arguments
def perform(
    config: RunConfig,
    folder: str | Path,
    *,
    video: bool = True,
    progress: bool = True,
    since: RunState | None = None,
    checkpoint: str = CHECKPOINT,
    force: bool = False,
    observers: Sequence[Observer] = (),
) -> Outcome:
    """Run a configuration and write results, plots, a report and a video.

    Args:
        config: of the run.
        folder: for files; made when it is not there.
        video: whether to write one.
        progress: show time left.
        since: checkpoint to continue from.
        checkpoint: name of the file of checkpoints in the folder.
        force: replace the results of a finished run in the folder. A run that stopped early is replaced without it.
        observers: see `Simulation.run`.

    Raises:
        ConfigError, AnatomyError: for a value or name that is not possible; before anything is computed.
        OutputError: if the folder holds a finished run or cannot be written to, before anything is computed, or the
            disk is full.
        DivergedError: if the run diverged; what was recorded is written, its files are `error.files`.
    """
    from .io.files import claimed, prepare_folder
    from .io.results import check_unfinished

    _check_kind(config)
    every = config.checkpoint.every
    if every < 0.0:
        raise ConfigError(f"checkpoint.every = {every:g} ms is negative; give an interval, or 0 for none")
    made = simulation(config, progress=progress)
    # Everything is checked before the first file of an older run is replaced.
    made.check(config.duration, since)
    folder = prepare_folder(folder)
    with claimed(folder):
        if since is None and not force:
            check_unfinished(folder)
        options = {"video": video, "progress": progress, "since": since, "observers": observers}
        return _performed(made, config, folder / checkpoint, **options)


def _performed(
    made: Simulation,
    config: RunConfig,
    checkpoint: Path,
    *,
    video: bool,
    progress: bool,
    since: RunState | None,
    observers: Sequence[Observer],
) -> Outcome:
    from .io.checkpoints import Checkpoints

    # Taken before the run: afterwards the files it names may have changed.
    config = _resolved(made, config)
    every = config.checkpoint.every
    if since is None:
        # Otherwise resuming after a stop would continue the run that was here before.
        checkpoint.unlink(missing_ok=True)
    try:
        kept = Checkpoints(checkpoint, every) if every else None
        recording = made.run(config.duration, checkpoints=kept, since=since, observers=observers)
    except DivergedError as error:
        error.files = _write(error.recording, config, checkpoint, video=False)
        raise
    files = _write(recording, config, checkpoint, video=video and recording.complete, progress=progress)
    return Outcome(recording, files, _moved(recording))


@named_arguments
def resume(
    source: str | Path,
    *,
    duration: float | None = None,
    video: bool = True,
    progress: bool = True,
    observers: Sequence[Observer] = (),
) -> Outcome:
    """Resume a run from its newest checkpoint; the result is that of a run that never stopped, bit for bit.

    Args:
        source: folder of the run, or its checkpoint.
        duration: of the whole run [ms]; the planned one when None.
        video: see `perform`.
        progress: show time left.
        observers: see `Simulation.run`.

    Raises:
        OutputError: for a checkpoint that is missing, cut short, changed or of another release.
        ConfigError: for one of other versions, or a duration that it has passed.
    """
    from .io.checkpoints import Checkpoints
    from .io.files import file_in

    path = file_in(source, CHECKPOINT)
    state = Checkpoints(path).read()
    config = config_of(state.facts["config"], path.name)
    changes = {"duration": duration, "checkpoint.every": state.facts["every"]}
    options = {"video": video, "progress": progress, "since": state, "checkpoint": path.name, "observers": observers}
    return perform(config.updated(changes), path.parent, **options)


def finished(source: str | Path) -> bool:
    """Whether a run has its results and nothing left to do."""
    from .io.checkpoints import Checkpoints
    from .io.files import file_in
    from .io.results import open_recording

    path = file_in(source, CHECKPOINT)
    facts, results = Checkpoints(path).read().facts, path.parent / "results.h5"
    return facts["ticks"] == facts["planned"] and results.exists() and open_recording(results).complete


def _write_config(config: RunConfig, folder: Path) -> Path:
    from .io.files import write_atomically

    return write_atomically(folder / "config.toml", config.to_toml(comments={}).encode())


def _write(
    recording: Recording, config: RunConfig, checkpoint: Path, *, video: bool, progress: bool = True
) -> tuple[Path, ...]:
    """Write everything a recording gives; the data first, so that a failing plot loses nothing."""
    from .io.results import write_summary
    from .view.report import write_report

    folder = checkpoint.parent
    files = [_saved(recording, folder / "results.h5"), write_summary(recording, folder / "summary.json")]
    for old in [*(folder / name for name in _DRAWN), *folder.glob("traces_[0-9]*.png")]:
        # Pictures of an older run in this folder would be taken for this one's.
        old.unlink(missing_ok=True)
    files += [_write_config(config, folder), *([checkpoint] if checkpoint.exists() else [])]
    if len(recording.time) > 1:
        files += _drawn(recording, folder)
    film, failed = None, None
    if video:
        try:
            name = "swim.mp4" if recording.medium == "water" else "crawl.mp4"
            files.append(film := recording.video(folder / name, progress=progress))
        except OutputError as error:
            failed = error  # told once the report is there, too
    files.append(write_report(recording, folder / "report.html", video=film, names=[folder.name or "run"]))
    if failed is not None:
        raise failed
    return tuple(files)


def _drawn(recording: Recording, folder: Path) -> list[Path]:
    """Kymograph and voltages; of several worms their kymographs below each other, and the tracks of all."""
    from .behaviour.kymograph import Kymograph
    from .view.kymographs import plot_kymographs

    plot, several = recording.plot, range(len(recording.worms))
    if len(several) == 1:
        return [plot.curvature(folder / "kymograph.png"), plot.traces(folder / "traces.png")]
    rows = [Kymograph.of(recording, worm) for worm in several]
    return [
        plot_kymographs(rows, folder / "kymograph.png"),
        plot.track(folder / "track.png"),
        *(plot.traces(folder / f"traces_{worm}.png", worm=worm) for worm in several),
    ]


def _saved(recording: Recording, path: Path) -> Path:
    """Save a recording, on another disk if its own is full: it may have taken hours."""
    try:
        return recording.save(path)
    except OutputError as error:
        kept = Path(tempfile.mkdtemp(prefix="tianbao_")) / path.name
        raise OutputError(f"{error}; the results are kept in {recording.save(kept)}") from error


def _moved(recording: Recording) -> bool | None:
    """Whether every worm crawled, or swam in water; None in a medium without published ranges."""
    from .io.results import moved

    each = [moved(recording.gait(worm), recording.medium) for worm in range(len(recording.worms))]
    return None if None in each else all(each)
