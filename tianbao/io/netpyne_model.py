"""The nervous system for NetPyNE users: parameters to edit and run, and a folder that opens without Tianbao.

Two encodings of one network, without the body:

- `network_parameters` and `run_options` are for scripts beside an installed Tianbao (`sims/netParams.py`). They use
  Tianbao's own mechanisms; what NetPyNE cannot express (the constant calcium reversal, the pointers of the
  receptors) is set by a handler at every `finitialize`.
- `export_netpyne` writes a model folder in which everything is data: `netParams.json` and its mechanisms. Nothing of
  Tianbao is needed to open it, and nothing is lost when NetPyNE or its GUI saves it again. Two small mechanisms
  stand in for the handler: a stretch receptor whose stretch is a number, and a reversal potential that is held.

Limitations: the body, membrane noise and the ticks of the loop are not part of it. Pulses are current clamps of
NEURON, which switch at a time step, where the loop averages over a tick. All cells start from one voltage: NetPyNE
sets those of single sections only after NEURON has transferred the voltages of their partners to the synapses.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import anatomy, mechanisms, paths
from ..anatomy import BodyFrame
from ..behaviour import curvature_positions
from ..cells.geometry import constants
from ..errors import ConfigError, unknown
from ..units import NA_PER_PA
from .files import prepare_folder, write_atomically
from .fixed_mechanisms import FIXED_MECHANISMS
from .netpyne_plots import default_plots
from .netpyne_rules import chosen_cells, leave_out, rule_per_pair

if TYPE_CHECKING:
    from ..network.design import NetworkDesign
    from ..worm import Worm

log = logging.getLogger(__name__)

SITES = ("rules", "lists")
"""How an export states where a connection leaves its presynaptic cell: a rule per site, or lists in few rules."""

RECORDED = ("AVBL", "VB6", "DB4", "VD6", "SMDVL")
"""Neurons whose voltage is recorded and plotted when none are named."""

_START = -60.0  # [mV] where every cell starts; neurons of a Simulation scatter around it
_CELSIUS = 20.0
_SLABS = 48  # of the default body; here it only tells silenced receptors from the others
# Point processes with a POINTER into the world -> what it reads, and the source that an exported model leaves out.
_SENSING = {
    "StretchReceptor": ("stretch", "stretch_receptor.mod"),
    "SensoryTransduction": ("concentration", "sensory_transduction.mod"),
    "Mechanosensory": ("indentation", "mechanosensory.mod"),
}
_POOL = "ca_pool"
_CURRENT = "current"  # NetPyNE label of the clamp that the loop drives
_FOREVER = 1e9  # [ms]

# NEURON drops a handler that nothing refers to.
_handler = None


def network_parameters(worm: Worm):
    """NetPyNE's `netParams` of a worm, to edit and run as usual; loads Tianbao's mechanisms.

    Receptors sense nothing until `receptor._ref_stretch`, `receptor._ref_concentration` (chemosensory endings)
    or `receptor._ref_indentation` (touch) points to something.

    Args:
        worm: with its interventions.

    Returns:
        `netpyne.specs.NetParams`.

    Raises:
        MechanismError: if the mechanisms cannot be compiled or loaded.
    """
    global _handler
    params, _ = _described(worm)
    from netpyne import sim

    _handler = sim.h.FInitializeHandler(0, _settle)
    return params


def run_options(
    duration: float = 200.0, dt: float = 0.5, record: Sequence[str] = RECORDED, start: float = _START
):
    """NetPyNE's `simConfig` for a worm: time steps, recorded neurons, a plot of their traces.

    Args:
        duration: [ms]
        dt: [ms]
        record: neurons or globs whose soma voltage is recorded and plotted.
        start: initial voltage of every cell [mV].

    Returns:
        `netpyne.specs.SimConfig`.

    Raises:
        AnatomyError: for a neuron that does not exist.
        ConfigError: for a time that is not positive.
    """
    options = _options(duration, dt, record, start, _all_cells())
    mechanisms.load()
    from netpyne import specs

    config = specs.SimConfig()
    for name, value in options.items():
        setattr(config, name, value)
    return config


def export_netpyne(
    worm: Worm,
    folder: str | Path,
    *,
    duration: float = 200.0,
    dt: float = 0.5,
    record: Sequence[str] = RECORDED,
    start: float = _START,
    sites: str = "rules",
    cells: str | Sequence[str] = (),
    neurons_only: bool = False,
) -> list[Path]:
    """Write a model folder that `netpyne.sim.loadModel` and NetPyNE's GUI (File > Open) read, without Tianbao.

    Args:
        worm: with its interventions.
        folder: made if need be.
        duration, dt: of a run [ms].
        record: neurons or globs whose soma voltage is recorded and plotted.
        start: initial voltage of every cell [mV].
        sites: "rules" writes one connection rule per presynaptic site and pair of cells, named "pre>post ...", which
            NetPyNE's validator accepts; "lists" one rule per kind of synapse with lists of sites, shorter, refused by
            the validator and by its GUI.
        cells: names or globs of the neurons and muscles to export, for a model that is drawn quickly; all if empty.
            What belongs to the others, their connections, stimuli and receptors, is left out, and a log line says how
            much.
        neurons_only: leaves the muscles out.

    Returns:
        The files written.

    Raises:
        AnatomyError: for a cell that does not exist.
        ConfigError: for an unknown option, or a recorded neuron that is left out.
        OutputError: if the folder cannot be written to.
    """
    if sites not in SITES:
        raise ConfigError(unknown("way to write sites", str(sites), SITES))
    order = _all_cells()
    chosen = chosen_cells(cells, order, neurons_only)
    options = _options(duration, dt, _recorded(record, chosen), start, chosen)
    params, design = _described(worm)
    _without_body(params, design)
    left_out = leave_out(params, order, chosen) if len(chosen) < len(order) else {}
    if left_out:
        log.info("left out: %s", ", ".join(f"{number} {what}" for what, number in left_out.items()))
    if sites == "rules":
        params.connParams = rule_per_pair(params.connParams, chosen)
    folder = prepare_folder(folder)
    texts = {
        "netParams.json": _json(params, worm, left_out),
        "netParams.py": _NET_PARAMS.format(name=folder.resolve().name, made=_made(worm)),
        "cfg.py": _config_script(options),
        **{f"mod/{path.name}": path.read_text(encoding="utf-8") for path in _exported_sources()},
        **{f"mod/{name}": text for name, text in FIXED_MECHANISMS.items()},
        # Last: a folder without an index is not taken for a whole model.
        "index.npjson": _index(folder.resolve().name),
    }
    return [write_atomically(folder / name, text.encode()) for name, text in texts.items()]


def _exported_sources() -> list[Path]:
    left_out = {source for _, source in _SENSING.values()}
    return [path for path in mechanisms.sources() if path.name not in left_out]


def _described(worm: Worm) -> tuple:
    """The network as assembly builds it, with currents and places; and its design."""
    mechanisms.load()
    with paths.kept_figures():
        from netpyne import specs

    from ..network.assembly import net_params
    from ..network.rules import connection_rules

    design = worm.design(curvature_positions(_SLABS + 1))
    design.check_exportable()
    params = net_params(specs, design, connection_rules(design))
    _drive(params, design, worm)
    _put_in_place(params, design)
    return params, design


def _drive(params, design: NetworkDesign, worm: Worm) -> None:
    """One current clamp per neuron with its bias, and one more per pulse."""
    blank, target = params.stimSourceParams.pop(_CURRENT), params.stimTargetParams.pop(f"{_CURRENT}->soma")
    for name, bias in zip(design.neurons, design.bias() * NA_PER_PA, strict=True):
        # Not the bare name: NetPyNE's plots do not recognise a cell whose name is also that of a source.
        label = f"{_CURRENT}_{name}"
        params.stimSourceParams[label] = {**blank, "amp": float(bias)}
        params.stimTargetParams[f"{label}->soma"] = {**target, "source": label, "conds": {"pop": [name]}}
    for number, (name, pulse) in enumerate(worm.pulses, start=1):
        label = f"pulse_{number}"
        params.stimSourceParams[label] = {
            **blank, "delay": pulse.start, "dur": pulse.stop - pulse.start, "amp": pulse.amplitude
        }  # fmt: skip
        params.stimTargetParams[f"{label}->{name}"] = {**target, "source": label, "conds": {"pop": [name]}}


def _put_in_place(params, design: NetworkDesign) -> None:
    """Where plots of NetPyNE draw each cell: at its soma, a muscle in its quadrant."""
    places = {name: cell.cables[0].points[:, :3].mean(axis=0) for name, cell in design.cells.items()}
    places |= _muscle_places(design)
    for name, place in places.items():
        for axis, value in zip("xyz", place, strict=True):
            params.popParams[name][f"{axis}Range"] = [float(value), float(value)]
    extent = np.ptp(np.array(list(places.values())), axis=0)
    params.sizeX, params.sizeY, params.sizeZ = (float(each) for each in extent)


def _muscle_places(design: NetworkDesign) -> dict[str, np.ndarray]:
    """Middle of every muscle in the frame of the tracings [um]."""
    frame, muscles = BodyFrame.standard(), design.muscles
    arc = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(frame.line, axis=0), axis=1))])
    along = muscles.s.to_numpy() * arc[-1]
    out = design.muscle_membrane.distance
    dorsal = np.where(muscles.quadrant.str[0] == "D", out, -out)
    right = np.where(muscles.quadrant.str[1] == "R", out, -out)
    y, z = (np.interp(along, arc, frame.line[:, axis]) for axis in (0, 1))
    return dict(zip(muscles.index, np.column_stack([frame.mid_plane - right, y, z + dorsal]), strict=True))


def _settle() -> None:
    """Before NEURON initialises: hold E_Ca, and give an input of 0 to receptors that point nowhere."""
    from netpyne import sim

    h = sim.h
    for section in h.allsec():
        if h.ismembrane(_POOL, sec=section):
            h.ion_style("ca_ion", 3, 1, 0, 0, 0, sec=section)
            for segment in section:
                segment.eca = constants()["reversal_calcium"]
    for mechanism, (pointer, _) in _SENSING.items():
        for receptor in h.List(mechanism):
            try:
                getattr(receptor, pointer)
            except ValueError:
                setattr(receptor, f"_ref_{pointer}", _nothing(h)._ref_x[0])


_zero = None


def _nothing(h):
    """The zero that all receptors without a world read (NEURON Vector)."""
    global _zero
    if _zero is None:
        _zero = h.Vector(1)
    return _zero


def _without_body(params, design: NetworkDesign) -> None:
    """Express as data what the handler does beside an installed Tianbao."""
    from netpyne import sim

    for name, cell in params.cellParams.items():
        for section in cell["secs"].values():
            for point in section.get("pointps", {}).values():
                if point["mod"] not in _SENSING:
                    continue
                pointer, _ = _SENSING[point["mod"]]
                if pointer == "stretch" and name in design.silenced:
                    point["gain"] = 0.0
                point |= {"mod": f"Fixed{point['mod']}", pointer: 0.0}
            if _POOL in section["mechs"]:
                section["mechs"]["calcium_reversal"] = {"e": constants()["reversal_calcium"]}
            for ion, values in section.get("ions", {}).items():
                # NetPyNE's validator requires concentrations, too; these are the ones NEURON would take.
                for side in "io":
                    values[side] = float(getattr(sim.h, f"{ion}{side}0_{ion}_ion"))


def _all_cells() -> list[str]:
    """Every cell of the model in its order."""
    return [*anatomy.neurons().index, *anatomy.muscles().index]


def _recorded(record: Sequence[str], chosen: Sequence[str]) -> list[str]:
    """Neurons to record in a model that does not hold every cell."""
    names = anatomy.match_neurons(*([record] if isinstance(record, str) else record)) if record else []
    absent = [name for name in names if name not in set(chosen)]
    if not absent:
        return names
    if tuple(record) != RECORDED:
        raise ConfigError(f"record: {absent[0]} is left out of the model; choose it with cells as well")
    # Of a small model, some of what it holds.
    known = set(anatomy.neurons().index)
    return [name for name in names if name not in absent] or [each for each in chosen if each in known][: len(RECORDED)]


def _options(duration: float, dt: float, record: Sequence[str], start: float, cells: Sequence[str]) -> dict:
    """Attributes of NetPyNE's run options that differ from its own."""
    if not 0.0 < dt <= duration < np.inf:
        raise ConfigError(f"duration {duration!r} and dt {dt!r} ms: need 0 < dt <= duration")
    if not np.isfinite(start):
        raise ConfigError(f"start {start!r} mV is not a voltage: give a number")
    names = anatomy.match_neurons(*([record] if isinstance(record, str) else record)) if record else []
    return {
        "duration": float(duration),
        "dt": float(dt),
        "recordStep": float(dt),
        "hParams": {"celsius": _CELSIUS, "v_init": float(start)},
        "recordCells": list(names),
        "recordTraces": {"V_soma": {"sec": "soma", "loc": 0.5, "var": "v"}},
        "analysis": default_plots(names, cells),
        "filename": "tianbao",
        "verbose": False,
        "progressBar": 0,
        # Traced points are where they are; a synapse sits on the one section and place it names.
        "pt3dRelativeToCellLocation": False,
        "oneSynPerNetcon": True,
        "connRandomSecFromList": False,
        "distributeSynsUniformly": False,
    }


def _json(params, worm: Worm, left_out: dict[str, int]) -> str:
    from ..loop import provenance

    about = {
        "tianbao": provenance.versions()["tianbao"],
        "mechanism_hash": provenance.mechanism_hash(),
        "interventions": worm.interventions,
        "left_out": left_out,
    }
    content = _ended({"about": about, "net": {"params": params.todict()}})
    return json.dumps(content, allow_nan=False, separators=(",", ":"))


def _ended(content):
    """The same with a long time in place of infinity, which JSON does not support."""
    if isinstance(content, dict):
        return {key: _ended(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [_ended(value) for value in content]
    return _FOREVER if isinstance(content, float) and content == np.inf else content


def _made(worm: Worm) -> str:
    """The interventions, one a line, harmless inside a docstring."""
    changes = [", ".join(f"{key} {value}" for key, value in each.items()) for each in worm.interventions]
    return "\n".join(changes or ["none"]).replace("\\", "/").replace('"', "'")


def _config_script(options: dict) -> str:
    lines = [f"simConfig.{name} = {value!r}" for name, value in options.items()]
    return "\n".join([_CONFIG_HEAD, *lines, "cfg = simConfig", ""])


def _index(name: str) -> str:
    content = {
        "name": name,
        "mod_folder": "mod",
        "simConfig": "cfg.py",
        "simConfig_variable": "simConfig",
        "netParams": "netParams.py",
        "netParams_variable": "netParams",
    }
    return json.dumps(content, indent=4) + "\n"


_NET_PARAMS = '''\
"""{name}: the nervous system of C. elegans, written by Tianbao. All of it is in netParams.json.

Interventions:
{made}
"""

from pathlib import Path

from netpyne import sim

# NetPyNE's own loader runs this file in its folder and gives it no __file__.
HERE = Path(globals().get("__file__", "netParams.py")).resolve().parent
netParams = sim.loadNetParams(str(HERE / "netParams.json"), setLoaded=False)
'''

_CONFIG_HEAD = '''\
"""Run options; times in ms, voltages in mV."""

from netpyne import specs

simConfig = specs.SimConfig()'''
