"""Signs of synapses: families with sources, switches, and where a worm keeps them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import script

import tianbao as tb
from tianbao import anatomy, parameters
from tianbao.config import RunConfig, config_of, parse_setting
from tianbao.configured import worms_of
from tianbao.network.design import intact_tables
from tianbao.network.signs import Signs
from tianbao.network.wiring import tyramine, volume_weights
from tianbao.units import US_PER_NS

STEPS = np.linspace(0.0, 1.0, 47)
AVB_AVA = {"AVB-AVA": "-"}


@pytest.fixture(scope="module")
def usual():
    return intact_tables()


@pytest.fixture(scope="module")
def predicted():
    return intact_tables("predicted")


def changed(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Rows of two tables of the same pairs whose signs differ."""
    assert before[["pre", "post"]].equals(after[["pre", "post"]])
    return after[before.sign != after.sign]


def ends(table: pd.DataFrame) -> set[tuple[str, str]]:
    """Classes at both ends of connections."""
    return {(anatomy.neuron_class(a), anatomy.neuron_class(b)) for a, b in zip(table.pre, table.post, strict=True)}


def test_every_family_meets_connections_of_the_worm_and_says_where_its_sign_is_from():
    table = tb.sign_sources()
    assert (table.pairs[table.kind != "volume"] > 0).all()
    assert table.source.str.len().min() > 40 and set(table.certainty) <= {"high", "medium", "low"}
    contested = table[table.published == ""]
    assert contested.source.str.startswith("contested").all() and (contested.certainty == "low").all()


def test_predictions_alone_are_what_the_rules_of_transmitter_and_prediction_give(predicted):
    chemical = predicted.chemical
    assert not chemical.sign_source.str.startswith("family").any() and predicted.volume.empty
    negative = (chemical.sign_predicted == "-") | chemical.sign_source.str.startswith(("transmitter", "assumed"))
    assert ((chemical.sign == "inhibitory") == negative).all()


def test_a_switch_changes_its_family_and_nothing_else(usual):
    after = intact_tables(AVB_AVA)
    found = changed(usual.chemical, after.chemical)
    assert ends(found) == {("AVB", "AVA")} and found.sign_source.str.contains("AVB-AVA -", regex=False).all()
    assert after.nmj.equals(usual.nmj) and after.gap.equals(usual.gap)


def test_by_default_signs_follow_the_physiology_where_there_is_some(usual, predicted):
    found = changed(predicted.chemical, usual.chemical)
    assert {("RIM", "AVB"), ("RIM", "RMD"), ("ASH", "AIA"), ("AIB", "RIM"), ("ASE", "AIB")} <= ends(found)
    assert not ({("AVA", "AVB"), ("RIB", "AVA"), ("PLM", "AVD"), ("RIM", "AVA")} & ends(found))
    assert set(found.pre[found.post.str.startswith("AIB")]) == {"ASEL"}
    nmj = usual.nmj
    assert len(usual.volume) and set(nmj.sign[nmj.pre.str.startswith("RIM")]) == {"inhibitory"}


def test_a_choice_overrides_a_published_sign():
    chosen = intact_tables({"AIB-RIM": "+"}).chemical
    mine = chosen[chosen.pre.str.startswith("AIB") & chosen.post.str.startswith("RIM")]
    assert len(mine) == 4 and set(mine.sign) == {"excitatory"}


def test_receptors_decide_glutamate_by_mrna_and_agree_with_five_of_seven_published_signs():
    families = ("ASEL-AIB", "ASER-AIB", "AWC-AIB", "AWC-AIY", "ASER-AIY", "sensors-AIA", "AIB-RIM")
    table = tb.sign_sources(signs=dict.fromkeys(families, "receptors")).set_index("family")
    agree = {name: table.in_use[name] == table.published[name] for name in families}
    assert [name for name, yes in agree.items() if not yes] == ["ASEL-AIB", "AIB-RIM"]


def test_contacts_without_an_effect_are_gone_and_the_others_of_a_row_take_their_share(usual):
    after = intact_tables({"dopamine-muscle": "none"})
    gone = set(usual.nmj.pre) - set(after.nmj.pre)
    assert gone and gone <= {*anatomy.match_neurons("ADE*", "CEP*", "PDE*")}
    assert after.intact_nmj.equals(after.nmj)


def test_a_sign_of_a_users_own_table_is_kept(tmp_path):
    own = tmp_path / "own.csv"
    own.write_text("pre,post,kind,em_sections,sign\nAVBL,AVAL,chemical,5,+\nAVBR,AVAR,chemical,5,\n")
    chemical = intact_tables(AVB_AVA, str(own)).chemical.set_index("pre")
    assert chemical.sign.to_dict() == {"AVBL": "excitatory", "AVBR": "inhibitory"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"AVA-AVV": "-"}, "did you mean 'AVA-AVB'"),
        ({"AVA-AVB": "x"}, "give one of '[+]', '-', 'none'"),
        ({"AVA-AVB": "receptors"}, "is not possible"),
        ({"tyramine-volume": "+"}, "give one of '-', 'none'"),
        ({"others": "guessed"}, "guessed"),
        ({}, "empty"),
        ("publishd", "published"),
        ("{AVA-AVB=-}", "put signs in quotes"),
    ],
)
def test_unknown_families_and_signs_are_refused_in_one_sentence(given, said):
    with pytest.raises(tb.ConfigError, match=said) as caught:
        tb.Worm(signs=given)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


@pytest.fixture
def two_worms() -> list[tb.Worm]:
    """Of a configuration that was written and read: with a table of families, and with a rule."""
    key, value = parse_setting('worm.signs={AVB-AVA = "-"}')
    config = RunConfig().updated({key: value, "worms": [{"at": (0, 0, 0)}, {"at": (2, 0, 0), "signs": "predicted"}]})
    return worms_of(config_of(config.to_toml(), "test"))


def test_signs_survive_the_configuration_and_are_told_by_the_worm(two_worms):
    first, second = two_worms
    assert first.signs == Signs.of(AVB_AVA) and second.signs == Signs.of("predicted")
    assert first.provenance["signs"] == "published, AVB-AVA -"
    assert len({each.model().network_key for each in (first, second, tb.Worm())}) == 3


@pytest.mark.slow
def test_a_result_keeps_the_signs_of_each_worm(two_worms):
    described = tb.Simulation(two_worms, progress=False).configuration(10.0)
    assert [each.signs for each in worms_of(described)] == [each.signs for each in two_worms]


def test_tyramine_reaches_cells_with_lgc55_that_rim_does_not_contact():
    table = intact_tables({"tyramine-volume": "-"}).volume
    reached, contacted = set(table.post), set(intact_tables().chemical.query("pre in ['RIML', 'RIMR']").post)
    assert {"RMDVL", "IL1DL", "ALML"} <= reached and not reached & contacted
    p = parameters.defaults()
    weights = volume_weights(table, dict.fromkeys(reached, p.input_reference_capacitance), p)
    total = pd.Series(weights).groupby(table.post).sum() / US_PER_NS
    assert total.to_numpy() == pytest.approx(tyramine()["conductance"]) and tyramine()["tau"] > 10.0 * p.synapse_tau


def test_what_diffuses_goes_with_its_source_and_can_be_scaled():
    def total(worm: tb.Worm) -> float:
        return float(worm.design(STEPS).tables.volume.strength.sum())

    def worm() -> tb.Worm:
        return tb.Worm(signs={"tyramine-volume": "-"})

    whole = total(worm())
    assert total(worm().ablate("RIM*")) == 0.0
    assert total(worm().ablate("RIML")) == total(worm().cut_synapses("RIML", "*")) == whole / 2
    assert total(worm().scale_synapses("RIM*", "IL1*", 0.5)) == whole - 6.0


def test_the_command_line_lists_families_with_their_sources(capsys):
    from tianbao.cli import main

    assert main(["sources", "--signs", "AIY*"]) == 0
    told = capsys.readouterr().out
    assert "AFD-AIY" in told and "Chalasani et al. 2007" in told and "RIM-tyramine" not in told


@pytest.mark.slow
def test_tyramine_of_a_depolarised_rim_silences_the_head_and_lowers_avb():
    late = {}
    for name, signs in {"glutamate": "predicted", "tyramine": {"RIM-tyramine": "-", "tyramine-volume": "-"}}.items():
        worm = tb.Worm(signs=signs, discretisation="d_lambda").clamp("RIM*", voltage=0.0)
        simulation = tb.Simulation(worm, seed=1, engine="native", progress=False)
        simulation.record(voltage=["SMDDL", "RMDL", "RMDVL", "IL1DL", "AVBL"])
        late[name] = simulation.run(1500.0).voltages().loc[800.0:].mean()
    drop = late["glutamate"] - late["tyramine"]
    assert drop[["SMDDL", "RMDL", "RMDVL"]].min() > 10.0 and drop.AVBL > 3.0 and drop.IL1DL > 1.0


def test_the_experiment_of_signs_throws_switches_that_a_worm_can_have():
    switches = list(script("signs").switches())
    given = [Signs.of(each).families for each in switches]  # refuses a sign that a family cannot have
    both = [sign for each in given for name, sign in each if name == "PVC-command"]
    assert sorted(both) == ["+", "-"]
