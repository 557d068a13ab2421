"""Amines as slow states: their option and tables, who feels food, what levels do, and knock-outs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import script

import tianbao as tb
from tianbao import anatomy
from tianbao.config import config_of
from tianbao.configured import worms_of
from tianbao.loop.loop import Loop
from tianbao.network.amine_levels import AmineLevels
from tianbao.network.amines import CHLORIDE, RELEASE, SECRETION, Amines, amine_genes, effects, sources
from tianbao.network.modulation import Modulation
from tianbao.network.wiring import of_tyramine
from tianbao.sensing import FoodSense, receptors

STEPS = np.linspace(0.0, 1.0, 47)
FEELS = ["CEPDL", "CEPDR", "CEPVL", "CEPVR", "ADEL", "ADER", "PDEL", "PDER", "NSML", "NSMR"]
MISSES = ["AWCL", "AWCR", "ASKL", "ASKR"]
ON = Amines.of("on")


def worm(**options):
    return tb.Worm(discretisation="d_lambda", **options)


def design(made):
    return made.design(STEPS)


def levels_of(amines, voltage, tick=4.0):
    names = anatomy.neurons().index
    soma = np.array([voltage.get(anatomy.neuron_class(name), -75.0) for name in names])
    return AmineLevels(amines, list(names), soma, 4.0, tick), soma


# --- option and tables


@pytest.mark.parametrize("given", ["off", "on", {"mod-1": 0.5}])
def test_a_configuration_keeps_the_option(given):
    made = tb.Worm(amines=given)
    config = tb.Simulation(made, progress=False).configuration(100.0)
    assert config.worm.amines == given
    (again,) = worms_of(config_of(config.to_toml(), "test"))
    assert again.amines == made.amines == Amines.of(given)


@pytest.mark.parametrize(
    ("given", "says"),
    [("yes", "unknown amines 'yes'"), ({"mod-2": 1.0}, "unknown receptor 'mod-2'"), ({"mod-1": -1.0}, "mod-1"),
     ({}, "a table of strengths"), (3, "a table of strengths")],
)  # fmt: skip
def test_what_is_no_option_is_refused(given, says):
    with pytest.raises(tb.ConfigError, match=says):
        tb.Worm(amines=given)


def test_every_share_adds_up_and_every_receptor_is_where_the_table_of_the_connectome_says():
    for ligand in ON.ligands:
        assert sum(each.share for each in sources() if each.ligand == ligand) == pytest.approx(1.0)
    carried = pd.concat([anatomy.monoamine(), anatomy.neuropeptide()])
    of = {gene: set(theirs) for gene, theirs in carried.groupby("receptor").post}
    beyond = {each.receptor for each in effects() if not set(each.neurons) <= of.get(each.receptor, set())}
    assert beyond == {"unknown", "pdfr-1", "npr-6"}  # rows of "+": by their sources, not by the tables
    given_off = set(zip(carried.ligand, carried.pre, strict=True))
    for each in sources():
        assert {(each.ligand, name) for name in each.neurons} <= given_off, each
    assert "unknown" not in amine_genes()


# --- off


def test_off_there_is_no_level_no_channel_and_no_receptor_of_food():
    made = design(worm())
    assert made.endings[FoodSense.name] == () and made.gated == () and made.modulated == ()
    assert made.inputs["amines"] == slice(made.inputs.size, made.inputs.size)
    assert made.release_half("CEPDL") is None
    assert design(worm(decision="network")).release_half("NSML") is None


def test_who_feels_food_keeps_its_synapses_in_a_worm_that_decides():
    made = design(worm(decision="network", amines="on"))
    assert made.release_half("CEPDL") is None and made.release_half("ASHL") is not None


# --- levels


def test_a_level_follows_the_release_of_its_neurons_with_its_time_constant():
    levels, soma = levels_of(ON, {"CEP": 0.0, "ADE": 0.0, "PDE": 0.0})
    for _ in range(500):  # 2 s, the time constant of dopamine
        levels.adapt(None)
    assert levels.levels["dopamine"] == pytest.approx(1.0 - np.exp(-1.0), abs=1e-3)
    assert levels.levels["serotonin"] < 1e-3 and levels.levels["tyramine"] < 1e-3
    soma[:] = -75.0
    before = levels.levels["dopamine"]
    for _ in range(500):
        levels.adapt(None)
    assert levels.levels["dopamine"] == pytest.approx(before * np.exp(-1.0), abs=1e-3)


def test_a_class_brings_its_share():
    levels, _ = levels_of(ON, {"HSN": 0.0})
    for _ in range(20_000):
        levels.adapt(None)
    share = next(each.share for each in sources() if "HSNL" in each.neurons)
    assert levels.levels["serotonin"] == pytest.approx(share, abs=1e-3)


def test_the_state_of_levels_comes_back_to_the_bit():
    levels, _ = levels_of(ON, {"NSM": -45.0, "RIM": -20.0})
    for _ in range(100):
        levels.adapt(None)
    state, seen = levels.state(), np.zeros(len(ON.ligands))
    levels.write(None, seen)
    for _ in range(100):
        levels.adapt(None)
    levels.restore(state)
    again = np.zeros(len(ON.ligands))
    levels.write(None, again)
    assert np.array_equal(seen, again) and seen.max() > 0.0


def test_release_of_a_motor_neuron_has_the_product_of_its_receptors():
    levels, _ = levels_of(ON, {"CEP": 0.0, "ADE": 0.0, "PDE": 0.0})
    for _ in range(20_000):
        levels.adapt(None)
    out = np.zeros(len(ON.reached))
    Modulation((), 4.0, ON.reached, levels).write(None, out)
    strength = {each.receptor: each.strength for each in effects() if each.kind == RELEASE}
    factor = {name: value for group, value in zip(ON.reached, out, strict=True) for name in group.neurons}
    assert factor["VB3"] == pytest.approx(strength["dop-3"] * strength["dop-1"], abs=1e-3)
    assert factor["DD2"] == pytest.approx(strength["dop-3"], abs=1e-3)
    assert factor["RIBL"] == pytest.approx(strength["dop-1"], abs=1e-2)  # and SER-4, without serotonin
    assert "ASIL" not in factor


def test_receptors_change_what_a_cell_gives_off():
    quiet, _ = levels_of(ON, {"RIC": -54.0, "AVK": -52.0, "SIAV": -45.0})
    fed, _ = levels_of(ON, {"RIC": -54.0, "AVK": -52.0, "SIAV": -45.0, "CEP": 0.0, "ADE": 0.0, "PDE": 0.0})
    for _ in range(20_000):
        quiet.adapt(None)
        fed.adapt(None)
    before, after = quiet.levels, fed.levels
    dop3 = next(each.strength for each in effects() if each.receptor == "dop-3" and each.kind == SECRETION)
    assert before["octopamine"] > 0.6 and before["flp-1"] == pytest.approx(0.5, abs=1e-3)
    assert after["octopamine"] == pytest.approx(dop3 * before["octopamine"], rel=1e-2)
    assert after["flp-1"] < 0.5 * before["flp-1"] and after["pdf-1"] < 0.6 * before["pdf-1"]
    without, _ = levels_of(design(worm(amines="on").knock_out("dop-3")).amines, {"RIC": -54.0, "CEP": 0.0})
    for _ in range(20_000):
        without.adapt(None)
    assert without.levels["octopamine"] == pytest.approx(before["octopamine"], rel=1e-2)


def test_what_a_cell_gives_off_is_never_more_than_full():
    levels, _ = levels_of(ON, {"RIC": 0.0, "SIAV": 0.0})
    for _ in range(20_000):
        levels.adapt(None)
    share = next(each.share for each in sources() if "SIAVL" in each.neurons)
    assert levels.levels["pdf-1"] == pytest.approx(share, abs=2e-3) and levels.levels["octopamine"] <= 1.0


# --- genes


def test_what_is_killed_gives_nothing_off_and_is_not_reached():
    made = design(worm(amines="on").ablate("NSM*", "VB3")).amines
    assert made.left("tph-1", "NSML") == 0.0 and made.left("tph-1", "HSNL") == 1.0
    assert not any("VB3" in each.neurons for each in made.reached)


def test_a_knock_out_of_synthesis_leaves_no_level():
    levels, _ = levels_of(design(worm(amines="on").knock_out("cat-2")).amines, {"CEP": 0.0, "NSM": 0.0})
    for _ in range(1_000):
        levels.adapt(None)
    assert levels.levels["dopamine"] == 0.0 and levels.levels["serotonin"] > 0.4


def test_a_knock_out_of_a_receptor_takes_its_effect_away():
    intact, mutant = (design(each) for each in (worm(amines="on"), worm(amines="on").knock_out("mod-1", "dop-3")))
    carriers = {effect.receptor: set(effect.neurons) for effect in effects() if effect.kind == CHLORIDE}
    assert {each.neuron for _, each in intact.gated} == carriers["mod-1"] | carriers["lgc-53"]
    assert {each.neuron for _, each in mutant.gated} == carriers["lgc-53"]
    assert not any("dop-3" in each.gene for each in mutant.amines.reached)
    half = design(worm(amines="on").knock_down("mod-1", 0.5, cells="RIM*"))
    total = [sum(each.total for ligand, each in made.gated if each.neuron == "RIML") for made in (intact, half)]
    assert total[1] == pytest.approx(0.5 * total[0])


@pytest.mark.parametrize(
    ("gene", "ligand"), [("tbh-1", "octopamine"), ("tdc-1", "octopamine"), ("pdf-1", "pdf-1"), ("flp-1", "flp-1")]
)
def test_a_peptide_and_octopamine_are_gone_without_their_genes(gene, ligand):
    active = {each: 0.0 for each in ("RIC", "AVB", "PVP", "SIAV", "RID", "AVK")}
    levels, _ = levels_of(design(worm(amines="on").knock_out(gene)).amines, active)
    for _ in range(2_000):
        levels.adapt(None)
    gone = {name for name in ("octopamine", "pdf-1", "flp-1") if levels.levels[name] == 0.0}
    assert gone == {ligand}


def test_pdfr_1_and_npr_1():
    mutant = design(worm(amines="on").knock_out("pdfr-1")).amines
    assert not any("pdfr-1" in each.gene for each in mutant.reached)
    assert any("pdfr-1" in each.gene for each in ON.reached)
    for change in (lambda w: w.knock_out("npr-1"), lambda w: w.knock_down("npr-1", 0.5)):
        with pytest.raises(tb.ConfigError, match="npr-1 has nothing to act on here"):
            change(worm(amines="on"))


@pytest.mark.parametrize("amines", ["off", "on"])
def test_tdc_1_and_lgc_55_end_tyramine_at_synapses_with_or_without_slow_amines(amines):
    made = worm(amines=amines, decision="network")
    before = design(made).tables
    assert of_tyramine(before.chemical).any()
    for gene in ("tdc-1", "lgc-55"):
        after = design(worm(amines=amines, decision="network").knock_out(gene)).tables
        assert not of_tyramine(after.chemical).any() and after.volume.empty
        assert len(after.chemical) == len(before.chemical) - of_tyramine(before.chemical).sum()
    some = design(worm(decision="network").knock_out("lgc-55", cells="AVB*")).tables
    left = some.chemical[of_tyramine(some.chemical)]
    assert len(left) and not left.post.str.startswith("AVB").any()


def test_a_gene_of_amines_that_are_off_is_told_and_cannot_be_modulated(caplog):
    tb.Worm().knock_out("tph-1")
    assert "amines are off" in caplog.text
    tb.Worm(decision="network").knock_out("tyra-3")
    assert "does not decide" not in caplog.text
    tb.Worm().knock_out("tyra-3")
    assert "does not decide" in caplog.text
    for gene in amine_genes():
        with pytest.raises(tb.ConfigError, match="follow their neurons"):
            tb.Worm().modulate(gene, 2.0)
    with pytest.raises(tb.ConfigError, match="is modulated by serotonin, dop-3, dop-1 already"):
        tb.Worm(amines="on").modulate("unc-17", 0.5, "VB3")


# --- in the loop


def on_food(engine):
    arena = tb.Arena("agar", fields=[tb.Lawn("food", radius=2.0, density=10.0)])
    return tb.Simulation(worm(amines="on"), arena, seed=4, engine=engine, progress=False)


def test_the_receptors_of_food_are_those_of_the_amine_neurons_and_of_those_that_miss_it():
    assert [each.neuron for each in receptors("food")] == [*FEELS, *MISSES]
    assert all(any(name in source.neurons for source in sources()) for name in FEELS)


def test_both_engines_agree_and_levels_are_recorded_beside_what_is_sensed(tmp_path):
    runs = []
    for engine in ("neuron", "native"):
        runs.append(on_food(engine).record(voltage=["*"], every=4.0).run(80.0))
    assert np.abs(runs[0].worms[0].voltage - runs[1].worms[0].voltage).max() < 1e-9
    levels = runs[1].amines()
    assert list(levels.columns) == list(ON.ligands) and levels.iloc[-1].dopamine > 0.0
    assert list(runs[1].sensed().columns) == [f"{name} food" for name in (*FEELS, *MISSES)]
    again = tb.open(runs[1].save(tmp_path / "food.h5"))
    assert again.amines().equals(levels) and again.sensed().equals(runs[1].sensed())
    assert [axes.get_ylabel() for axes in again.plot.sensed().axes][0] == "food [ug/mm2]"


def test_a_run_continues_from_its_state_to_the_same_bits():
    simulation = on_food("native")
    simulation.reset()
    simulation.step(40.0)
    loop: Loop = simulation._loop
    state = loop.state()
    first = simulation.step(40.0)
    loop.restore(state)
    again = simulation.step(40.0)
    assert np.array_equal(first.voltage, again.voltage)
    assert np.array_equal(first.inputs[0]["amines"], again.inputs[0]["amines"]) and first.inputs[0]["amines"].max() > 0


def test_worms_with_and_without_amines_share_an_arena():
    worms = [worm(), worm(at=(5.0, 0.0, 0.0), amines="on")]
    arena = tb.Arena("agar", fields=[tb.Lawn("food", radius=8.0, density=10.0)])
    run = tb.Simulation(worms, arena, seed=2, engine="native", progress=False).run(40.0)
    felt = [[name for name in run.sensed(k) if name.endswith("food")] for k in range(2)]
    assert [len(each) for each in felt] == [0, len(FEELS) + len(MISSES)]
    assert [run.amines(k).shape[1] for k in range(2)] == [0, len(ON.ligands)]


def test_such_a_worm_is_not_exported():
    with pytest.raises(tb.ConfigError, match="amines = off"):
        design(worm(amines="on")).check_exportable()


# --- the experiment


def test_the_experiment_of_food_judges_its_conditions():
    import pandas as pd

    food = script("food")
    speeds = {("intact", True): 0.15, ("intact", False): 0.25, ("cat-2", True): 0.24, ("cat-2", False): 0.25,
              ("tph-1", True): 0.17, ("tph-1", False): 0.25}  # fmt: skip
    rows = [
        {"condition": name, "food": there, "seed": 1, "worm": k, "speed_mm_s": speed, "forward_mm_s": speed,
         "reversals_per_min": 1.0 if there else 4.0, "nsm_mv": -20.0 if there else -70.0, "eaten_ug": 0.0}
        for (name, there), speed in speeds.items() for k in range(2)
    ]  # fmt: skip
    judged = food.verdicts(food.summarise(pd.DataFrame(rows)))
    assert judged.holds.all() and judged.value[0] == pytest.approx(0.6)
    mutants = {each.name: food.worm_of(food.Job(each, 1, 40.0), 0).interventions for each in food.CONDITIONS}
    assert [each["genes"] for each in mutants["tph-1"]] == [["tph-1"]] and not mutants["intact"]
