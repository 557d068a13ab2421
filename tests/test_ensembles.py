"""Ensembles of fits: what another member changes, where it is kept, and how the table of members is made."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

import tianbao as tb
from tianbao import anatomy
from tianbao.cells.declared import class_row
from tianbao.cells.ensembles import ENSEMBLES, cells, chosen_members, ensembles, member
from tianbao.cells.templates import templates
from tianbao.config import RunConfig, config_of
from tianbao.errors import ConfigError
from tianbao.experiment import resolved, worms_of
from tianbao.sweeps.plan import make_plan, read_plan

ROOT = Path(__file__).parents[1]
POSITIONS = np.linspace(0.02, 0.98, 47)


def differing(worm):
    """Neurons whose membrane differs from that of the worm with the best fits."""
    ours, best = worm.model().effects.membranes, tb.Worm().model().effects.membranes
    return {name for name in best if ours[name] != best[name]}


def test_a_member_is_that_of_every_neuron_with_the_template_and_of_no_other():
    expected = {name for name in anatomy.neurons().index if class_row(name)["template"] == "rim"}
    assert differing(tb.Worm(members={"RIM": 1})) == expected and "RIML" in expected
    assert differing(tb.Worm(members={"all": 1, "RIM": 0})).isdisjoint(expected)


def test_the_best_fit_changes_nothing():
    plain, best = tb.Worm(), tb.Worm(members={"all": 0})
    assert best.members == {} and best.network_key == plain.network_key
    assert tb.Worm(members={"RIM": 1}).network_key != plain.network_key
    assert all(members[0] == templates()[name] for name, members in ensembles().items())


def test_interventions_act_on_the_member_that_is_used():
    worm = tb.Worm(members={"RIM": 1}).knock_out("irk-1", cells="RIML")
    left, right = (worm.design(POSITIONS).membranes[name] for name in ("RIML", "RIMR"))
    assert "irk1" in right.conductances and left.conductances == right.without("irk1").conductances
    fitted, best = (tb.PatchedCell.of_template("rim", member=number) for number in (1, 0))
    assert fitted.soma.pas.g != best.soma.pas.g


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"RIN": 1}, "did you mean 'RIM'"),
        ({"RIM": 99}, "RIM has members 0 to"),
        ({"all": 99}, "has members 0 to"),
        ({"RIM": 1.5}, "whole number"),
        ({"RIM": True}, "whole number"),
        (3, "a table such as"),
    ],
)
def test_what_is_no_member_is_refused_in_a_sentence(given, said):
    with pytest.raises(ConfigError, match=said):
        tb.Worm(members=given)


def test_members_are_kept_with_a_result_and_make_the_same_worm_again():
    worms = [tb.Worm(members={"RIM": 1, "AIY": 1}), tb.Worm(at=(2.0, 0.0, 0.0), members={"AIY": 1})]
    kept = tb.Simulation(worms, engine="native").configuration(1000.0).to_toml()
    again = worms_of(config_of(kept, "kept"))
    assert [each.members for each in again] == [each.members for each in worms]


def test_a_configuration_gives_members_to_all_worms_and_to_single_ones():
    config = RunConfig().updated({"members": {"RIM": 1}, "worms": [{}, {"members": {"RIM": 0, "AVAL": 1}}]})
    first, second = worms_of(config)
    assert first.members == {"RIM": 1} and second.members == {"AVAL": 1}
    with pytest.raises(ConfigError, match="did you mean 'members.RIM'"):
        RunConfig().updated({"members.rim": 1})
    assert resolved(RunConfig().updated({"members.RIM": 1})).members == {"RIM": 1}


def test_a_sweep_runs_over_members():
    plan = make_plan({"vary": {"members": {"RIM": {"from": 0, "to": 1, "steps": 2}}}})
    assert [run.overrides for run in plan.runs] == [{"members.RIM": 0}, {"members.RIM": 1}]
    assert worms_of(plan.config(plan.runs[1]))[0].members == {"RIM": 1}
    with pytest.raises(ConfigError, match="RIM has members 0 to"):
        make_plan({"vary": {"members.RIM": [0, 99]}})
    shipped = read_plan(ROOT / "sims" / "sweep_members.toml")
    chosen = [worms_of(shipped.config(run))[0].members for run in shipped.runs]
    assert chosen[0] == {} and all(set(each) == set(cells()) for each in chosen[1:])


def script():
    spec = importlib.util.spec_from_file_location("adopt_ensembles", ROOT / "sims" / "adopt_ensembles.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_table_holds_what_the_fits_found_the_best_left_out(tmp_path):
    same = {"leak": 0.2, "pipette": 3.0}  # the pipette is the experiment's, not the membrane's
    sets = [{"nca": 0.1 * k, "leak_reversal": -60.0 - k, "kqt3.tau_scale": 0.1 * k, **same} for k in range(12)]
    found = {"ensemble": [{"values": each, "misfit": 20.0 + k} for k, each in enumerate(sets)]}
    (tmp_path / "RIM.json").write_text(json.dumps(found))
    out = tmp_path / "members.csv"
    script().adopt(tmp_path, out)
    made = ensembles(out)["rim"]
    assert len(made) == 10 and made[0] == templates()["rim"]
    assert made[9].leak_reversal == -69.0 and made[9].conductances["nca"] == pytest.approx(0.9)
    assert made[9].kinetics == {**templates()["rim"].kinetics, "kqt3": {"tau_scale": 0.9}}
    assert made[1].reference_capacitance == templates()["rim"].reference_capacitance
    (tmp_path / "RIM.json").write_text(json.dumps({"ensemble": [{"values": {}}, {}]}))
    with pytest.raises(ConfigError, match="not a list of values and misfit"):
        script().adopt(tmp_path, out)


def test_a_table_whose_members_skip_a_number_is_refused(tmp_path):
    path = tmp_path / "members.csv"
    path.write_text("template,member,quantity,value,unit\nrim,2,leak,0.1,nS\n")
    with pytest.raises(ConfigError, match="member 2 of rim follows member 0"):
        ensembles(path)


def test_a_number_is_asked_of_the_ensemble_and_a_template_without_one_has_its_own_set_only():
    assert member("cord_active", 0) is templates()["cord_active"]
    with pytest.raises(ConfigError, match="unknown recorded cell"):
        member("cord_active", 1)
    assert ENSEMBLES.exists() and chosen_members({"rim": 1}) == {"RIM": 1}
