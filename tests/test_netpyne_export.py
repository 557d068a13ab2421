"""The exported model, opened by NetPyNE alone, is the network that Tianbao assembles: same structure, same voltages.

A process holds one network, so each is built in a process of its own; what it holds comes back as JSON.
"""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tianbao import Pulse, Worm, mechanisms
from tianbao.errors import AnatomyError, ConfigError, OutputError
from tianbao.io.fixed_mechanisms import FIXED_MECHANISMS
from tianbao.io.netpyne_model import export_netpyne

TOLERANCE = 1e-6  # [mV]
SIMS = Path(__file__).parents[1] / "sims"

# What a network is made of, read from NEURON: the same words whoever built it.
INVENTORY = '''
import json
from neuron import h

def variables(mechanism):
    """Of a density; not by psection(), which a POINTER that points to nothing stops."""
    standard, text = h.MechanismStandard(mechanism, 0), h.ref("")
    names = [standard.name(text, k) and text[0] for k in range(int(standard.count()))]
    return [name for name in names if name != f"modulation_{mechanism}"]

def section(each):
    built = each["hObj"]
    parent = built.parentseg()
    mechs = {
        mech.name(): {name: [getattr(segment, name) for segment in built] for name in variables(mech.name())}
        for mech in built(0.5)
        if mech.name() != "calcium_reversal" and not mech.name().endswith("_ion")
    }
    place = None if parent is None else (parent.sec.name().split(".")[-1], parent.x)
    return [built.nseg, built.L, built.Ra, [[s.area(), s.cm, s.diam] for s in built], place, mechs]

def synapse(point):
    return [getattr(point, key, None) for key in ("weight", "e", "v_half", "slope", "tau")]

def receptors(each):
    keys = ("gain", "saturation", "share", "k_half", "tau", "polarity")
    return [[p["loc"], *(getattr(p["hObj"], key, None) for key in keys)] for p in each["pointps"].values()]

def inventory(sim):
    cells = {cell.tags["pop"]: cell for cell in sim.net.cells}
    names = {cell.gid: name for name, cell in cells.items()}
    conns = sorted(
        [names[c["preGid"]], c["preSec"], c["preLoc"], name, c["sec"], c["loc"], *map(str, synapse(c["hObj"]))]
        for name, cell in cells.items()
        for c in cell.conns
    )
    return {
        "sections": {n: {key: section(each) for key, each in c.secs.items()} for n, c in cells.items()},
        "connections": conns,
        "receptors": {n: [receptors(e) for e in c.secs.values() if e["pointps"]] for n, c in cells.items()},
        "clamps": {n: sorted((s["hObj"].delay, s["hObj"].dur) for s in c.stims) for n, c in cells.items()},
    }
'''

OURS = INVENTORY + '''
import sys
from tianbao import Worm
from tianbao.behaviour import curvature_positions
from tianbao.engine.neuron_brain import NeuronBrain
from tianbao.network.assembly import Network
from tianbao.units import NA_PER_PA

network = Network(Worm().design(curvature_positions(49)))
found = inventory(network.sim)
for each in network.sections:
    each.v = -60.0
brain = NeuronBrain(network)
brain.current[:] = network.design.bias() * NA_PER_PA
brain.start([-60.0] * len(network.cells), 0.5, 1)
muscles = [network.muscle(name)(0.5) for name in network.design.muscles.index]
trace = [[*brain.voltage, *(each.v for each in muscles)]]
for step in range(1, int(float(sys.argv[1]) / 0.5) + 1):
    brain.advance(0.5 * step)
    trace.append([*brain.voltage, *(each.v for each in muscles)])
json.dump({**found, "names": list(network.cells), "voltage": trace}, open(sys.argv[2], "w"))
'''

THEIRS = INVENTORY + '''
import sys
FOLDER, LIBRARY = sys.argv[3], sys.argv[4]
if LIBRARY:
    # Compiled already, what Tianbao and the export share need not be compiled again.
    from neuron import h
    h.nrn_load_dll(LIBRARY)
from netpyne import sim
from netpyne.sim import validator
cfg, netParams = sim.loadModel(FOLDER)
assert not any(name.split(".")[0] == "tianbao" for name in sys.modules)
_, failed = validator.validateNetParams(netParams, printWarnings=False)
cfg.duration = float(sys.argv[1])
cfg.analysis, cfg.recordCells = {}, ["all"]
cfg.recordTraces = {f"V_{s}": {"sec": s, "loc": 0.5, "var": "v"} for s in ("soma", "muscle")}
sim.initialize(netParams, cfg)
sim.net.createPops(), sim.net.createCells(), sim.net.connectCells(), sim.net.addStims(), sim.setupRecording()
found = inventory(sim)
sim.runSim()
names = [cell.tags["pop"] for cell in sim.net.cells]
traces = [
    list(sim.simData["V_soma" if "soma" in cell.secs else "V_muscle"][f"cell_{cell.gid}"]) for cell in sim.net.cells
]
failed = [each.component for each in failed]
json.dump({**found, "names": names, "voltage": list(zip(*traces)), "failed": failed}, open(sys.argv[2], "w"))
'''


def in_its_own_process(code, out, *arguments, cwd=None):
    """Run a program and read the JSON that it leaves."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join([bin_folder, os.environ["PATH"]]),
        "NEURON_MODULE_OPTIONS": "-nogui",
        "MAKEFLAGS": "-j2",
    }
    command = [sys.executable, "-P", "-c", textwrap.dedent(code), *map(str, arguments)]
    run = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(Path(out).read_text())


def compare(duration, folder, library, tmp_path):
    """Both networks, after asserting that they are one."""
    ours, theirs = tmp_path / "ours.json", tmp_path / "theirs.json"
    one = in_its_own_process(OURS, ours, duration, ours, cwd=tmp_path)
    two = in_its_own_process(THEIRS, theirs, duration, theirs, folder, library, cwd=tmp_path)
    assert two["names"] == one["names"] and len(one["names"]) == 302 + 95
    for part in ("sections", "connections", "receptors", "clamps"):
        assert two[part] == one[part], part
    assert len(one["voltage"]) == len(two["voltage"]) == int(duration / 0.5) + 1
    apart = max(
        abs(a - b)
        for row, other in zip(one["voltage"], two["voltage"], strict=True)
        for a, b in zip(row, other, strict=True)
    )
    assert apart < TOLERANCE
    # Not because nothing happened.
    moved = max(abs(end - start) for start, end in zip(one["voltage"][0], one["voltage"][-1], strict=True))
    assert moved > 10.0
    return one, two


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    export_netpyne(Worm(), folder)
    return folder


def description(folder):
    """What a folder's JSON says."""
    return json.loads((folder / "netParams.json").read_text())


def test_netpyne_alone_opens_the_export_and_gets_the_same_network_and_voltages(folder, tmp_path):
    _, two = compare(50.0, folder, mechanisms.build(), tmp_path)
    assert two["failed"] == []


@pytest.mark.slow
def test_the_voltages_are_the_same_for_200_ms_with_mechanisms_compiled_from_the_folder(tmp_path):
    export_netpyne(Worm(), tmp_path / "model")
    compare(200.0, tmp_path / "model", "", tmp_path)


@pytest.mark.slow
def test_lists_of_sites_give_the_same_network_and_only_they_are_refused(tmp_path):
    export_netpyne(Worm(), tmp_path / "model", sites="lists")
    _, two = compare(20.0, tmp_path / "model", mechanisms.build(), tmp_path)
    assert two["failed"] == ["connParams"]


def test_the_index_names_files_that_are_there(folder):
    index = json.loads((folder / "index.npjson").read_text())
    assert (folder / index["netParams"]).is_file() and (folder / index["simConfig"]).is_file()
    mods = {path.name for path in (folder / index["mod_folder"]).glob("*.mod")}
    assert set(FIXED_MECHANISMS) <= mods and "stretch_receptor.mod" not in mods
    assert index["netParams_variable"] == "netParams" and index["simConfig_variable"] == "simConfig"


def test_the_mechanisms_of_the_export_are_clean_for_neurons_own_unit_checker(folder):
    tool = Path(sys.executable).with_name("modlunit")
    for name in FIXED_MECHANISMS:
        said = subprocess.run([tool, name], cwd=folder / "mod", capture_output=True, text=True, check=False)
        assert said.returncode == 0 and "error" not in (said.stdout + said.stderr).lower(), said.stdout


def test_interventions_are_in_the_export(tmp_path):
    worm = Worm().ablate("AVA*").knock_out("egl19").stimulate("AVBL", Pulse(0.01, 10.0, 30.0))
    export_netpyne(worm, tmp_path)
    said = description(tmp_path)
    params = said["net"]["params"]
    assert [each["verb"] for each in said["about"]["interventions"]] == ["ablate", "knock_out", "stimulate"]
    partners = {name for rule in params["connParams"].values() for side in ("preConds", "postConds")
                for name in rule[side]["pop"]}  # fmt: skip
    assert not partners & {"AVAL", "AVAR"} and "AVBL" in partners
    sections = [each for cell in params["cellParams"].values() for each in cell["secs"].values()]
    inserted = {name for each in sections for name in each["mechs"]}
    assert "egl19" not in inserted and "unc2" in inserted
    pulse = params["stimSourceParams"]["pulse_1"]
    assert (pulse["amp"], pulse["delay"], pulse["dur"]) == (0.01, 10.0, 20.0)
    compile((tmp_path / "netParams.py").read_text(), "netParams.py", "exec")
    assert "AVA*" in (tmp_path / "netParams.py").read_text()


def test_channels_that_are_opened_for_ever_are_in_the_export(tmp_path):
    export_netpyne(Worm().illuminate("AVBL", start=5.0).clamp("VB6", voltage=-30.0), tmp_path)
    cells = description(tmp_path)["net"]["params"]["cellParams"]
    for name in ("AVBL", "VB6"):
        points = [point for each in cells[name]["secs"].values() for point in each.get("pointps", {}).values()]
        opened = [point for point in points if point["mod"] == "SwitchedConductance"]
        assert opened and all(point["stop"] >= 1e9 for point in opened)


def test_silenced_receptors_stay_silent_whatever_stretch_the_user_sets(tmp_path):
    export_netpyne(Worm().silence_stretch_receptors("VB*"), tmp_path)
    cells = description(tmp_path)["net"]["params"]["cellParams"]
    gains = {
        name: {point["gain"] for each in cells[name]["secs"].values() for point in each.get("pointps", {}).values()}
        for name in ("VB6", "DB4")
    }
    assert gains["VB6"] == {0.0} and 0.0 not in gains["DB4"]


def test_the_scripts_of_sims_run_in_netpyne_and_leave_a_plot_with_traces(tmp_path):
    code = """
    import json, sys
    sys.path.insert(0, sys.argv[1])
    from cfg import cfg, simConfig
    from netParams import netParams
    from netpyne import sim
    assert cfg is simConfig
    simConfig.duration = 20.0
    simConfig.analysis = {"plotTraces": simConfig.analysis["plotTraces"]}
    netParams.stimSourceParams["current_VD6"]["amp"] += 0.005
    drawn = sim.createSimulateAnalyze(netParams, simConfig)
    cells = {cell.tags["pop"]: cell.gid for cell in sim.net.cells}
    last = {name: sim.simData["V_soma"][f"cell_{cells[name]}"][-1] for name in simConfig.recordCells}
    lines = len(sim.analysis.plotTraces(include=simConfig.recordCells, oneFigPer="trace")[1]["tracesData"])
    json.dump({"last": last, "lines": lines}, open(sys.argv[2], "w"))
    """
    out = tmp_path / "out.json"
    said = in_its_own_process(code, out, SIMS, out, cwd=tmp_path)
    assert len(said["last"]) == said["lines"] == 5
    assert said["last"]["VD6"] > -50.0 > said["last"]["VB6"]
    assert (tmp_path / "tianbao_traces.png").stat().st_size > 10_000


@pytest.mark.slow
def test_every_plot_of_the_run_options_can_be_read(tmp_path):
    """Names in legends and on axes are few, no muscle stretches the picture, and nothing waits for spikes."""
    code = """
    import json, sys
    sys.path.insert(0, sys.argv[1])
    from cfg import simConfig
    from matplotlib import pyplot as plt
    from netParams import netParams
    from netpyne import sim
    simConfig.duration = 5.0
    sim.create(netParams, simConfig)
    sim.simulate()
    said = {}
    for name, options in simConfig.analysis.items():
        getattr(sim.analysis, name)(showFig=False, **options)
        figure = plt.gcf()
        legends = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
        entries = sum(len(each.get_texts()) for each in legends)
        limits = figure.axes[0].get_zlim3d() if name == "plotShape" else None
        said[name] = [entries, len(figure.axes[0].get_xticklabels()), limits]
    json.dump(said, open(sys.argv[2], "w"))
    """
    out = tmp_path / "out.json"
    said = in_its_own_process(code, out, SIMS, out, cwd=tmp_path)
    assert set(said) == {"plotTraces", "plot2Dnet", "plotConn", "plotShape"}
    assert max(entries for entries, *_ in said.values()) <= 12 and 40 < said["plotConn"][1] < 70
    low, high = said["plotShape"][2]
    assert 500.0 < high - low < 1200.0  # [um], about the length of a worm


def test_rules_are_named_by_the_cells_that_they_connect(folder):
    rules = description(folder)["net"]["params"]["connParams"]
    for name, rule in rules.items():
        (pre,), (post,) = rule["preConds"]["pop"], rule["postConds"]["pop"]
        assert name.startswith(f"{pre}>{post} ")
    assert "AVAL>VA6 synapse_excitatory" in rules and any(name.startswith("AVBL>AVBR gap") for name in rules)


@pytest.mark.parametrize("sites", ["rules", "lists"])
def test_a_part_of_the_cells_keeps_its_connections_and_loses_the_others(folder, tmp_path, sites, caplog):
    caplog.set_level("INFO", "tianbao")
    worm, cells = Worm(), ["AVB*,DB4", "VB6", "MDL0[1-3]"]
    for name in ("AVBL", "RIML"):
        worm.stimulate(name, Pulse(0.01, 10.0, 30.0))
    export_netpyne(worm, tmp_path, cells=cells, neurons_only=sites == "lists", sites=sites)
    said = description(tmp_path)
    params, whole = said["net"]["params"], description(folder)["net"]["params"]
    kept = ["AVBL", "AVBR", "DB4", "VB6"] + (["MDL01", "MDL02", "MDL03"] if sites == "rules" else [])
    assert set(params["popParams"]) == set(params["cellParams"]) == set(kept)
    assert params["cellParams"]["VB6"] == whole["cellParams"]["VB6"]
    inside = {name: rule for name, rule in whole["connParams"].items()
              if {*rule["preConds"]["pop"], *rule["postConds"]["pop"]} <= set(kept)}  # fmt: skip
    if sites == "rules":
        assert params["connParams"] == inside and len(inside) > 5
    else:
        assert sum(len(rule["connList"]) for rule in params["connParams"].values()) == sum(
            len(rule["connList"]) for rule in inside.values()
        )
    assert {each["source"] for each in params["stimTargetParams"].values()} == set(params["stimSourceParams"])
    assert "pulse_1" in params["stimSourceParams"] and "pulse_2" not in params["stimSourceParams"]
    assert said["about"]["left_out"]["cells"] == 397 - len(kept) and "left out: 39" in caplog.text
    run_options = (tmp_path / "cfg.py").read_text()
    assert "recordCells = ['AVBL', 'DB4', 'VB6']" in run_options and "SMDVL" not in run_options


@pytest.mark.slow
def test_a_part_of_the_cells_runs_in_netpyne_alone(tmp_path):
    export_netpyne(Worm(), tmp_path / "model", cells="AVB*", duration=5.0)
    code = """
    import json, sys
    from neuron import h
    h.nrn_load_dll(sys.argv[2])
    from netpyne import sim
    from netpyne.sim import validator
    cfg, netParams = sim.loadModel(sys.argv[1])
    _, failed = validator.validateNetParams(netParams, printWarnings=False)
    sim.create(netParams, cfg)
    sim.simulate()
    names = {cell.tags["pop"]: len(cell.conns) for cell in sim.net.cells}
    json.dump([names, len(failed), cfg.recordCells], open(sys.argv[3], "w"))
    """
    out = tmp_path / "out.json"
    names, failed, traces = in_its_own_process(code, out, tmp_path / "model", mechanisms.build(), out, cwd=tmp_path)
    assert set(names) == {"AVBL", "AVBR"} and min(names.values()) > 0 and failed == 0 and traces == ["AVBL"]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"cells": ["AVQ*"]}, AnatomyError),
        ({"cells": "MDL*", "neurons_only": True}, AnatomyError),
        ({"cells": ["VB*"], "record": ["AVBL"]}, ConfigError),
        ({"sites": "list"}, ConfigError),
        ({"duration": 0.0}, ConfigError),
        ({"dt": float("nan")}, ConfigError),
        ({"start": float("inf")}, ConfigError),
        ({"record": ["AVBX"]}, AnatomyError),
    ],
)
def test_a_wrong_option_is_refused_before_anything_is_written(options, error, tmp_path):
    with pytest.raises(error):
        export_netpyne(Worm(), tmp_path / "model", **options)
    assert not (tmp_path / "model").exists()


def test_a_folder_that_cannot_be_written_to_is_one_sentence(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="taken"):
        export_netpyne(Worm(), tmp_path / "taken")
