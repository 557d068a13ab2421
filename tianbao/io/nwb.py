"""A recording in NWB (Neurodata Without Borders), the format of neurophysiology archives.

One file per worm, because NWB knows one subject per file. `processing/icephys` holds the voltages of the neurons,
`processing/behavior` the midline, its curvature, positions, muscle activations and what receptors sensed; tables beside
them name the columns. The configuration is in `general/notes`, the software that computed it in
`general/was_generated_by`.
"""

from __future__ import annotations

import io
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..behaviour.midline import centroid, curvature
from ..errors import ConfigError, OutputError
from ..network.inputs import AMINES
from ..units import MS_PER_S
from .files import write_atomically

if TYPE_CHECKING:
    from pynwb import NWBFile, TimeSeries

    from ..recording import Recording, WormTrack

_METRES_PER_MM = 1e-3
_VOLTS_PER_MV = 1e-3
# Unit of what a sense reads, and the factor from ours: mM, % and degC.
_SENSED = {"chemical": ("mol/L", 1e-3), "gas": ("1", 1e-2), "thermal": ("degrees Celsius", 1.0)}
_UNEVEN = 1e-3
_FRAME = (
    "x and y in the plane of the substrate, z up, origin as in the simulation; a worm on its left side has "
    "dorsal to its left seen from above"
)
_SPECIES = "Caenorhabditis elegans"
# An adult at 20 degrees is about three days from hatching (Byerly et al. 1976).
_AGE = "P3D"


def write_nwb(
    recording: Recording,
    path: str | Path,
    *,
    worm: int | None = None,
    experimenter: tuple[str, ...] = (),
    institution: str = "",
    start: datetime | None = None,
) -> Path:
    """Write one worm of a recording as an NWB file.

    Args:
        recording: a run, or an imported track.
        path: where; the name should end in .nwb.
        worm: number of the worm; needed where the recording holds several.
        experimenter: names as "Last, First"; archives ask for them.
        institution: where the experimenter works.
        start: when the session began; when the recording was made if None.

    Returns:
        The path written.

    Raises:
        ConfigError: if there is no such worm, or there are several and none is chosen.
        OutputError: if pynwb is missing, there are no frames, no time is known or the file cannot be written.
    """
    if worm is None and len(recording.worms) > 1:
        last = len(recording.worms) - 1
        raise ConfigError(f"nothing written into {path}: NWB holds one worm per file; choose worm=0 to worm={last}")
    worm = worm or 0
    track = recording.track(worm)
    if len(recording.time) < 2:
        raise OutputError(f"nothing to write into {path}: the recording contains fewer than two frames")
    recording.check(f"nothing written into {path}")
    try:
        from pynwb import NWBHDF5IO
    except ImportError as error:
        raise OutputError("NWB needs pynwb: pip install 'tianbao[nwb]'") from error
    import h5py

    file = _file(recording, worm, start or _started(recording), experimenter, institution)
    _add_behaviour(file, recording.time, track)
    if track.voltage.size:
        _add_voltages(file, track)
    # Built in memory, because the HDF5 library cannot recover from a full disk.
    memory = io.BytesIO()
    with h5py.File(memory, "w") as storage, NWBHDF5IO(file=storage, mode="w") as writer:
        writer.write(file)
    return write_atomically(path, memory.getvalue())


def _started(recording: Recording) -> datetime:
    try:
        return datetime.fromisoformat(recording.created)
    except ValueError as error:
        raise OutputError(
            f"the recording has no valid creation time ('{recording.created}'), which NWB requires; give start"
        ) from error


def _file(recording: Recording, worm: int, start: datetime, experimenter: tuple[str, ...], institution: str) -> NWBFile:
    from pynwb import NWBFile
    from pynwb.file import Subject

    simulated = "tianbao" in recording.versions
    what = f"{'Simulated' if simulated else 'Tracked'} C. elegans, {recording.duration / MS_PER_S:g} s"
    identity = f"{recording.created} {recording.seed} {worm} {recording.mechanism_hash} {recording.config_toml}"
    options: dict[str, Any] = {}
    if experimenter:
        options["experimenter"] = list(experimenter)
    if institution:
        options["institution"] = institution
    if recording.versions:
        options["was_generated_by"] = [[name, version] for name, version in sorted(recording.versions.items())]
    if recording.config_toml:
        options["notes"] = recording.config_toml
    return NWBFile(
        session_description=what + (f" in {recording.medium}" if recording.medium else ""),
        # The same recording gets the same identifier.
        identifier=str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
        session_start_time=start if start.tzinfo else start.replace(tzinfo=UTC),
        session_id=f"seed-{recording.seed}",
        experiment_description=_experiment(recording, worm, simulated),
        keywords=["C. elegans", "locomotion", "simulation" if simulated else "tracking"],
        subject=Subject(
            subject_id=f"worm-{worm}",
            species=_SPECIES,
            **({"sex": "XX", "age": _AGE} if simulated else {"sex": "U"}),
            description="Simulated adult hermaphrodite; the age is that of the animals it is modelled on"
            if simulated
            else "Tracked animal, assumed to be an adult hermaphrodite",
        ),
        **options,
    )


def _experiment(recording: Recording, worm: int, simulated: bool) -> str:
    if not simulated:
        return "Midline of a tracked animal, imported by Tianbao"
    return (
        "Whole-animal simulation by Tianbao: 302 neurons, 95 muscles and a soft body in one closed loop. "
        f"{'' if len(recording.worms) == 1 else f'worm {worm} of {len(recording.worms)}, counted from 0; '}"
        f"interventions: {recording.interventions_of(worm) or 'none'}; "
        f"seed {recording.seed}, mechanisms {recording.mechanism_hash or 'unknown'}, "
        f"revision {recording.git_revision or 'unknown'}, {'complete' if recording.complete else 'ended early'}"
    )


def _series(name: str, time: np.ndarray, data: np.ndarray, unit: str, kind: type, **options: Any) -> TimeSeries:
    """A time series: with start and rate if the times [ms] are evenly spaced, otherwise with all times."""
    from hdmf.backends.hdf5 import H5DataIO

    seconds = np.asarray(time, float) / MS_PER_S
    steps = np.diff(seconds)
    if len(steps) and np.ptp(steps) <= _UNEVEN * steps.mean():
        options |= {"starting_time": float(seconds[0]), "rate": float(round(1.0 / steps.mean(), 9))}
    else:
        options["timestamps"] = seconds
    packed = H5DataIO(np.ascontiguousarray(data), compression="gzip", compression_opts=4, shuffle=True)
    return kind(name=name, data=packed, unit=unit, **options)


def _add_behaviour(file: NWBFile, time: np.ndarray, track: WormTrack) -> None:
    from pynwb import TimeSeries
    from pynwb.behavior import Position, SpatialSeries

    module = file.create_processing_module("behavior", "Posture, position and muscle activation of the worm")
    line = track.midline
    places = {"centroid": centroid(line), "head": line[:, 0], "tail": line[:, -1]}
    spatial = [
        _series(name, time, place, "meters", SpatialSeries, conversion=_METRES_PER_MM, reference_frame=_FRAME,
                description=f"Position of the {name}")
        for name, place in places.items()
    ]  # fmt: skip
    module.add(Position(spatial_series=spatial))
    module.add(_series("midline", time, line, "meters", TimeSeries, conversion=_METRES_PER_MM,
                     description="Midline, shape (frames, points, x y z), head first", comments=_FRAME))  # fmt: skip
    bend = curvature(line, dorsal=track.dorsal)
    module.add(_series("curvature", time, bend, "1", TimeSeries, description=(
        "Dorsoventral curvature times body length at the inner points of the midline, head first, "
        "positive if the worm is concave towards dorsal")))  # fmt: skip
    if track.dorsal is not None:
        module.add(_series("dorsal", time, np.asarray(track.dorsal, np.float32), "1", TimeSeries,
                         description="Unit vectors towards dorsal at the points of the midline"))  # fmt: skip
    if track.muscles:
        module.add(_series("muscle_activation", time, track.muscle_activation, "1", TimeSeries, description=(
            "Activation of each body wall muscle, 0 relaxed to 1, columns as in the table muscles")))  # fmt: skip
        module.add(_names("muscles", "Columns of muscle_activation", track.muscles, "body wall muscle"))
    for sense, values in track.inputs.items():
        unit, conversion = _SENSED.get(sense, ("1", 1.0))
        what = "Level of each amine, from 0 to 1" if sense == AMINES else f"What each {sense} receptor sensed"
        module.add(_series(f"sensed_{sense}", time, values, unit, TimeSeries, conversion=conversion, description=(
            f"{what}, columns as in the table receptors_{sense}")))  # fmt: skip
        about = f"Columns of sensed_{sense}: neuron, and what it senses"
        module.add(_names(f"receptors_{sense}", about, track.receptors[sense], "receptor"))


def _add_voltages(file: NWBFile, track: WormTrack) -> None:
    from pynwb import TimeSeries

    module = file.create_processing_module("icephys", "Membrane voltages of the neurons")
    module.add(_series("membrane_voltage", track.voltage_time, np.asarray(track.voltage, np.float32), "volts",
                     TimeSeries, conversion=_VOLTS_PER_MV, description=(
                         "Voltage at the soma of each neuron, columns as in the table neurons; "
                         "computed, without an electrode")))  # fmt: skip
    module.add(_names("neurons", "Columns of membrane_voltage", track.neurons, "neuron"))


def _names(name: str, description: str, names: tuple[str, ...], what: str):
    from hdmf.common import DynamicTable, VectorData

    column = VectorData(name="label", description=f"Name of the {what}", data=list(names))
    return DynamicTable(name=name, description=description, columns=[column])
