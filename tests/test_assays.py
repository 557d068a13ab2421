"""Assays of published figures: values with intervals, the reader, rows that survive a stop, verdicts, the page."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from free_worms import crawl
from synthetic import recording

from tianbao.behaviour.estimates import Pooled, Ratio, Share
from tianbao.behaviour.measures import MEASURES, measure_of
from tianbao.behaviour.trials import Trial
from tianbao.config import RunConfig
from tianbao.errors import ConfigError
from tianbao.experiment import simulation
from tianbao.validation import assay_report, assay_runs, behaviour
from tianbao.validation.assay import Placing, Setup
from tianbao.validation.assay_file import assays, read_assay
from tianbao.validation.assay_runs import Batch, Group, Kept, configured, run_groups
from tianbao.validation.assay_verdict import ABSENT, NOT_RUN, PARTIAL, REPRODUCED, groups_of, judged

SMALL = """
duration = 3000.0

[worm]
discretisation = "d_lambda"

[record]
voltage = []

[assay]
title = "A worm moves"
question = "Does it?"
source = "assumed"
figure = "none"
worms = 1
together = 1
settle = 500.0

[[conditions]]
name = "intact"

[[conditions]]
name = "without release"

[[conditions.interventions]]
verb = "knock_out"
genes = ["unc-13"]

[[measures]]
name = "way"
measure = "net_path"
unit = "mm"
neutral = 0.0
animal = {value = 1.0, low = 0.9, high = 1.1, source = "assumed", certainty = "low"}
controls = [{condition = "without release", expect = "lower"}]

[verdict]
reproduced = ["range", "controls"]
partial = ["controls"]
"""
PATH = 'measure = "net_path"\nunit = "mm"'


def small(tmp_path, text=SMALL):
    path = tmp_path / "small.toml"
    path.write_text(text)
    return path


def trial(program, stimulus=math.nan, fields="") -> Trial:
    """A made-up worm in a run."""
    time, line = crawl(program, frame=40.0)
    run = recording()
    track = dataclasses.replace(
        run.worms[0], midline=np.pad(line, ((0, 0), (0, 0), (0, 1))), inputs={}, receptors={}, dorsal=None,
        muscle_activation=np.zeros((len(time), len(run.worms[0].muscles))),
    )  # fmt: skip
    changed = {"time": time, "worms": (track,), "config_toml": '[arena]\nmedium = "agar"\n' + fields}
    return Trial(type(run)(**{**vars(run), **changed}), 0, 0.0, stimulus)


BACK_AND_FORTH = [(6.0, 0.25), (2.0, -0.25)] * 8 + [(1.0, 0.25)]
SALT = '[[fields]]\nkind = "gradient"\nname = "nacl"\nvalue = 50.0\nslope = 2.0\nlow = 0.0\nhigh = 100.0\n'


def test_a_ratio_is_that_of_the_sums_and_its_interval_holds_it():
    rows = [np.array([k % 3, 2.0]) for k in range(30)]
    found = Ratio(lambda total: total[..., 0] / total[..., 1]).estimate(rows)
    assert found.value == pytest.approx(0.5) and found.low < 0.5 < found.high and found.worms == 30
    assert math.isnan(Ratio(lambda total: total[..., 0]).estimate([]).value)


def test_a_difference_of_pairs_is_sharper_than_that_of_groups():
    random = np.random.default_rng(3)
    worms = random.normal(0.0, 1.0, 20)
    others = [np.array([each, 1.0]) for each in worms]
    rows = [np.array([each + 0.2 + 0.01 * random.normal(), 1.0]) for each in worms]
    mean = Ratio(lambda total: total[..., 0] / total[..., 1])
    paired, apart = mean.difference(rows, others, paired=True), mean.difference(rows, others)
    assert 0.18 < paired.low < paired.high < 0.22
    assert apart.low < 0.0 < apart.high


def test_shares_differ_only_if_there_are_enough_trials():
    def shares(hits, trials):
        return [np.array([float(k < hits), 1.0]) for k in range(trials)]

    assert Share().difference(shares(2, 40), shares(36, 40)).high < 0.0
    assert Share().difference(shares(1, 3), shares(2, 3)).high > 0.0
    assert Share().estimate([*shares(3, 3), np.array([0.0, 0.0])]).worms == 3  # a trial that does not count


def test_few_fits_give_an_interval_by_their_spread():
    rows = [np.array([float(k)]) for k in range(10)]
    pooled = Pooled(lambda chosen: float(np.mean(chosen)), draws=20)
    found = pooled.estimate(rows)
    assert found.value == 4.5 and found.high - found.value == pytest.approx(found.value - found.low)
    assert pooled.difference(rows, rows, paired=True) == dataclasses.replace(found, value=0.0, low=0.0, high=0.0)


def test_measures_of_a_worm_that_goes_back_and_forth():
    worm = trial(BACK_AND_FORTH)

    def value(name, **arguments):
        measure = MEASURES[name]
        return measure.statistic.estimate([np.array(measure.row(worm, **arguments))] * 2).value

    assert value("forward_speed") == pytest.approx(0.25, rel=0.1)
    assert value("reversal_rate") == pytest.approx(7.4, rel=0.05)
    assert MEASURES["reversal_rate"].row(worm, from_s=9.0, until_s=33.0) == pytest.approx([3.0, 24.0], abs=0.1)
    assert value("reversal_length") == pytest.approx(0.5, rel=0.1)
    assert value("threshold_dwell", state="forward") == pytest.approx(6.0, abs=0.3)
    assert value("share_backward") == pytest.approx(0.25, abs=0.03)


def test_a_change_of_heading_is_that_of_reversals_that_are_long_enough():
    program = [(7.0, 0.25), (0.8, -0.25), (9.0, 0.25, -40.0, 0.5), (3.0, -0.25), (9.0, 0.25, -120.0, 0.5)]
    row = measure_of("turn_angle", "here").row
    total, count = row(trial(program))
    longer, few = row(trial(program), least_s=1.5)
    assert (count, few) == (2.0, 1.0) and longer == pytest.approx(120.0, abs=25.0) and total > longer + 20.0


def test_measures_of_a_response():
    def share(stimulus, window):
        row = MEASURES["reversed"].row(trial(BACK_AND_FORTH, stimulus), window_s=window)
        return MEASURES["reversed"].statistic.estimate([np.array(row)])

    assert share(5_500.0, 1.0).value == 1.0 and share(3_000.0, 1.0).value == 0.0
    assert share(7_000.0, 1.0).worms == 0  # it goes backwards already
    with pytest.raises(ConfigError, match="assay.stimulus"):
        MEASURES["latency"].row(trial(BACK_AND_FORTH))


@pytest.mark.parametrize("name", MEASURES)
def test_every_measure_gives_numbers_that_json_holds(name):
    worm = trial(BACK_AND_FORTH, 5_500.0, SALT)
    row = MEASURES[name].row(worm)
    again = json.loads(json.dumps([float(each) for each in row]))
    if name.startswith("hidden"):
        assert len(again) > 1000  # the fit takes seconds: tests/test_motion_states.py
        return
    found = MEASURES[name].statistic.estimate([np.array(again)] * 3)
    assert found.worms == (3 if np.any(again) else 0) or MEASURES[name].statistic == Share()
    if MEASURES[name].curve:
        assert {len(each) for each in MEASURES[name].curve([np.array(again)])} == {9}


def test_a_worm_is_caught_where_it_comes_first():
    there = trial([(20.0, 0.25)])
    way = there.midline[-1, 0, :2] - there.midline[0, 0, :2]
    ahead = there.midline[0, :, :2].mean(axis=0) + 0.5 * way
    behind = ahead - way
    index = {name: MEASURES[name].row for name in ("caught_index", "chemotaxis_index")}
    for spot, caught in ((ahead, 1.0), (behind, -1.0), (ahead + 50.0, 0.0)):
        assert index["caught_index"](there, source=tuple(spot), radius_mm=0.3) == [caught, 1.0]
    assert index["chemotaxis_index"](there, source=tuple(ahead), radius_mm=0.3) == [0.0, 1.0]  # it has moved on


def test_encounters_with_a_circle_are_left_or_deep():
    # A nose at 1 mm that goes to 2.2 and back, to 3 and back, and to 2.1, where the run ends: the border lies at 2 mm.
    away = [(0, 1.0), (5, 1.0), (6, 2.2), (7, 1.0), (17, 1.0), (20, 3.0), (23, 1.0), (33, 1.0), (35, 2.1), (36, 2.1)]
    time = np.arange(0.0, 36_000.0, 40.0)
    nose = np.interp(time / 1000.0, *np.array(away).T)
    line = np.zeros((len(time), 49, 3))
    line[..., 0] = nose[:, None] - np.linspace(0.0, 1.0, 49)
    other = trial(BACK_AND_FORTH).recording
    track = dataclasses.replace(
        other.worms[0], midline=line, muscle_activation=np.zeros((len(time), len(other.worms[0].muscles)))
    )
    run = Trial(type(other)(**{**vars(other), "time": time, "worms": (track,)}))
    given = {"edge_mm": 2.0}
    assert MEASURES["encounters_left"].row(run, **given) == [1.0, 2.0]
    assert MEASURES["encounters_deep"].row(run, **given) == [1.0, 2.0]
    assert MEASURES["encounters_deep"].arguments({"edge_mm": 1.5}, "x") == {"edge_mm": 1.5}
    assert MEASURES["encounters_left"].row(run, edge_mm=4.0) == [0.0, 0.0]
    # The last one is not over when the run is, but by then it has lasted for too long.
    assert MEASURES["encounters_left"].row(run, **given, within_s=1.0) == [1.0, 3.0]
    assert MEASURES["encounters_deep"].row(run, **given, within_s=1.0) == [1.0, 2.0]


def test_worms_of_which_nothing_was_measured_do_not_count():
    mean, none = MEASURES["latency"].statistic, np.zeros(2)
    one = [np.array([0.3, 1.0]), *[none] * 19]
    assert mean.estimate(one).worms == 1 and math.isnan(mean.estimate(one).low)
    assert mean.difference(one, [np.array([0.7, 1.0])] * 20).worms == 1


def test_a_registered_assay_is_a_measure_and_an_unknown_one_is_refused():
    assert measure_of("forward_dwell", "x").unit == "s"
    assert measure_of("forward_dwell", "x").row(trial(BACK_AND_FORTH))[1] == 1.0
    with pytest.raises(ConfigError, match="did you mean 'reversal_rate'"):
        measure_of("reversal_rat", "x")
    with pytest.raises(ConfigError, match="'window_s' must be"):
        MEASURES["reversed"].arguments({"window_s": "1 s"}, "x")


def test_the_example_of_the_page_can_be_read(tmp_path):
    page = (Path(__file__).parents[1] / "docs" / "assays.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```\n(duration.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert read_assay(small(tmp_path, text)).setup.spread == 1500.0


@pytest.mark.parametrize("path", assays(), ids=lambda path: path.stem)
def test_every_assay_can_be_read(path):
    assay = read_assay(path)
    assert assay.title and assay.question and len(assay.conditions) > 1
    assert any(each.controls for each in assay.measures)
    for config in assay.conditions.values():
        assert config.worm.decision in ("network", "off") and config.worm.discretisation == "d_lambda"
        assert config.worm.signs == "deciding"


def test_changes_reach_every_condition_that_says_nothing_else():
    dwell = assays(["dwell_times"])[0]
    changed = read_assay(dwell, {"worm.decision": {"plateau_ava": 2.0}, "arena.temperature": 22.0}).conditions
    assert changed["decides"].worm.decision == {"plateau_ava": 2.0}
    assert changed["does not decide"].worm.decision == "off"
    assert {each.arena.temperature for each in changed.values()} == {22.0}
    with pytest.raises(ConfigError, match=r"dwell_times.toml with --set: unknown key 'worm.decisions'"):
        read_assay(dwell, {"worm.decisions": "off"})
    with pytest.raises(ConfigError, match="places its worms itself; give their number as --worms"):
        read_assay(dwell, {"worms": []})
    with pytest.raises(ConfigError, match="given by --seed and by --set"):
        behaviour.run(["tap"], "output", seed=3, changes={"seed": 4})


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("worms = 1\n", "wurms = 1\n", "small.toml: [assay]: unknown key 'wurms': did you mean 'worms'"),
        ("duration = 3000.0\n", "duration = 3000.0\ncolour = 1\n", "unknown key 'colour'"),
        ('unit = "mm"', 'unit = "m"', "'net_path' is in mm, not in m"),
        ('measure = "net_path"', 'measure = "net_pth"', "unknown measure 'net_pth': did you mean 'net_path'"),
        ('controls = [{condition = "without release", expect = "lower"}]', "", "no measure has a control"),
        ('condition = "without release", expect', 'condition = "with", expect', "unknown condition 'with'"),
        ('expect = "lower"', 'expect = "less"', "unknown expectation 'less'"),
        ('"range", "controls"', '"ranges"', "unknown criterion 'ranges'"),
        ('source = "assumed", certainty', 'source = " ", certainty', "'source' is missing"),
        ('certainty = "low"', 'certainty = "some"', "unknown certainty 'some'"),
        ("low = 0.9", "low = 1.05", "value 1 must lie between low 1.05"),
        ('genes = ["unc-13"]', 'genes = ["unc-x13"]', "condition 'without release'"),
        ("settle = 500.0", "settle = 5000.0", "ends before settle"),
        ("[record]", "[[worms]]\nat = [0.0, 0.0, 0.0]\n\n[record]", "places its worms itself"),
        ('title = "A worm moves"\n', "", "'title' is missing"),
        ("[verdict]", "[verdikt]", "verdi"),
        ('neutral = 0.0', 'neutral = "none"', "'neutral' must be"),
        ('name = "without release"', 'name = "intact"', "is there twice"),
        ("duration = 3000.0", "duration = 3000.0\nplacing = 3", "'placing' must be a table"),
        ("high = 1.1", "high = 1.1, points = [[1.0, 2.0], [3.0]]", "'points' must be pairs [x, y]"),
        (PATH, 'measure = "latency"\nunit = "s"', "set assay.stimulus"),
        (PATH, 'measure = "threshold_dwell"\narguments = {state = "forwards"}\nunit = "s"', "unknown state 'forwards'"),
    ],
)  # fmt: skip
def test_a_mistake_in_an_assay_is_one_sentence(tmp_path, before, after, words):
    assert before in SMALL
    with pytest.raises(ConfigError) as caught:
        read_assay(small(tmp_path, SMALL.replace(before, after, 1)))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_an_unknown_assay_is_refused():
    with pytest.raises(ConfigError, match="did you mean 'dwell_times'"):
        assays(["dwell_time"])


def group(worms=6, together=5, **more) -> Group:
    touch = {"verb": "touch", "at": 0.0, "start": 1000.0, "stop": 1500.0}
    config = RunConfig().updated({"duration": 4000.0, "seed": 7, "interventions": [touch]})
    setup = Setup(together=together, stimulus=1000.0, spread=1500.0, settle=0.0, **more)
    return Group("touched", config, setup, {"net_path": ("net_path", {})}, worms)


def test_a_worm_is_the_same_in_any_company():
    whole, alone = configured(Batch(group(), (0, 1, 2))), configured(Batch(group(), (2,)))
    assert alone.worms[0] == whole.worms[2] and alone.stream == 2
    headings = [each["heading"] for each in whole.worms]
    assert len(set(headings)) == 3


def test_stimuli_are_spread_over_whole_ticks_and_a_bath_reaches_all_at_once():
    starts = [each["interventions"][0]["start"] for each in configured(Batch(group(), tuple(range(5)))).worms]
    assert starts == [1000.0, 1300.0, 1600.0, 1900.0, 2200.0]
    bath = {"kind": "bath", "name": "glycerol", "steps": [[0.0, 0.0], [1000.0, 500.0]]}
    bathed = dataclasses.replace(group(), config=group().config.updated({"fields": [bath], "interventions": []}))
    steps = [configured(Batch(bathed, (number,))).fields[0]["steps"][1][0] for number in (0, 4, 5)]
    assert steps == [1000.0, 1000.0, 1300.0]


def test_worms_begin_around_the_source_in_different_directions():
    there = group(placing=Placing(distance=4.0, centre=(1.0, 0.0)))
    places = np.array([each["at"][:2] for each in configured(Batch(there, tuple(range(5)))).worms])
    assert np.linalg.norm(places - (1.0, 0.0), axis=1) == pytest.approx(4.0)
    assert np.linalg.norm(places[0] - places[1]) > 2.0


YOKED = SALT.replace("[[fields]]", "[[conditions.fields]]")


def yoked(tmp_path):
    """An assay of a slope of salt, with worms that meet the signal of another one."""
    more = '[[conditions]]\nname = "yoked"\nyoked = "intact"\n\n[[conditions]]\nname = "without'
    text = SMALL.replace('name = "intact"\n', 'name = "intact"\n\n' + YOKED, 1)
    return read_assay(small(tmp_path, text.replace('[[conditions]]\nname = "without', more, 1)))


def test_a_yoked_worm_meets_what_the_nose_of_its_partner_met(tmp_path):
    groups = {each.name: each for each in groups_of(yoked(tmp_path))}
    mine = groups["small: yoked"]
    short = dataclasses.replace(mine, signal=mine.signal.updated({"duration": 600.0}))
    (bath,) = assay_runs._met_by_another(Batch(short, (2,)))
    alone = configured(Batch(dataclasses.replace(groups["small: intact"], config=short.signal), (3,)))
    met = simulation(alone, progress=False).run(600.0).sensed()["ASER nacl"]
    assert bath["kind"] == "bath" and bath["steps"][0] == (0.0, met.iloc[0])
    assert [value for _, value in bath["steps"]] == met.to_list() and met.iloc[-1] != met.iloc[0]
    assert not mine.config.fields and mine.digest("") != dataclasses.replace(mine, signal=None).digest("")
    (row,) = assay_runs.measured(Batch(short, (2,)))
    assert len(row["values"]) == 1


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ('yoked = "intact"', 'yoked = "intakt"', "must be a condition above it that is not yoked"),
        ('yoked = "intact"', 'yoked = "intact"\n\n' + YOKED, "yoked and has fields of its own"),
        (YOKED, "", "where there is no field that a worm senses"),
        ('name = "nacl"', 'name = "food"\nunit = "ug/mm2"', "where there is no field that a worm senses"),
        ('yoked = "intact"', 'yoked = "intact"\nduration = 9000.0', "which ends sooner, after 3000 ms"),
        ('name = "without release"\n', 'name = "without release"\nyoked = "yoked"\n', "not yoked itself"),
        ("together = 1", "together = 2", "write together = 1"),
    ],
)
def test_a_mistake_in_a_yoked_condition_is_one_sentence(tmp_path, before, after, words):
    yoked(tmp_path)
    text = (tmp_path / "small.toml").read_text().replace(before, after, 1)
    with pytest.raises(ConfigError) as caught:
        read_assay(small(tmp_path, text))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_rows_survive_a_stop(tmp_path, monkeypatch):
    done = []

    def measured(batch):
        done.append(batch.numbers)
        return [{"worm": number, "values": {"net_path": [1.0, 1.0]}} for number in batch.numbers]

    monkeypatch.setattr(assay_runs, "measured", measured)
    path = tmp_path / "rows.jsonl"
    assert len(run_groups([group(3)], Kept(path), progress=False)["touched"]) == 3
    path.write_text(path.read_text() + '{"digest": "cut sho')
    assert len(run_groups([group(7)], Kept(path), progress=False)["touched"]) == 7
    assert done == [(0, 1, 2), (3, 4), (5, 6)]
    run_groups([group(7)], Kept(path), progress=False)
    changed = dataclasses.replace(group(1), config=group().config.updated({"duration": 5000.0}))
    run_groups([changed], Kept(path), progress=False)
    assert done[3:] == [(0,)]
    monkeypatch.setattr(assay_runs, "table_hash", lambda: "another table")
    run_groups([group(1)], Kept(path), progress=False)
    assert done[4:] == [(0,)]


def test_a_run_that_diverged_does_not_count(tmp_path):
    assay = read_assay(small(tmp_path))
    rows = {"small: intact": [{"worm": 0, "error": "diverged"}], "small: without release": []}
    assert judged(assay, rows).verdict == NOT_RUN


@pytest.mark.parametrize(
    ("way", "control", "verdict"), [(1.0, 0.1, REPRODUCED), (0.5, 0.1, PARTIAL), (0.5, 0.5, ABSENT), (1.0, 1.0, ABSENT)]
)
def test_verdicts_follow_the_rule_of_the_file(tmp_path, way, control, verdict):
    outcome = judged(read_assay(small(tmp_path)), made(way, control))
    assert outcome.verdict == verdict
    assert [each.shown for each in outcome.found[0].controls] == [control < way]


def made(way, control):
    random = np.random.default_rng(1)
    return {
        f"small: {name}": [
            {"worm": k, "values": {"net_path": [value + 0.02 * random.normal(), 1.0]}} for k in range(12)
        ]
        for name, value in (("intact", way), ("without release", control))
    }


def test_the_page_shows_animal_and_model(tmp_path):
    outcome = judged(read_assay(small(tmp_path)), made(1.0, 0.1))
    steering = read_assay(assays(["nacl_steering"])[0])
    samples = [*np.linspace(-6.0, 6.0, 50), *np.linspace(-2.0, 2.0, 50)]
    rows = {each.name: [{"worm": k, "values": {"steering_slope": samples}} for k in range(3)]
            for each in groups_of(steering)}  # fmt: skip
    files = assay_report.write([outcome, judged(steering, rows)], tmp_path / "out", {"tianbao": "0"})
    content = json.loads(files[0].read_text())
    assert content["results"][0]["verdict"] == REPRODUCED and len(content["results"]) == 4
    table = list(csv.DictReader(files[1].read_text().splitlines()))
    assert list(table[0]) == list(assay_report.COLUMNS) and table[1]["holds"] == "True"
    assert files[2].read_text().count("<img") == 2 and "A worm moves" in files[2].read_text()
    assert "2 assays: 1 REPRODUCED" in assay_report.summary([outcome, judged(steering, rows)])
    assert "in range" in assay_report.table([outcome])
    few = dataclasses.replace(outcome, assay=dataclasses.replace(outcome.assay, setup=Setup(worms=40)))
    assert "by 12 of 40 worms only" in assay_report.table([few])


@pytest.mark.slow
def test_an_assay_runs_from_its_file_to_its_verdict_and_not_twice(tmp_path, monkeypatch):
    (outcome,) = behaviour.run([str(small(tmp_path))], tmp_path / "out", processes=1, progress=False)
    assert outcome.verdict in (REPRODUCED, PARTIAL, ABSENT) and outcome.worms == {"intact": 1, "without release": 1}
    way, control = outcome.found[0].value.value, outcome.found[0].controls[0].value.value
    assert 0.1 < way < 2.0 and control < way

    def never(batch):
        raise AssertionError(batch)

    monkeypatch.setattr(assay_runs, "measured", never)
    (again,) = behaviour.run([str(small(tmp_path))], tmp_path / "out", processes=1, progress=False)
    assert again.found[0].value == outcome.found[0].value


def test_processes_that_are_replaced_do_not_stop_the_rest(monkeypatch):
    monkeypatch.setattr(assay_runs, "measured", len)
    monkeypatch.setattr(assay_runs, "_MOST_BATCHES", 1)
    todo = [tuple(range(k)) for k in range(5)]
    assert sorted(assay_runs._computed(todo, 2)) == [(each, len(each)) for each in todo]
