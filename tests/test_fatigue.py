"""Synapses that tire: the option, the table of pools, the rules of the network, and the two experiments with them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from test_cli import script

import tianbao as tb
from tianbao import anatomy
from tianbao.config import config_of, parse_setting
from tianbao.configured import worms_of
from tianbao.network.fatigue import ANY, TABLE, Fatigue, pools
from tianbao.network.rules import connection_rules

STEPS = np.linspace(0.0, 1.0, 47)
TOUCH = {"ALM", "AVM", "PLM", "PVM", "PVD"}


def rules(**options):
    return connection_rules(tb.Worm(discretisation="d_lambda", **options).design(STEPS))


def test_every_row_has_a_source_and_a_certainty():
    table = pd.read_csv(TABLE)
    assert set(table["class"]) == {*TOUCH, ANY} == set(pools())
    assert table.source.str.len().min() > 20 and set(table.certainty) <= {"low", "medium", "high"}
    assert table.source.str.contains("assumed").all()  # no pool of a touch neuron was ever measured
    for each in pools().values():
        assert each.use > 0.0 and each.refill < each.recycle


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("ALX,1,1,1,1,s,low", "unknown class 'ALX'"),
        ("ALM,1,0,1,1,s,low", "must be positive"),
        ("ALM,x,1,1,1,s,low", "use_per_s"),
        ("ALM,1,1,1,1,,low", "'source' is empty"),
        ("ALM,1,1,1,1,s,low", "no row '\\*'"),
    ],
)
def test_a_table_with_a_mistake_names_it(tmp_path, row, says):
    path = tmp_path / "pools.csv"
    path.write_text(f"class,use_per_s,refill_s,reserve,recycle_s,source,certainty\n{row}\n")
    with pytest.raises(tb.ConfigError, match=says):
        pools(path)


@pytest.mark.parametrize("given", ["off", "touch", {"ALM": 1.5, "ASH": 0.5}])
def test_a_configuration_keeps_the_fatigue(given):
    worm = tb.Worm(fatigue=given)
    config = tb.Simulation(worm, progress=False).configuration(100.0)
    assert config.worm.fatigue == given
    (again,) = worms_of(config_of(config.to_toml(), "test"))
    assert again.fatigue == worm.fatigue == Fatigue.of(given)


def test_a_setting_of_the_command_line_chooses_it():
    assert parse_setting("worm.fatigue=touch") == ("worm.fatigue", "touch")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("on", "unknown fatigue 'on'"),
        ({"ALML": 1.0}, "unknown class 'ALML'"),
        ({"ALM": -1.0}, "outside 0 to 100"),
        ({}, "a table of classes"),
        (3, "a table of classes"),
    ],
)
def test_what_is_no_fatigue_is_refused(given, says):
    with pytest.raises(tb.ConfigError, match=says):
        tb.Worm(fatigue=given)


def test_worms_that_tire_differently_have_nervous_systems_of_their_own():
    keys = {tb.Worm(fatigue=each).network_key for each in ("off", "touch", {"ALM": 1.0}, {"ALM": 2.0})}
    assert len(keys) == 4


def test_only_chemical_synapses_of_the_chosen_classes_tire_and_all_keep_their_weights():
    before, after = rules(), rules(fatigue="touch")
    tire = [rule for rule in after if rule.mechanism["mod"] == "TiringSynapse"]
    assert {anatomy.neuron_class(name) for rule in tire for name in rule.pre} == TOUCH
    assert not any("tiring" in rule.label or rule.mechanism["mod"] == "TiringSynapse" for rule in before)
    rest = {name for rule in after if rule.mechanism["mod"] == "GradedSynapse" for name in rule.pre}
    assert not {anatomy.neuron_class(name) for name in rest} & TOUCH

    def every(found):
        """Pre, post, weight and threshold of every chemical connection, sorted."""
        mods = ("GradedSynapse", "TiringSynapse")
        return sorted(
            (pre, post, float(weight), rule.mechanism["v_half"], rule.mechanism["e"])
            for rule in found if rule.mechanism["mod"] in mods
            for pre, post, weight in zip(rule.pre, rule.post, rule.weights, strict=True)
        )  # fmt: skip

    assert every(before) == every(after)
    (alm,) = {tuple(rule.mechanism[key] for key in ("use", "refill", "reserve", "recycle"))
              for rule in tire if rule.label.endswith("_tiring_ALM")}  # fmt: skip
    own = pools()["ALM"]
    assert alm == pytest.approx((own.use / 1000.0, own.refill * 1000.0, own.reserve, own.recycle * 1000.0))


def test_a_worm_that_tires_is_not_exported():
    with pytest.raises(tb.ConfigError, match="fatigue = off"):
        tb.Worm(fatigue="touch").design(STEPS).check_exportable()


def pool(interval: float, count: int, pause: float) -> tuple[list[float], float]:
    """Available share at each of several releases of half a second [s apart], and after a pause, by small steps."""
    own, step = pools()["ALM"], 0.01
    available = stored = 1.0

    def wait(seconds: float, release: float) -> None:
        nonlocal available, stored
        for _ in range(round(seconds / step)):
            used, refilled = own.use * release * available, (stored - available) / own.refill
            available += step * (refilled - used)
            stored += step * ((1.0 - stored) / own.recycle - refilled / own.reserve)

    found = []
    for _ in range(count):
        found.append(available)
        wait(0.5, 1.0)
        wait(interval - 0.5, 0.0)
    wait(pause - interval, 0.0)
    return found, available


def test_the_pools_alone_have_the_order_that_intervals_have_in_animals():
    """Rankin & Broster 1992: after short intervals faster and deeper, and faster recovery."""
    (short, short_after), (long, long_after) = (pool(each, 30, 120.0) for each in (10.0, 60.0))
    assert short[3] < long[3] and short[-1] < long[-1] < 0.95
    assert short_after - short[-1] > long_after - long[-1]
    assert short_after > long_after  # though they were more tired


def test_habituation_gives_each_worm_its_stimuli_at_whole_ticks():
    sim = script("habituation")
    for condition in sim.CONDITIONS:
        job = sim.Job(condition, 1, 4)
        for number in (0, 3):
            times = sim.onsets(job, number)
            assert (times % sim.TICK == 0.0).all() and len(times) == (2 if condition.alone else 5)
            verbs = [each["verb"] for each in sim.worm_of(job, number).interventions]
            assert verbs.count(condition.stimulus) == len(times)


def test_habituation_measures_levels_as_shares_of_the_first_answer():
    sim = script("habituation")
    rows = [
        {"condition": "tap, 10 s", "stimulus": number, "recovery": number == 6, "eligible": worm != 3,
         "reversed": way > 0.0, "way_body_lengths": way}
        for worm in range(4) for number, way in enumerate((0.4, 0.3, 0.2, 0.1, 0.0, 0.3), start=1)
    ]  # fmt: skip
    table = sim.curve(pd.DataFrame(rows))
    assert table.trials.tolist() == [3] * 6 and table.share.tolist() == [1, 1, 1, 1, 0, 1]
    (row,) = sim.summarise(pd.DataFrame(rows)).to_dict("records")
    assert row["late_share"] == pytest.approx(2 / 3) and row["late_way_of_first"] == pytest.approx(0.25)
    assert row["recovered_way_of_first"] == pytest.approx(0.75)


def test_a_lattice_leaves_room_for_its_worm_and_no_more():
    sim = script("lattice")
    every = len(tb.pillar_array(sim.RADIUS, sim.PITCH, (sim.FIELD, sim.FIELD), "square"))
    for seed in range(20):
        heading, pillars = sim.start(seed)
        line = np.linspace(-0.5, 0.5, 50)[:, None] * [np.cos(heading), np.sin(heading)]
        gaps = [np.hypot(*(line - [each.x, each.y]).T).min() - each.radius for each in pillars]
        assert min(gaps) > sim.AMPLITUDE and every - 12 <= len(pillars) < every


def test_how_long_a_path_gets_nowhere():
    sim = script("lattice")
    time = np.arange(0.0, 10_000.0, 100.0)
    x = np.where(time < 3_000.0, 0.0, (time - 3_000.0) / 1_000.0)
    path = np.column_stack([x, np.zeros_like(x)])
    assert sim.longest_nowhere(time, path, 0.1) == pytest.approx(3.2, abs=0.15)
    nose = np.where((time > 4_000.0) & (time < 4_500.0) | (time > 4_800.0) & (time < 5_000.0), 2.0, 0.0)
    assert sim.collisions(time, nose).tolist() == [4_100.0]
